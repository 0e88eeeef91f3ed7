from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from osbench.core.errors import DatasetError, GenerationError, OsbenchError, UsageError
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from osbench.generation.pixels import decode_crop, decode_frame


def picture(height: int = 60, width: int = 50, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x010F] = "SECRET"
    picture(seed=1).save(folder / "a.jpg", quality=83, exif=exif)
    picture(seed=2).save(folder / "b.jpeg", quality=60, progressive=True, comment="SECRET")
    notes = PngImagePlugin.PngInfo()
    notes.add_text("parameters", "SECRET prompt")
    picture(seed=3).save(folder / "c.png", pnginfo=notes)
    picture(seed=4).save(folder / "sub" / "d.webp", quality=50)
    picture(seed=5).convert("L").save(folder / "e.png")
    (folder / ".hidden").write_text("not an image")
    return folder


def make(suite: Path, out: Path, folder: Path, **options: object) -> Dataset:
    return generate(suite, out, sources=["own"], folders={"own": folder}, **options)  # type: ignore[arg-type]


def test_pixels_are_untouched_and_metadata_is_gone(tiny_suite: Path, photos: Path, tmp_path: Path) -> None:
    dataset = make(tiny_suite, tmp_path / "out", photos, frame="full", folder_licence="CC0-1.0")
    index: Any = dataset.index()
    shards = [dataset.read_images(entry.file) for entry in dataset.shards()]
    stored = [data for shard in shards for data in shard]
    names = ["a.jpg", "b.jpeg", "c.png", "e.png", "sub/d.webp"]
    assert len(stored) == len(names)
    for name, data in zip(names, stored, strict=True):
        assert b"SECRET" not in data
        assert np.array_equal(decode_frame(data), np.asarray(Image.open(photos / name).convert("RGB"))), name
    assert index["jpeg_quality"].isna().all()
    assert index["jpeg_subsampling"].tolist()[:2] == ["4:2:0", "4:2:0"]
    assert index["jpeg_tables_sha256"].notna().tolist() == [True, True, False, False, False]
    assert (index["generator"] + "/" + index["training_set"]).unique().tolist() == ["own/folder"]
    assert dataset.info["sources"][0]["licence"] == "CC0-1.0"
    assert dataset.verify(pixels=True) == []


def test_jpeg_scan_is_stored_byte_for_byte(tiny_suite: Path, photos: Path, tmp_path: Path) -> None:
    dataset = make(tiny_suite, tmp_path / "out", photos)
    file = (photos / "a.jpg").read_bytes()
    stored = dataset.read_images(dataset.shards()[0].file)[0]
    assert stored.endswith(file[file.index(b"\xff\xda") :])


def test_lossless_files_may_be_stored_as_a_window(tiny_suite: Path, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    picture(300, 400).save(folder / "a.bmp")
    dataset = make(tiny_suite, tmp_path / "out", folder)
    row = dataset.index().iloc[0]
    data = dataset.read_images(row["shard"])[0]
    assert max(decode_frame(data).shape) < 100
    x, y = row["frame_x"] + row["crop_x"], row["frame_y"] + row["crop_y"]
    native = np.asarray(picture(300, 400))
    assert np.array_equal(decode_crop(data, row["crop_x"], row["crop_y"], 20), native[y : y + 20, x : x + 20])
    assert (row["native_width"], row["native_height"]) == (400, 300)


def test_folder_beside_generators_and_its_own_names(tiny_suite: Path, photos: Path, tmp_path: Path) -> None:
    dataset = generate(tiny_suite, tmp_path / "out", count=2, folders={"camera/holiday": photos})
    assert dataset.sources() == ["alpha/noise", "beta/noise", "camera/holiday"]
    assert dataset.info["sources"][2]["licence"] == "not stated"
    assert dataset.index().groupby("generator").size().to_dict() == {"alpha": 2, "beta": 2, "camera": 2}


def test_other_content_is_other_images(tiny_suite: Path, photos: Path, tmp_path: Path) -> None:
    first = set(make(tiny_suite, tmp_path / "one", photos).index()["image_id"])
    picture(seed=9).save(photos / "a.jpg")
    from osbench.generation.folders import list_images

    list_images.cache_clear()
    second = set(make(tiny_suite, tmp_path / "two", photos).index()["image_id"])
    assert first.isdisjoint(second)


def broken_folder(folder: Path, kind: str) -> str:
    """Put one bad file (named in the return value) beside a good one."""
    folder.mkdir()
    picture().save(folder / "good.png")
    buffer = io.BytesIO()
    picture(200, 200).save(buffer, "JPEG")
    if kind == "text":
        (folder / "bad.jpg").write_text("hello")
    elif kind == "small":
        picture(10, 50).save(folder / "bad.jpg")
    elif kind == "truncated jpeg":
        (folder / "bad.jpg").write_bytes(buffer.getvalue()[:-4000])
    elif kind == "cmyk":
        picture().convert("CMYK").save(folder / "bad.jpg")
    elif kind == "transparent":
        image = picture().convert("RGBA")
        image.putpixel((3, 3), (0, 0, 0, 0))
        image.save(folder / "bad.jpg", "PNG")
    elif kind == "flat":
        Image.new("RGB", (50, 50), (7, 7, 7)).save(folder / "bad.jpg", "PNG")
    elif kind == "16 bit":
        Image.fromarray(np.arange(2500, dtype=np.uint16).reshape(50, 50)).save(folder / "bad.jpg", "PNG")
    elif kind == "bomb":
        header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (100_000).to_bytes(4, "big") * 2 + b"\x08\2\0\0\0"
        import zlib

        (folder / "bad.jpg").write_bytes(header + zlib.crc32(header[12:]).to_bytes(4, "big"))
    return "bad.jpg"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", ["text", "small", "truncated jpeg", "cmyk", "transparent", "flat", "16 bit", "bomb"])
def test_bad_files_are_named_in_one_line(tiny_suite: Path, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "folder"
    name = broken_folder(folder, kind)
    with pytest.raises(OsbenchError) as caught:
        make(tiny_suite, tmp_path / "out", folder)
    assert isinstance(caught.value, DatasetError | GenerationError)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "out").rglob("*.parquet"))


