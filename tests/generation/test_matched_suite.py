"""A suite whose sources show the same pictures, from its YAML to the data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from osbench.core.errors import UsageError
from osbench.generation.block_code import fit_block_code
from osbench.generation.catalog import Recipe, load_suite
from osbench.generation.dataset import Dataset
from osbench.generation.families import load_safetensors_generator, save_generator
from osbench.generation.families.rendering import Renderer
from osbench.generation.generate import generate
from osbench.generation.pixels import decode_crop
from osbench.generation.plan import plan
from osbench.generation.regenerate import regenerate
from osbench.generation.row_check import row_problem

from .families.rendering.test_renderers import renderer
from .test_picture_set import write_pictures

COUNT = 6


def write_suite(folder: Path, **changes: object) -> Path:
    """Two families with two weights each, and the pictures themselves twice."""
    pixels = write_pictures(folder / "pictures.parquet", COUNT)
    fit_block_code(pixels).save(folder / "code.safetensors")
    for seed, weights in enumerate(("w0", "w1")):
        for family in ("progan", "stylegan2"):
            save_generator(renderer(f"{family}-renderer", seed), folder / f"{family}-{weights}.safetensors")
    network = {
        "weights": "{generator}-{weights_id}.safetensors",
        "weights_id": ["w0", "w1"],
        "block_code": "code.safetensors",
        "sampling": {"noise_mode": "random"},
    }
    document = {
        "name": "tiny-matched",
        "version": "tiny-matched-v1",
        "count": COUNT,
        "recipe": {"crop_size": 32, "margin": 6, "shard_rows": 4, "batch_size": 2},
        "defaults": {
            "training_set": "pictures", "native_size": 64, "licence": "CC0-1.0", "pictures": "pictures.parquet",
        },
        "sources": [
            {"generator": "progan", "architecture": "ProGAN", "family": "progan-renderer", **network},
            {"generator": "stylegan2", "architecture": "StyleGAN2", "family": "stylegan2-renderer", **network},
            {"generator": "untouched", "architecture": "no network", "shows": "original"},
            {"generator": "virtual_camera", "architecture": "virtual cameras", "shows": "retaken"},
        ],
        **changes,
    }  # fmt: skip
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("matched-suite"))


@pytest.fixture(scope="module")
def dataset(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return generate(suite, tmp_path_factory.mktemp("matched-data") / "data")


def crops(dataset: Dataset, name: str) -> np.ndarray:
    """All crops of a source, in order."""
    rows = [row for shard in dataset.shards() if f"/{name}/" in shard.file for row in dataset.read_rows(shard.file)]
    return np.stack([decode_crop(r["image"]["bytes"], r["crop_x"], r["crop_y"], r["crop_size"]) for r in rows])


def test_weights_and_content_are_columns(dataset: Dataset) -> None:
    index = dataset.index()
    assert index["image_id"].is_unique
    assert set(index["training_set"]) == {"pictures"}
    by_weights = index.fillna({"weights": "none"}).groupby("generator")["weights"].unique().map(list).to_dict()
    several, none = ["w0", "w1"], ["none"]
    assert by_weights == {"progan": several, "stylegan2": several, "untouched": none, "virtual_camera": none}
    shown: dict[str, list[dict]] = {}
    for row in index.fillna({"jpeg_quality": 0}).to_dict("records"):
        shown.setdefault(row["content_id"], []).append(row)
    for rows in shown.values():
        assert len(rows) == 6, "every source shows every picture"
        same = ("group", "index", "frame_x", "frame_y", "crop_x", "crop_y", "crop_size", "jpeg_quality")
        assert len({tuple(row[name] for name in same) for row in rows}) == 1, "the same place of it, compressed alike"
        assert len({row["seed"] for row in rows}) == 6


def test_crops_keep_off_the_borders(dataset: Dataset) -> None:
    for row in dataset.index().to_dict("records"):
        assert all(6 <= row[f"frame_{axis}"] + row[f"crop_{axis}"] <= 64 - 32 - 6 for axis in "xy")


def test_a_renderer_is_told_the_picture_by_its_code(suite: Path, tmp_path: Path) -> None:
    """The stored pixels are the network's for the code of the picture, with the noise of the recorded seed."""
    path = write_suite(tmp_path, recipe={"crop_size": 32, "shard_rows": 4, "batch_size": 2, "qualities": [None]})
    data = generate(path, tmp_path / "data", sources=["stylegan2/pictures.w1"])
    network = load_safetensors_generator(tmp_path / "stylegan2-w1.safetensors")
    assert isinstance(network, Renderer)
    pixels = write_pictures(tmp_path / "again.parquet", COUNT)
    codes = fit_block_code(pixels).encode(pixels)
    for i, row in enumerate(data.index().to_dict("records")[:2]):
        made = network.sample([row["seed"]], codes=codes[i : i + 1])[0]
        x, y = (row[f"frame_{axis}"] + row[f"crop_{axis}"] for axis in "xy")
        stored = crops(data, "stylegan2/pictures.w1")[i]
        assert np.abs(made[y : y + 32, x : x + 32].astype(int) - stored).max() <= 1
    del suite


def test_the_weights_are_part_of_an_images_identity(dataset: Dataset) -> None:
    assert (crops(dataset, "progan/pictures.w0") != crops(dataset, "progan/pictures.w1")).any()
    records = {source["name"]: source for source in dataset.info["sources"]}
    assert records["progan/pictures.w0"]["weights_id"] == "w0"
    assert records["progan/pictures.w0"]["weights"]["sha256"] != records["progan/pictures.w1"]["weights"]["sha256"]
    assert records["untouched/pictures"]["pictures"]["shows"] == "original"


