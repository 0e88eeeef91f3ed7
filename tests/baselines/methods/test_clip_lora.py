"""Low-rank updates of both encoders of a tiny random CLIP."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from osbench.baselines.low_rank import AdaptedModel
from osbench.baselines.methods.clip_lora import ClipLora
from osbench.core.errors import CheckpointError, UsageError

from ..tiny_clip import LAYERS, WIDTH, coloured_set, context, write_tiny_clip

pytestmark = pytest.mark.numeric

pytest.importorskip("peft")

TRAIN = coloured_set((0, 1, 2), 20, 1, "train")
VAL = coloured_set((0, 1, 2), 8, 2, "val")
TEST = coloured_set((0, 1, 2), 8, 3, "test")


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))


def fit(folder, where, epochs, **options) -> Any:
    method = ClipLora(encoder=f"clip:{folder}", **{"rank": 4, "alpha": 8.0, "dropout": 0.0, "lr": 1e-2, **options})
    method.fit(TRAIN, VAL, context(where, epochs=epochs))
    return method


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def fitted(folder, tmp_path_factory):
    return fit(folder, tmp_path_factory.mktemp("fit"), 12)


def test_learns_an_easy_problem_with_every_rule(fitted):
    for rule, scores in fitted.predict(TEST.pixels).items():
        assert (scores.candidate == TEST.class_index).mean() > 0.8, rule


def test_only_the_low_rank_matrices_are_trained_and_saved(fitted, tmp_path):
    names = {name for name, p in fitted.model.named_parameters() if p.requires_grad}
    assert len(names) == 2 * LAYERS * 3 * 2, "two encoders, layers, q k v, two factors"
    assert all("lora_" in name for name in names)
    in_optimizer = sum(p.numel() for group in fitted.optimizer().param_groups for p in group["params"])
    assert in_optimizer == len(names) * 4 * WIDTH
    fitted.save(tmp_path)
    saved = {name.removeprefix("model.") for name in load_file(tmp_path / "model.safetensors") if "model." in name}
    assert saved == names


def test_without_training_it_is_zero_shot_clip(folder):
    """The second factor starts at zero, so the first answer is that of the published weights."""
    method: Any = ClipLora(encoder=f"clip:{folder}")
    method.device, method.class_names = torch.device("cpu"), ("alpha", "beta", "gamma")
    model: Any = method.build(3, 32).eval()
    with torch.inference_mode():
        _, logits = model(method.convert(TEST.pixels))
    images = method.encoder.encode(TEST.pixels)
    texts = method.encoder.encode_texts([f"a photo of a {name}." for name in method.class_names])
    scale = method.encoder.model.logit_scale.exp().item()
    np.testing.assert_allclose(logits.numpy(), scale * images @ texts.T, atol=1e-3)


def test_class_embeddings_follow_the_weights(fitted):
    head = fitted.model.head
    with torch.inference_mode():
        before = head.class_embeddings()
        assert head.class_embeddings() is before, "computed once"
        fitted.model.train()
        fitted.model.eval()
        torch.testing.assert_close(head.class_embeddings(), before)
        assert head.class_embeddings() is not before


def test_an_interrupted_fit_resumes_to_the_bit(folder, tmp_path, monkeypatch):
    from osbench.baselines import training

    whole = fit(folder, tmp_path / "whole", 3)
    save = training._Progress.save

    def save_then_die(self, *args):
        save(self, *args)
        if self.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training._Progress, "save", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        fit(folder, tmp_path / "broken", 3)
    monkeypatch.setattr(training._Progress, "save", save)
    resumed = fit(folder, tmp_path / "broken", 3)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], tensor), name


def test_matrices_of_another_rank_are_refused(fitted):
    state = {name: torch.zeros(1) for name in fitted.model.state_dict()}
    with pytest.raises(RuntimeError, match="another network or rank"):
        AdaptedModel.load_state_dict(fitted.model, state)


def test_one_line_errors(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match="hf download openai/clip-vit-base-patch16"):
        ClipLora().fit(TRAIN, VAL, context(tmp_path / "a"))
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(UsageError, match=r"pip install .osbench\[clip\]."):
        fit(folder, tmp_path / "b", 1)
