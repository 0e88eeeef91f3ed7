"""``osbench schema``: the JSON Schemas of what osbench writes."""

from __future__ import annotations

import json

import click

from .options import handle_errors


@click.command()
@click.argument("document", type=click.Choice(["run"]))
@handle_errors
def command(document: str) -> None:
    """Print the JSON Schema of a DOCUMENT: run (run.json)."""
    from ..benchmark.run_info import run_schema

    schemas = {"run": run_schema}
    click.echo(json.dumps(schemas[document](), indent=2))
