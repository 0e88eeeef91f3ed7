"""Pre-training on cameras on another device gives the weights that the CPU gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from osbench.baselines.cameras.pretraining import PretrainingRecipe, pretrain
from osbench.baselines.cameras.sources import virtual_source
from tests.second_device import one_random_stream, register

DEVICE = register()


@pytest.mark.parametrize("half", [False, True])
def test_same_weights(half: bool, tmp_path: Path) -> None:
    source, recipe = virtual_source(2, 32, 1, 0, scene_count=8), PretrainingRecipe(epochs=1, batch_size=4)
    weights, cards = [], []
    for device in (DEVICE, torch.device("cpu")):
        out = tmp_path / f"{device.type}.safetensors"
        with one_random_stream():
            cards.append(pretrain(source, recipe, out, device=device, cache=tmp_path / "crops", half=half))
        weights.append(load_file(out))
    assert cards[0]["accuracy"] == cards[1]["accuracy"]
    for name, values in weights[0].items():
        np.testing.assert_allclose(values, weights[1][name], rtol=0.01, atol=0.003, err_msg=name)
