"""``osbench score``: the numbers of one run, recomputed from its predictions."""

from __future__ import annotations

from pathlib import Path

import click

from .options import emit, handle_errors, json_option


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), default=None, help="Take the manifest from this dataset.")
@click.option("--threshold-rule", default="accept-95", show_default=True, help="How the threshold is chosen.")
@click.option("--bootstrap", type=click.IntRange(min=1), default=1000, show_default=True, help="Replicates.")
@json_option
@handle_errors
def command(run_folder: Path, data: Path | None, threshold_rule: str, bootstrap: int, as_json: bool) -> None:
    """Score the run folder RUN: metrics with intervals, every generator, and who was taken for whom.

    A run that was laundered (`osbench evaluate --launder`) also gets its metrics under every treatment.
    """
    from ..benchmark.manifest import open_manifests
    from ..benchmark.robustness import surface, surface_document, surface_table
    from ..benchmark.runs import Run
    from ..benchmark.score import score_run, score_tables
    from ..generation.dataset import Dataset

    run = Run.open(run_folder)
    if data is None:
        manifest = run.manifest()
    else:
        made = run.info["manifest"]
        manifest = open_manifests(Dataset.open(data), made["protocol"], made["fold"])[0]
    document = score_run(run, manifest, threshold_rule=threshold_rule, bootstrap=bootstrap)
    text = score_tables(document)
    rows = surface_document(surface(run, manifest, document["threshold"]["value"]))
    if rows:
        document["laundered"], text = rows, f"{text}\n\n{surface_table(rows)}"
    emit(as_json, document, text)
