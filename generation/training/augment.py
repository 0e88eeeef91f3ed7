"""Differentiable augmentation of what a discriminator sees (Zhao et al., NeurIPS 2020): colour and translation.

A few hundred photographs are soon learned by heart; applied to real and generated images alike, changes of colour and
place delay that without ever showing in what is generated.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SHIFT = 1 / 8  # of the side, at most, each way


def augment(x: Tensor) -> Tensor:
    """Images (N, 3, S, S) in [-1, 1], each with its own brightness, saturation, contrast and shift (black edges)."""
    n, _, size, _ = x.shape
    brightness, saturation, contrast = torch.rand(3, n, 1, 1, 1, device=x.device, dtype=x.dtype).unbind()
    x = x + brightness - 0.5
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (2 * saturation) + grey
    level = x.mean((1, 2, 3), keepdim=True)
    x = (x - level) * (contrast + 0.5) + level
    reach = int(size * SHIFT + 0.5)
    place = torch.arange(size, device=x.device)
    rows, columns = torch.randint(0, 2 * reach + 1, (2, n, 1), device=x.device) + place
    padded = F.pad(x, (reach,) * 4, value=-1.0)
    batch = torch.arange(n, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)
