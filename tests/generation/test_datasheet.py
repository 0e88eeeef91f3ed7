"""A datasheet says what the record and the rows say, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from osbench.generation.card import card_text
from osbench.generation.dataset import Dataset
from osbench.generation.datasheet import FORBIDDEN, INTENDED, datasheet_of, licence_rows
from osbench.generation.generate import generate


@pytest.fixture(scope="module")
def dataset(tiny_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return generate(tiny_suite, tmp_path_factory.mktemp("datasheet") / "data", count=4)


def changed(dataset: Dataset, **sources: Any) -> Dataset:
    """The same with other entries in every source."""
    return replace(dataset, info={**dataset.info, "sources": [{**s, **sources} for s in dataset.info["sources"]]})


def test_every_topic_of_a_datasheet_is_on_the_card(dataset: Dataset) -> None:
    text = card_text(dataset)
    topics = ["Motivation", "Composition", "Collection", "Processing", "Intended use", "Forbidden use", "Biases"]
    for topic in [*topics, "Limitations", "People", "Distribution", "Maintenance"]:
        said = text.split(f"### {topic}\n\n")[1].split("\n###")[0]
        assert said.startswith("- ")
    for use in (*INTENDED, *FORBIDDEN):
        assert f"- {use}" in text


def test_numbers_are_those_of_the_rows(dataset: Dataset) -> None:
    index = dataset.index()
    sheet = datasheet_of(dataset, index)
    sources, generators = len(dataset.info["sources"]), index["generator"].nunique()
    assert f"{len(index)} images of {sources} sources: {generators} generator" in sheet.composition[0]
    assert "different pictures" in sheet.composition[-1]


def test_the_same_pictures_in_every_source_are_said_to_be(dataset: Dataset) -> None:
    index = dataset.index()
    same = index.assign(content_id=index["index"].astype(str))
    assert "the same pictures" in datasheet_of(dataset, same).composition[-1]
    fewer = same.drop(index=same.index[-1])
    assert "different pictures" in datasheet_of(dataset, fewer).composition[-1]
    assert not any("sharpness" in said for said in datasheet_of(dataset, same).biases)


def test_faults_are_named(dataset: Dataset) -> None:
    index = dataset.index()

    def biases(rows: pd.DataFrame = index, data: Dataset = dataset) -> str:
        return " ".join(datasheet_of(data, rows).biases)

    assert "one set of weights" in biases()
    labelled = index.assign(class_label=[1.0, *[float("nan")] * (len(index) - 1)])
    assert "Only some sources have a class label" in biases(labelled)
    assert "Only some" not in biases(index.assign(class_label=1))
    assert "between 3 and 4 images" in biases(index.drop(index=index.index[-1]))
    assert "one set of weights" not in biases(data=changed(dataset, generator="one", training_set="set"))


def test_people_and_passing_on(tiny_suite: Path, dataset: Dataset, tmp_path: Path) -> None:
    sheet = datasheet_of(dataset, dataset.index())
    assert sheet.distribution == ("May be passed on under the terms of every source.",)
    assert "nobody who exists" in sheet.sensitive[0]
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.zeros((40, 50, 3), np.uint8) + np.arange(50, dtype=np.uint8)[None, :, None]).save(
        tmp_path / "photos" / "one.png"
    )
    mixed = generate(tiny_suite, tmp_path / "data", count=2, folders={"camera": tmp_path / "photos"})
    sheet = datasheet_of(mixed, mixed.index())
    assert sheet.distribution[0].startswith("**May not be passed on** as a whole, because of: camera/folder")
    assert "their supplier must" in sheet.sensitive[-1]
    assert ["not stated", "not stated", "nothing is known", "forbidden", "camera/folder"] in licence_rows(mixed)
    assert "camera/folder" in card_text(mixed).split("## Licences")[1].split("## Datasheet")[0]
    free = changed(dataset, licence="CC-BY-NC-4.0")
    assert "non-commercial" in datasheet_of(free, dataset.index()).distribution[0]
