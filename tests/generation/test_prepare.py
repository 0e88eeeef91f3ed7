"""Weights of other projects as sources: one of every family, end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from osbench.core.errors import CheckpointError, DatasetError, UsageError
from osbench.generation import card
from osbench.generation.catalog import load_suite
from osbench.generation.generate import generate
from osbench.generation.networks import kept_rows
from osbench.generation.regenerate import regenerate
from tests.fixtures.folder import CheckpointFixtures

from .checkpoints.layouts.test_lightning import lightning

pytestmark = pytest.mark.usefixtures("home")

FIXTURES = {
    "stylegan2/ffhq": "sg2",
    "stylegan3/ffhq": "sg3",
    "progan/lsun-car": "pggan",
    "projected_gan/ffhq": "fastgan",
    "stylegan/lsun-bedroom": "stylegan1",
}


@pytest.mark.parametrize("name", FIXTURES)
def test_an_upstream_file_makes_a_sound_dataset(
    name: str, checkpoint_fixtures: CheckpointFixtures, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, size = checkpoint_fixtures.pickle(FIXTURES[name]), checkpoint_fixtures.side(FIXTURES[name])
    file = path.name
    dataset = generate("fang2023", tmp_path / "data", sources=[name], weights={name: path}, count=3)
    assert dataset.verify(pixels=True) == []
    assert dataset.crop_size == size
    assert dataset.suite_version == "fang2023-v1+other"
    (record,) = dataset.info["sources"]
    assert (
        record["deviation"]
        == f"{file} makes images of {size} px instead of {load_suite('fang2023').source(name).native_size} px"
    )
    assert record["weights"]["file"] == file
    assert record["namespace"].startswith("fang2023-v1+other+")
    assert f"{name} is not the catalogued source: {file} makes" in (dataset.path / "README.md").read_text()
    (again,) = regenerate(dataset, 2, weights={name: path})
    assert again.verdict == "bit-exact"
    with pytest.raises(DatasetError, match="are missing"):
        list(regenerate(dataset, 2))


def test_a_text_to_image_pipeline_end_to_end(tiny_pipeline: Path, tmp_path: Path) -> None:
    name = "stable_diffusion/none"
    document = yaml.safe_load((Path(load_suite.__code__.co_filename).parent / "fang2023.yaml").read_text())
    source = next(s for s in document["sources"] if s["generator"] == "stable_diffusion")
    source |= {"sampling": {"steps": 2, "guidance": 7.5}, "prompts": "prompts.txt", "native_size": 16}
    document["sources"] = [source]
    document["recipe"] |= {"batch_size": 2, "crop_size": 16, "shard_rows": 4}
    (tmp_path / "prompts.txt").write_text("# two\n\na cat\na dog\n")
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(document))
    dataset = generate(tmp_path / "suite.yaml", tmp_path / "data", weights={name: tiny_pipeline}, count=6)
    assert dataset.verify(pixels=True) == []
    assert set(dataset.index()["prompt"]) == {"a cat", "a dog"}
    (record,) = dataset.info["sources"]
    assert "deviation" not in record
    assert (record["safety_checker"], record["watermark"]) == ("off", "off")
    assert record["prompts"]["count"] == 2
    assert record["network"] == {"pipeline": "StableDiffusionPipeline", "scheduler": "PNDMScheduler"}
    assert str(tiny_pipeline.parent) not in (dataset.path / "dataset.json").read_text()
    index = dataset.index()
    assert card._remarks(dataset, index) == []
    index.loc[index["index"] < 2, "seed"] += 1
    assert card._remarks(dataset, index) == [f"{name}: 2 pictures came out blank and were drawn again."]


def test_taming_end_to_end_with_its_settings_from_the_catalog(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    lightning(path, hyper_parameters={"transformer_config": {"params": {"n_head": 3}}})
    given = {"taming/ffhq": path}
    dataset = generate("fang2023", tmp_path / "data", sources=["taming/ffhq"], weights=given, count=2)
    assert dataset.verify(pixels=True) == []
    (record,) = dataset.info["sources"]
    assert record["network"] == {"top_k": 250, "top_p": 1.0, "temperature": 1.0}


def test_classes_that_the_network_does_not_know(tmp_path: Path) -> None:
    """A taming model of 8 classes; the source draws from two of them."""
    from osbench.generation.families import family_class, save_generator

    torch.manual_seed(0)
    vqgan = {"resolution": 16, "n_embed": 16, "embed_dim": 4, "z_channels": 4, "ch": 4, "ch_mult": [1, 2]}
    network = family_class("taming")(
        vqgan={**vqgan, "num_res_blocks": 1, "attn_resolutions": [8], "norm_num_groups": 2},
        transformer={"vocab_size": 16, "block_size": 64, "n_layer": 1, "n_head": 2, "n_embd": 8},
        classes=8,
    )
    save_generator(network, tmp_path / "net.safetensors")
    suite = tmp_path / "suite.yaml"
    entry = {"generator": "taming", "architecture": "Taming Transformers", "family": "taming", "licence": "MIT"}
    document = {
        "name": "own",
        "version": "own-v1",
        "count": 3,
        "recipe": {"crop_size": 16, "batch_size": 2, "shard_rows": 4},
        "sources": [{**entry, "training_set": "fish", "weights": "net.safetensors", "class_labels": [2, 7]}],
    }
    suite.write_text(yaml.safe_dump(document))
    dataset = generate(suite, tmp_path / "data")
    assert dataset.verify(pixels=True) == []
    assert set(dataset.index()["class_label"]) <= {2, 7}
    document["sources"][0]["class_labels"] = [2, 8]
    suite.write_text(yaml.safe_dump(document))
    with pytest.raises(UsageError, match=r"needs class 8, but .* knows 8 classes"):
        generate(suite, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_network_of_another_family_is_refused(checkpoint_fixtures: CheckpointFixtures, tmp_path: Path) -> None:
    given = {"stylegan3/ffhq": checkpoint_fixtures.pickle("sg2")}
    with pytest.raises(CheckpointError, match="holds a stylegan2, but source stylegan3/ffhq needs a stylegan3"):
        generate("fang2023", tmp_path / "data", sources=["stylegan3/ffhq"], weights=given, count=2)
    assert not (tmp_path / "data").exists()


def test_images_without_a_licence_are_said_to_have_none(
    tiny_suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photos" / "a.png")
    options = {"sources": ["own"], "folders": {"own": tmp_path / "photos"}}
    dataset = generate(tiny_suite, tmp_path / "data", **options)
    assert "source own/folder: no licence stated (--folder-licence)" in capsys.readouterr().err
    assert dataset.info["sources"][0]["licence"] == "not stated"
    generate(tiny_suite, tmp_path / "licensed", **options, folder_licence="CC0-1.0")
    assert "no licence stated" not in capsys.readouterr().err


def test_rows_that_are_picture() -> None:
    car = load_suite("fang2023").source("stylegan/lsun-car")
    assert kept_rows(car, 512) == slice(64, 448)
    assert kept_rows(car, 128) == slice(16, 112)
    assert kept_rows(load_suite("fang2023").source("stylegan/ffhq"), 1024) == slice(0, 1024)


def test_the_letterbox_is_cut_off(checkpoint_fixtures: CheckpointFixtures, tmp_path: Path) -> None:
    given = {"stylegan/lsun-car": checkpoint_fixtures.pickle("stylegan1")}
    dataset = generate("fang2023", tmp_path / "data", sources=["stylegan/lsun-car"], weights=given, count=2)
    index = dataset.index()
    side = checkpoint_fixtures.side("stylegan1")
    assert set(index["native_width"]) == {side}
    assert set(index["native_height"]) == {side * 3 // 4}
    assert dataset.crop_size == side * 3 // 4
    assert dataset.info["sources"][0]["crop_rows"] == [64, 448]


def test_a_bad_file_costs_nothing(tmp_path: Path) -> None:
    page = tmp_path / "ffhq.pkl"
    page.write_bytes(b"<html>Quota exceeded</html>")
    with pytest.raises(CheckpointError, match=r"ffhq\.pkl: a web page"):
        generate("fang2023", tmp_path / "data", sources=["stylegan2/ffhq"], weights={"stylegan2/ffhq": page})
    assert not (tmp_path / "data").exists()
