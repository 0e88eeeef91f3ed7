"""Suites of characters: columns that tie originals and resyntheses together, and how resyntheses are made."""

from __future__ import annotations

import functools
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from PIL import Image

import osbench
from osbench.cli import main
from osbench.core.errors import DatasetError, UsageError
from osbench.core.hashing import file_sha256
from osbench.generation.card import CARD
from osbench.generation.catalog import load_suite
from osbench.generation.catalog.resyntheses import Originals, Resyntheses
from osbench.generation.characters import split_of_characters
from osbench.generation.dataset import RECORD, Dataset
from osbench.generation.families.text_gan import TextGAN
from osbench.generation.generate import generate
from osbench.generation.ledger import LEDGER, LedgerEntry, append_ledger
from osbench.generation.plan import plan
from osbench.generation.regenerate import regenerate

from .tiny_text import CHARACTERS, write_tiny_text_suite

SPLIT = split_of_characters(CHARACTERS)
TESTED = [name for name in CHARACTERS if SPLIT[name] == "test"]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_text_suite(tmp_path_factory.mktemp("tiny-text"))


@pytest.fixture(scope="module")
def made(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return generate(suite, tmp_path_factory.mktemp("made") / "data")


def test_originals_say_whom_they_show(made: Dataset) -> None:
    index: Any = made.index()
    assert made.sources() == ["blue/letters", "red/letters"]
    assert len(index) == 80
    assert set(index["role"]) == {"original"}
    assert index["of_image_id"].isna().all()
    for source, rows in index.groupby("generator"):
        assert Counter(rows["character"]) == dict.fromkeys(CHARACTERS, 2), source
    assert (index["description"] == index["character"]).all()
    assert (index["prompt"] == index["description"]).all()
    assert [SPLIT[name] for name in index["character"]] == index["split_hint"].tolist()
    assert Counter(SPLIT.values()) == {"train": 16, "test": 2, "val": 2}


def test_every_source_draws_the_originals_of_test_characters_again(made: Dataset) -> None:
    index: Any = made.index("resynthesis")
    originals = made.index().set_index("image_id")
    # 2 originals of each of 2 characters by 2 sources, 2 draws by 2 sources
    assert len(index) == 2 * 2 * 2 * 2 * 2
    drawn = Counter(zip(index["generator"], index["of_image_id"], strict=True))
    wanted = originals[originals["split_hint"] == "test"].index
    assert drawn == {(by, of): 2 for by in ("red", "blue") for of in wanted}
    for row in index.to_dict("records"):
        of = originals.loc[row["of_image_id"]]
        assert (row["character"], row["split_hint"]) == (of["character"], "test")
        assert row["prompt"] == row["description"] == of["description"]
        assert row["training_set"] == "letters"
    assert index["image_id"].is_unique
    assert not set(index["image_id"]) & set(originals.index)
    assert index["pixel_sha256"].is_unique
    assert len(made.index(None)) == len(index) + len(originals)
    card = (made.path / CARD).read_text()
    assert "red/letters.of.blue.letters draws images of blue/letters again, each 2 times." in card
    assert "| red/letters.of.blue.letters | Red | text_gan | 8 |" in card


def test_two_draws_of_one_original_differ_and_the_text_is_what_is_drawn(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    sample = TextGAN.sample

    @functools.wraps(sample)
    def noting(network: TextGAN, *seeds: Any, **options: Any) -> Any:
        asked.extend(options["prompts"])
        return sample(network, *seeds, **options)

    monkeypatch.setattr(TextGAN, "sample", noting)
    data = generate(suite, tmp_path / "data", sources=["red"], count=20)
    assert asked[:20] == list(CHARACTERS)
    assert asked[20:] == [name for name in TESTED for _ in range(2)]
    index = data.index("resynthesis")
    assert index.groupby("of_image_id").size().tolist() == [2, 2]
    assert index["seed"].is_unique


def test_a_dataset_is_sound_and_its_parts_are_checked_against_each_other(made: Dataset, tmp_path: Path) -> None:
    assert made.verify(pixels=True) == []
    copied = tmp_path / "copied"
    shutil.copytree(made.path, copied)
    shard = next(e.file for e in made.shards() if ".of." in e.file)

    def changed(column: str, value: str | None) -> list[str]:
        table = pq.read_table(made.path / shard)
        rows = table.to_pylist()
        rows[0][column] = value
        pq.write_table(type(table).from_pylist(rows, table.schema), copied / shard)
        append_ledger(copied, LedgerEntry(shard, len(rows), file_sha256(copied / shard)))
        return [str(problem) for problem in Dataset.open(copied).verify()]

    assert "its role is original, but it lies in source" in changed("role", "original")[0]
    assert "lacks an of_image_id" in changed("of_image_id", None)[0]
    assert "draws images again that its originals' source does not have, first x" in changed("of_image_id", "x")[0]


def test_restarts_growth_and_workers_change_no_byte(suite: Path, made: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "data"
    generate(suite, out, sources=["blue"], count=22)
    generate(suite, out, sources=["blue"], count=40)
    for entry in Dataset.open(out).shards()[::3]:  # as if killed before these were made
        (out / entry.file).unlink()
    (out / LEDGER).unlink()
    again = generate(suite, out, workers=2)
    assert again.shards() == made.shards()
    assert (out / RECORD).read_bytes() == (made.path / RECORD).read_bytes()


def test_the_shards_of_a_pair_do_not_depend_on_who_else_is_there(suite: Path, made: Dataset, tmp_path: Path) -> None:
    alone = generate(suite, tmp_path / "data", sources=["red"])
    assert {e.file for e in alone.shards()} < {e.file for e in made.shards()}
    assert set(alone.shards()) < set(made.shards())


def test_protocols_split_the_originals_alone(tmp_path: Path) -> None:
    sources = [{"generator": name, "architecture": name} for name in ("red", "blue")]
    sources.append({"generator": "green", "architecture": "green", "weights": "red.safetensors"})
    suite = write_tiny_text_suite(tmp_path / "suite", sources=sources, resyntheses={"draws": 1, "of": ["val", "test"]})
    made = generate(suite, tmp_path / "data", count=20)
    manifest = osbench.load(tmp_path / "data").split(unseen=["blue"])
    assert set(manifest.table["image_id"]) < set(made.index()["image_id"])
    assert Counter(manifest.table["generator"])["red"] == 20
    assert len(made.index("resynthesis")) == 3 * 3 * 4


def test_the_verb_counts_resyntheses_apart(suite: Path, tmp_path: Path) -> None:
    arguments = ["generate", "--suite", str(suite), "--out", str(tmp_path / "data"), "--source", "red", "--quiet"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.stderr
    assert "40 images and 8 resyntheses from 1 source, all of them new" in result.stdout


def test_resyntheses_are_made_again_to_the_bit(suite: Path, made: Dataset) -> None:
    found = list(regenerate(made, 3, suite=suite))
    assert len(found) == len(made.info["sources"]) == 6
    assert {one.verdict for one in found} == {"bit-exact"}


def test_the_plan_counts_them(suite: Path, tmp_path: Path) -> None:
    rows = {row.source: row for row in plan(suite, out=tmp_path / "data")}
    assert rows["red/letters"].images == 40
    assert rows["red/letters.of.blue.letters"].images == 8


def test_no_resyntheses_where_none_are_asked_for(tmp_path: Path) -> None:
    suite = write_tiny_text_suite(tmp_path / "suite", resyntheses=None, count=4)
    data = generate(suite, tmp_path / "data")
    assert len(data.index(None)) == 8
    assert data.index("resynthesis").empty
    assert list(data.index("resynthesis").columns) == list(data.index().columns)


def test_a_suite_without_characters_keeps_its_columns(tiny_suite: Path, tmp_path: Path) -> None:
    data = generate(tiny_suite, tmp_path / "data", count=2)
    names = pq.read_schema(data.path / data.shards()[0].file).names
    assert json.loads((data.path / RECORD).read_text())["schema_version"] == 3
    assert not {"character", "role", "of_image_id", "description", "split_hint"} & set(names)
    index: Any = data.index()
    assert set(index["role"]) == {"original"}
    assert index["character"].isna().all()


def test_a_folder_of_a_service_names_its_characters_by_number(suite: Path, tmp_path: Path) -> None:
    numbers = [CHARACTERS.index(TESTED[1]) + 1, CHARACTERS.index(TESTED[0]) + 1, 1]
    folder = suite.parent / "service"
    folder.mkdir(exist_ok=True)
    for number in numbers:
        picture = Image.effect_noise((40, 40), 60 + number).convert("RGB")
        picture.save(folder / f"{number:05d}-0.png")
    own = suite.with_name("own.yaml")
    own.write_text(
        "extends: tiny-text.yaml\nname: own\nversion: own-v1\nsources:\n"
        "  - {generator: red, architecture: Red}\n"
        "  - {generator: service, architecture: Service, folder: service, training_set: web, weights: null}\n"
    )
    data = generate(own, tmp_path / "data", count=20)
    mine: Any = data.index()
    mine = mine[mine["generator"] == "service"]
    assert mine["character"].tolist() == [CHARACTERS[n - 1] for n in sorted(numbers)]
    assert mine["prompt"].isna().all()
    redrawn = data.index("resynthesis")
    pair = redrawn[redrawn["shard"].str.contains("of.service.web", regex=False)]
    assert set(pair["of_image_id"]) == set(mine.loc[mine["split_hint"] == "test", "image_id"])
    assert set(redrawn["generator"]) == {"red"}
    assert data.verify(pixels=True) == []
    other = folder.rename(folder.with_name("odd"))  # what a folder holds is remembered
    (other / "00077.png").write_bytes((other / "00001-0.png").read_bytes())
    own.write_text(own.read_text().replace("folder: service", "folder: odd"))
    with pytest.raises(DatasetError, match=r"00077.png names no character; its first number must be 1 to 20") as caught:
        generate(own, tmp_path / "other", count=20)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"resyntheses": {"draws": 0}}, "resyntheses: draws is 0; expected 1 to 1,000"),
        ({"resyntheses": {"of": "tests"}}, "resyntheses.of is 'tests'; expected one of all or one of train, val, test"),
        ({"resyntheses": {"of": []}}, "of names no split"),
        ({"resyntheses": {"draw": 2}}, "unknown key of .*resyntheses 'draw'. Did you mean 'draws'"),
        (
            {"defaults": {"weights": "red.safetensors", "training_set": "t", "licence": "MIT"}},
            "no source has characters",
        ),
        ({"defaults": {"characters": "missing.txt"}}, "missing.txt: cannot be read"),
    ],
    ids=str,
)
def test_malformed_suites(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    suite = write_tiny_text_suite(tmp_path / "suite", **keys)
    with pytest.raises(UsageError, match=message) as caught:
        load_suite(suite)
    assert "\n" not in str(caught.value)


def test_a_list_of_characters_names_each_once(tmp_path: Path) -> None:
    suite = write_tiny_text_suite(tmp_path / "suite")
    characters = tmp_path / "suite/characters.txt"
    characters.write_text("Ann | a photograph of Ann\nBob | Bob, outdoors\n")
    source = load_suite(suite).sources[0]
    assert (source.characters, source.prompts) == (("Ann", "Bob"), ("a photograph of Ann", "Bob, outdoors"))
    for text, message in (
        ("Ann\nAnn | again\n", "two characters are called 'Ann'"),
        ("# none\n", "no character in it"),
    ):
        characters.write_text(text)
        with pytest.raises(UsageError, match=message):
            load_suite(suite)


def test_which_images_are_drawn_again() -> None:
    originals = Originals("a/b", "a", "b", "v", 5, (1, 4), ("B", "E"), ("b", "e"), ("test", "test"), draws=2)
    assert [originals.drawn(i).original for i in range(8)] == [1, 1, 4, 4, 6, 6, 9, 9]
    assert [originals.count(n) for n in range(8)] == [0, 0, 2, 2, 2, 4, 4, 6]
    assert [originals.drawn(i).description for i in (0, 2, 4)] == ["b", "e", "b"]
    assert Resyntheses(of="val").splits == ("val",)
    assert Resyntheses().splits == ("train", "val", "test")
