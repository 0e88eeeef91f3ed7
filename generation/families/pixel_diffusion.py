"""Pixel diffusion: a transformer on large patches of pixels that predicts the clean picture, told by a caption.

Li & He, "Back to Basics: Let Denoising Generative Models Denoise" (2025). No autoencoder: what it draws are pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .base import register_family
from .denoising import DenoisingGenerator
from .transformer import PatchTransformer

NEAREST = 0.05  # of 1 - time: how close to the clean picture errors of the velocity are counted in full


@register_family("pixel_diffusion")
class PixelDiffusion(DenoisingGenerator):
    """Diffusion of pixels along straight lines, sampled by Euler's method.

    Time runs from 0 (noise) to 1 (picture). A picture's own values, in [-1, 1], are its code.

    Parameters
    ----------
    resolution : int
        Side of the pictures.
    vocabulary : str
        Known words, a space between them.
    transformer : dict
        ``patch``, ``width``, ``depth``, ``heads``, ``ratio`` of :class:`.transformer.PatchTransformer`.
    steps, guidance : float
        Of the sampling, unless the caller says otherwise.
    """

    def __init__(
        self,
        resolution: int,
        vocabulary: str,
        transformer: Mapping[str, Any],
        steps: int = 20,
        guidance: float = 2.5,
    ) -> None:
        super().__init__()
        self.config = {
            "resolution": resolution,
            "vocabulary": vocabulary,
            "transformer": dict(transformer),
            "steps": steps,
            "guidance": guidance,
        }
        self.resolution = resolution
        self._set_up(vocabulary, int(transformer["width"]), (3, resolution, resolution), steps, guidance)
        self.network = PatchTransformer(3, resolution, **transformer)

    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(self, codes: Tensor) -> Tensor:
        return codes

    def loss(self, codes: Tensor, bags: Tensor) -> Tensor:
        """Mean squared error of the velocity that the predicted picture means, at logit-normal times."""
        time = (0.8 * torch.randn(len(codes), device=codes.device) - 0.8).sigmoid()
        noise = torch.randn_like(codes)
        mixed = noise + time[:, None, None, None] * (codes - noise)
        error = (self.network(mixed, time, self.captions(bags)).float() - codes).square().mean((1, 2, 3))
        return (error / (1 - time).clamp(min=NEAREST).square()).mean()

    def denoise(self, noise: Tensor, bags: Tensor, steps: int, guidance: float) -> Tensor:
        """Euler's method in equal steps; the last one goes straight to the predicted picture."""
        x = noise
        for step in range(steps):
            clean = self.guided(x, step / steps, bags, guidance)
            x = x + (clean - x) / (steps - step)
        return x
