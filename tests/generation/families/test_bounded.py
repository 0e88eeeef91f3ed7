from __future__ import annotations

import pytest
from torch import nn

from osbench.core.errors import CheckpointError
from osbench.generation.families.bounded import at_most_layers


def test_layers_and_parameters_are_counted_while_they_are_built() -> None:
    def build(layers: int) -> nn.Module:
        return nn.Sequential(*(nn.Linear(2, 2) for _ in range(layers)))

    with at_most_layers(12):  # each of the four: its weight, its bias, itself
        assert len(list(build(4).parameters())) == 8
    with pytest.raises(CheckpointError, match="more layers than it has tensors for"), at_most_layers(11):
        build(4)
    with pytest.raises(CheckpointError, match="more layers"), at_most_layers(1000):
        build(8_000_000)
    assert len(list(build(100).parameters())) == 200, "no bound outside"


def test_an_error_inside_lifts_the_bound() -> None:
    with pytest.raises(ZeroDivisionError), at_most_layers(1):
        raise ZeroDivisionError
    assert len(nn.Sequential(nn.ReLU(), nn.ReLU(), nn.ReLU())) == 3
