"""Plasma: waves whose directions and colours depend on the latent. An example of a generator family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from osbench.generation.families.base import Generator, NoiseMode, register_family, truncating_uint8


@register_family("plasma")
class Plasma(Generator):
    """Sums of sine waves.

    Parameters
    ----------
    resolution : int
        Side of the images in pixels.
    z_dim : int
        Length of a latent.
    waves : int
        Number of waves.
    """

    def __init__(self, resolution: int = 64, z_dim: int = 16, waves: int = 8) -> None:
        super().__init__()
        self.config = {"resolution": resolution, "z_dim": z_dim, "waves": waves}
        self.resolution = resolution
        self.z_dim = z_dim
        self.directions = nn.Linear(z_dim, 2 * waves)
        self.phases = nn.Linear(z_dim, waves)
        self.colours = nn.Linear(waves, 3)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
    ) -> Tensor:
        """(N, z_dim) -> (N, 3, R, R): no classes, no noise, and truncation scales the latent."""
        z = z.float() * truncation_psi
        axis = torch.linspace(-3, 3, self.resolution, device=z.device)
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)
        directions = self.directions(z).view(len(z), 1, 1, -1, 2)
        angles = 4 * (grid[None, :, :, None] * directions).sum(-1) + self.phases(z)[:, None, None]
        return torch.tanh(3 * self.colours(torch.sin(angles))).permute(0, 3, 1, 2)

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """``x * 127.5 + 128``, clamped to 0..255 and truncated."""
        return truncating_uint8(127.5, 128.0)(images)
