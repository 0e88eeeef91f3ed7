"""Make a dataset: decide what is missing, let an engine make it, enter it into the ledger.

A run that was killed at any moment continues where it stopped and ends with the same bytes as an uninterrupted
one, for any number of workers: see :mod:`.shards` (pure units), :mod:`.publish` (atomic), :mod:`.ledger`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..core.errors import DatasetError, GenerationError, UsageError
from ..core.hashing import file_sha256
from ..core.locking import exclusive
from ..core.progress import get_logger, progress_bar
from ..core.publish import remove_partials
from .card import write_card
from .dataset import RECORD, Dataset
from .engines import Engine, get_engine
from .ledger import append_ledger, read_ledger, write_ledger
from .plan import check_disk
from .prepare import prepare
from .record import dataset_record, device_name, merge_records, write_record
from .request import make_request, units
from .shards import Unit, shard_is_ours


def generate(
    suite: str | Path,
    out: str | Path,
    *,
    sources: Sequence[str] | None = None,
    count: int | None = None,
    workers: int = 1,
    device: str = "cpu",
    folders: Mapping[str, str | Path] | None = None,
    folder_licence: str | None = None,
    order: str | None = None,
    frame: str | None = None,
    engine: str = "local",
    weights: Mapping[str, str | Path] | None = None,
    accept_licences: Sequence[str] = (),
    offline: bool = False,
) -> Dataset:
    """Make, or finish, the dataset ``out`` and return it.

    suite: name or path of a suite YAML. sources: ``generator/training_set`` names (or just generators), all if
    None. count: images per source. folders: name -> folder of own images; a name may be ``generator/training_set``.
    order, frame: see :mod:`.pixels`. weights, accept_licences, offline: see :func:`.weights.locate_weights`; nothing is
    written before all weights are there. Raises UsageError, DatasetError or GenerationError, all in one line; what was
    published before stays.
    """
    if workers < 1:
        raise UsageError(f"--workers must be at least 1, not {workers}.")
    schedule = get_engine(engine)
    request = make_request(
        suite, sources=sources, count=count, folders=folders, folder_licence=folder_licence, order=order, frame=frame
    )
    folder = Path(out)
    _check_folder(folder)
    device_name(device)
    prepared = prepare(request, weights=weights, accept_licences=accept_licences, offline=offline)
    record = dataset_record(prepared.request.suite, device, prepared.records())
    _make_folder(folder)
    with _locked(folder), _disk_errors(folder):
        if (folder / RECORD).exists():
            record = merge_records(folder, Dataset.open(folder).info, record)
        missing = _missing_units(units(prepared.request, folder, prepared.sha256, device))
        check_disk(folder, missing)
        write_record(folder, record)
        _make(folder, missing, workers, schedule)
        return _finish(folder)


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder}: is a file. Choose a folder for the dataset.")
    visible = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.exists() else []
    if visible and RECORD not in visible:
        raise DatasetError(f"{folder}: holds other files and is no dataset. Choose an empty or new --out folder.")


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
        remove_partials(folder)
        yield


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise GenerationError(f"{folder}: {reason}. When that is mended, run the same command again.") from error


def _missing_units(wanted: list[Unit]) -> list[Unit]:
    """Units whose shard is not published, or not as the ledger says; adopts shards that only miss their ledger line."""
    if not wanted:
        return []
    folder = wanted[0].dataset
    ledger = read_ledger(folder)
    missing = []
    for unit in wanted:
        path = folder / unit.file
        entry = ledger.get(unit.file)
        if entry and path.is_file() and file_sha256(path) == entry.sha256:
            continue
        if entry and path.is_file():
            get_logger().warning(f"{path}: differs from the ledger, will be made again.")
        adopted = shard_is_ours(unit) if entry is None else None
        if adopted:
            append_ledger(folder, adopted)
        else:
            missing.append(unit)
    return missing


def _make(folder: Path, missing: list[Unit], workers: int, schedule: Engine) -> None:
    if not missing:
        return
    total = sum(len(unit.indices) for unit in missing)
    with progress_bar("generate", total, "img") as bar:
        for done, entry in enumerate(schedule(missing, workers, bar.update), start=1):
            append_ledger(folder, entry)
            bar.update(0, shards=f"{done}/{len(missing)}")


def _finish(folder: Path) -> Dataset:
    dataset = Dataset.open(folder)
    ledger = read_ledger(folder)
    expected = dataset.expected_shards()
    if expected.keys() <= ledger.keys():
        write_ledger(folder, [ledger[file] for file in expected])
        write_card(dataset)
    return dataset
