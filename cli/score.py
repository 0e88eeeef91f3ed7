"""``osbench score``: the numbers of one run, recomputed from its predictions."""

from __future__ import annotations

from pathlib import Path

import click

from .options import emit, handle_errors, json_option


@click.command()
@click.argument("run_folder", metavar="[RUN]", type=click.Path(path_type=Path), required=False)
@click.option("--rule", default="native", show_default=True, help="Rejection rule; without that one, the run's first.")
@click.option("--data", type=click.Path(path_type=Path), default=None, help="Take the manifest from this dataset.")
@click.option("--threshold-rule", default="accept-95", show_default=True, help="How the threshold is chosen.")
@click.option("--bootstrap", type=click.IntRange(min=1), default=1000, show_default=True, help="Replicates.")
@json_option
@handle_errors
def command(
    run_folder: Path | None, rule: str, data: Path | None, threshold_rule: str, bootstrap: int, as_json: bool
) -> None:
    """Score the run folder RUN: metrics with intervals, every generator, and who was taken for whom.

    Without RUN: the run in the folder runs, if there is only one.

    A run that was laundered (`osbench evaluate --launder`) also gets its metrics under every treatment.
    """
    from ..benchmark.manifest import open_manifests
    from ..benchmark.runs import Run, only_run
    from ..benchmark.score_text import score_text
    from ..generation.dataset import Dataset

    run = Run.open(run_folder) if run_folder is not None else only_run()
    made = run.info.manifest
    manifest = run.manifest() if data is None else open_manifests(Dataset.open(data), made.protocol, made.fold)[0]
    score = run.score(rule, manifest=manifest, threshold_rule=threshold_rule, bootstrap=bootstrap)
    others = [name for name in run.rules if name != score.rule]
    hint = f"\n\nOther rules of this run: {', '.join(others)} (--rule NAME)." if others else ""
    emit(as_json, {"run": str(run.folder), **score.to_json()}, "" if as_json else score_text(score) + hint)
