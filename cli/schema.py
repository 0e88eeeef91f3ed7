"""``osbench schema``: the JSON Schemas of what osbench writes."""

from __future__ import annotations

import json

import click

from .options import handle_errors


@click.command()
@click.argument("document", type=click.Choice(["run", "submission", "experiment"]))
@handle_errors
def command(document: str) -> None:
    """Print the JSON Schema of a DOCUMENT: run.json, submission.json, or an experiment file."""
    from ..benchmark.experiment import experiment_schema
    from ..benchmark.run_info import run_schema
    from ..leaderboard.submission import submission_schema

    schemas = {"run": run_schema, "submission": submission_schema, "experiment": experiment_schema}
    click.echo(json.dumps(schemas[document](), indent=2))
