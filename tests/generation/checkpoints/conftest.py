"""Upstream-shaped checkpoint files on the disk, and what must come back from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from osbench.generation import LoadedGenerator, load_generator
from tests.fixtures import upstream, writers
from tests.float64 import assert_equal_but_for_rounding, assert_equal_in_float64, in_float64


def write(path: Path, data: bytes) -> LoadedGenerator:
    path.write_bytes(data)
    return load_generator(path, cache=False)


def same_images(network: Any, loaded: LoadedGenerator, *, rounded: bool = False, **keywords: Any) -> None:
    """The same images; ``rounded``: writing the file has rounded the weights once more."""

    def images(one: Any) -> np.ndarray:
        return one.synthesize(network.latents([1, 2]), **{"seeds": [1, 2], **keywords})

    expected = in_float64(network, images)
    if rounded:
        assert_equal_but_for_rounding(loaded.network, images, expected)
    else:
        assert_equal_in_float64(in_float64(loaded.network, images), expected)


def same_tensors(loaded: LoadedGenerator, stored: dict[str, Any]) -> None:
    tensors = loaded.tensors()
    assert set(tensors) == set(stored)
    for name, value in stored.items():
        array = value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's cache."""
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "osbench-cache"))


class Files:
    """All writers under one name, for tests to use as a fixture."""

    BUFFERS = writers.BUFFERS
    Global = writers.Global
    Reduced = writers.Reduced
    dump = staticmethod(writers.dump)
    module_tree = staticmethod(writers.module_tree)
    persistent = staticmethod(writers.persistent)
    plain_module = staticmethod(writers.plain_module)
    snapshot = staticmethod(writers.snapshot)
    tf_network = staticmethod(writers.tf_network)
    text = staticmethod(writers.text)
    randomised = staticmethod(writers.randomised)
    progan_variables = staticmethod(upstream.progan_variables)
    stylegan_variables = staticmethod(upstream.stylegan_variables)
    stylegan2_state = staticmethod(upstream.stylegan2_state)
    fastgan_state = staticmethod(upstream.fastgan_state)
    load = staticmethod(write)
    same_images = staticmethod(same_images)
    same_tensors = staticmethod(same_tensors)


@pytest.fixture(scope="session")
def files() -> type[Files]:
    return Files
