"""Make some images of a dataset again and compare: how reproducible is it on this machine?

Same machine, same versions: bit-exact. Another device or library version may move a value across a rounding
border; JPEG then spreads one level over its block. The finding is a class, recorded on the dataset card.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import DatasetError, UsageError
from ..core.publish import write_atomically
from .catalog import Recipe, Source, Suite, load_suite
from .dataset import REPRODUCTION, Dataset
from .described import resynthesizing, shown_characters
from .pixels import decode_crop
from .record import device_name, library_versions, source_sha256
from .record_schema import resynthesizing_source
from .seeds import image_rng
from .shards import Unit, encode_row, sample_batch
from .weights import local_weights


@dataclass(frozen=True)
class Reproduction:
    """One source, made again.

    images: how many. bit_exact: with identical stored bytes. within_one: whose crops differ by at most one of 255
    levels. psnr_db: of the worst crop, None if all crops are identical. verdict: ``bit-exact``,
    ``within one level`` or ``different``.
    """

    source: str
    images: int
    bit_exact: int
    within_one: int
    psnr_db: float | None

    @property
    def verdict(self) -> str:
        if self.bit_exact == self.images:
            return "bit-exact"
        return "within one level" if self.within_one == self.images else "different"

    def document(self) -> dict[str, Any]:
        """JSON-able form."""
        return {**asdict(self), "verdict": self.verdict}


def regenerate(
    dataset: Dataset,
    images: int,
    *,
    suite: str | Path | None = None,
    device: str = "cpu",
    weights: Mapping[str, str | Path] | None = None,
) -> Iterator[Reproduction]:
    """Make ``images`` images of every generator source again. Folder sources are skipped: nothing makes them.

    suite: where the weights are, the dataset's own suite if None. weights: source -> file, for weights that the user
    brought; nothing is downloaded. DatasetError if they are other weights.
    """
    if images < 1:
        raise UsageError(f"--regenerate must be at least 1, not {images}.")
    device_name(device)
    records = [record for record in dataset.info["sources"] if "weights" in record]
    if not records:
        return
    catalog = load_suite(suite or dataset.suite)
    for record in records:
        source = catalog.source(resynthesizing_source(record["name"]))
        given = {name: path for name, path in (weights or {}).items() if name == source.name}
        located = next(iter(local_weights([source], given)), source)
        if "resynthesizes" in record:
            located = _resynthesizing(dataset, record, located, catalog)
        yield _regenerate_source(dataset, record, located, images, device)


def _resynthesizing(dataset: Dataset, record: dict[str, Any], by: Source, catalog: Suite) -> Source:
    """The source as it made the images of another one again."""
    name, draws = record["resynthesizes"]["source"], record["resynthesizes"]["draws"]
    original = next((one for one in dataset.info["sources"] if one["name"] == name), None)
    wanted, of = catalog.resyntheses, catalog.source(name)
    if original is None or wanted is None or wanted.draws != draws:
        raise DatasetError(f"{dataset.path}: suite {catalog.name} does not make {record['name']} as it was made here.")
    if of.is_network:
        shown = shown_characters(of)
    else:  # the folder may be gone; the dataset knows whom its pictures show
        index = dataset.index()
        rows = pd.DataFrame(index[index["shard"].str.startswith(f"shards/{name}/")]).sort_values("index")
        shown = [of.characters.index(name) for name in rows["character"]]
    pair = resynthesizing(by, of, original["namespace"], wanted, shown)
    if pair is None:
        raise DatasetError(f"{dataset.path}: suite {catalog.name} makes no image of {name} again.")
    return pair


def _regenerate_source(
    dataset: Dataset, record: dict[str, Any], source: Source, images: int, device: str
) -> Reproduction:
    sha256 = source_sha256(source)
    if sha256 != record.get("pictures", record["weights"])["sha256"]:
        raise DatasetError(f"{dataset.path}: {record['name']} was made with other weights than {source.weights}.")
    sampling = {key: value for key, value in record["sampling"].items() if key != "class_labels"}
    labels = tuple(record["sampling"]["class_labels"])
    source = replace(source, sampling=sampling, class_labels=labels, deviation=record.get("deviation"))
    recipe = Recipe(**{**dataset.info["recipe"], "qualities": tuple(dataset.info["recipe"]["qualities"])})
    unit = Unit(dataset.path, record["namespace"], source, sha256, recipe, record["count"], 0, device)
    pairs = [_compare(dataset, replace(unit, shard=i // recipe.shard_rows), i) for i in _choose(unit, images)]
    worst = max(error for _, _, error in pairs)
    return Reproduction(
        source.name,
        len(pairs),
        sum(same for same, _, _ in pairs),
        sum(step <= 1 for _, step, _ in pairs),
        None if worst == 0 else 10 * math.log10(255**2 / worst),
    )


def _choose(unit: Unit, images: int) -> list[int]:
    """Indices spread over the source, always the same ones."""
    rng = image_rng(0, f"regenerate {unit.source.name}")
    return sorted(int(i) for i in rng.choice(unit.count, size=min(images, unit.count), replace=False))


def _compare(dataset: Dataset, unit: Unit, index: int) -> tuple[bool, int, float]:
    """(bytes identical, largest difference in levels, mean squared error) of one image made again."""
    stored = dataset.read_rows(unit.file)[index - unit.indices.start]
    start = index - index % unit.recipe.batch_size
    batch = sample_batch(unit, range(start, start + unit.recipe.batch_size))
    made = encode_row(unit, batch[index - start])
    old, new = (decode_crop(r["image"]["bytes"], r["crop_x"], r["crop_y"], r["crop_size"]) for r in (stored, made))
    difference = np.abs(old.astype(int) - new.astype(int))
    same = stored["image"]["bytes"] == made["image"]["bytes"]
    return same, int(difference.max()), float((difference**2).mean())


def record_reproduction(dataset: Dataset, rows: list[Reproduction], device: str) -> None:
    """Keep the finding beside the dataset, with the machine it was made on; the card shows it."""
    document = {
        "device": device_name(device),
        "versions": library_versions(),
        "sources": [row.document() for row in rows],
    }
    write_atomically(dataset.path / REPRODUCTION, (json.dumps(document, indent=2) + "\n").encode())
