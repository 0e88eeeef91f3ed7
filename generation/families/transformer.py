"""The transformer of the small text-to-image families: patches of a noisy picture in, patches of a prediction out.

Peebles & Xie, "Scalable Diffusion Models with Transformers" (ICCV 2023), with the modulation shared between blocks up
to a learned table (Chen et al., "PixArt-alpha", ICLR 2024).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head attention.

    Written out: the fused kernel's bfloat16 backward takes half of a training step on a CPU at these lengths.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (N, T, W) -> queries, keys and values (N, heads, T, W / heads)."""
        n, t, w = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        return q * (w // self.heads) ** -0.5, k, v

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """Values (N, T, W) that the queries see; ``mask`` (T, S) is added to the logits."""
        logits = q @ k.transpose(-2, -1)
        logits = logits if mask is None else logits + mask
        mixed = logits.softmax(-1) @ v
        return self.out(mixed.transpose(1, 2).flatten(2))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.attend(*self.project(x), mask)


def feed_forward(width: int, ratio: int) -> nn.Sequential:
    """Two layers with ``ratio`` times the width between them."""
    return nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width))


class Block(nn.Module):
    """Attention and feed-forward, both scaled, shifted and gated by what the whole picture is told (N, 6, W)."""

    def __init__(self, width: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = Attention(width, heads)
        self.mlp = feed_forward(width, ratio)
        #: Scale, shift and gate of either half.
        self.table = nn.Parameter(torch.tensor([0.0, 0.0, 0.5] * 2)[:, None].repeat(1, width))

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        a, b, c, d, e, f = (modulation + self.table)[:, :, None].unbind(1)
        x = x + c * self.attention(self.norm1(x) * (1 + a) + b)
        return x + f * self.mlp(self.norm2(x) * (1 + d) + e)


class TimeEmbedding(nn.Module):
    """Times (N,) in [0, 1] to vectors (N, width)."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        frequencies = torch.exp(torch.linspace(0.0, math.log(1000.0), width // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.layers = nn.Sequential(nn.Linear(2 * (width // 2), width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, time: Tensor) -> Tensor:
        angles = time[:, None] * self.frequencies
        return self.layers(torch.cat([angles.sin(), angles.cos()], 1))


class Sketch(nn.Module):
    """A rough plan of a picture from its caption, through ``rank`` numbers: (N, W) -> (N, places, outputs).

    What a block's modulation tells all places alike, a sketch tells each place by itself, so that a network need not
    first learn to draw shapes from nothing but positions. Starts at zero.
    """

    def __init__(self, width: int, places: int, outputs: int, rank: int = 16) -> None:
        super().__init__()
        self.plan = nn.Linear(width, places * rank, bias=False)
        self.draw = nn.Linear(rank, outputs, bias=False)
        self.places = places
        nn.init.zeros_(self.draw.weight)

    def forward(self, condition: Tensor) -> Tensor:
        return self.draw(self.plan(condition).unflatten(1, (self.places, -1)))


class PatchTransformer(nn.Module):
    """Maps (N, C, H, W) at times (N,) under conditions (N, width) to maps of the same shape.

    Parameters
    ----------
    channels, side : int
        Of the square maps.
    patch : int
        Side of a patch; a patch is a token.
    width, depth, heads, ratio : int
        Of the transformer; ``ratio`` widens the feed-forward layers.
    """

    def __init__(
        self, channels: int, side: int, patch: int, width: int, depth: int, heads: int = 4, ratio: int = 3
    ) -> None:
        super().__init__()
        self.patch, self.grid = patch, side // patch
        numbers = channels * patch * patch
        self.enter = nn.Linear(numbers, width)
        self.places = nn.Parameter(torch.randn(1, self.grid**2, width) * 0.1)
        self.sketch = Sketch(width, self.grid**2, width)
        self.time = TimeEmbedding(width)
        modulate = nn.Linear(width, 6 * width)
        self.modulation = nn.Sequential(nn.SiLU(), modulate)
        self.blocks = nn.ModuleList(Block(width, heads, ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.last = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, numbers)
        for layer in (modulate, self.last, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        told = self.time(time) + condition
        modulation = self.modulation(told).unflatten(1, (6, -1))
        h = self.enter(F.pixel_unshuffle(x, self.patch).flatten(2).transpose(1, 2)) + self.places
        h = h + self.sketch(condition)
        for block in self.blocks:
            h = block(h, modulation)
        scale, shift = self.last(F.silu(told))[:, None].chunk(2, -1)
        patches = self.leave(self.norm(h) * (1 + scale) + shift).transpose(1, 2)
        return F.pixel_shuffle(patches.unflatten(2, (self.grid, self.grid)), self.patch)
