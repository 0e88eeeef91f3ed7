"""Paper 2's published layout, read by ``bongini2025``: bytes, split, ties, and everything that may lie in a folder."""

from __future__ import annotations

import json
import os
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from osbench.cli import main
from osbench.core.errors import DatasetError, UsageError
from osbench.generation.card import card_text
from osbench.generation.characters import split_of_characters
from osbench.generation.dataset import RECORD, Dataset
from osbench.generation.importers import Fault, importer_class, member_file
from osbench.generation.importers.bongini2025 import CHARACTERS, Bongini2025
from osbench.generation.importing import import_dataset, list_pictures
from osbench.generation.ledger import LEDGER
from osbench.generation.pixels import decode_crop, decode_frame

from ..published_tree import CORE_HERE, REDRAWN, TESTED, ending, save, write_tree

TEST_SPLIT = [12, 25, 26, 30, 35, 47, 61, 90, 96, 100]
VAL_SPLIT = [13, 28, 46, 48, 51, 60, 63, 77, 80, 89]
"""As the authors' code draws them: numpy.random.seed(8375), shuffle(range(100)), 80 / 10 / 10 in the order train, test,
val; counted from 1."""


def osbench(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def kept(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    data, faults = import_dataset("bongini2025", tree, tmp_path_factory.mktemp("kept") / "data", canonical=False)
    assert faults == []
    return data


@pytest.fixture(scope="module")
def canonical(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return import_dataset("bongini2025", tree, tmp_path_factory.mktemp("canonical") / "data")[0]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "published", range(1, 27))


def stored(data: Dataset, role: str | None = None) -> dict[str, tuple[dict[str, Any], bytes]]:
    """Published file -> its row, and the bytes that are stored of it."""
    found = {}
    for shard, rows in data.index(role).groupby("shard"):
        images = data.read_images(str(shard), rows["row"].tolist())
        for row, image in zip(rows.to_dict("records"), images, strict=True):
            found[row["origin"]] = (row, image)
    return found


def test_every_byte_of_every_file_is_kept(kept: Dataset, tree: Path) -> None:
    files = {path.relative_to(tree).as_posix(): path for path in tree.rglob("*") if path.is_file()}
    found = stored(kept)
    assert found.keys() == files.keys()
    for name, path in files.items():
        row, image = found[name]
        assert image == path.read_bytes()
        assert row["origin_sha256"] == row["bytes_sha256"]
        assert (row["native_width"], row["native_height"]) == (40, 40)
    index: Any = kept.index(None)
    assert index["jpeg_quality"].isna().all()
    assert kept.info["recipe"]["existing"] == "as-published"
    assert kept.verify(pixels=True) == []


def test_the_split_is_the_published_one(kept: Dataset) -> None:
    index: Any = kept.index()
    numbers = index["character"].astype(int)
    assert sorted(set(numbers[index["split_hint"] == "test"])) == TEST_SPLIT
    assert sorted(set(numbers[index["split_hint"] == "val"])) == VAL_SPLIT
    assert set(numbers[index["split_hint"] == "train"]) == set(range(1, 101)) - set(TEST_SPLIT) - set(VAL_SPLIT)
    # Whoever splits by the column 'character' alone, in its sorted order, finds the same.
    assert split_of_characters(sorted(set(index["character"]))) == dict(
        zip(index["character"], index["split_hint"], strict=True)
    )
    assert index.groupby("generator").size().to_dict() == {**dict.fromkeys(CORE_HERE, 100), "AuraFlow": 2}


def test_resyntheses_are_tied_to_their_originals(kept: Dataset) -> None:
    originals = {row["image_id"]: row for row, _ in stored(kept, "original").values()}
    again = [row for row, _ in stored(kept, "resynthesis").values()]
    pairs = Counter((row["generator"], originals[row["of_image_id"]]["generator"]) for row in again)
    expected = {(by, of): len(REDRAWN) for by in CORE_HERE for of in CORE_HERE}
    expected |= {pair: len(TESTED) for one in CORE_HERE for pair in ((one, "AuraFlow"), ("AuraFlow", one))}
    assert pairs == {**expected, ("AuraFlow", "AuraFlow"): len(TESTED)}
    for row in again:
        of = originals[row["of_image_id"]]
        assert (row["character"], row["split_hint"]) == (of["character"], of["split_hint"])
    (one,) = [row for row in again if row["origin"] == "100people/images/bing/images/imagen/00012.jpg"]
    assert originals[one["of_image_id"]]["origin"] == f"100people/images/bing/00012{ending('bing', 12)}"


def test_licence_citation_and_layout_are_recorded(kept: Dataset) -> None:
    assert (kept.suite, kept.suite_version) == ("bongini2025", "bongini2025-published-v1")
    for source in kept.info["sources"]:
        assert source["imported"]["reader"] == "bongini2025"
        assert "arXiv:2510.24278" in source["imported"]["citation"]
        assert source["licence"] == "not stated"
    architectures = {source["generator"]: source["architecture"] for source in kept.info["sources"]}
    assert architectures["imagen"] == "Imagen 3"
    card = card_text(kept)
    assert "arXiv:2510.24278" in card
    assert "stored byte for byte as it was published" in card


def told_by_the_file(data: Dataset) -> float:
    """How often the file's format and quantisation tables alone say the source: the best answer for each, in sample."""
    rows: Any = data.index()
    rows = rows[rows["generator"].isin(CORE_HERE)]
    kinds = rows["jpeg_tables_sha256"].fillna("png") + rows["jpeg_subsampling"].fillna("")
    return sum(Counter(group).most_common(1)[0][1] for _, group in rows["generator"].groupby(kinds)) / len(rows)


def test_the_canonical_form_takes_the_shortcut_away(kept: Dataset, canonical: Dataset) -> None:
    assert told_by_the_file(kept) > 0.6  # imagen is always JPEG, midjourney always PNG, bing either
    assert told_by_the_file(canonical) < 0.45  # chance is 1/3, in sample a little more
    assert canonical.info["recipe"]["existing"] == "canonical"
    assert canonical.verify(pixels=True) == []
    index: Any = canonical.index()
    qualities = index.groupby("generator")["jpeg_quality"].agg(lambda column: set(column.dropna()))
    assert all(qualities[source] == {75, 80, 85, 90, 95} for source in CORE_HERE)


def test_the_canonical_form_changes_no_pixel_before_it_compresses(canonical: Dataset, tree: Path) -> None:
    for name, (row, image) in list(stored(canonical, "original").items())[::7]:
        if image[:2] == b"\xff\xd8":
            continue
        native = np.asarray(Image.open(tree / name).convert("RGB"))
        x, y, size = row["frame_x"] + row["crop_x"], row["frame_y"] + row["crop_y"], row["crop_size"]
        crop = decode_crop(image, row["crop_x"], row["crop_y"], size)
        assert np.array_equal(crop, native[y : y + size, x : x + size])
        assert decode_frame(image).shape[0] <= 40


def test_a_dry_run_says_what_is_there(tree: Path, tmp_path: Path) -> None:
    code, out, error = osbench("import", "bongini2025", tree, "--out", tmp_path / "data", "--dry-run", "--json")
    assert code == 0, error
    document = json.loads(out)
    rows = {row["source"]: row for row in document["sources"]}
    assert rows["imagen/undisclosed"]["pictures"] == 100
    assert rows["imagen/undisclosed"]["formats"] == {"JPEG": 100}
    assert rows["bing/undisclosed"]["formats"] == {"PNG": 50, "JPEG": 50}
    assert rows["bing/undisclosed"]["sizes"] == {"40x40": 100}
    assert rows["AuraFlow/undisclosed.of.bing.undisclosed"]["role"] == "resynthesis"
    assert document["left_out"] == []
    assert not (tmp_path / "data").exists()
    code, out, _ = osbench("import", "bongini2025", tree, "--dry-run", "--quiet")
    assert code == 0
    assert out.splitlines()[0].split() == ["source", "pictures", "size", "formats", "pixels", "licence"]


def test_the_verb_imports_and_goes_on(small: Path, tmp_path: Path) -> None:
    arguments = ("import", "bongini2025", small, "--out", tmp_path / "data", "--licence", "CC0-1.0", "--quiet")
    code, out, error = osbench(*arguments)
    assert code == 0, error
    files = sum(path.is_file() for path in small.rglob("*"))
    assert f"{files} images from 4 sources, {files} of them read now (pictures canonical, crops of 40 px)" in out
    ledger = (tmp_path / "data" / LEDGER).read_bytes()
    code, out, _ = osbench(*arguments, "--json")
    assert json.loads(out)["read"] == 0
    shards = Dataset.open(tmp_path / "data").shards()
    for entry in shards[::2]:  # as if killed before these were made
        (tmp_path / "data" / entry.file).unlink()
    (tmp_path / "data" / LEDGER).unlink()
    code, out, error = osbench(*arguments, "--json")
    assert code == 0, error
    assert 0 < json.loads(out)["read"] < files
    assert (tmp_path / "data" / LEDGER).read_bytes() == ledger


def test_a_unit_can_be_sent_to_another_process(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from osbench.generation import importing

    sent: list[Any] = []
    monkeypatch.setattr(importing, "make_dataset", lambda folder, record, wanted, *rest: sent.extend(wanted))
    with pytest.raises(AttributeError):  # it hands out no dataset
        import_dataset("bongini2025", small, tmp_path / "data")
    again = pickle.loads(pickle.dumps(sent))
    assert again == sent
    assert [unit.fingerprint() for unit in again] == [unit.fingerprint() for unit in sent]
    assert len({unit.fingerprint() for unit in sent}) == len(sent)


def test_what_is_no_picture_is_named_and_stops_nothing(small: Path, tmp_path: Path) -> None:
    core = small / "100people/images"
    bad = core / "midjourney"
    (bad / "00001.png").write_bytes((bad / "00001.png").read_bytes()[:200])
    (bad / "00002.png").write_text("no picture")
    (bad / "00003.png").unlink()
    os.symlink(bad / "00004.png", bad / "00005.jpg")
    (bad / "notes.txt").write_text("hello")
    (bad / "00006-1.png").write_bytes((bad / "00006.png").read_bytes())
    Image.new("RGB", (40, 40), "red").save(bad / "00007.png")
    (core / "dalle9").mkdir()
    save(core / "imagen/images/bing/00099-chrome-0.png", 5)
    save(small / "expansion_images/New Tests/AuraFlow/img_3.png", 6)
    Image.new("CMYK", (40, 40)).save(core / "imagen/00008.jpg")
    Image.new("RGBA", (40, 40), (1, 2, 3, 4)).save(bad / "00009.png")
    save(bad / "00010.png", 7, side=20)
    (bad / "images/bing/00012-chrome-0.png").write_bytes(b"")
    data, faults = import_dataset("bongini2025", small, tmp_path / "data", canonical=False, crop_size=32)
    reasons = {fault.member.rpartition("/")[2]: fault.reason for fault in faults}
    expected = {
        "00001.png": "is not a complete image",
        "00002.png": "is not a readable image",
        "00005.jpg": "is a link; only the data set's own files are read",
        "notes.txt": "is not named like a picture of the data set",
        "00006-1.png": "is another picture of character 6; 00006.png is the one that counts",
        "00007.png": "one constant colour",
        "dalle9": "is none of the sources bing, firefly",
        "00099-chrome-0.png": "draws character 99 of imagen again, whose original is missing",
        "img_3.png": "shows character 4, who is not of the test split",
        "00008.jpg": "colour mode CMYK is not 8-bit RGB or grey",
        "00009.png": "has transparent pixels",
        "00010.png": "20x20 is smaller than the 32 px crop",
        "00012-chrome-0.png": "is empty",
    }
    assert reasons.keys() == expected.keys()
    for name, words in expected.items():
        assert words in reasons[name], reasons[name]
        assert "\n" not in reasons[name]
    assert data.verify(pixels=True) == []
    index: Any = data.index()
    mine = index[index["generator"] == "midjourney"]
    assert len(mine) == 26 - 6  # five of them are no pictures, one is not there
    assert "00011" in set(mine["character"])
    assert set(data.left_out()) == {f.member for f in faults if f.member.endswith(("01.png", "02.png", "07.png"))} | {
        "100people/images/imagen/00008.jpg",
        "100people/images/midjourney/00009.png",
        "100people/images/midjourney/00010.png",
        "100people/images/midjourney/images/bing/00012-chrome-0.png",
    }
    # Asked for again, nothing is read again and the same is said.
    read: list[int] = []
    again, same = import_dataset(
        "bongini2025", small, tmp_path / "data", canonical=False, crop_size=32, on_made=read.append
    )
    assert (read, same) == ([0], faults)
    code, out, _ = osbench(
        "import", "bongini2025", small, "--out", tmp_path / "data", "--as-published", "--crop-size", 32
    )
    assert code == 0
    assert out.count("left out: ") == 11
    assert "left out: 3 more, see --json" in out
    assert "7 files of the published data set are no pictures" in card_text(again)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", "no such folder"),
        ("other", "no folder 100people/images or images in it"),
        ("twice", r"a second folder of source bing, beside Bing"),
        ("empty", "holds no picture of Bongini"),
        ("link", "no folder 100people/images or images in it"),
    ],
)
def test_a_folder_that_is_not_this_data_set(tmp_path: Path, damage: str, message: str) -> None:
    root = tmp_path / "published"
    core = root / "100people/images"
    if damage == "other":
        (root / "pictures").mkdir(parents=True)
    elif damage == "twice":
        save(core / "bing/00001-chrome-0.png", 1)
        save(core / "Bing/00002-chrome-0.png", 2)
    elif damage == "empty":
        (core / "bing").mkdir(parents=True)
    elif damage == "link":
        save(tmp_path / "elsewhere/bing/00001-chrome-0.png", 1)
        root.mkdir()
        os.symlink(tmp_path / "elsewhere", root / "images")
    code, _, error = osbench("import", "bongini2025", root, "--out", tmp_path / "data", "--quiet")
    assert code == 1
    assert error.count("\n") == 1
    with pytest.raises(DatasetError, match=message):
        import_dataset("bongini2025", root, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_the_outer_folder_may_be_left_out(small: Path) -> None:
    whole = list_pictures("bongini2025", small)
    inner = list_pictures("bongini2025", small / "100people")
    assert {source.name for source in inner.sources} < {source.name for source in whole.sources}


def test_a_dataset_goes_on_with_the_same_files_alone(small: Path, tmp_path: Path) -> None:
    data, _ = import_dataset("bongini2025", small, tmp_path / "data")
    before = (data.path / RECORD).read_bytes()
    with pytest.raises(DatasetError, match="was begun with another recipe"):
        import_dataset("bongini2025", small, tmp_path / "data", canonical=False)
    save(small / "100people/images/midjourney/00027.png", 99)
    with pytest.raises(DatasetError, match=r"holds source midjourney/undisclosed(\S+)? with other settings"):
        import_dataset("bongini2025", small, tmp_path / "data")
    assert (data.path / RECORD).read_bytes() == before
    with pytest.raises(DatasetError, match="holds other files and is no dataset"):
        import_dataset("bongini2025", small, small)


def test_descriptions_of_the_originals(small: Path, tmp_path: Path) -> None:
    table = small / "descriptions.csv"
    table.write_text('source,number,description\nbing,12,"A man, with  a hat"\nAuraFlow,12,A knight\n')
    found = {
        picture.member: picture for source in list_pictures("bongini2025", small).sources for picture in source.members
    }
    assert found[f"100people/images/bing/00012{ending('bing', 12)}"].description == "A man, with a hat"
    again = found["100people/images/bing/images/imagen/00012.jpg"]
    assert (again.prompt, again.description) == ("A man, with a hat", "A man, with a hat")
    assert found["expansion_images/New Tests/AuraFlow/img_11.png"].description == "A knight"
    assert found["100people/images/bing/00013-firefox-0.png"].description is None
    data, _ = import_dataset("bongini2025", small, tmp_path / "data")
    assert data.verify() == []
    for text, message in (
        ("source,number,description\nbong,1,x\n", "line 2 needs a source of the data set"),
        ("source,number,description\nbing,101,x\n", "a number from 1 to 100"),
        ("source,number,description\nbing,1,\n", "line 2 needs a description"),
        ("source,number,description\nbing,1,x\nbing,1,y\n", "line 3 describes picture 1 of bing a second time"),
        ("a,b\n1,2\n", "line 2 needs a source"),
    ):
        table.write_text(text)
        with pytest.raises(DatasetError, match=message):
            list_pictures("bongini2025", small)


@pytest.mark.parametrize("member", ["../x.png", "/etc/passwd", "a/../../x.png", "", "a\\..\\x.png"])
def test_nothing_outside_the_folder_is_opened(tmp_path: Path, member: str) -> None:
    with pytest.raises(DatasetError, match="leaves the folder of the data set"):
        member_file(tmp_path, member)


def test_no_link_is_followed(tmp_path: Path) -> None:
    save(tmp_path / "elsewhere/1.png", 1)
    (tmp_path / "root").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "root/inside")
    for member in ("inside/1.png", "inside"):
        with pytest.raises(DatasetError, match="is a link; only the data set's own files are read"):
            importer_class("bongini2025")().open(tmp_path / "root", member)
    os.mkfifo(tmp_path / "root/pipe.png")
    with pytest.raises(DatasetError, match="is a named pipe"):
        member_file(tmp_path / "root", "pipe.png")


def test_readers_are_listed_and_misspelt_ones_corrected() -> None:
    code, out, _ = osbench("list", "importers", "--json")
    assert code == 0
    assert "bongini2025" in [row["name"] for row in json.loads(out)]
    with pytest.raises(UsageError, match="Did you mean 'bongini2025'"):
        importer_class("bongini2024")
    assert isinstance(Fault("a", "b"), Fault)
    assert issubclass(importer_class("bongini2025"), Bongini2025)
    assert len(CHARACTERS) == 100
