"""Text-conditioned latent diffusion: a U-Net that takes noise out of an autoencoder's latents, told by a caption.

Ho et al., "Denoising Diffusion Probabilistic Models" (NeurIPS 2020); Rombach et al., "High-Resolution Image Synthesis
with Latent Diffusion Models" (CVPR 2022), at small size; the velocity is predicted (Salimans & Ho, ICLR 2022).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .base import register_family
from .latents import LatentGenerator
from .transformer import Attention, Sketch, TimeEmbedding

GROUPS = 8
LAST = 0.999  # of the time that adds noise: pure noise has no signal to divide by


class ConditionedResidual(nn.Module):
    """Two normalised convolutions around a skip, the second scaled and shifted by a condition."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(GROUPS, inputs), nn.GroupNorm(GROUPS, outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.told = nn.Linear(condition, 2 * outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.told(condition)[:, :, None, None].chunk(2, 1)
        h = self.norm2(self.conv1(F.silu(self.norm1(x)))) * (1 + scale) + shift
        return self.skip(x) + self.conv2(F.silu(h))


class UNet(nn.Module):
    """Maps (N, C, H, W) at times (N,) under conditions (N, condition) to maps of the same shape.

    Parameters
    ----------
    channels, side : int
        Of the square maps.
    widths : sequence of int
        From the finest level to the coarsest, each a multiple of 8; the side halves between them.
    condition : int
        Length of the condition.
    heads : int
        Of the attention at the coarsest level.
    """

    def __init__(self, channels: int, side: int, widths: Sequence[int], condition: int, heads: int = 4) -> None:
        super().__init__()
        self.time = TimeEmbedding(condition)
        self.sketch, self.side = Sketch(condition, side**2, widths[0], rank=8), side
        self.enter = nn.Conv2d(channels, widths[0], 3, padding=1)
        before = [widths[0], *widths[:-1]]
        self.down = nn.ModuleList(ConditionedResidual(a, b, condition) for a, b in zip(before, widths, strict=True))
        self.halve = nn.ModuleList(nn.Conv2d(w, w, 3, 2, 1) for w in widths[:-1])
        self.middle1 = ConditionedResidual(widths[-1], widths[-1], condition)
        self.norm = nn.LayerNorm(widths[-1])
        self.attention = Attention(widths[-1], heads)
        self.up = nn.ModuleList(
            ConditionedResidual(2 * b, a, condition) for a, b in zip(reversed(before), reversed(widths), strict=True)
        )
        self.widen = nn.ModuleList(nn.Conv2d(w, w, 3, padding=1) for w in reversed(widths[:-1]))
        self.leave = nn.Sequential(
            nn.GroupNorm(GROUPS, widths[0]), nn.SiLU(), nn.Conv2d(widths[0], channels, 3, padding=1)
        )
        last = cast(nn.Conv2d, self.leave[2])
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast(Tensor, last.bias))

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        told = F.silu(self.time(time) + condition)
        sketch = self.sketch(condition).transpose(1, 2).unflatten(2, (self.side, self.side))
        h, kept = self.enter(x) + sketch, []
        for level, block in enumerate(self.down):
            h = block(h, told)
            kept.append(h)
            if level < len(self.halve):
                h = self.halve[level](h)
        h = self.middle1(h, told)
        tokens = h.flatten(2).transpose(1, 2)
        h = h + self.attention(self.norm(tokens)).transpose(1, 2).unflatten(2, h.shape[2:])
        for level, block in enumerate(self.up):
            h = block(torch.cat([h, kept.pop()], 1), told)
            if level < len(self.widen):
                h = self.widen[level](F.interpolate(h, scale_factor=2.0))
        return self.leave(h)


@register_family("text_diffusion")
class TextDiffusion(LatentGenerator):
    """Diffusion in latent space under a cosine schedule, sampled by deterministic DDIM.

    Time runs from 0 (latents) to 1 (noise): signal ``cos(time pi / 2)``, noise ``sin(time pi / 2)``.

    Parameters
    ----------
    resolution : int
        Side of the pictures.
    vocabulary : str
        Known words, a space between them.
    autoencoder : dict
        Keywords of :class:`.autoencoder.Autoencoder`.
    unet : dict
        ``widths``, ``condition`` and ``heads`` of :class:`UNet`.
    steps, guidance : float
        Of the sampling, unless the caller says otherwise.
    """

    def __init__(
        self,
        resolution: int,
        vocabulary: str,
        autoencoder: Mapping[str, Any],
        unet: Mapping[str, Any],
        steps: int = 20,
        guidance: float = 2.5,
    ) -> None:
        super().__init__()
        self.config = {
            "resolution": resolution,
            "vocabulary": vocabulary,
            "autoencoder": dict(autoencoder),
            "unet": dict(unet),
            "steps": steps,
            "guidance": guidance,
        }
        self.resolution = resolution
        side = resolution >> (len(autoencoder["channels"]) - 1)
        latent = int(autoencoder["latent"])
        self._set_up(vocabulary, int(unet["condition"]), (latent, side, side), steps, guidance)
        self._set_up_autoencoder(autoencoder)
        self.network = UNet(latent, side, **unet)

    def loss(self, codes: Tensor, bags: Tensor) -> Tensor:
        """Mean squared error of the velocity at uniform times."""
        time = LAST * torch.rand(len(codes), device=codes.device)
        signal, noisy = (f(time * (math.pi / 2))[:, None, None, None] for f in (torch.cos, torch.sin))
        noise = torch.randn_like(codes)
        velocity = signal * noise - noisy * codes
        mixed = signal * codes + noisy * noise
        return F.mse_loss(self.network(mixed, time, self.captions(bags)).float(), velocity)

    def denoise(self, noise: Tensor, bags: Tensor, steps: int, guidance: float) -> Tensor:
        """DDIM with eta 0 (Song et al., ICLR 2021) in equal steps of time."""
        x = noise
        for step in range(steps):
            time, later = (LAST * (steps - s) / steps for s in (step, step + 1))
            signal, noisy = math.cos(time * math.pi / 2), math.sin(time * math.pi / 2)
            velocity = self.guided(x, time, bags, guidance)
            clean, left = signal * x - noisy * velocity, noisy * x + signal * velocity
            x = math.cos(later * math.pi / 2) * clean + math.sin(later * math.pi / 2) * left
        return x
