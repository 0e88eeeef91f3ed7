"""``osbench inspect``: what a weight file holds."""

from __future__ import annotations

from pathlib import Path

import click

from .options import emit, handle_errors, json_option


@click.command(name="inspect")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@handle_errors
def command(file: Path, as_json: bool) -> None:
    """Describe a generator's weight FILE: family, configuration, tensors, hash. Nothing in it is executed."""
    from ..generation.checkpoints import inspect_checkpoint

    found = inspect_checkpoint(file)
    lines = [f"{key:<11} {value}" for key, value in found.items() if key != "warnings"]
    lines += [f"warning     {warning}" for warning in found["warnings"]]
    emit(as_json, found, "\n".join(lines))
