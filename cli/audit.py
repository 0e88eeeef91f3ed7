"""``osbench audit``: what trivial attributors can do with a dataset, and what a fitted method looks at."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..core.defaults import DATA
from .options import emit, handle_errors, json_option


@click.command()
@click.argument("data", type=click.Path(path_type=Path), default=DATA)
@click.option(
    "--protocol",
    metavar="NAME|FILE",
    help="Who is seen and who is not.  [default: the one stored with DATA, fang2023, or rotate-one]",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="RUNS", help="Leave the probes' answers there: floors of a board."
)
@json_option
@handle_errors
def command(data: Path, protocol: str | None, out: Path | None, as_json: bool) -> None:
    """Ask what needs no trace at all about the dataset DATA (default: data); exit code 1 if a gate fails.

    Probes look at metadata, file size, file structure, colours, layout, low frequencies and fixed patterns alone. What
    they find must stay near chance; only the probe of residual statistics must find something, with weights that it was
    not trained on. The report goes to audit.json in DATA and on its card.
    """
    from ..benchmark.audit import audit_text
    from ..data import audit

    found = audit(data, protocol, out=out)
    emit(as_json, found.to_json(), audit_text(found))
    if not found.ok:
        sys.exit(1)
