"""``python -m osbench.baselines.packaged_run DATA``: fit the run that comes with osbench, and put it in its place."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from ...benchmark.evaluate import evaluate
from ...benchmark.manifest import open_manifests
from ...benchmark.runs import MODEL_FOLDER, Run, store_manifest
from ...core.errors import RunError
from ...generation.dataset import Dataset
from . import FOLDER

MOST_BYTES = 1_500_000
"""The wheel grows by it."""


def put(run: Run, folder: Path) -> Run:
    """Replace what lies in ``folder`` by a run: compact answers, the manifest and the model."""
    manifest = run.manifest()
    shutil.rmtree(folder, ignore_errors=True)
    store_manifest(folder, manifest)
    target = folder / run.method / run.folder.name
    made = Run.write(target, run.info, run.predictions(manifest), compact=True)
    shutil.copytree(run.model, target / MODEL_FOLDER)
    for path in (target / MODEL_FOLDER).iterdir():
        path.chmod(0o644)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > MOST_BYTES:
        raise RunError(f"{folder} has {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.1f}: fit it to fewer images.")
    return made


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--method", default="osbench-2", show_default=True)
@click.option("--protocol", default="fang2023", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=FOLDER, show_default="its place in the package")
def main(data: Path, method: str, protocol: str, out: Path) -> None:
    """Fit the run that comes with the package on DATA, with seed 0."""
    dataset = Dataset.open(data)
    (manifest,) = open_manifests(dataset, protocol)
    with tempfile.TemporaryDirectory() as scratch:
        (run,) = evaluate(method, dataset, manifest, seeds=[0], out=Path(scratch))
        click.echo(put(run, out).folder)


if __name__ == "__main__":
    main()
