"""Make a dataset: decide what is missing, let an engine make it, enter it into the ledger.

A run that was killed at any moment continues where it stopped and ends with the same bytes as an uninterrupted
one, for any number of workers: see :mod:`.shards` (pure units), :mod:`.publish` (atomic), :mod:`.ledger`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .card import write_card
from .catalog import Source, Suite, load_suite
from .dataset import RECORD, Dataset
from .engines import Engine, get_engine
from .errors import DatasetError, GenerationError, UsageError, unknown_name
from .folders import check_image, list_images
from .ledger import append_ledger, file_sha256, read_ledger, write_ledger
from .progress import get_logger, progress_bar
from .publish import remove_partials
from .record import dataset_record, merge_records, source_namespace, source_record, source_sha256, write_record
from .shards import Unit, shard_is_ours

NO_LICENCE = "not stated"


@dataclass(frozen=True)
class Request:
    """What to make: a suite (its recipe and count already adjusted) and the chosen sources with their counts."""

    suite: Suite
    counts: dict[str, int]

    @property
    def sources(self) -> list[Source]:
        """The chosen sources, in the order of the suite."""
        return [source for source in self.suite.sources if source.name in self.counts]


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
) -> Dataset:
    """Make, or finish, the dataset ``out`` and return it.

    suite: name or path of a suite YAML. sources: ``generator/training_set`` names (or just generators), all if
    None. count: images per source. folders: name -> folder of own images; a name may be ``generator/training_set``.
    order, frame: see :mod:`.pixels`. Raises UsageError, DatasetError or GenerationError, all in one line; what was
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
    hashes = {source.name: source_sha256(source) for source in request.sources}
    records = [source_record(request.suite, s, request.counts[s.name], hashes[s.name]) for s in request.sources]
    record = dataset_record(request.suite, device, records)
    with _locked(folder):
        if (folder / RECORD).exists():
            record = merge_records(folder, Dataset.open(folder).info, record)
        missing = _missing_units(units(request, folder, hashes, device))
        check_disk(folder, missing)
        write_record(folder, record)
        _make(folder, missing, workers, schedule)
        return _finish(folder)


def make_request(
    suite: str | Path,
    *,
    sources: Sequence[str] | None = None,
    count: int | None = None,
    folders: Mapping[str, str | Path] | None = None,
    folder_licence: str | None = None,
    order: str | None = None,
    frame: str | None = None,
) -> Request:
    """Check a request and resolve its names. UsageError or DatasetError; nothing is written."""
    if count is not None and count < 1:
        raise UsageError(f"--count must be at least 1, not {count}.")
    loaded = load_suite(suite)
    recipe = replace(loaded.recipe, order=order or loaded.recipe.order, frame=frame or loaded.recipe.frame)
    own = [_folder_source(n, Path(p), folder_licence or NO_LICENCE) for n, p in (folders or {}).items()]
    loaded = replace(loaded, recipe=recipe, sources=(*loaded.sources, *own))
    names = [source.name for source in loaded.sources]
    if len(set(names)) < len(names):
        raise UsageError(
            f"a folder source has the name of another source. Names taken: {', '.join(sorted(set(names)))}."
        )
    chosen = _choose(loaded, sources)
    return Request(loaded, {source.name: _count_images(source, loaded, count) for source in chosen})


def _folder_source(name: str, folder: Path, licence: str) -> Source:
    generator, _, training_set = name.partition("/")
    return Source(generator, training_set or "folder", architecture=generator, licence=licence, folder=folder)


def _choose(suite: Suite, names: Sequence[str] | None) -> list[Source]:
    if not names:
        return list(suite.sources)
    chosen = []
    for name in names:
        found = [source for source in suite.sources if name in {source.name, source.generator}]
        if not found:
            raise unknown_name("source", name, [source.name for source in suite.sources])
        chosen += found
    return chosen


def _count_images(source: Source, suite: Suite, count: int | None) -> int:
    if source.folder is not None:
        files = list_images(source.folder)
        for path in files:
            check_image(path, suite.crop_size)
        return min(count or len(files), len(files))
    if source.native_size is not None and source.native_size < suite.crop_size:
        raise UsageError(
            f"source {source.name}: a crop of {suite.crop_size} px does not fit {source.native_size} px images."
        )
    return count or suite.count


def units(request: Request, folder: Path, hashes: Mapping[str, str], device: str) -> list[Unit]:
    """All shards of a request, source by source."""
    result = []
    for source in request.sources:
        sha256 = hashes[source.name]
        first = Unit(
            dataset=folder,
            namespace=source_namespace(request.suite, source, sha256),
            source=source,
            source_sha256=sha256,
            recipe=request.suite.recipe,
            count=request.counts[source.name],
            shard=0,
            device=device,
        )
        result += [replace(first, shard=k) for k in range(first.shards)]
    return result


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder}: is a file. Choose a folder for the dataset.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be created ({error.strerror}). Choose another --out folder.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DatasetError(f"{folder}: not writable. Choose another --out folder or change its permissions.")
    visible = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    if visible and RECORD not in visible:
        raise DatasetError(f"{folder}: holds other files and is no dataset. Choose an empty or new --out folder.")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One generator at a time; the operating system frees the lock however the process ends."""
    with (folder / ".lock").open("w") as handle:
        try:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows: two writers are harmless (equal bytes, atomic renames), only wasteful
            pass
        except OSError as error:
            raise DatasetError(
                f"{folder}: another 'osbench generate' is writing it. Wait for it or stop it."
            ) from error
        remove_partials(folder)
        yield


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


def estimate_bytes(unit: Unit) -> int:
    """Rough disk need of a shard before anything is made; :mod:`.plan` measures instead."""
    if unit.source.folder is not None:
        return sum(
            path.stat().st_size for path in list_images(unit.source.folder)[unit.indices.start : unit.indices.stop]
        )
    side = unit.source.native_size or unit.recipe.crop_size
    if unit.recipe.order == "crop-then-compress":
        side = unit.recipe.crop_size
    elif unit.recipe.frame == "window":
        side = min(side, unit.recipe.crop_size + 48)  # up to three 16 px MCUs more than the crop
    # 1 byte a pixel is above the mean over the qualities; 600 bytes a row for the other columns and Parquet.
    return len(unit.indices) * (side * side + 600)


def check_disk(folder: Path, missing: Sequence[Unit]) -> None:
    """GenerationError before anything is written if the disk is too small for the missing shards."""
    need = sum(estimate_bytes(unit) for unit in missing)
    free = shutil.disk_usage(folder).free
    if need > free:
        raise GenerationError(
            f"{folder}: about {need / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free."
            " Free some space, lower --count, or choose another --out folder."
        )


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
