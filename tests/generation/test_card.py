from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import DatasetCard
from PIL import Image

from osbench.core.errors import DatasetError
from osbench.generation.card import card_text, size_category, write_card
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from osbench.generation.ledger import LEDGER
from osbench.generation.regenerate import Reproduction, record_reproduction


@pytest.fixture(scope="module")
def dataset(tiny_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("card")
    (folder / "photos").mkdir()
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (40 + seed, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{seed}.jpg")
    return generate(tiny_suite, folder / "data", folders={"camera": folder / "photos"}, folder_licence="CC-BY-4.0")


def test_every_size_has_its_name() -> None:
    names = [size_category(n) for n in (1, 10**3, 10**6, 10**7 - 1, 10**7, 10**8, 10**9, 10**12)]
    expected = ["n<1K", "1K<n<10K", "1M<n<10M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B", "n>1T"]
    assert names == expected


def section(text: str, title: str) -> list[list[str]]:
    """Cells of the first table below a heading."""
    lines = text.split(f"## {title}\n")[1].split("\n## ")[0].splitlines()
    table = [line for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table if "---" not in line]


def test_metadata_parses_and_its_numbers_are_recomputed(dataset: Dataset) -> None:
    datasets = pytest.importorskip("datasets")
    card = DatasetCard(card_text(dataset))
    data = card.data.to_dict()
    index = dataset.index()
    assert data["license"] == "other"
    assert data["size_categories"] == ["n<1K"]
    assert data["task_categories"] == ["image-classification"]
    info = data["dataset_info"]
    assert info["splits"][0]["num_examples"] == len(index) == 23
    assert info["download_size"] == sum((dataset.path / e.file).stat().st_size for e in dataset.shards())
    (files,) = data["configs"][0]["data_files"]
    assert len(list(dataset.path.glob(files["path"]))) == len(dataset.shards())
    parsed = datasets.DatasetInfo._from_yaml_dict(info)
    assert isinstance(parsed.features["image"], datasets.Image)


def test_the_folder_loads_as_a_hugging_face_dataset(dataset: Dataset, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(dataset.path), cache_dir=str(tmp_path))
    assert list(loaded) == ["images"]
    assert loaded["images"].num_rows == 23
    assert loaded["images"][0]["image"].size[0] >= 20


def test_tables_count_what_is_there(dataset: Dataset) -> None:
    text = card_text(dataset)
    index: Any = dataset.index()
    sources = {row[0]: row for row in section(text, "Sources")[1:]}
    assert {name: int(row[3]) for name, row in sources.items()} == {
        "alpha/noise": 10,
        "beta/noise": 10,
        "camera/folder": 3,
    }
    assert sources["camera/folder"][-2:] == ["3 sizes", "CC-BY-4.0"]
    header, *rows = section(text, "JPEG quality")
    by_name = {row[0]: dict(zip(header[1:], map(int, row[1:]), strict=True)) for row in rows}
    assert by_name["camera/folder"]["as supplied"] == 3
    alpha = index[index["generator"] == "alpha"]["jpeg_quality"]
    assert by_name["alpha/noise"]["none (PNG)"] == int(alpha.isna().sum())
    for quality, count in alpha.value_counts().items():
        assert by_name["alpha/noise"][str(quality)] == count
    assert sum(by_name["all"].values()) == 23
    for source in dataset.info["sources"]:
        hashed = source.get("weights") or source["folder"]
        assert hashed["sha256"] in text


def test_one_licence_becomes_the_hub_licence(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = generate(tiny_suite, tmp_path / "data", count=2)
    header = yaml.safe_load(card_text(dataset).split("---")[1])
    assert header["license"] == "cc0-1.0"


def test_reproduction_is_shown_where_recorded(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = generate(tiny_suite, tmp_path / "data", count=2)
    assert "Not yet made again elsewhere" in card_text(dataset)
    record_reproduction(dataset, [Reproduction("alpha/noise", 2, 1, 2, 51.25)], "cpu")
    text = write_card(dataset).read_text()
    assert re.search(r"\| alpha/noise \| 2 \| 1 \| 2 \| 51\.2 dB \| within one level \|", text)


def test_generate_leaves_the_card_and_it_follows_the_dataset(dataset: Dataset, tmp_path: Path) -> None:
    assert (dataset.path / "README.md").read_text() == card_text(dataset)
    assert write_card(dataset, tmp_path / "CARD.md").read_text() == card_text(dataset)


def test_no_card_of_half_a_dataset(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = generate(tiny_suite, tmp_path / "data", count=2)
    (dataset.path / LEDGER).write_text("")
    with pytest.raises(DatasetError, match="shards are missing"):
        card_text(dataset)
