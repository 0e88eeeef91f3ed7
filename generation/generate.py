"""Make a dataset: decide what is missing, let an engine make it, enter it into the ledger.

A run that was killed at any moment continues where it stopped and ends with the same bytes as an uninterrupted
one, for any number of workers: see :mod:`.shards` (pure units), :mod:`.publish` (atomic), :mod:`.ledger`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core.defaults import DATA
from ..core.errors import DatasetError, GenerationError, UsageError
from ..core.locking import exclusive
from ..core.progress import progress_bar
from ..core.publish import remove_abandoned, sync_folder
from .card import write_card
from .dataset import Dataset
from .engines import Engine, get_engine
from .ledger import append_ledger, read_ledger, write_ledger
from .plan import check_disk
from .prepare import prepare
from .published import Published, begun_record, check_folder, find_published
from .record import dataset_record, device_name, merge_records, write_record
from .request import make_request, units
from .shards import OnImages, Unit


def generate(
    suite: str | Path | None = None,
    out: str | Path = DATA,
    *,
    sources: Sequence[str] | None = None,
    count: int | None = None,
    workers: int = 1,
    device: str = "cpu",
    folders: Mapping[str, str | Path] | None = None,
    folder_licence: str | None = None,
    order: str | None = None,
    frame: str | None = None,
    crop_size: int | None = None,
    engine: str = "local",
    weights: Mapping[str, str | Path] | None = None,
    accept_licences: Sequence[str] = (),
    offline: bool = False,
    on_made: OnImages = lambda n: None,
) -> Dataset:
    """Make, finish or enlarge the dataset ``out`` and return it.

    A dataset grows by a larger ``count``: it ends with the same bytes as one that was made of that size at once. Until
    then it is incomplete.

    suite, sources, count, folders, folder_licence, order, frame, crop_size: see :func:`.request.make_request`.
    weights, accept_licences, offline: see :func:`.weights.locate_weights`; nothing is written before all weights are
    there. on_made: called once with the number of images that had to be made. Raises
    UsageError, DatasetError or GenerationError, all in one line; what was published before stays.
    """
    if workers < 1:
        raise UsageError(f"--workers must be at least 1, not {workers}.")
    schedule = get_engine(engine)
    request = make_request(
        suite,
        sources=sources,
        count=count,
        folders=folders,
        folder_licence=folder_licence,
        order=order,
        frame=frame,
        crop_size=crop_size,
    )
    folder = Path(out)
    check_folder(folder)
    device_name(device)
    prepared = prepare(request, weights=weights, accept_licences=accept_licences, offline=offline)
    record = dataset_record(prepared.request.suite, device, prepared.records())
    wanted = units(prepared.request, folder, prepared.sha256, device)
    return make_dataset(folder, record, wanted, workers, schedule, on_made, "generate")


def make_dataset(
    folder: Path,
    record: dict[str, Any],
    wanted: Sequence[Unit],
    workers: int,
    schedule: Engine,
    on_made: OnImages,
    verb: str,
) -> Dataset:
    """Publish the wanted shards that a folder lacks; see :func:`generate`.

    Parameters
    ----------
    folder : Path
        The dataset.
    record : dict of str to Any
        Its ``dataset.json``, see :func:`.record.dataset_record`.
    wanted : sequence of Unit
        All shards of the record's sources.
    workers : int
        Processes.
    schedule : Engine
        Who has them made.
    on_made : callable
        Called once with the number of images that had to be made.
    verb : str
        What the progress bar calls it.

    Returns
    -------
    Dataset
        DatasetError or GenerationError if something stands in the way; what was published before stays.
    """
    _make_folder(folder)
    with _locked(folder), _disk_errors(folder):
        begun = begun_record(folder, {source["name"] for source in record["sources"]})
        if begun is not None:
            record = merge_records(folder, begun, record)
        published = find_published(wanted, read_ledger(folder))
        missing = [unit for unit in wanted if unit.file not in published]
        check_disk(folder, missing)
        write_record(folder, record)
        _enter(folder, published.values())
        _make(folder, missing, workers, schedule, verb)
        on_made(sum(len(unit.indices) for unit in missing))
        return _finish(folder)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be created ({error.strerror}). Choose another --out folder.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DatasetError(f"{folder}: not writable. Choose another --out folder or change its permissions.")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One generator at a time; what killed ones left is removed."""
    busy = DatasetError(f"{folder}: another 'osbench generate' is writing it. Wait for it or stop it.")
    with exclusive(folder / ".lock", busy):
        _remove_litter(folder)
        yield
        _remove_litter(folder)  # again: workers outlive their killed parent by a moment


def _remove_litter(folder: Path) -> None:
    for below in (folder, *folder.glob("shards/*/*")):
        remove_abandoned(below)


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise GenerationError(f"{folder}: {reason}. When that is mended, run the same command again.") from error


def _enter(folder: Path, published: Iterable[Published]) -> None:
    """Give shards their names in this dataset and lines in its ledger."""
    for shard in published:
        final = folder / shard.entry.file
        if shard.path != final:
            os.replace(shard.path, final)
            sync_folder(final.parent)
        if not shard.entered:
            append_ledger(folder, shard.entry)


def _make(folder: Path, missing: list[Unit], workers: int, schedule: Engine, verb: str) -> None:
    if not missing:
        return
    total = sum(len(unit.indices) for unit in missing)
    with progress_bar(verb, total, "img") as bar:
        for done, entry in enumerate(schedule(missing, workers, bar.update), start=1):
            append_ledger(folder, entry)
            bar.update(0, shards=f"{done}/{len(missing)}")


def _finish(folder: Path) -> Dataset:
    dataset = Dataset.open(folder)
    ledger = read_ledger(folder)
    expected = dataset.expected_shards()
    if expected.keys() <= ledger.keys():
        for file in ledger.keys() - expected.keys():  # the last, shorter shard of a dataset that has grown
            (folder / file).unlink(missing_ok=True)
        write_ledger(folder, [ledger[file] for file in expected])
        write_card(dataset)
    return dataset
