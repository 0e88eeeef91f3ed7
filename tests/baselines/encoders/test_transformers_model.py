"""``transformers``: a small random vision transformer, a convolutional network and half of a CLIP, from folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, ResNetConfig, ResNetModel, ViTConfig, ViTModel
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from osbench.baselines.encoders import build_encoder
from osbench.core.errors import CheckpointError, UsageError

from ..tiny_clip import WIDTH, write_tiny_clip

pytestmark = pytest.mark.numeric


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))


def images(size: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, size, size, 3), np.uint8)


def written(model: ViTModel | ResNetModel, folder: Path) -> Path:
    model.save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def vision_transformer(folder: Path) -> Path:
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )
    return written(ViTModel(config), folder)


def test_features_are_those_of_the_model(tmp_path: Path) -> None:
    folder = vision_transformer(tmp_path / "vit")
    encoder = build_encoder(f"transformers:{folder}")
    assert encoder.layers == ("block1", "block2", "last")
    assert encoder.label == "transformers:vit"
    model = ViTModel.from_pretrained(folder).eval()
    pixels = ViTImageProcessorPil.from_pretrained(folder)(images=list(images()), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        out = model(pixel_values=pixels, output_hidden_states=True)
    states = out.hidden_states[1].numpy()
    expected = np.concatenate([states.mean(1), states.std(1)], axis=1)
    np.testing.assert_allclose(encoder.encode(images(), "block1"), expected, atol=1e-4)
    np.testing.assert_allclose(encoder.encode(images()), out.pooler_output.numpy(), atol=1e-4)


def test_maps_of_a_convolutional_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    encoder = build_encoder(f"transformers:{written(ResNetModel(config), tmp_path / 'resnet')}")
    assert [encoder.dim(layer) for layer in encoder.layers] == [16, 32, 16]
    for layer in encoder.layers:
        assert encoder.encode(images(), layer).shape == (3, encoder.dim(layer))


def test_the_half_for_images_of_a_clip(tmp_path: Path) -> None:
    folder = write_tiny_clip(tmp_path / "clip")
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    encoder = build_encoder(f"transformers:{folder}")
    assert encoder.encode(images()).shape == (3, WIDTH)


def test_bad_folders_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert "transformers:FOLDER" in (build_encoder("transformers").missing() or "")
    assert "hf download some/model" in (build_encoder("transformers:some/model").missing() or "")
    words = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=10)
    BertModel(words).save_pretrained(tmp_path / "bert")
    ViTImageProcessorPil().save_pretrained(tmp_path / "bert")
    folder = vision_transformer(tmp_path / "vit")
    (folder / "preprocessor_config.json").unlink()
    for name, what in (("bert", "no model of images"), ("vit", "says nothing usable of its images")):
        with pytest.raises(CheckpointError, match=what) as caught:
            build_encoder(f"transformers:{tmp_path / name}").encode(images())
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="unknown layer of encoder transformers 'block9'"):
        build_encoder(f"transformers:{vision_transformer(tmp_path / 'again')}").encode(images(), "block9")


def test_code_beside_the_weights_is_never_run(tmp_path: Path) -> None:
    folder = vision_transformer(tmp_path / "vit")
    text = (folder / "config.json").read_text()
    auto = '"auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}, "model_type": "own",'
    (folder / "config.json").write_text(text.replace('"model_type": "vit",', auto))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(CheckpointError, match="no usable model"):
        build_encoder(f"transformers:{folder}").encode(images())
    assert not (tmp_path / "ran").exists()
