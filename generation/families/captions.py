"""Captions as the small text-to-image families read them: a bag of known words, each with a learned vector."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import UsageError
from .base import Generator, NoiseMode
from .noise import image_generator

_WORD = re.compile(r"[a-z0-9]+")


def words_of(text: str) -> list[str]:
    """Words of a text in lower case: runs of the letters a to z and of digits."""
    return _WORD.findall(text.lower())


def vocabulary_of(captions: Iterable[str]) -> str:
    """All words of some captions, sorted, as one text with a space between them."""
    return " ".join(sorted({word for caption in captions for word in words_of(caption)}))


class Captions(nn.Module):
    """A learned vector for every word; a caption is the sum of its words' vectors over the square root of their number.

    Parameters
    ----------
    vocabulary : str
        The known words, a space between them.
    width : int
        Length of a vector.
    """

    def __init__(self, vocabulary: str, width: int) -> None:
        super().__init__()
        self.words = {word: i for i, word in enumerate(vocabulary.split())}
        #: The last row stands for "no caption".
        self.table = nn.Parameter(torch.randn(len(self.words) + 1, width) * 0.5)

    def bags(self, prompts: Sequence[str]) -> Tensor:
        """Weights (N, words + 1) float32 of every word in every prompt; an empty prompt is "no caption".

        Unknown words beside known ones do not count. UsageError for a text without any known word.
        """
        bags = np.zeros((len(prompts), len(self.words) + 1), np.float32)
        for row, prompt in zip(bags, prompts, strict=True):
            known = [self.words[word] for word in words_of(prompt) if word in self.words]
            if prompt.strip() and not known:
                raise UsageError(
                    f"prompt '{prompt[:60]}': this model knows none of its words, only {len(self.words)} others; "
                    f"for example {', '.join(list(self.words)[:3])}."
                )
            for word in known:
                row[word] += 1 / np.sqrt(len(known))
            row[-1] = not known
        return torch.from_numpy(bags)

    def forward(self, bags: Tensor) -> Tensor:
        """Bags (N, words + 1) -> vectors (N, width)."""
        return bags @ self.table

    def without(self, bags: Tensor) -> Tensor:
        """As many bags of "no caption"."""
        nothing = torch.zeros_like(bags)
        nothing[:, -1] = 1
        return nothing


class TextGenerator(Generator):
    """A family that draws one picture for each prompt; z is standard normal, drawn on the CPU from the image's seed.

    A subclass sets ``captions``. Images leave :meth:`forward` in [-1, 1].
    """

    text_conditioned: ClassVar[bool] = True
    captions: Captions

    @abstractmethod
    def sample(
        self,
        seeds: Sequence[int],
        class_labels: Sequence[int] | None = None,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        *,
        prompts: Sequence[str] | None = None,
    ) -> np.ndarray:
        """uint8 (N, S, S, 3), one prompt an image (None: no captions), each a function of its seed and prompt alone."""

    def latents(self, seeds: Sequence[int]) -> np.ndarray:
        """(N, z_dim) float64, row i the float32 draws of ``torch.Generator("cpu")`` seeded with ``seeds[i]``."""
        draws = [torch.randn(self.z_dim, generator=image_generator(seed)) for seed in seeds]
        return torch.stack(draws).double().numpy()

    def noise(self, seeds: Sequence[int]) -> Tensor:
        """:meth:`latents` as float32 on the network's device."""
        return torch.from_numpy(self.latents(seeds)).float().to(self.captions.table.device)

    def bags(self, prompts: Sequence[str] | None, count: int) -> Tensor:
        """Bags of ``count`` prompts on the network's device; None is no caption for all. UsageError if too few."""
        prompts = [""] * count if prompts is None else prompts
        if len(prompts) != count:
            raise UsageError(f"{count} images need {count} prompts, not {len(prompts)}.")
        return self.captions.bags(prompts).to(self.captions.table.device)

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """``(x / 2 + 0.5)`` clamped to 0..1, times 255, rounded (ties to even)."""
        pixels = np.clip(np.asarray(images, np.float32) / 2 + np.float32(0.5), 0, 1) * 255
        return np.ascontiguousarray(pixels.round().astype(np.uint8).transpose(0, 2, 3, 1))
