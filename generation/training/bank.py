"""The training crops, on the device that trains."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .hardware import Hardware


class Bank:
    """uint8 crops (N, S, S, 3) that give float batches.

    On a GPU the whole bank lies in its memory, so that a batch costs no transfer; on a CPU it stays where it is, which
    may be a memory-mapped file.
    """

    def __init__(self, pixels: np.ndarray, hardware: Hardware) -> None:
        self.channels_last = hardware.channels_last
        self.pixels = torch.from_numpy(pixels).to(hardware.device)
        self.size = pixels.shape[1]

    def __len__(self) -> int:
        return len(self.pixels)

    def images(self, rows: np.ndarray) -> Tensor:
        """float32 (len(rows), 3, S, S) in [-1, 1] of the crops ``rows``."""
        return _scaled(self.pixels[torch.from_numpy(rows).to(self.pixels.device)], self.channels_last)

    def batches(self, size: int = 64) -> list[np.ndarray]:
        """All rows in order, ``size`` at a time."""
        return np.array_split(np.arange(len(self)), range(size, len(self), size))


def to_tensor(pixels: np.ndarray) -> Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in [-1, 1], on the CPU."""
    return _scaled(torch.from_numpy(np.ascontiguousarray(pixels)), channels_last=False)


def _scaled(pixels: Tensor, channels_last: bool) -> Tensor:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return pixels.permute(0, 3, 1, 2).contiguous(memory_format=layout).float().div_(127.5).sub_(1)