def test_pictures_without_a_network(tmp_path: Path) -> None:
    path = write_suite(tmp_path, recipe={"crop_size": 64, "shard_rows": 4, "batch_size": 2, "qualities": [None]})
    data = generate(path, tmp_path / "data", sources=["untouched", "virtual_camera"])
    pixels = write_pictures(tmp_path / "again.parquet", COUNT)
    np.testing.assert_array_equal(crops(data, "untouched/pictures"), pixels)
    retaken = crops(data, "virtual_camera/pictures").astype(int)
    assert (retaken != pixels).any()
    similar = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(retaken, pixels, strict=True)]
    assert min(similar) > 0.5


def test_the_dataset_is_sound_and_can_be_made_again(suite: Path, dataset: Dataset) -> None:
    assert dataset.verify(pixels=True) == []
    found = list(regenerate(dataset, 2, suite=suite))
    assert [row.source for row in found] == [s["name"] for s in dataset.info["sources"] if "weights" in s]
    assert {row.verdict for row in found} == {"bit-exact"}


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("weights", "w1", "its weights is w1, but it lies in source progan/pictures.w0"),
        ("weights", None, "its weights is"),
        ("content_id", None, "lacks a content_id"),
        ("group", None, "lacks a group"),
    ],
)
def test_labels_of_rows_are_checked(dataset: Dataset, column: str, value: str | None, reason: str) -> None:
    source = next(s for s in dataset.info["sources"] if s["name"] == "progan/pictures.w0")
    row = dataset.read_rows("shards/progan/pictures.w0/shard-00000-of-00002.parquet")[0]
    assert row_problem(row, source, 32, pixels=True) is None
    assert reason in str(row_problem({**row, column: value}, source, 32, pixels=False))


def test_content_belongs_to_pictures(tiny_suite: Path, tmp_path: Path) -> None:
    data = generate(tiny_suite, tmp_path / "data", sources=["alpha"], count=2)
    row = data.read_rows(data.shards()[0].file)[0]
    found = row_problem({**row, "content_id": "x"}, data.info["sources"][0], 20, pixels=False)
    assert found == "has a content_id, but its source shows no pictures"


def test_low_frequencies_may_be_the_originals(suite: Path, tmp_path: Path) -> None:
    recipe = {"crop_size": 64, "shard_rows": 4, "batch_size": 2, "qualities": [None], "low_pass_swap": 0.06}
    path = write_suite(tmp_path, recipe=recipe)
    data = generate(path, tmp_path / "data", sources=["progan/pictures.w0"])
    assert data.info["recipe"]["low_pass_swap"] == 0.06
    pixels = write_pictures(tmp_path / "again.parquet", COUNT)
    made = crops(data, "progan/pictures.w0")
    np.testing.assert_allclose(made.mean((1, 2)), pixels.mean((1, 2)), atol=4)  # clipping keeps it from being equal
    del suite


def test_the_plan_knows_all_sources(suite: Path) -> None:
    rows = plan(suite)
    assert [row.images for row in rows] == [COUNT] * 6
    assert all(row.origin.startswith("measured") for row in rows)


def test_the_card_counts_sources_by_weights(dataset: Dataset) -> None:
    text = (dataset.path / "README.md").read_text()
    assert "36 images from 6 sources (4 generators" in text
    assert "| stylegan2/pictures.w1 | StyleGAN2 | stylegan2-renderer | 6 |" in text
    assert "| untouched/pictures | no network | pictures as they are | 6 |" in text


def test_what_came_later_is_not_in_other_recipes() -> None:
    assert not {"margin", "low_pass_swap"} & set(Recipe().document())
    assert Recipe(margin=4).document()["margin"] == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"margin": -1}, "margin is -1; expected 0 to"),
        ({"low_pass_swap": 0.7}, "low_pass_swap is 0.7; expected 0 to 0.5"),
    ],
)
def test_impossible_recipes(tmp_path: Path, changes: dict, message: str) -> None:
    path = write_suite(tmp_path, recipe={"crop_size": 32, "shard_rows": 4, "batch_size": 2, **changes})
    with pytest.raises(UsageError, match=message):
        load_suite(path)


def test_bad_suites_in_one_line(suite: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has 6 pictures, 7 are asked for\. Take --count 6\."):
        generate(suite, tmp_path / "data", count=7)
    path = write_suite(tmp_path, recipe={"crop_size": 60, "margin": 6, "shard_rows": 4, "batch_size": 2})
    with pytest.raises(UsageError, match="crop of 60 px does not fit 64 px"):
        generate(path, tmp_path / "data")
    document = yaml.safe_load(suite.read_text())
    write_pictures(tmp_path / "other.parquet", COUNT, content_id=[f"other-{i}" for i in range(COUNT)])
    document["sources"][2]["pictures"] = "other.parquet"
    (tmp_path / "mixed.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(UsageError, match=r"do not show the same pictures \(first difference: other-0\)"):
        generate(tmp_path / "mixed.yaml", tmp_path / "data")
    document["sources"] = [{"generator": "x", "architecture": "x", "shows": "sideways"}]
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(UsageError, match="shows one of original, retaken"):
        load_suite(tmp_path / "bad.yaml")
    assert not (tmp_path / "data").exists()


def test_a_renderer_without_pictures_is_refused(tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    document = yaml.safe_load(path.read_text())
    document["sources"] = [{k: v for k, v in document["sources"][0].items() if k != "block_code"}]
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(UsageError, match="needs 'pictures' and a 'block_code'"):
        generate(path, tmp_path / "data")
