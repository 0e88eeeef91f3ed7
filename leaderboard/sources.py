"""Where a board finds its manifest and its dataset."""

from __future__ import annotations

from pathlib import Path

from ..benchmark.manifest import Manifest, read_manifest
from ..benchmark.runs import find_manifest
from ..core.errors import DatasetError, RunError
from ..generation.dataset import Dataset
from .board import ManifestLookup


def find_board_dataset(runs_dir: Path, given: Path | None) -> Dataset | None:
    """The dataset given, or the folder ``data`` beside the runs (as ``osbench run`` lays them out), or None.

    DatasetError if a folder was given that is no dataset.
    """
    if given is not None:
        return Dataset.open(given)
    try:
        return Dataset.open(runs_dir.resolve().parent / "data")
    except DatasetError:
        return None


def lookup_manifest(runs_dir: Path, dataset: Dataset | None) -> ManifestLookup:
    """A lookup of manifests by id: beside the runs first, then among the manifests of the dataset."""

    def lookup(manifest_id: str) -> Manifest:
        try:
            return find_manifest(runs_dir, manifest_id)
        except RunError:
            found = _in_dataset(dataset, manifest_id)
            if found is None:
                raise
            return found

    return lookup


def _in_dataset(dataset: Dataset | None, manifest_id: str) -> Manifest | None:
    paths = sorted((dataset.path / "manifests").glob("*.parquet")) if dataset else []
    for path in paths:
        manifest = read_manifest(path)
        if manifest.manifest_id == manifest_id:
            return manifest
    return None
