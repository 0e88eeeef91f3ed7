"""Frechet distance between image sets in the features of EfficientNet-Lite0 (after Heusel et al. 2017).

The numbers compare models of this zoo with each other and with held-out photographs; they are not FID values.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import linalg
from torch.nn import functional as F

from ..efficientnet_lite0 import EfficientNetLite0
from .bank import to_tensor


@torch.no_grad()
def features(model: EfficientNetLite0, pixels: np.ndarray, side: int = 128) -> np.ndarray:
    """float64 (N, 1280) of uint8 images (N, S, S, 3), enlarged bilinearly to ``side``."""
    rows = []
    for i in range(0, len(pixels), 32):
        x = F.interpolate(to_tensor(pixels[i : i + 32]), size=(side, side), mode="bilinear", antialias=True)
        rows.append(model(x).double().numpy())
    return np.concatenate(rows)


def frechet_distance(a: np.ndarray, b: np.ndarray, components: int = 64) -> float:
    """Frechet distance of Gaussians fitted to two feature sets (N, D), on the ``components`` main axes of ``b``.

    Projection first: a covariance of 1280 dimensions cannot be estimated from a few hundred images, one of 64 can.
    """
    centre = b.mean(0)
    axes = np.linalg.svd(b - centre, full_matrices=False)[2][:components].T
    pa, pb = (a - centre) @ axes, (b - centre) @ axes
    ca, cb = np.cov(pa, rowvar=False), np.cov(pb, rowvar=False)
    root = linalg.sqrtm(ca @ cb)
    return float(np.sum((pa.mean(0) - pb.mean(0)) ** 2) + np.trace(ca + cb - 2 * np.real(root)))
