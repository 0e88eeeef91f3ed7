from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from PIL import Image

from osbench.core.errors import DatasetError, UsageError
from osbench.generation.training.pack import pack
from osbench.generation.training.pictures import load_pictures

FREE = [
    "badlands0.jpg",
    "canyon1.jpg",
    "lava4.jpg",
    "mountain12.jpg",
    "sea3.jpg",
    *[f"hills{i}.jpg" for i in range(15)],
]
NOT_PUBLIC_DOMAIN = [
    "beach10-sfiera.jpg",
    "bwerner0.jpg",
    "myrabella1.jpg",
    "dmottl2.jpg",
    "mfield3.jpg",
    "canyon01.jpg",
]
NOT_PUBLIC_DOMAIN += ["lava5.jpg", "mountain22-spfld.jpg", "city18-iridium.jpg"]
NO_LANDSCAPE = ["nasa0.jpg", "space1.jpg", "earthrise.jpg", "station2.jpg", "loc0.jpg", "city3.jpg"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up packages in the layout of the real ones, every picture of a colour of its own."""
    root = tmp_path_factory.mktemp("packages")
    land = root / "usr/share/games/endless-sky/images/land"
    land.mkdir(parents=True)
    for i, name in enumerate([*FREE, *NOT_PUBLIC_DOMAIN, *NO_LANDSCAPE]):
        Image.new("RGB", (80, 40), (8 * i % 256, 3 * i, 255 - 4 * i)).save(land / name, quality=95)
    assets = root / "package/assets"
    assets.mkdir(parents=True)
    for i in range(20):
        figure = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
        figure.paste((200, 10 * i, 30, 255), (8, 8, 24, 24))
        figure.save(assets / f"{i:02}.webp", lossless=True)
    return root


@pytest.fixture(scope="module")
def packed(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packed") / "pictures.parquet"
    assert pack("landscape", packages, out) == len(FREE)
    assert pack("emoji", packages, out) == 20
    return out


def test_only_public_domain_landscapes_are_taken(packed: Path) -> None:
    rows = pq.read_table(packed, filters=[("training_set", "==", "landscape")]).to_pylist()
    assert sorted(r["name"] for r in rows) == sorted(FREE)
    assert {r["licence"] for r in rows} == {"public domain"}
    assert {r["kind"] for r in rows} == {"badlands", "canyon", "lava", "mountain", "sea", "hills"}


def test_bytes_are_those_of_the_package(packed: Path, packages: Path) -> None:
    row = pq.read_table(packed, filters=[("name", "==", "sea3.jpg")]).to_pylist()[0]
    assert row["image"]["bytes"] == (packages / "usr/share/games/endless-sky/images/land/sea3.jpg").read_bytes()


def test_both_sets_lie_in_one_file_that_datasets_opens(packed: Path, tmp_path: Path) -> None:
    rows = load_dataset("parquet", data_files=str(packed), cache_dir=str(tmp_path), split="train")
    assert sorted(set(rows["training_set"])) == ["emoji", "landscape"]  # type: ignore[index]
    assert Image.open(io.BytesIO(rows[0]["image"]["bytes"])).size == (80, 40)  # type: ignore[index]


def test_packing_again_replaces(packed: Path, packages: Path) -> None:
    before = packed.read_bytes()
    pack("emoji", packages, packed)
    assert packed.read_bytes() == before


def test_a_tenth_of_the_photographs_is_held_out(packed: Path) -> None:
    pictures = load_pictures(packed, "landscape", 20)
    assert pictures.pixels.shape == (20, 20, 40, 3)
    assert pictures.held_out.sum() == 2
    assert pictures.class_names[int(pictures.labels[-1])] == "sea"


def test_crops_are_split_by_photograph(packed: Path) -> None:
    pictures = load_pictures(packed, "landscape", 40)
    train, _ = pictures.crops(16, 200)
    held_out, _ = pictures.crops(16, 50, 1, held_out=True)

    def photographs(crops: np.ndarray) -> set[int]:
        means = pictures.pixels.mean((1, 2))
        return {int(np.abs(means - crop.mean((0, 1))).sum(1).argmin()) for crop in crops}

    assert photographs(train) == set(np.flatnonzero(~pictures.held_out))
    assert photographs(held_out) == set(np.flatnonzero(pictures.held_out))


def test_emoji_stand_on_grounds_that_are_not_flat(packed: Path) -> None:
    pictures = load_pictures(packed, "emoji", 40)
    assert pictures.pixels.shape == (20, 40, 40, 3)
    corners = pictures.pixels[:, :6, :6].reshape(20, -1)
    assert (corners.std(1) > 1).all()
    assert abs(pictures.pixels[3, 20, 20].astype(int) - [200, 30, 30]).max() < 12
    assert np.array_equal(pictures.pixels, load_pictures(packed, "emoji", 40).pixels)


def test_one_line_errors(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown training set 'portraits'"):
        pack("portraits", tmp_path, tmp_path / "x")
    with pytest.raises(DatasetError, match="endless-sky-data"):
        pack("landscape", tmp_path, tmp_path / "x")
    with pytest.raises(DatasetError, match="fluent-emoji-3d"):
        pack("emoji", tmp_path, tmp_path / "x")
    (tmp_path / "broken").write_text("no parquet")
    with pytest.raises(DatasetError, match="'pack' step"):
        load_pictures(tmp_path / "broken", "emoji", 40)
    with pytest.raises(DatasetError, match="holds no 'portraits'"):
        load_pictures(packed, "portraits", 40)


def test_a_file_over_the_limit_is_not_packed(
    packed: Path, packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("osbench.generation.training.pack.PICTURES_BYTES", 1000)
    before = packed.read_bytes()
    with pytest.raises(DatasetError, match="take fewer pictures"):
        pack("emoji", packages, packed)
    assert packed.read_bytes() == before
    assert not packed.with_suffix(".partial").exists()
