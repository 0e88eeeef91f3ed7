from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from osbench.cli import main
from osbench.core.errors import DatasetError, UsageError
from osbench.generation.card import card_text
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from osbench.generation.plan import plan
from osbench.generation.salt import SALT_FILE, conceal, salted_id
from osbench.generation.seeds import image_id

SALT = "a salt of our own board"
OTHER = "another salt altogether"


@pytest.fixture(scope="module")
def salted(tiny_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return generate(tiny_suite, tmp_path_factory.mktemp("salted") / "data", count=6, salt=SALT)


@pytest.fixture(scope="module")
def plain(tiny_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return generate(tiny_suite, tmp_path_factory.mktemp("plain") / "data", count=6)


def test_ids_tell_nothing_without_the_salt(salted: Dataset, plain: Dataset) -> None:
    hidden, open_ = salted.index(), plain.index()
    guessed = {image_id("tiny-v1", g, "noise", i) for g in ("alpha", "beta") for i in range(100)}
    assert set(open_["image_id"]) <= guessed
    assert not guessed & set(hidden["image_id"])
    assert hidden["image_id"].is_unique
    assert (hidden["image_id"] == [salted_id(name, SALT) for name in open_["image_id"]]).all()
    assert hidden["seed"].isna().all()
    assert hidden["class_label"].isna().all()
    order = [list(index.sort_values("image_id")["pixel_sha256"]) for index in (hidden, open_)]
    assert order[0] != order[1]


def test_pixels_and_bytes_do_not_depend_on_it(salted: Dataset, plain: Dataset) -> None:
    hidden, open_ = salted.index(), plain.index()
    assert (hidden["bytes_sha256"] == open_["bytes_sha256"]).all()
    row = salted.read_rows(salted.shards()[0].file)[0]
    assert row["image"]["path"].startswith(row["image_id"])


def test_the_same_salt_gives_the_same_bytes_and_another_one_other_ids(
    salted: Dataset, tiny_suite: Path, tmp_path: Path
) -> None:
    again = generate(tiny_suite, tmp_path / "again", count=6, salt=SALT)
    assert [entry.sha256 for entry in again.shards()] == [entry.sha256 for entry in salted.shards()]
    other = generate(tiny_suite, tmp_path / "other", count=6, salt=OTHER)
    assert not set(other.index()["image_id"]) & set(salted.index()["image_id"])


def test_the_salt_lies_beside_and_only_its_hash_in_the_record(salted: Dataset) -> None:
    assert (salted.path / SALT_FILE).read_text() == f"{SALT}\n"
    text = (salted.path / "dataset.json").read_text()
    assert SALT not in text
    assert len(json.loads(text)["salt_sha256"]) == 64
    assert "Image ids are salted; the columns seed and class_label are withheld." in card_text(salted)


def test_a_salted_dataset_is_verified_with_and_without_its_salt(tiny_suite: Path, tmp_path: Path) -> None:
    data = generate(tiny_suite, tmp_path / "data", count=4, salt=SALT)
    assert data.verify(pixels=True) == []
    (data.path / SALT_FILE).unlink()
    assert Dataset.open(data.path).verify(pixels=True) == []  # what the public can check
    (data.path / SALT_FILE).write_text(OTHER)
    with pytest.raises(DatasetError, match=r"salt\.txt is not the salt of this dataset: take it away"):
        Dataset.open(data.path).verify()


def test_a_dataset_that_was_begun_keeps_its_salt(tiny_suite: Path, tmp_path: Path) -> None:
    generate(tiny_suite, tmp_path / "data", count=4, salt=SALT)
    assert {row.origin for row in plan(tiny_suite, out=tmp_path / "data", count=4)} == {"already published"}
    grown = generate(tiny_suite, tmp_path / "data", count=6)
    assert grown.verify() == []
    assert len(grown.index()) == 12
    with pytest.raises(DatasetError, match=r"was begun with the salt in its salt\.txt\. Leave --salt out"):
        generate(tiny_suite, tmp_path / "data", count=6, salt=OTHER)
    (tmp_path / "data" / SALT_FILE).unlink()
    with pytest.raises(DatasetError, match=r"was begun with a salt, this is without a salt\. Use the same"):
        generate(tiny_suite, tmp_path / "data", count=6)


def test_an_unsalted_dataset_stays_so(tiny_suite: Path, tmp_path: Path) -> None:
    generate(tiny_suite, tmp_path / "data", count=4)
    with pytest.raises(DatasetError, match="was begun without a salt, this is with a salt"):
        generate(tiny_suite, tmp_path / "data", count=4, salt=SALT)
    assert not (tmp_path / "data" / SALT_FILE).exists()


@pytest.mark.parametrize("salt", ["short", "x" * 300, "two lines of\nsomething", " a salt with a blank "])
def test_bad_salts_in_one_line(tiny_suite: Path, tmp_path: Path, salt: str) -> None:
    with pytest.raises(UsageError, match="--salt needs 16 to 200 characters on one line") as caught:
        generate(tiny_suite, tmp_path / "data", salt=salt)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_resyntheses_follow_their_originals() -> None:
    row = {"image_id": "i", "image": {"bytes": b"", "path": "i.png"}, "of_image_id": "o", "seed": 3, "class_label": 1}
    hidden = conceal(row, SALT)
    assert hidden["of_image_id"] == salted_id("o", SALT)
    assert (hidden["seed"], hidden["class_label"]) == (None, None)
    assert conceal(row, "") is row


def test_the_command_line_takes_a_salt(tiny_suite: Path, tmp_path: Path) -> None:
    arguments = ["generate", "--suite", str(tiny_suite), "--count", "4", "--out", str(tmp_path / "data")]
    assert CliRunner().invoke(main, [*arguments, "--salt", SALT, "--dry-run"]).exit_code == 0
    assert not (tmp_path / "data").exists()
    result = CliRunner().invoke(main, [*arguments, "--salt", SALT, "--json"])
    assert result.exit_code == 0, result.output
    assert Dataset.open(tmp_path / "data").salt == SALT
