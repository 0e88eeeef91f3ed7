from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from osbench.core.errors import DatasetError
from osbench.generation import picture_set
from osbench.generation.picture_set import PICTURE_SCHEMA, open_picture_set


def write_pictures(path: Path, count: int = 6, side: int = 64, **columns: Any) -> np.ndarray:
    """A file of random pictures, two in a group; returns their pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, side // 8, side // 8, 3)).repeat(8, 1).repeat(8, 2)
    pixels = (pixels * 0.8 + np.random.default_rng(1).integers(0, 50, pixels.shape)).astype(np.uint8)
    values = {
        "content_id": [f"picture-{i}" for i in range(count)],
        "group": [f"group-{i // 2}" for i in range(count)],
        "part": ["train", "val", "test"] * (count // 3),
        "picture": [_png(picture) for picture in pixels],
        **columns,
    }
    rows = {name: values.get(name, [None] * count) for name in PICTURE_SCHEMA.names}
    pq.write_table(pa.table(rows, PICTURE_SCHEMA), path)
    return pixels


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_it_gives_pixels_and_names(tmp_path: Path) -> None:
    pixels = write_pictures(tmp_path / "p.parquet")
    pictures = open_picture_set(tmp_path / "p.parquet")
    np.testing.assert_array_equal(pictures.pixels([4, 0]), pixels[[4, 0]])
    assert (len(pictures), pictures.content_ids[4], pictures.groups[4]) == (6, "picture-4", "group-2")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    write_pictures(tmp_path / "p.parquet")
    assert len(open_picture_set(tmp_path / "p.parquet")) == 6
    write_pictures(tmp_path / "p.parquet", 3)
    assert len(open_picture_set(tmp_path / "p.parquet")) == 3


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"content_id": ["same"] * 6}, "content_id of its own"),
        ({"group": [None] * 6}, "content_id of its own"),
        ({"picture": [None] * 6}, "content_id of its own"),
    ],
)
def test_incomplete_files_are_refused(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    write_pictures(tmp_path / "p.parquet", **columns)
    with pytest.raises(DatasetError, match=message):
        open_picture_set(tmp_path / "p.parquet")


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"missing\.parquet"):
        open_picture_set(tmp_path / "missing.parquet")
    (tmp_path / "text").write_text("no pictures")
    with pytest.raises(DatasetError, match="is not a Parquet file"):
        open_picture_set(tmp_path / "text")
    pq.write_table(pa.table({"other": [1]}), tmp_path / "other.parquet")
    with pytest.raises(DatasetError, match="has other columns than the schema"):
        open_picture_set(tmp_path / "other.parquet")


def test_budgets_come_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "p.parquet")
    monkeypatch.setattr(picture_set, "MOST_PICTURES", 5)
    with pytest.raises(DatasetError, match="5"):
        open_picture_set(tmp_path / "p.parquet")
    monkeypatch.setattr(picture_set, "MOST_BYTES", 10)
    with pytest.raises(DatasetError, match=r"p\.parquet"):
        open_picture_set(tmp_path / "p.parquet")


def test_bad_pictures_are_named(tmp_path: Path) -> None:
    pixels = write_pictures(tmp_path / "p.parquet")
    broken = [_png(p) for p in pixels[:5]] + [b"not a picture"]
    write_pictures(tmp_path / "p.parquet", picture=broken)
    pictures = open_picture_set(tmp_path / "p.parquet")
    assert pictures.pixels([0]).shape == (1, 64, 64, 3)
    with pytest.raises(DatasetError, match="picture picture-5 cannot be decoded"):
        pictures.pixels([5])
    write_pictures(tmp_path / "p.parquet", picture=[_png(p) for p in pixels[:5]] + [_png(pixels[5, :32, :32])])
    with pytest.raises(DatasetError, match="different sizes"):
        open_picture_set(tmp_path / "p.parquet").pixels([0, 5])
