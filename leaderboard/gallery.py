"""Sample images of every source for the page: the stored bytes of a dataset, embedded unchanged."""

from __future__ import annotations

import base64
import io
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from PIL import Image

from ..benchmark.manifest import Manifest
from ..core.errors import DatasetError
from ..generation.dataset import Dataset

PER_SOURCE = 9
#: All pictures of a page together, in bytes before base64: a page should open at once.
BYTE_BUDGET = 3_000_000


@dataclass(frozen=True)
class Picture:
    """A stored frame as a data address, and where the crop lies in it, in pixels; quality None = not compressed."""

    src: str
    width: int
    height: int
    crop_x: int
    crop_y: int
    index: int
    quality: int | None


@dataclass(frozen=True)
class GallerySource:
    """Sample images of one source."""

    generator: str
    training_set: str
    openness: str
    images: tuple[Picture, ...]


_COLUMNS = ("image_id", "shard", "row", "index", "jpeg_quality", "crop_x", "crop_y")
_MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png"}


def holds_images(dataset: Dataset, manifest: Manifest) -> bool:
    """Whether every test image of the manifest is in the dataset."""
    return bool(manifest.rows("test")["image_id"].isin(dataset.index()["image_id"]).all())


def gallery(dataset: Dataset, manifest: Manifest, per_source: int = PER_SOURCE) -> tuple[GallerySource, ...]:
    """Test images of every source, seen sources first, at most ``per_source`` each and ``BYTE_BUDGET`` in all.

    Raises DatasetError if an image is neither JPEG nor PNG.
    """
    test = manifest.rows("test")[["image_id", "openness", "generator", "training_set"]]
    rows = test.merge(dataset.index()[list(_COLUMNS)], on="image_id").to_dict("records")
    groups: dict[tuple[str, str, str], list[dict[Hashable, Any]]] = {}
    for row in rows:
        groups.setdefault((row["openness"], row["generator"], row["training_set"]), []).append(row)
    share = BYTE_BUDGET // len(groups)
    return tuple(
        GallerySource(generator, training_set, openness, _pictures(dataset, members[:per_source], share))
        for (openness, generator, training_set), members in sorted(groups.items())
    )


def _pictures(dataset: Dataset, rows: list[dict[Hashable, Any]], byte_budget: int) -> tuple[Picture, ...]:
    pictures: list[Picture] = []
    spent = 0
    for row in rows:
        data = dataset.read_images(row["shard"], [row["row"]])[0]
        spent += len(data)
        if spent > byte_budget and pictures:
            break
        pictures.append(_picture(data, row))
    return tuple(pictures)


def _picture(data: bytes, row: dict[Hashable, Any]) -> Picture:
    try:
        with Image.open(io.BytesIO(data), formats=list(_MEDIA_TYPES)) as image:
            kind, width, height = str(image.format), image.width, image.height
    except (OSError, Image.DecompressionBombError) as error:
        raise DatasetError(f"image {row['image_id']} is neither JPEG nor PNG; verify the dataset.") from error
    return Picture(
        src=f"data:{_MEDIA_TYPES[kind]};base64,{base64.b64encode(data).decode('ascii')}",
        width=width,
        height=height,
        crop_x=int(row["crop_x"]),
        crop_y=int(row["crop_y"]),
        index=int(row["index"]),
        quality=None if pd.isna(row["jpeg_quality"]) else int(row["jpeg_quality"]),
    )