def test_empty_and_missing_folders(tiny_suite: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no images"):
        make(tiny_suite, tmp_path / "out", tmp_path / "empty")
    with pytest.raises(DatasetError, match="no such folder"):
        make(tiny_suite, tmp_path / "out", tmp_path / "missing")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../own", "own/../x", "", "a b"])
def test_names_become_folders_so_they_are_checked(tiny_suite: Path, photos: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a source"):
        generate(tiny_suite, tmp_path / "out", folders={name: photos})


def test_a_name_that_is_taken(tiny_suite: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name of another source"):
        generate(tiny_suite, tmp_path / "out", folders={"alpha/noise": photos})


def groups(photos: Path, **changes: str) -> None:
    """``groups.csv`` that puts every picture into the group of its first letter, but for some."""
    names = ["a.jpg", "b.jpeg", "c.png", "e.png", "sub/d.webp"]
    rows = [f"{name},{changes.get(name, name[0])}" for name in names]
    (photos / "groups.csv").write_text("\n".join(["file,group", *rows]) + "\n")


def test_a_table_in_the_folder_says_what_belongs_together(tiny_suite: Path, photos: Path, tmp_path: Path) -> None:
    before = make(tiny_suite, tmp_path / "none", photos)
    assert before.index()["group"].isna().all()
    groups(photos)
    dataset = make(tiny_suite, tmp_path / "out", photos)
    assert dataset.index()["group"].tolist() == ["a", "b", "c", "e", "s"]
    (source,) = dataset.info["sources"]
    assert (source["folder"]["files"], source["folder"]["groups"]) == (5, "groups.csv")
    assert dataset.verify(pixels=True) == []


def test_another_table_is_another_source(tiny_suite: Path, photos: Path, tmp_path: Path) -> None:
    groups(photos)
    first = make(tiny_suite, tmp_path / "first", photos)
    groups(photos, **{"c.png": "a"})
    second = make(tiny_suite, tmp_path / "second", photos)
    assert second.index()["group"].tolist() == ["a", "b", "a", "e", "s"]
    assert first.info["sources"][0]["folder"]["sha256"] != second.info["sources"][0]["folder"]["sha256"]


def test_the_stem_of_a_file_may_be_its_group(photos: Path, tmp_path: Path) -> None:
    document = (
        "name: own\nversion: own-v1\nrecipe: {crop_size: 20}\nsources:\n- {generator: own, folder: photos, group: %s}"
    )
    (tmp_path / "own.yaml").write_text(document % "stem")
    dataset = generate(tmp_path / "own.yaml", tmp_path / "out")
    assert dataset.index()["group"].tolist() == ["a", "b", "c", "e", "d"]
    assert dataset.info["sources"][0]["folder"]["groups"] == "stem"
    assert dataset.verify() == []
    (tmp_path / "own.yaml").write_text(document % "folder")
    with pytest.raises(UsageError, match="'group' can be 'stem', of a source that is a folder"):
        generate(tmp_path / "own.yaml", tmp_path / "other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,scene\na.jpg,a\n", "its first line must be file,group, not file,scene"),
        ("", "no table of comma-separated values"),
        ("file,group\na.jpg,a\n", r"says no group of b\.jpeg: add a line for it"),
        ("file,group\na.jpg,a\nx.png,b\n", r"names x\.png, which is not in the folder; remove it"),
        ("file,group\na.jpg,a\na.jpg,b\n", r"names a\.jpg twice; remove one line"),
        ("file,group\na.jpg\n", "line 2 must be a file and a group"),
        ("file,group\na.jpg,\n", "line 2 must be a file and a group"),
        ("file,group\na.jpg," + "x" * 300, "line 2 must be a file and a group"),
    ],
)
def test_bad_tables_of_groups_in_one_line(
    tiny_suite: Path, photos: Path, tmp_path: Path, text: str, message: str
) -> None:
    (photos / "groups.csv").write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        make(tiny_suite, tmp_path / "out", photos)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
