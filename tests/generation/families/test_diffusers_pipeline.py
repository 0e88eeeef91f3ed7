from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from osbench.core.errors import CheckpointError, UsageError
from osbench.generation.families import diffusers_pipeline, family_class
from osbench.generation.families.diffusers_pipeline import PIPELINES, DiffusersPipeline


@pytest.fixture(scope="module")
def folder(tiny_pipeline: Path) -> Path:
    return tiny_pipeline


@pytest.fixture(scope="module")
def network(folder: Path) -> DiffusersPipeline:
    return DiffusersPipeline(str(folder))


SEEDS = [3, 2**40 + 1, 11]
PROMPTS = ["a cat", "a dog", "a church"]


def test_it_describes_itself(network: DiffusersPipeline) -> None:
    assert family_class("diffusers") is DiffusersPipeline
    assert (network.resolution, network.z_dim, network.c_dim) == (16, 0, 0)
    assert network.config == {"pipeline": "StableDiffusionPipeline", "scheduler": "PNDMScheduler"}
    assert sum(p.numel() for p in network.parameters()) > 10_000
    assert all(p.dtype == torch.float32 for p in network.parameters())


def test_an_image_depends_on_its_own_seed_and_prompt_alone(network: DiffusersPipeline) -> None:
    images = network.sample(SEEDS, prompts=PROMPTS, steps=3)
    assert images.shape == (3, 16, 16, 3)
    assert images.dtype == np.uint8
    assert images.std() > 5
    swapped = network.sample(SEEDS[::-1], prompts=PROMPTS[::-1], steps=3, images_per_call=2)
    assert np.abs(images.astype(int) - swapped[::-1].astype(int)).max() <= 1
    other = network.sample(SEEDS, prompts=["a cat", "a bus", "a church"], steps=3)
    changed = [not np.array_equal(a, b) for a, b in zip(images, other, strict=True)]
    assert changed[1]
    assert np.abs(images[[0, 2]].astype(int) - other[[0, 2]].astype(int)).max() <= 1


def test_it_is_what_diffusers_makes_one_image_at_a_time(folder: Path, network: DiffusersPipeline) -> None:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(str(folder), safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    ours = network.sample(SEEDS, prompts=PROMPTS, steps=3, guidance=5.0)
    for seed, prompt, image in zip(SEEDS, PROMPTS, ours, strict=True):
        generator = torch.Generator("cpu").manual_seed(seed)
        made: Any = pipeline(prompt, num_inference_steps=3, guidance_scale=5.0, generator=generator)
        assert np.abs(np.asarray(made.images[0]).astype(int) - image.astype(int)).max() <= 1


def test_forward_and_the_uint8_rule(network: DiffusersPipeline) -> None:
    images = network.synthesize(network.latents(SEEDS[:1]), seeds=SEEDS[:1])
    assert images.shape == (1, 3, 16, 16)
    levels = np.array([-2, -1, 0, 1 / 255, 1, 2], np.float32).reshape(1, 1, 1, -1).repeat(3, 1)
    assert network.to_uint8(levels)[0, 0, :, 0].tolist() == [0, 0, 128, 128, 255, 255]
    with pytest.raises(UsageError, match="draws from seeds"):
        network.synthesize(np.zeros((1, 0)))
    with pytest.raises(UsageError, match="3 images need 3 prompts"):
        network.sample(SEEDS, prompts=["one"])


def test_watermark_and_safety_checker_are_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PIPELINES["StableDiffusionXLPipeline"] == {"add_watermarker": False}
    assert PIPELINES["StableDiffusionPipeline"]["safety_checker"] is None
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    given: dict[str, object] = {}

    def from_pretrained(path: str, **options: object) -> None:
        given.update(options)
        raise RuntimeError("loaded")

    monkeypatch.setattr(StableDiffusionPipeline, "from_pretrained", from_pretrained)
    with pytest.raises(CheckpointError, match="loaded"):
        DiffusersPipeline(str(folder))
    assert given["use_safetensors"]
    assert given["local_files_only"]
    assert given["safety_checker"] is None


def changed(folder: Path, tmp_path: Path, **entries: object) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps({**index, **entries}))
    return copy


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"_class_name": "DiffusionPipeline"}, "pipeline DiffusionPipeline is not one of"),
        ({"_class_name": ["pipeline", "Evil"]}, "is not one of"),
        ({"unet": ["os", "system"]}, "its unet comes from os"),
        ({"unet": [["os"], "system"]}, "its unet comes from"),
        ({"unet": ["diffusers"]}, "its unet comes from diffusers"),
        ({"unet": ["diffusers", "NoSuchModel"]}, "cannot be loaded as StableDiffusionPipeline"),
    ],
    ids=str,
)
def test_nothing_but_known_parts_is_loaded(folder: Path, tmp_path: Path, entries: dict, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        DiffusersPipeline(str(changed(folder, tmp_path, **entries)))
    assert "\n" not in str(caught.value)


def test_no_python_and_no_pickles(folder: Path, tmp_path: Path) -> None:
    scripted = changed(folder, tmp_path)
    (scripted / "unet/pipeline.py").write_text("raise SystemExit")
    with pytest.raises(CheckpointError, match="holds Python files"):
        DiffusersPipeline(str(scripted))
    (scripted / "unet/pipeline.py").unlink()
    weights = scripted / "unet/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(CheckpointError, match="from safetensors"):
        DiffusersPipeline(str(scripted))


@pytest.mark.parametrize("place", ["model_index.json", "unet/config.json"])
def test_special_files_in_a_folder_are_refused(folder: Path, tmp_path: Path, place: str) -> None:
    copy = changed(folder, tmp_path)
    (copy / place).unlink()
    os.mkfifo(copy / place)
    with pytest.raises(CheckpointError, match=rf"{place}: is a named pipe, not a regular file"):
        DiffusersPipeline(str(copy))


def test_a_folder_that_asks_for_millions_of_layers(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusers_pipeline, "_MAX_LAYERS", 5000)  # the real bound takes a little longer
    copy = changed(folder, tmp_path)
    config = json.loads((copy / "unet/config.json").read_text())
    (copy / "unet/config.json").write_text(json.dumps({**config, "layers_per_block": 8_000_000}))
    with pytest.raises(CheckpointError, match="more layers than it has tensors for") as caught:
        DiffusersPipeline(str(copy))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["empty", "no index", "half"])
def test_damaged_folders(folder: Path, tmp_path: Path, damage: str) -> None:
    copy = changed(folder, tmp_path)
    if damage == "empty":
        shutil.rmtree(copy)
        copy.mkdir()
    elif damage == "no index":
        (copy / "model_index.json").write_text("[]")
    else:
        path = copy / "vae/diffusion_pytorch_model.safetensors"
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError) as caught:
        DiffusersPipeline(str(copy))
    assert str(copy) in str(caught.value)
