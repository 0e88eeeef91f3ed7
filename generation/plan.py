"""How many images, how much disk, how long: before anything is made.

Numbers are measured on one batch of each source where its weights are here, and say so where they are not.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import GenerationError
from .folders import list_images
from .ledger import read_ledger
from .progress import track
from .record import source_sha256
from .request import Request, make_request, units
from .shards import Unit, folder_rows, generated_rows

_ROW_BYTES = 600
"""The other columns of a row and its share of Parquet's own structures."""


@dataclass(frozen=True)
class PlanRow:
    """One source: images and shards wanted, images already published, and what the rest costs.

    bytes: disk in bytes. seconds: wall time with the given workers, None if unknown. origin: where both come from.
    """

    source: str
    images: int
    shards: int
    published: int
    bytes: int
    seconds: float | None
    origin: str


def plan(
    suite: str | Path,
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
) -> list[PlanRow]:
    """What :func:`..generate.generate` with the same arguments would do; writes nothing. Same errors."""
    request = make_request(
        suite, sources=sources, count=count, folders=folders, folder_licence=folder_licence, order=order, frame=frame
    )
    folder = Path(out) if out is not None else Path()
    published = {entry.file: entry.rows for entry in read_ledger(folder).values()} if out is not None else {}
    parallel = min(workers, os.cpu_count() or 1)
    return [
        _plan_source(request, name, folder, published, device, parallel)
        for name in track([s.name for s in request.sources], description="measure", unit="source")
    ]


def _plan_source(
    request: Request, name: str, folder: Path, published: dict[str, int], device: str, parallel: int
) -> PlanRow:
    source = request.suite.source(name)
    here = source.folder is not None or (source.weights is not None and source.weights.is_file())
    shards = units(request, folder, {name: source_sha256(source) if here else ""}, device, only=name)
    missing = [unit for unit in shards if unit.file not in published]
    images = sum(len(unit.indices) for unit in missing)
    if not images or not here:
        seconds, size = (None if images else 0.0), sum(estimate_bytes(unit) for unit in missing)
        origin = "rule of thumb: the weights are not on this machine" if images else "already published"
    else:
        per_image, size_each, number = _measure(missing[0])
        seconds, size = images * per_image / min(parallel, len(missing)), int(images * size_each)
        origin = f"measured on {number} images"
    return PlanRow(name, request.counts[name], len(shards), request.counts[name] - images, size, seconds, origin)


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
    if unit.source.folder is not None:
        return sum(
            path.stat().st_size for path in list_images(unit.source.folder)[unit.indices.start : unit.indices.stop]
        )
    side = unit.source.native_size or unit.recipe.crop_size
    if unit.recipe.order == "crop-then-compress":
        side = unit.recipe.crop_size
    elif unit.recipe.frame == "window":
        side = min(side, unit.recipe.crop_size + 48)  # up to three 16 px MCUs more than the crop
    # 1 byte a pixel is above the mean over the qualities;
    return len(unit.indices) * (side * side + _ROW_BYTES)


def check_disk(folder: Path, missing: Sequence[Unit]) -> None:
    """GenerationError before anything is written if the disk is too small for the missing shards."""
    need = sum(estimate_bytes(unit) for unit in missing)
    free = shutil.disk_usage(folder).free
    if need > free:
        raise GenerationError(
            f"{folder}: about {need / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free."
            " Free some space, lower --count, or choose another --out folder."
        )


def plan_text(rows: Sequence[PlanRow]) -> str:
    """A table of the rows with their sums, for people."""
    lines = [f"{'source':32} {'images':>9} {'there':>9} {'shards':>7} {'disk':>11} {'time':>10}  estimate"]
    for row in rows:
        lines.append(
            f"{row.source:32} {row.images:9,} {row.published:9,} {row.shards:7,} {row.bytes / 1e6:8,.1f} MB"
            f" {_duration(row.seconds):>10}  {row.origin}"
        )
    seconds = None if any(row.seconds is None for row in rows) else sum(row.seconds or 0.0 for row in rows)
    images, published, shards, size = (
        sum(getattr(row, name) for row in rows) for name in ("images", "published", "shards", "bytes")
    )
    total = f"{'all':32} {images:9,} {published:9,} {shards:7,} {size / 1e6:8,.1f} MB {_duration(seconds):>10}"
    return "\n".join([*lines, total])


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
