"""What all encoders share: names, layers, the cache and what belongs to its key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from osbench.baselines.encoders import Encoder, build_encoder, encoder_class, encoder_names, pinned, unit_norm
from osbench.core.errors import CheckpointError, UsageError


class Moments(Encoder):
    """Mean and maximum of the pixels, in one pass or in two; counts what it computes."""

    name = "moments"
    preprocessing = "none"

    def __init__(self, source: str = "") -> None:
        super().__init__(source)
        self.computed = 0

    @property
    def layers(self) -> tuple[str, ...]:
        return ("mean", "max")

    @property
    def default_layer(self) -> str:
        return "max"

    def dim(self, layer: str | None = None) -> int:
        return 1

    def missing(self) -> str | None:
        return None

    def _weights_sha256(self) -> str:
        return "0" * 64

    def _compute(self, images: np.ndarray, layers: tuple[str, ...]) -> np.ndarray:
        self.computed += len(images)
        return np.stack([getattr(images, layer)(axis=(1, 2, 3)) for layer in layers], axis=1)


class OnePass(Moments):
    one_pass = True


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))


def images(count: int = 5, size: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def test_every_encoder_says_what_it_is() -> None:
    assert {"clip", "efficientnet-lite0", "log-spectrum", "transformers"} <= set(encoder_names())
    for name in encoder_names():
        cls = encoder_class(name)
        assert cls.name == name
        assert cls.__doc__
        assert cls.preprocessing


@pytest.mark.parametrize(("cls", "passes"), [(Moments, 2), (OnePass, 1)])
def test_layers_are_computed_once(cls: type[Moments], passes: int) -> None:
    encoder = cls()
    for _ in range(2):
        np.testing.assert_allclose(encoder.encode(images(), "mean")[:, 0], images().mean((1, 2, 3)), rtol=1e-6)
        np.testing.assert_array_equal(encoder.encode(images())[:, 0], images().max((1, 2, 3)))
    assert encoder.computed == passes * 5
    again = cls()
    again.encode(images(), "mean")
    assert again.computed == 0
    assert again.encode(images()).dtype == np.float32


def test_another_kind_of_device_has_a_cache_of_its_own() -> None:
    Moments().encode(images())
    there = Moments().to(torch.device("meta"))
    there.encode(images())
    assert there.computed == 5


def test_bad_requests_are_one_line() -> None:
    with pytest.raises(UsageError, match=r"unknown encoder 'efficientnet'\. Did you mean 'efficientnet-lite0'"):
        build_encoder("efficientnet")
    with pytest.raises(UsageError, match=r"unknown layer of encoder moments 'min'\. Did you mean 'mean'"):
        Moments().encode(images(), "min")
    for bad in (images()[:, :4], images()[0], images().astype(np.float32), images()[..., :1]):
        with pytest.raises(UsageError, match="square uint8 images"):
            Moments().encode(bad)


def test_a_place_is_pinned_by_its_content(tmp_path: Path) -> None:
    assert [pinned(name) for name in ("clip", "clip:somebody/something")] == ["clip", "clip:somebody/something"]
    weights = tmp_path / "own.pth"
    weights.write_bytes(b"one")
    text = pinned(f"efficientnet-lite0:{weights}")
    assert pinned(text) == text
    assert build_encoder(text).label == "efficientnet-lite0:own.pth"
    assert len(build_encoder(text).sha256) == 64
    weights.write_bytes(b"two")
    with pytest.raises(CheckpointError, match="other weights than when this run began"):
        _ = build_encoder(text).sha256


def test_unit_norm() -> None:
    np.testing.assert_allclose(unit_norm(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 0.0]])
