"""Whose images may be passed on, and that nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from osbench.cli import main
from osbench.core.errors import DatasetError
from osbench.generation.catalog import Licence, load_suite, suite_names
from osbench.generation.dataset import RECORD, Dataset
from osbench.generation.generate import generate
from osbench.generation.terms import check_pass_on, dataset_terms, kept_back, terms_of

STATED = Licence("mine", "My licence", "https://example.org", "any, with a smile", pass_on="allowed")


def with_folder(tiny_suite: Path, folder: Path, licence: str | None) -> Dataset:
    (folder / "photos").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photos" / "one.png")
    return generate(tiny_suite, folder / "data", count=2, folders={"camera": folder / "photos"}, folder_licence=licence)


def test_a_licence_that_nothing_is_known_about_allows_nothing() -> None:
    assert terms_of("not stated").pass_on == "forbidden"
    assert terms_of("cc-by-4.0").pass_on == "allowed"
    assert terms_of("CC-BY-NC-SA-4.0").pass_on == "non-commercial"
    assert terms_of("CC-BY-ND-4.0").pass_on == "forbidden"
    assert terms_of("mine", STATED).pass_on == "allowed"
    silent = replace(STATED, pass_on=None)
    assert terms_of("mine", silent).pass_on == "forbidden"
    assert terms_of("MIT", silent).pass_on == "allowed"


@pytest.mark.parametrize("name", ["fang2023", "mini", "mini-matched", "mini-text", "mini-v2"])
def test_packaged_suites_say_what_their_licences_allow(name: str) -> None:
    assert name in suite_names()
    suite = load_suite(name)
    for source in suite.sources:
        assert source.licence in suite.licences
        assert suite.licences[source.licence].pass_on in ("allowed", "non-commercial")


def test_the_terms_lie_with_the_dataset(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = with_folder(tiny_suite, tmp_path, "CC-BY-NC-4.0")
    said = json.loads((dataset.path / RECORD).read_text())["licences"]
    assert said["CC-BY-NC-4.0"]["pass_on"] == "non-commercial"
    assert dataset_terms(dataset)["camera/folder"].title == said["CC-BY-NC-4.0"]["title"]
    assert kept_back(dataset) == {}
    check_pass_on(dataset)
    older = replace(dataset, info={key: value for key, value in dataset.info.items() if key != "licences"})
    assert dataset_terms(older) == dataset_terms(dataset), "a data set that says nothing: what is known"


def test_one_source_holds_the_whole_back(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = with_folder(tiny_suite, tmp_path, None)
    assert list(kept_back(dataset)) == ["camera/folder"]
    with pytest.raises(DatasetError, match=r"may not be passed on, because of camera/folder \(licence 'not stated'"):
        check_pass_on(dataset)
    result = CliRunner().invoke(main, ["licences", "--data", str(dataset.path), "--json"])
    assert result.exit_code == 1
    rows = {row["source"]: row["pass_on"] for row in json.loads(result.stdout)}
    assert rows["camera/folder"] == "forbidden"
    assert set(rows.values()) == {"forbidden", "allowed"}
    assert "may not be passed on" in result.stderr


def test_damaged_terms_are_one_line(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = generate(tiny_suite, tmp_path / "data", count=2)
    record = json.loads((dataset.path / RECORD).read_text())
    (name,) = record["licences"]
    for damage, said in (
        ({name: {"title": "x"}}, r"licences\.\S+\.url is missing"),
        (
            {name: {**record["licences"][name], "pass_on": "perhaps"}},
            "expected one of allowed, non-commercial, forbidden",
        ),
        ({name: {**record["licences"][name], "more": 1}}, "more"),
        ([], "licences"),
    ):
        (dataset.path / RECORD).write_text(json.dumps({**record, "licences": damage}))
        with pytest.raises(DatasetError, match=said):
            Dataset.open(dataset.path)
