"""Latent flow: a transformer that moves noise to an autoencoder's latents along straight lines, told by a caption.

Lipman et al., "Flow Matching for Generative Modeling" (ICLR 2023); Peebles & Xie, "Scalable Diffusion Models with
Transformers" (ICCV 2023); the design of Stable Diffusion 3 and FLUX at small size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .base import register_family
from .latents import LatentGenerator
from .transformer import PatchTransformer


@register_family("latent_flow")
class LatentFlow(LatentGenerator):
    """Flow matching in latent space, sampled by Euler's method.

    Time runs from 0 (noise) to 1 (latents).

    Parameters
    ----------
    resolution : int
        Side of the pictures.
    vocabulary : str
        Known words, a space between them.
    autoencoder : dict
        Keywords of :class:`.autoencoder.Autoencoder`.
    transformer : dict
        ``patch``, ``width``, ``depth``, ``heads``, ``ratio`` of :class:`.transformer.PatchTransformer`.
    steps, guidance : float
        Of the sampling, unless the caller says otherwise.
    """

    def __init__(
        self,
        resolution: int,
        vocabulary: str,
        autoencoder: Mapping[str, Any],
        transformer: Mapping[str, Any],
        steps: int = 16,
        guidance: float = 2.5,
    ) -> None:
        super().__init__()
        self.config = {
            "resolution": resolution,
            "vocabulary": vocabulary,
            "autoencoder": dict(autoencoder),
            "transformer": dict(transformer),
            "steps": steps,
            "guidance": guidance,
        }
        self.resolution = resolution
        side = resolution >> (len(autoencoder["channels"]) - 1)
        latent = int(autoencoder["latent"])
        self._set_up(vocabulary, int(transformer["width"]), (latent, side, side), steps, guidance)
        self._set_up_autoencoder(autoencoder)
        self.network = PatchTransformer(latent, side, **transformer)

    def loss(self, codes: Tensor, bags: Tensor) -> Tensor:
        """Mean squared error of the velocity at logit-normal times (Esser et al., ICML 2024, section 3.1)."""
        time = torch.randn(len(codes), device=codes.device).sigmoid()
        noise = torch.randn_like(codes)
        mixed = noise + time[:, None, None, None] * (codes - noise)
        return F.mse_loss(self.network(mixed, time, self.captions(bags)).float(), codes - noise)

    def denoise(self, noise: Tensor, bags: Tensor, steps: int, guidance: float) -> Tensor:
        """Euler's method in equal steps."""
        x = noise
        for step in range(steps):
            x = x + self.guided(x, step / steps, bags, guidance) / steps
        return x
