"""``osbench audit``: what trivial attributors can do with a dataset, and what a fitted method looks at."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..core.defaults import DATA
from ..core.errors import UsageError
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
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Put the tables into RESULTS.md and results.json of this folder, beside those of experiments.",
)
@click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Ask instead what the fitted method of this run on DATA looks at.",
)
@click.option("--suite", help="For --run: suite (name or YAML) that holds the weights.  [default: the dataset's own]")
@click.option("--method", metavar="FILE", help="For --run: the file of a method that is not installed.")
@json_option
@handle_errors
def command(
    data: Path,
    protocol: str | None,
    out: Path | None,
    results: Path | None,
    run_folder: Path | None,
    suite: str | None,
    method: str | None,
    as_json: bool,
) -> None:
    """Ask what needs no trace at all about the dataset DATA (default: data); exit code 1 if a gate fails.

    Probes look at metadata, file size, file structure, colours, layout, low frequencies and fixed patterns alone. What
    they find must stay near chance; only the probe of residual statistics must find something, with weights that it was
    not trained on. The report goes to audit.json in DATA and on its card.

    With --run: hybrids of low and high frequencies of two images, turned, mirrored and grey images, other weights, and
    other noise where the generators' weights are there. It says what the method looks at, and fails no gate.
    """
    if run_folder is not None:
        if protocol is not None or out is not None or results is not None:
            raise UsageError("--run asks a fitted method: leave --protocol, --out and --results to audits of datasets.")
        _print_cues(run_folder, data, suite, method, as_json)
        return
    if suite is not None or method is not None:
        raise UsageError("--suite and --method are for --run RUN, the question what a fitted method looks at.")
    from ..benchmark.audit import audit_text
    from ..data import audit

    found = audit(data, protocol, out=out)
    if results is not None:
        from ..benchmark.results import write_results

        write_results(results, audits=[found])
    emit(as_json, found.to_json(), audit_text(found))
    if not found.ok:
        sys.exit(1)


def _print_cues(run_folder: Path, data: Path, suite: str | None, method: str | None, as_json: bool) -> None:
    from ..benchmark.cues import cue_report, cue_text
    from ..benchmark.runs import Run
    from ..generation.dataset import Dataset

    found = cue_report(Run.open(run_folder), Dataset.open(data), suite=suite, method_file=method)
    emit(as_json, found.to_json(), cue_text(found))
