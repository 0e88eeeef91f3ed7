"""Codes that are an autoencoder's latents, every channel at mean 0 and deviation 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from .autoencoder import Autoencoder
from .denoising import DenoisingGenerator

NOISE = 0.1
"""Deviation of the noise on latents while the autoencoder learns, in units of theirs: what is drawn is never exact."""


class LatentGenerator(DenoisingGenerator):
    """A denoiser of latents; the latents' mean and deviation are buffers, set once the autoencoder is trained."""

    autoencodes: ClassVar[bool] = True
    latent_mean: Tensor
    latent_deviation: Tensor
    autoencoder: Autoencoder

    def _set_up_autoencoder(self, settings: Mapping[str, Any]) -> None:
        self.autoencoder = Autoencoder(**settings)
        self.register_buffer("latent_mean", torch.zeros(1, int(settings["latent"]), 1, 1))
        self.register_buffer("latent_deviation", torch.ones(1, int(settings["latent"]), 1, 1))

    def reconstruct(self, images: Tensor) -> Tensor:
        """Pictures through the autoencoder and back, with a little noise on the latents while training."""
        latents = self.autoencoder.encoder(images)
        if self.training:
            latents = latents + NOISE * latents.std().detach() * torch.randn_like(latents)
        return self.autoencoder.decoder(latents)

    def encode(self, images: Tensor) -> Tensor:
        return (self.autoencoder.encoder(images) - self.latent_mean) / self.latent_deviation

    def decode(self, codes: Tensor) -> Tensor:
        return self.autoencoder.decoder(codes * self.latent_deviation + self.latent_mean)

    def standardise(self, codes: Tensor) -> Tensor:
        """Take these codes (N, C, H, W) as the measure of mean and deviation; returns them in the new units."""
        latents = codes * self.latent_deviation + self.latent_mean
        self.latent_mean.copy_(latents.mean((0, 2, 3), keepdim=True))
        self.latent_deviation.copy_(latents.std((0, 2, 3), keepdim=True))
        return (latents - self.latent_mean) / self.latent_deviation
