"""``osbench compare``: is one method better than another, and how sure is that?"""

from __future__ import annotations

from pathlib import Path

import click

from ..core.defaults import RUNS
from .options import emit, handle_errors, json_option


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option(
    "--runs", type=click.Path(path_type=Path), default=RUNS, show_default=True, help="Where labels are looked up."
)
@click.option("--metric", default=None, help="What is compared.  [default: the metric that ranks]")
@click.option("--rule", default=None, help="Rejection rule of both.  [default: of each the one that it is ranked by]")
@click.option("--manifest", "manifest_id", default=None, help="Which manifest, where both answer several.")
@click.option("--bootstrap", type=click.IntRange(min=2), default=1000, show_default=True, help="Joint resamples.")
@json_option
@handle_errors
def command(
    a: str,
    b: str,
    runs: Path,
    metric: str | None,
    rule: str | None,
    manifest_id: str | None,
    bootstrap: int,
    as_json: bool,
) -> None:
    """Compare two methods on the same images: A minus B, its interval and p-value, and a sentence that says where it
    holds.

    A and B are folders of one method's runs (runs/proposed), run folders, or labels of a board's entries, also with a
    rejection rule ("resnet50 msp"). For each generator McNemar's test says whether one answers images rightly that the
    other does not.

    \b
      osbench compare runs/osbench-2 runs/osbench-1
      osbench compare proposed "resnet50 msp" --metric crr
    """
    from ..core.columns import text_columns
    from ..leaderboard.compare import compare

    found = compare(a, b, runs=runs, metric=metric, rule=rule, manifest_id=manifest_id, bootstrap=bootstrap)
    head = ("generator", "", "images", "only A right", "only B right", "p", "corrected")
    rows = [
        (
            one.generator,
            one.openness,
            str(one.images),
            str(one.only_a),
            str(one.only_b),
            f"{one.p:.2g}",
            f"{one.p_corrected:.2g}",
        )
        for one in found.per_generator
    ]
    lines = [found.verdict, "", f"A: {found.a}", f"B: {found.b}", "", text_columns([head, *rows]), "", found.scope]
    emit(as_json, found.to_json(), "\n".join(lines))
