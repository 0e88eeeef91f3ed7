"""Frozen CLIP: preprocessing as published, features cached per image, missing weights in one line."""

import numpy as np
import pytest
import torch
from transformers import CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from osbench.baselines.encoders import clip as clip_module
from osbench.baselines.encoders import pinned
from osbench.baselines.encoders.clip import Clip, preprocess
from osbench.core.errors import CheckpointError, UsageError

from ..tiny_clip import DIM, IMAGE_SIZE, WIDTH, write_tiny_clip

pytestmark = pytest.mark.numeric


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    return write_tiny_clip(tmp_path / "clip")


def images(count=3, size=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)


@pytest.mark.parametrize("size", [24, 32, 50])
def test_preprocessing_is_the_published_one(size):
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    some = images(size=size)
    expected = processor(list(some), return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(preprocess(some, 32), expected, atol=1e-6, rtol=1e-6)


def test_features_are_those_of_the_model_on_the_unit_sphere(folder):
    features = Clip(str(folder)).encode(images())
    model = CLIPModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        pooled = model.vision_model(pixel_values=preprocess(images(), IMAGE_SIZE)).pooler_output
        expected = torch.nn.functional.normalize(model.visual_projection(pooled), dim=-1).numpy()
    assert features.shape == (3, DIM)
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_a_block_gives_its_class_token(folder):
    clip = Clip(str(folder))
    features = clip.encode(images(), "block1")
    with torch.inference_mode():
        states = clip.model.vision_model(pixel_values=clip.inputs(images()), output_hidden_states=True).hidden_states
    expected = torch.nn.functional.normalize(states[1][:, 0], dim=-1).numpy()
    assert features.shape == (3, WIDTH)
    np.testing.assert_allclose(features, expected, atol=1e-5)
    with pytest.raises(UsageError, match="unknown layer of encoder clip 'block3'"):
        clip.encode(images(), "block3")


def test_what_is_cached_needs_no_network(folder, monkeypatch):
    first = Clip(str(folder)).encode(images())
    texts = Clip(str(folder)).encode_texts(["a cat", "a dog"])

    def refuse(folder):
        raise AssertionError("the network was loaded")

    monkeypatch.setattr(clip_module, "load_model", refuse)
    np.testing.assert_array_equal(Clip(str(folder)).encode(images()), first)
    np.testing.assert_array_equal(Clip(str(folder)).encode_texts(["a cat", "a dog"]), texts)
    with pytest.raises(AssertionError):
        Clip(str(folder)).encode(images(), "block1")


def test_other_weights_have_other_features(folder, tmp_path):
    other = write_tiny_clip(tmp_path / "other", seed=1)
    a, b = (Clip(str(f)).encode(images()) for f in (folder, other))
    assert not np.allclose(a, b)


def test_texts_are_encoded_one_by_one_or_together_alike(folder):
    together = Clip(str(folder)).encode_texts(["a cat", "a much longer text about dogs " * 10])
    model, clip = CLIPModel.from_pretrained(folder).eval(), Clip(str(folder))
    with torch.inference_mode():
        alone = model.text_projection(model.text_model(**clip.tokens(["a cat"])).pooler_output)[0]
    np.testing.assert_allclose(together[0], torch.nn.functional.normalize(alone, dim=0).numpy(), atol=1e-5)
    assert not np.allclose(together[0], together[1])


def test_missing_weights_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match="hf download openai/clip-vit-large-patch14-336") as caught:
        Clip().encode(images())
    assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="not on this machine"):
        Clip("no such folder/or/model").encode(images())
    assert "hf download" in (Clip().missing() or "")


def test_incomplete_and_damaged_folders_are_refused(folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Clip(str(empty)).encode(images())
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    with pytest.raises(CheckpointError, match="no usable CLIP"):
        Clip(str(folder)).encode(images())
    weights.write_bytes(whole)
    (folder / "vocab.json").unlink()
    (folder / "merges.txt").unlink()
    with pytest.raises(CheckpointError, match="tokenizer"):
        Clip(str(folder)).encode_texts(["a"])


def test_a_folder_is_pinned_by_its_content(folder):
    assert pinned("clip:openai/clip-vit-base-patch32") == "clip:openai/clip-vit-base-patch32"
    _, _, source = pinned(f"clip:{folder}").partition(":")
    assert Clip(source).encode(images()).shape == (3, DIM)
    write_tiny_clip(folder, seed=1)
    with pytest.raises(CheckpointError, match="other weights"):
        Clip(source).encode(images())
