from __future__ import annotations

from pathlib import Path

import pytest
import torch

from osbench.core.errors import CheckpointError
from osbench.generation.efficientnet_lite0 import STAGE_CHANNELS, EfficientNetLite0, load_features

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    torch.manual_seed(0)
    return EfficientNetLite0().eval()


def test_size_is_that_of_the_public_weights(network: EfficientNetLite0) -> None:
    assert len([name for name in network.state_dict() if not name.endswith("num_batches_tracked")]) == 247
    assert sum(p.numel() for p in network.parameters()) == 4_652_008


def test_stages(network: EfficientNetLite0) -> None:
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        shapes = [tuple(s.shape) for s in network.stages(x)]
        pooled = network(x)
        last = network.head(network.stages(x)[-1]).mean((2, 3))
    assert shapes == [(2, c, side, side) for c, side in zip(STAGE_CHANNELS, (16, 8, 4, 2), strict=True)]
    torch.testing.assert_close(pooled, last)


@pytest.mark.parametrize("size", [33, 64])
def test_padding_is_tensorflows(network: EfficientNetLite0, size: int) -> None:
    """ "Same": the output has ceil(size / stride) pixels, and an odd pad goes to the right and the bottom."""
    x = torch.zeros(1, 3, size, size)
    x[0, :, 0, 0] = 1.0
    with torch.no_grad():
        convolution = network.stem.conv
        out = network.stem.bn(convolution(x[:, :, :3, :3])) if size % 2 == 0 else None
        stem = network.stem(x)
    assert stem.shape[2:] == (-(-size // 2),) * 2
    if out is not None:  # even size: nothing is padded before the first pixel
        torch.testing.assert_close(stem[:, :, 0, 0], out[:, :, 0, 0].clamp(0, 6))


def test_weights_are_matched_by_order_and_shape(network: EfficientNetLite0, tmp_path: Path) -> None:
    stored = {f"other{i}": t for i, t in enumerate(network.state_dict().values())}
    torch.save(stored, tmp_path / "good.pth")
    loaded = load_features(tmp_path / "good.pth")
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    assert all(torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), stored.values(), strict=True))
    stored.popitem()
    torch.save(stored, tmp_path / "short.pth")
    with pytest.raises(CheckpointError, match="295 tensors"):
        load_features(tmp_path / "short.pth")
    torch.save({**stored, "other295": torch.zeros(3)}, tmp_path / "shape.pth")
    with pytest.raises(CheckpointError, match=r"other295 is \(3,\)"):
        load_features(tmp_path / "shape.pth")
    (tmp_path / "text.pth").write_text("no weights")
    for name in ("text.pth", "missing.pth"):
        with pytest.raises(CheckpointError, match="not a file of network weights"):
            load_features(tmp_path / name)
