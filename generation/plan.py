"""How many images, how much disk, how long: before anything is made.

Numbers are measured on one batch of each source where its weights are here, and say so where they are not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.disk import shortage
from ..core.errors import GenerationError, UsageError
from ..core.progress import track
from .catalog import HubModel, Source, WeightFile
from .ledger import read_ledger
from .prepare import Prepared, adapt
from .published import begun_record, check_folder, find_published
from .record import check_count, dataset_record, device_name, merge_records
from .record_schema import resynthesizing_source
from .request import Request, make_request, units
from .shards import Unit, folder_rows, generated_rows
from .weights import local_weights

_ROW_BYTES = 600
"""The other columns of a row and its share of Parquet's own structures."""


@dataclass(frozen=True)
class PlanRow:
    """One source: images and shards wanted, images already published, and what the rest costs.

    bytes: disk in bytes. seconds: wall time with the given workers, None if unknown. origin: where both come from.
    download: bytes to fetch, about (for a file that several sources share: with the first of them). gpu_hours: of one
    accelerator by the catalog, from - to, None where the catalog says nothing. gpu_origin: where that comes from.
    resynthesizes: the source whose images it draws again, None for originals.
    """

    source: str
    images: int
    shards: int
    published: int
    bytes: int
    seconds: float | None
    origin: str
    download: int = 0
    gpu_hours: tuple[float, float] | None = None
    gpu_origin: str = ""
    resynthesizes: str | None = None


def plan(
    suite: str | Path | None = None,
    *,
    out: str | Path | None = None,
    sources: Sequence[str] | None = None,
    count: int | None = None,
    workers: int = 1,
    device: str = "cpu",
    folders: Mapping[str, str | Path] | None = None,
    folder_licence: str | None = None,
    order: str | None = None,
    frame: str | None = None,
    crop_size: int | None = None,
    weights: Mapping[str, str | Path] | None = None,
) -> list[PlanRow]:
    """What :func:`..generate.generate` with the same arguments would do; writes and downloads nothing. Same errors.

    Shards that lie in ``out`` are looked at, not only the ledger: what is lost or damaged would be made again.
    """
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
    if workers < 1:
        raise UsageError(f"--workers must be at least 1, not {workers}.")
    device_name(device)
    folder = Path(out) if out is not None else Path()
    here = local_weights(request.sources, weights)
    fitted = adapt(request, here)
    request, sha256 = fitted.request, fitted.sha256
    published = _published(fitted, folder, device) if out is not None else set()
    parallel = min(workers, os.cpu_count() or 1)
    fetched: set[WeightFile | HubModel] = set()
    return [
        _plan_source(request, source, sha256, folder, published, device, parallel, fetched)
        for source in track(request.sources, description="measure", unit="source")
    ]


def _published(fitted: Prepared, folder: Path, device: str) -> set[str]:
    """Files of the shards in a folder that :func:`..generate.generate` would keep; DatasetError for what it refuses."""
    check_folder(folder)
    request = fitted.request
    record = begun_record(folder, request.counts.keys())
    if record is None:
        return set()
    merge_records(folder, record, dataset_record(request.suite, device, fitted.records()))
    for name, count in request.counts.items():
        check_count(folder, record, name, count)
    known = {source["name"]: source.get("weights", {}).get("sha256", "") for source in record["sources"]}
    # The hashes of weights that are not on this machine are those that the dataset was begun with.
    sha256 = {**{name: known.get(name, "") for name in request.counts}, **fitted.sha256}
    return set(find_published(units(request, folder, sha256, device), read_ledger(folder)))


def _plan_source(
    request: Request,
    source: Source,
    sha256: Mapping[str, str],
    folder: Path,
    published: set[str],
    device: str,
    parallel: int,
    fetched: set[WeightFile | HubModel],
) -> PlanRow:
    name, here = source.name, source.name in sha256
    shards = units(request, folder, {name: sha256.get(name, "")}, device, only=name)
    missing = [unit for unit in shards if unit.file not in published]
    images = sum(len(unit.indices) for unit in missing)
    if not images or not here:
        seconds, size = (None if images else 0.0), sum(estimate_bytes(unit) for unit in missing)
        origin = "rule of thumb: the weights are not on this machine" if images else "already published"
    else:
        per_image, size_each, number = _measure(missing[0])
        seconds, size = images * per_image / min(parallel, len(missing)), int(images * size_each)
        origin = f"measured on {number} images"
    done = request.counts[name] - images
    of = source.resynthesizes.source if source.resynthesizes else None
    row = PlanRow(name, request.counts[name], len(shards), done, size, seconds, origin, resynthesizes=of)
    download = 0 if here or not images else _download_bytes(source, fetched)
    return replace(row, download=download, gpu_hours=_gpu_hours(source, images), gpu_origin=source.speed_origin)


