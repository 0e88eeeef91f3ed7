"""``osbench evaluate``: fit and test methods."""

from __future__ import annotations

from pathlib import Path

import click

from .options import emit, handle_errors, json_option


@click.command()
@click.option("--method", "methods", multiple=True, required=True, help="A name, path/to/file.py, or all. Repeatable.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="The dataset folder.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The runs folder.")
@click.option("--protocol", default="fang2023", show_default=True, help="Its manifest is written if it is missing.")
@click.option("--fold", default=None, help="One fold of the protocol, or all. Not needed if there is only one.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Fit with seeds 0 to N-1.")
@click.option(
    "--rejection",
    "rejections",
    multiple=True,
    help="Only this rejection rule. Repeatable; default: all, which cost seconds more, not a training each.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=None, help="Instead of the method's own default.")
@click.option(
    "--crop-size", type=click.IntRange(min=1), default=None, help="Centre crop in pixels; default: as stored."
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="A hyper-parameter. Repeatable.")
@click.option("--check", is_flag=True, help="Compare every image with its recorded hash first.")
@json_option
@handle_errors
def command(
    methods: tuple[str, ...],
    data: Path,
    out: Path,
    protocol: str,
    fold: str | None,
    seeds: int,
    rejections: tuple[str, ...],
    epochs: int | None,
    crop_size: int | None,
    device: str,
    options: tuple[str, ...],
    check: bool,
    as_json: bool,
) -> None:
    """Fit methods on seen generators, ask them about validation and test, publish one run per rejection rule.

    Interrupted? The same command continues where it stopped; finished runs are skipped.
    """
    from .. import baselines  # noqa: F401  (registers the built-in methods)
    from ..benchmark.evaluate import evaluate
    from ..benchmark.manifest import open_manifests
    from ..benchmark.method import get_method, method_names, parse_options
    from ..generation.dataset import Dataset

    names = method_names() if "all" in methods else list(dict.fromkeys(methods))
    parsed = {name: parse_options(get_method(name), options) for name in names}
    dataset = Dataset.open(data)
    runs = [
        run
        for manifest in open_manifests(dataset, protocol, fold)
        for name in names
        for run in evaluate(
            name,
            dataset,
            manifest,
            seeds=range(seeds),
            out=out,
            device=device,
            options=parsed[name],
            rejections=rejections or None,
            epochs=epochs,
            crop_size=crop_size,
            check=check,
        )
    ]
    documents = [
        {
            "run": str(run.folder),
            "method": run.method,
            "rejection": run.rejection,
            "seed": run.seed,
            "fold": run.info["manifest"]["fold"],
            "wall_time_s": run.info["wall_time_s"],
        }
        for run in runs
    ]
    lines = [f"{run.folder}  ({run.info['wall_time_s']:.1f} s)" for run in runs]
    emit(as_json, documents, "\n".join([*lines, f"Next: osbench leaderboard build {out} --out SITE"]))
