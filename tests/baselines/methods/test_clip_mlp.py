"""The small network on CLIP features."""

import pytest

from osbench.baselines.methods.clip_mlp import ClipMlp

from ..tiny_clip import DIM, coloured_set, context, write_tiny_clip

TRAIN = coloured_set((0, 1, 2), 20, 1, "train")
VAL = coloured_set((0, 1, 2), 8, 2, "val")
TEST = coloured_set((0, 1, 2), 8, 3, "test")


@pytest.fixture
def method(tmp_path, monkeypatch):
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    method = ClipMlp(encoder=f"clip:{write_tiny_clip(tmp_path / 'clip')}", lr=1e-2)
    method.fit(TRAIN, VAL, context(tmp_path / "fit", epochs=60))
    return method


def test_layers_are_the_published_ones(method):
    shapes = [tuple(p.shape) for p in method.model.network.parameters() if p.ndim == 2]
    assert shapes == [(512, DIM), (256, 512)]
    assert method.model.head.linear.weight.shape == (3, 256)
