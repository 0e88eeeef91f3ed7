"""What all renderers share: the shape of a picture's code, and the way from codes to 8-bit pictures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ....core.errors import UsageError
from ..base import Generator, NoiseMode
from ..noise import NoiseStream

BLOCK = 8
"""Side in pixels of the blocks that a code describes."""

CODE_CHANNELS = 16
"""Numbers in a block's code."""


class Renderer(Generator):
    """A generator whose picture is given: a family's up-sampling path behind a small adapter.

    A picture's code is float32 (16, R / 8, R / 8), see :mod:`....content.code`. Everything from side 8 on is built from
    the family's own modules; what the adapter of a family is, its class says.

    All renderers share one conversion to 8 bits, since half a level more or less would tell families apart without any
    up-sampling. ``z`` is the flattened code; there are no classes and no truncation.
    """

    renders: ClassVar[str]
    """The family whose up-sampling path this is."""
    code_conditioned: ClassVar[bool] = True
    resolution = 64

    @property
    def code_side(self) -> int:
        """Blocks along a side of the picture."""
        return self.resolution // BLOCK

    @property
    def z_dim(self) -> int:  # type: ignore[override]
        """Length of a flattened code."""
        return CODE_CHANNELS * self.code_side**2

    @abstractmethod
    def render(self, codes: Tensor, noise: NoiseStream | None) -> Tensor:
        """Codes (N, 16, R / 8, R / 8) to images (N, 3, R, R) in about [-1, 1]; ``noise`` None adds none."""

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "random",
        seeds: Sequence[int] | None = None,
    ) -> Tensor:
        """Flattened codes (N, 16 * (R / 8)**2) to images (N, 3, R, R); UsageError for ``noise_mode`` const."""
        del c, truncation_psi
        if noise_mode == "const":
            raise UsageError("renderers have no constant noise: it would be one fixed pattern in every picture.")
        noise = NoiseStream(len(z), z.device, seeds) if noise_mode == "random" else None
        return self.render(z.float().view(len(z), CODE_CHANNELS, self.code_side, self.code_side), noise)

    def latents(self, seeds: Sequence[int]) -> np.ndarray:
        """UsageError: a renderer draws nothing but noise."""
        raise UsageError(f"a {self.family} needs the codes of pictures; a seed alone says nothing to it.")

    def sample(
        self,
        seeds: Sequence[int],
        class_labels: Sequence[int] | None = None,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "random",
        codes: np.ndarray | None = None,
    ) -> np.ndarray:
        """uint8 (N, R, R, 3): the pictures of ``codes``, float32 (N, 16, R / 8, R / 8), with the noise of ``seeds``."""
        del class_labels
        if codes is None or len(codes) != len(seeds):
            raise UsageError(f"a {self.family} needs one code for each of the {len(seeds)} images.")
        flat = np.asarray(codes, np.float32).reshape(len(codes), -1)
        return self.to_uint8(self.synthesize(flat, None, truncation_psi, noise_mode, seeds))

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """``round(x * 127.5 + 127.5)``, half to even, saturated to 0..255; the same for all renderers."""
        pixels = np.rint(np.asarray(images, np.float32) * np.float32(127.5) + np.float32(127.5))
        return np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1))


def code_statistics(codes: Tensor) -> Tensor:
    """Mean and deviation of every code channel over the picture: (N, C, S, S) -> (N, 2 * C), what styles are made of.

    Style-based families normalise level and contrast away, so both have to come through the styles.
    """
    deviation = (codes.var((2, 3), unbiased=False) + 1e-4).sqrt()
    return torch.cat([codes.mean((2, 3)), deviation], 1)
