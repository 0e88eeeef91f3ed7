"""What the small text-to-image families share that draw a picture out of noise, step by step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import UsageError
from .base import NoiseMode
from .captions import Captions, TextGenerator


class DenoisingGenerator(TextGenerator):
    """A network that removes noise from codes (N, C, H, W), guided by a caption without a classifier.

    A code is what :meth:`encode` makes of a picture. Nothing is drawn but the noise at the start.
    """

    code_shape: tuple[int, int, int]
    network: nn.Module
    steps: int
    guidance: float

    def _set_up(self, vocabulary: str, width: int, shape: tuple[int, int, int], steps: int, guidance: float) -> None:
        self.captions = Captions(vocabulary, width)
        self.code_shape, self.z_dim, self.c_dim = shape, shape[0] * shape[1] * shape[2], 0
        self.steps, self.guidance = steps, guidance

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) in [-1, 1] to codes (N, C, H, W) of about unit deviation."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """Codes to pictures."""

    @abstractmethod
    def loss(self, codes: Tensor, bags: Tensor) -> Tensor:
        """The training loss (), of codes and bags (N, words + 1), with noise from the global torch generator."""

    @abstractmethod
    def denoise(self, noise: Tensor, bags: Tensor, steps: int, guidance: float) -> Tensor:
        """Codes from noise (N, C, H, W)."""

    def learned(self) -> nn.ModuleList:
        """What :meth:`loss` trains."""
        return nn.ModuleList([self.captions, self.network])

    def guided(self, x: Tensor, time: float, bags: Tensor, guidance: float) -> Tensor:
        """The network's output at one time for all, moved away from what it says without a caption (Ho & Salimans)."""
        times = x.new_full((len(x),), time)
        with_caption = self.captions(bags)
        if guidance == 1:
            return self.network(x, times, with_caption)
        both = torch.cat([with_caption, self.captions(self.captions.without(bags))])
        told, untold = self.network(torch.cat([x, x]), torch.cat([times, times]), both).chunk(2)
        return untold + guidance * (told - untold)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
        prompts: Sequence[str] | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        """Noise (N, z_dim) and N prompts (None: no captions) to images (N, 3, S, S); nothing else is random.

        ``steps`` and ``guidance`` are the config's unless given.
        """
        steps = self.steps if steps is None else steps
        if steps < 1:
            raise UsageError(f"the number of steps must be at least 1, not {steps}.")
        noise = z.float().view(len(z), *self.code_shape)
        bags = self.bags(prompts, len(z))
        return self.decode(self.denoise(noise, bags, steps, self.guidance if guidance is None else guidance))

    @torch.no_grad()
    def sample(
        self,
        seeds: Sequence[int],
        class_labels: Sequence[int] | None = None,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        *,
        prompts: Sequence[str] | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> np.ndarray:
        """uint8 (N, S, S, 3), one prompt an image; ``steps`` and ``guidance`` are the config's unless given."""
        images = self.eval()(self.noise(seeds), prompts=prompts, steps=steps, guidance=guidance)
        return self.to_uint8(images.float().cpu().numpy())
