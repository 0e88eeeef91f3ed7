"""``log-spectrum``: blind to brightness, contrast and trend, not to a lattice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from osbench.baselines.encoders import build_encoder
from osbench.core.errors import UsageError


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))


def noise(count: int = 4, size: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(128, 20, (count, size, size, 3))


def as_images(values: np.ndarray) -> np.ndarray:
    return values.clip(0, 255).round().astype(np.uint8)


def test_rows_are_standardised_in_each_channel() -> None:
    encoder = build_encoder("log-spectrum")
    features = encoder.encode(as_images(noise()))
    assert features.shape == (4, encoder.dim())
    channels = features.reshape(4, 3, -1)
    np.testing.assert_allclose(channels.mean(2), 0, atol=1e-4)
    np.testing.assert_allclose(channels.std(2), 1, atol=1e-3)
    np.testing.assert_allclose(encoder.encode(as_images(noise()), "luma"), channels[:, 0], atol=1e-5)


def test_two_patterns_are_told_apart_whatever_the_picture() -> None:
    """A lattice of period 4 and one of period 6, under noise of every strength: nearest neighbour by cosine."""
    encoder = build_encoder("log-spectrum")
    rng = np.random.default_rng(1)
    kinds = np.arange(40) % 2
    pictures = []
    for kind in kinds:
        pattern = np.cos(2 * np.pi * np.arange(48) / (4, 6)[kind])
        grain = rng.normal(0, rng.uniform(2, 12), (48, 48, 3))
        pictures.append(rng.uniform(60, 190) + grain + 6 * pattern[:, None, None] * pattern[None, :, None])
    features = encoder.encode(as_images(np.stack(pictures)))
    similarity = features @ features.T / features.shape[1]
    np.fill_diagonal(similarity, -2)
    assert (kinds[similarity.argmax(1)] == kinds).mean() > 0.9


def test_small_images_and_a_source_are_refused() -> None:
    with pytest.raises(UsageError, match="32 px or more, these have 24 px"):
        build_encoder("log-spectrum").encode(as_images(noise(size=24)))
    assert build_encoder("log-spectrum").missing() is None
    assert "no weights" in (build_encoder("log-spectrum:some").missing() or "")
