"""Random planes that a generator adds to its feature maps, one random stream per image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_SEED_MASK = (1 << 63) - 1


def image_generator(seed: int) -> torch.Generator:
    """The torch generator of one image, on the CPU: seeded as ``torch.manual_seed`` would, the seed cut to 63 bits."""
    return torch.Generator("cpu").manual_seed(int(seed) & _SEED_MASK)


class NoiseStream:
    """Draws standard normal planes (N, 1, H, W) in layer order.

    With ``seeds`` (length N) plane i comes from a CPU generator seeded with ``seeds[i]`` (masked to 63 bits) alone, so
    that an image never depends on its batch or its device. Without seeds the global generator of the device is used,
    which is the fast path for training.
    """

    def __init__(self, batch: int, device: torch.device, seeds: Sequence[int] | None = None) -> None:
        if seeds is not None and len(seeds) != batch:
            raise ValueError(f"{len(seeds)} seeds for {batch} images")
        self.batch = batch
        self.device = device
        self.generators = None if seeds is None else [image_generator(s) for s in seeds]

    def plane(self, height: int, width: int) -> Tensor:
        """The next plane of every image: float32 (N, 1, height, width)."""
        if self.generators is None:
            return torch.randn(self.batch, 1, height, width, device=self.device)
        planes = [torch.randn(1, 1, height, width, generator=g) for g in self.generators]
        return torch.cat(planes).to(self.device)
