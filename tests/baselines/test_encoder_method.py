"""The methods published on CLIP, on another encoder: they learn, are saved without it, and never call it CLIP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from osbench.baselines.encoders import build_encoder
from osbench.benchmark.contract import card_faults
from osbench.benchmark.method import get_method
from osbench.core.errors import CheckpointError, UsageError
from osbench.generation.efficientnet_lite0 import EfficientNetLite0

from .methods.test_de_fake import write_captions
from .tiny_clip import coloured_set, context

TRAIN = coloured_set((0, 1, 2), 16, 1, "train")
VAL = coloured_set((0, 1, 2), 6, 2, "val")
TEST = coloured_set((0, 1, 2), 6, 3, "test")
OPTIONS: dict[str, tuple[dict[str, Any], int]] = {
    "clip-linear": ({"layer": "stage2"}, 1),
    "clip-knn": ({"layer": "stage2"}, 1),
    "clip-mlp": ({"layer": "stage2", "lr": 1e-2}, 60),
    "de-fake": ({"layer": "stage2", "lr": 3e-3}, 20),
    "clip-lora": ({"layer": "stage2", "lr": 2e-2, "batch_size": 8}, 3),
}
LABELS = {
    "clip-linear": "linear probe (efficientnet-lite0:random.pth stage2)",
    "clip-knn": "nearest neighbours (efficientnet-lite0:random.pth stage2)",
    "clip-mlp": "MLP probe (efficientnet-lite0:random.pth stage2)",
    "de-fake": "image and caption words (efficientnet-lite0:random.pth stage2)",
    "clip-lora": "low-rank adaptation (efficientnet-lite0:random.pth stage2)",
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(EfficientNetLite0().state_dict(), path)
    return path


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "encoder-method-cache"))


def made(name: str, weights: Path, tmp_path: Path) -> Any:
    options = {"encoder": f"efficientnet-lite0:{weights}", **OPTIONS[name][0]}
    if name == "de-fake":
        texts = ("a dog", "a cat", "a slice of pizza")
        options["captions"] = str(write_captions(tmp_path / "captions.jsonl", TRAIN, VAL, TEST, texts=texts))
    return get_method(name)(**options)


@pytest.mark.numeric
@pytest.mark.parametrize("name", OPTIONS)
def test_it_learns_and_is_saved_without_the_encoder(name: str, weights: Path, tmp_path: Path) -> None:
    if name == "clip-lora":
        pytest.importorskip("peft")
    method = made(name, weights, tmp_path)
    assert method.missing() is None
    method.fit(TRAIN, VAL, context(tmp_path / "fit", epochs=OPTIONS[name][1]))
    before = method.predict(TEST.pixels)
    for rule, scores in before.items():
        assert (scores.candidate == TEST.class_index).mean() > 0.6, rule
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    after = get_method(name).load(tmp_path / "saved").predict(TEST.pixels)
    for rule, scores in before.items():
        np.testing.assert_allclose(after[rule].known_score, scores.known_score, atol=1e-4, rtol=1e-3)
    saved = [key for key in load_file(tmp_path / "saved" / "model.safetensors") if "conv" in key]
    assert all("lora_" in key for key in saved)


@pytest.mark.parametrize("name", OPTIONS)
def test_board_and_card_name_the_encoder(name: str, weights: Path, tmp_path: Path) -> None:
    method = made(name, weights, tmp_path)
    assert method.label == LABELS[name]
    card = method.described()
    assert card_faults(card) == []
    assert "clip" not in (method.label + card.title + card.licence + card.input_range).lower()
    assert "published method runs on CLIP" in card.deviations[0]
    rest = " ".join([*card.faithful, *card.deviations[1:]])
    assert "CLIP" not in rest
    assert "ViT" not in rest
    assert get_method(name)().label == ""
    assert get_method(name)().described() == get_method(name).card
    assert get_method(name)(encoder="efficientnet-lite0").label.endswith("(efficientnet-lite0)")


def test_a_caption_without_text_encoder_is_said_on_the_card(weights: Path, tmp_path: Path) -> None:
    assert "hashed words (512 signed counts" in made("de-fake", weights, tmp_path).described().deviations[0]


def test_low_rank_updates_of_convolutions(weights: Path, tmp_path: Path) -> None:
    """At first they change nothing; normalisation keeps its statistics while they are trained."""
    pytest.importorskip("peft")
    method = made("clip-lora", weights, tmp_path)
    method.class_names, method.crop_size = ("a", "b", "c"), 32
    model = method.build(3, 32).train()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert all("lora_" in name or name.startswith("head.") for name in trained)
    assert len([name for name in trained if "lora_A" in name]) == 1 + 2 * 2
    with torch.no_grad():
        embeddings, _ = model.eval()(method.convert(TEST.pixels))
    np.testing.assert_allclose(embeddings.numpy(), method.features(TEST.pixels), atol=1e-5)
    norm = model.network.network.stem.bn
    before = norm.running_mean.clone()
    model.train()(method.convert(TEST.pixels))
    assert torch.equal(norm.running_mean, before)


def test_bad_encoders_are_one_line(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(UsageError, match="unknown encoder 'lite'"):
        get_method("clip-linear")(encoder="lite")
    with pytest.raises(UsageError, match="adapts the encoders clip and efficientnet-lite0, not log-spectrum"):
        get_method("clip-lora")(encoder="log-spectrum")
    with pytest.raises(UsageError, match="leave option layer out"):
        get_method("clip-lora")(layer="block3")
    with pytest.raises(UsageError, match="unknown layer of encoder log-spectrum 'stage2'"):
        get_method("clip-linear")(encoder="log-spectrum", layer="stage2").fit(TRAIN, VAL, context(tmp_path / "fit"))


def test_other_weights_than_it_was_fitted_with_are_refused(tmp_path: Path, weights: Path) -> None:
    own = tmp_path / "own.pth"
    own.write_bytes(weights.read_bytes())
    method = get_method("clip-knn")(encoder=f"efficientnet-lite0:{own}", layer="stage2")
    method.fit(TRAIN, VAL, context(tmp_path / "fit"))
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    torch.manual_seed(1)
    torch.save(EfficientNetLite0().state_dict(), own)
    with pytest.raises(CheckpointError, match="other weights"):
        get_method("clip-knn").load(tmp_path / "saved").predict(TEST.pixels)
    assert build_encoder("log-spectrum").label == "log-spectrum"
