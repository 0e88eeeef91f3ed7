"""From image sets to network inputs, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ..benchmark.images import ImageSet

Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class Inputs:
    """The network inputs of an image set; ``convert`` turns uint8 (B, S, S, 3) into a tensor on the device.

    In training epochs alone, ``flip`` mirrors half of the images and ``augment`` then changes uint8 (B, S, S, 3), with
    the epoch's generator, into what ``convert`` gets; neither may write to the images it is given.
    """

    def __init__(
        self,
        images: ImageSet,
        convert: Callable[[np.ndarray], Tensor],
        *,
        flip: bool = False,
        augment: Augment | None = None,
    ) -> None:
        self.images, self.convert, self.flip, self.augment = images, convert, flip, augment

    def epoch(self, batch_size: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """One shuffled epoch of (inputs, labels); every class under-sampled to the smallest, drawn anew each time."""
        batch_size = self._fitting(batch_size)
        for pixels, labels, positions in self.images.batches(batch_size, rng=rng, balanced=True, drop_last=True):
            if self.flip:
                pixels = pixels.copy()
                mirrored = rng.random(len(pixels)) < 0.5
                pixels[mirrored] = pixels[mirrored, :, ::-1]
            if self.augment is not None:
                pixels = self.augment(pixels, rng)
            x = self._tensor(pixels, positions)
            yield x, torch.from_numpy(labels).to(x.device)

    def batch_count(self, batch_size: int) -> int:
        """How many batches :meth:`epoch` yields."""
        return self.images.batch_count(self._fitting(batch_size), balanced=True, drop_last=True)

    def in_order(self, batch_size: int) -> Iterator[Tensor]:
        """The inputs of all images in the order of the set."""
        for pixels, _, positions in self.images.batches(batch_size):
            yield self._tensor(pixels, positions)

    def _tensor(self, pixels: np.ndarray, positions: np.ndarray) -> Tensor:
        return self.convert(pixels)

    def _fitting(self, batch_size: int) -> int:
        # Batch normalisation cannot train on a left-over batch of one image, so the last batch is dropped; a set
        # smaller than one batch is one batch.
        return max(1, min(batch_size, self.images.batch_count(1, balanced=True)))


class StoredInputs(Inputs):
    """Inputs that were computed once: float32 (N, ...) in the order of the set, usually a memory map."""

    def __init__(self, images: ImageSet, values: np.ndarray, device: torch.device) -> None:
        super().__init__(images, convert=lambda pixels: torch.empty(0))
        self.values, self.device = values, device

    def _tensor(self, pixels: np.ndarray, positions: np.ndarray) -> Tensor:
        return torch.from_numpy(self.values[positions]).to(self.device)
