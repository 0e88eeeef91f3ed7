"""Sliced Wasserstein distance between Laplacian-pyramid patches of two image sets (Karras et al. 2018, section 5).

Cheap enough for a CPU to follow while it trains. The figure on the zoo's card that compares models with held-out
photographs is the Frechet distance of :mod:`.frechet`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def _pyramid(x: Tensor, levels: int) -> list[Tensor]:
    out = []
    for _ in range(levels - 1):
        low = F.avg_pool2d(x, 2)
        out.append(x - F.interpolate(low, scale_factor=2, mode="bilinear"))
        x = low
    return [*out, x]


def _patches(x: Tensor, per_image: int, generator: torch.Generator) -> Tensor:
    side = x.shape[-1] - 6
    rows = []
    for _ in range(per_image):
        i, j = (int(torch.randint(0, side, (1,), generator=generator)) for _ in range(2))
        rows.append(x[:, :, i : i + 7, j : j + 7].flatten(1))
    return torch.cat(rows)


def sliced_wasserstein(a: Tensor, b: Tensor, levels: int = 3, projections: int = 128, seed: int = 0) -> float:
    """Mean over pyramid levels of the sliced Wasserstein-1 distance of 7x7 patches, times 1000.

    ``a`` and ``b`` are float (N, 3, S, S) in [-1, 1] with the same N, S at least 32. Every level is measured in units
    of the deviation of ``b``'s patches, so that fine texture counts as much as layout. Each set is cut at places of
    its own: the distance of a set to itself is not 0, but falls with the number of images.
    """
    g = torch.Generator().manual_seed(seed)
    distances = []
    pairs = list(zip(_pyramid(a, levels), _pyramid(b, levels), strict=True))
    for pa, pb in pairs:
        qa, qb = _patches(pa, 16, g), _patches(pb, 16, g)
        directions = F.normalize(torch.randn(qa.shape[1], projections, generator=g), dim=0)
        scale = qb.std()
        va = (qa @ directions / scale).sort(0).values
        vb = (qb @ directions / scale).sort(0).values
        distances.append((va - vb).abs().mean().item())
    return 1000 * float(np.mean(distances))