def _download_bytes(source: Source, fetched: set[WeightFile | HubModel]) -> int:
    """Bytes of the preferred file, 0 if it is counted already; adds it to ``fetched``."""
    if not source.published or source.published[0] in fetched:
        return 0
    fetched.add(source.published[0])
    return int(source.published[0].megabytes * 1e6)


def _gpu_hours(source: Source, images: int) -> tuple[float, float] | None:
    if source.speed is None:
        return None
    slow, fast = source.speed
    return images / fast / 3600, images / slow / 3600


_REPEAT_BELOW_SECONDS = 20.0


def _rows(unit: Unit, indices: range) -> list[dict]:
    make = folder_rows if unit.source.folder else generated_rows
    return list(make(unit, indices, lambda n: None))


def _measure(unit: Unit) -> tuple[float, float, int]:
    """Seconds and bytes per image, from one batch after a warm-up, and the number of images in it."""
    start = unit.indices.start
    indices = range(start, min(start + unit.recipe.batch_size, unit.indices.stop))
    begun, rows = time.perf_counter(), _rows(unit, indices)
    first = time.perf_counter() - begun
    if first < _REPEAT_BELOW_SECONDS:  # the first batch also paid for loading the network
        begun, rows = time.perf_counter(), _rows(unit, indices)
        first = time.perf_counter() - begun
    size = sum(len(row["image"]["bytes"]) for row in rows) / len(rows) + _ROW_BYTES
    return first / len(rows), size, len(rows)


def estimate_bytes(unit: Unit) -> int:
    """Rough disk need of a shard by rule of thumb."""
    if unit.existing_bytes is not None:
        return unit.existing_bytes
    side = unit.source.native_size or unit.recipe.crop_size
    if unit.recipe.order == "crop-then-compress":
        side = unit.recipe.crop_size
    elif unit.recipe.frame == "window":
        side = min(side, unit.recipe.crop_size + 48)  # up to three 16 px MCUs more than the crop
    # One byte for each pixel is an upper bound: the mean over the JPEG qualities is smaller.
    return len(unit.indices) * (side * side + _ROW_BYTES)


def check_disk(folder: Path, missing: Sequence[Unit]) -> None:
    """GenerationError before anything is written if the disk is too small for the missing shards."""
    lacking = shortage(folder, sum(estimate_bytes(unit) for unit in missing))
    if lacking:
        raise GenerationError(f"needs about {lacking}. Free some space, lower --count, or choose another --out folder.")


def plan_text(rows: Sequence[PlanRow]) -> str:
    """A table of the rows with their sums, for people; all that a source draws again is one row."""
    shown: dict[str, list[PlanRow]] = {}
    for row in rows:
        again = f"{resynthesizing_source(row.source)}, again"
        shown.setdefault(again if row.resynthesizes else row.source, []).append(row)
    table = [_summed(name, parts) for name, parts in shown.items()]
    width = max(28, *(len(row.source) for row in table)) if table else 28
    head = f"{'source':{width}} {'images':>9} {'there':>9} {'shards':>7} {'disk':>12} {'download':>12}"
    lines = [f"{head} {'GPU-hours':>11} {'time here':>10}  estimate"]
    for row in [*table, replace(_summed("all", table), origin="", gpu_origin="")]:
        origin = f"{row.origin}; GPU: {row.gpu_origin}" if row.gpu_hours and row.gpu_origin else row.origin
        lines.append(
            f"{row.source:{width}} {row.images:9,} {row.published:9,} {row.shards:7,} {_megabytes(row.bytes)}"
            f" {_megabytes(row.download)} {_hours(row.gpu_hours)} {_duration(row.seconds):>10}  {origin}".rstrip()
        )
    return "\n".join(lines)


def _summed(name: str, rows: Sequence[PlanRow]) -> PlanRow:
    """One row for some: their sums, and where the estimates of the first come from."""
    images, shards, published, size, download = (
        sum(getattr(row, key) for row in rows) for key in ("images", "shards", "published", "bytes", "download")
    )
    seconds = None if any(row.seconds is None for row in rows) else sum(row.seconds or 0.0 for row in rows)
    known = [row.gpu_hours for row in rows if row.gpu_hours]
    hours = (sum(low for low, _ in known), sum(high for _, high in known)) if known else None
    origin, gpu_origin = (rows[0].origin, rows[0].gpu_origin) if rows else ("", "")
    return PlanRow(name, images, shards, published, size, seconds, origin, download, hours, gpu_origin)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:9,.1f} MB"


def _hours(span: tuple[float, float] | None) -> str:
    if span is None:
        return f"{'-':>11}"
    low, high = span
    return f"{f'{low:.2f}' if high - low < 0.005 else f'{low:.2f}-{high:.2f}':>11}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
