"""Where a board finds its manifest, its dataset and the names of its generators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..benchmark.manifest import Manifest, generator_architectures, read_manifest
from ..benchmark.runs import find_manifest
from ..core.errors import DatasetError, OsbenchError, RunError
from ..core.progress import get_logger
from ..core.text import printable
from ..generation.catalog import load_suite, suite_names
from ..generation.dataset import Dataset
from .collect import Unit
from .submission import SUBMISSIONS_FOLDER

ManifestLookup = Callable[[str], Manifest]


def find_board_dataset(folder: Path, given: Path | None) -> Dataset | None:
    """The dataset given, or the folder ``data`` next to the runs or submissions, or above; None if there is none.

    DatasetError if a folder was given that is no dataset.
    """
    if given is not None:
        return Dataset.open(given)
    path = folder.resolve()
    for place in (path.parent, path, path.parent.parent):
        try:
            return Dataset.open(place / "data")
        except DatasetError:
            continue
    return None


def lookup_manifest(folder: Path, dataset: Dataset | None) -> ManifestLookup:
    """A lookup of manifests by id: with the runs or submissions first, then among those of the dataset."""
    root = folder.parent if folder.name == SUBMISSIONS_FOLDER else folder

    def lookup(manifest_id: str) -> Manifest:
        for place in (folder, root, root.parent / "runs"):
            try:
                return find_manifest(place, manifest_id)
            except OsbenchError:
                continue
        for path in sorted((dataset.path / "manifests").glob("*.parquet")) if dataset else []:
            try:
                manifest = read_manifest(path)
            except OsbenchError as error:
                get_logger().warning("%s", error)
                continue
            if manifest.manifest_id == manifest_id:
                return manifest
        raise RunError(
            f"manifest {printable(manifest_id, 12)} is not in {printable(folder / 'manifests')}: give the dataset with "
            "--data."
        )

    return lookup


def choose_manifest(units: Sequence[Unit], wanted: str | None, lookup: ManifestLookup, folder: Path) -> Manifest:
    """The one manifest of a board.

    Parameters
    ----------
    units : sequence of Unit
        What was handed in.
    wanted : str, optional
        Its id, or the first characters. Without it: of the manifests that can be found, the one that most runs answer,
        of several the one whose fold and id come first. So nobody decides by a run on a manifest that no one has.
    lookup : callable
        Manifest id -> manifest.
    folder : Path
        For messages.
    """
    answered: dict[str, int] = {}
    folds: dict[str, str] = {}
    for run in (run for unit in units for run in unit.runs):
        answered[run.manifest_id] = answered.get(run.manifest_id, 0) + 1
        folds.setdefault(run.manifest_id, run.info.manifest.fold)
    ids = sorted(answered, key=lambda key: (-answered[key], folds[key], key))
    known = ", ".join(f"{key[:12]} ({folds[key]}, {answered[key]} runs)" for key in ids[:20])
    if wanted is not None:
        chosen = [key for key in ids if key == wanted] or [key for key in ids if key.startswith(wanted)]
        if len(chosen) != 1:
            what = "no run" if not chosen else f"runs on {len(chosen)} manifests that begin with"
            raise RunError(f"{printable(folder)} holds {what} {printable(wanted, 64)}. Known: {known}.")
        return lookup(chosen[0])
    found: list[Manifest] = []
    missing: OsbenchError | None = None
    for key in ids:
        try:
            found.append(lookup(key))
        except OsbenchError as error:
            missing = missing or error
    if not found:
        raise missing or RunError(f"{printable(folder)} holds no run.")
    if len(found) > 1:
        get_logger().warning(
            "%s holds runs on %d manifests, which do not compare: this board is of %s; for another use --manifest: %s",
            printable(folder),
            len(found),
            found[0].manifest_id[:12],
            known,
        )
    return found[0]


def generator_titles(manifest: Manifest, dataset: Dataset | None) -> dict[str, str]:
    """Generators -> their names in the literature: as the dataset says, else the packaged suite, else as they are."""
    names = [*manifest.seen, *manifest.unseen]
    titles = generator_architectures(dataset) if dataset is not None else {}
    if not set(names) <= set(titles) and manifest.suite in suite_names():
        titles = {s.generator: s.architecture for s in reversed(load_suite(manifest.suite).sources)} | titles
    return {name: titles.get(name, name) for name in names}
