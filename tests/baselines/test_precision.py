"""Precision of training: what ``auto`` measures, what it leaves alone, and that bfloat16 learns the same problem."""

import numpy as np
import pytest
import torch
from torch import nn

from osbench.baselines import precision
from osbench.baselines.methods.resnet50 import ResNet50Classifier
from osbench.baselines.precision import AUTO, BFLOAT16, FLOAT32, choose_precision
from osbench.baselines.training import seeded_torch
from osbench.benchmark.method import get_method


@pytest.fixture
def batch():
    with seeded_torch(3):
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 3))
        return model, torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 0])


def loss(model, inputs, labels):
    return nn.functional.cross_entropy(model(inputs), labels)


@pytest.mark.parametrize(("seconds", "chosen"), [((2.0, 1.0), BFLOAT16), ((1.0, 1.0), FLOAT32), ((1.0, 3.0), FLOAT32)])
def test_auto_takes_what_is_clearly_faster(batch, monkeypatch, seconds, chosen):
    found = dict(zip((FLOAT32, BFLOAT16), seconds, strict=True))
    monkeypatch.setattr(precision, "_step_seconds", lambda name, *rest: found[name])
    assert choose_precision(AUTO, batch[0], loss, *batch[1:]) == chosen
    assert choose_precision(FLOAT32, batch[0], loss, *batch[1:]) == FLOAT32


def test_the_probe_changes_neither_the_model_nor_the_random_stream(batch):
    model, inputs, labels = batch
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    assert choose_precision(AUTO, model, loss, inputs, labels) in (FLOAT32, BFLOAT16)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_bfloat16_learns_what_float32_learns(train_set, val_set, test_set, make_context):
    """The classes of the toy set differ plainly: both formats must name nearly all of them."""
    accuracy = {}
    for name in (FLOAT32, BFLOAT16):
        method = get_method("proposed")(network="mislnet", precision=name, batch_size=16)
        method.fit(train_set, val_set, make_context(name, epochs=3))
        assert method.precision == name
        candidate = method.predict(test_set.pixels)["native"].candidate
        accuracy[name] = float((candidate == test_set.class_index)[test_set.class_index >= 0].mean())
    assert accuracy[BFLOAT16] == pytest.approx(accuracy[FLOAT32], abs=0.15)
    assert min(accuracy.values()) > 0.6


def test_a_fit_keeps_its_precision_when_it_is_resumed(train_set, val_set, make_context, monkeypatch):
    method = ResNet50Classifier(precision=AUTO, batch_size=16)
    context = make_context(epochs=1)
    context.folder.mkdir(parents=True)
    (context.folder / "precision.txt").write_text(BFLOAT16)
    monkeypatch.setattr(precision, "_step_seconds", lambda *_: pytest.fail("it was chosen before"))
    seen = []
    monkeypatch.setattr(method, "build", lambda *args: seen.append(args) or ResNet50Classifier.build(method, *args))
    method.fit(train_set, val_set, context)
    assert method.precision == BFLOAT16
    assert np.isfinite(method.predict(train_set.pixels[:2])["msp"].known_score).all()
