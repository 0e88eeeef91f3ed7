"""The fixed high-pass filter in front of the two networks that come from steganalysis and camera identification."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_KV = (
    (-1.0, 2.0, -2.0, 2.0, -1.0),
    (2.0, -6.0, 8.0, -6.0, 2.0),
    (-2.0, 8.0, -12.0, 8.0, -2.0),
    (2.0, -6.0, 8.0, -6.0, 2.0),
    (-1.0, 2.0, -2.0, 2.0, -1.0),
)


class HighPass(nn.Module):
    """The KV kernel (Kodovsky and Fridrich's spatial rich model), 5x5 over 12, on every colour channel by itself.

    Not trained. The image is mirrored at its border, since zeros there would be an edge as strong as the image is
    bright. Shape stays (B, 3, S, S).
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", (torch.tensor(_KV) / 12.0).expand(3, 1, 5, 5).clone(), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        kernel: Tensor = self.kernel  # type: ignore[assignment]
        return F.conv2d(F.pad(images, (2, 2, 2, 2), mode="reflect"), kernel, groups=3)
