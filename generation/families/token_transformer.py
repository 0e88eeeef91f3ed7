"""Tokens in order: an autoencoder with finite scalar quantisation, and a transformer that draws its codes one by one.

Mentzer et al., "Finite Scalar Quantization: VQ-VAE Made Simple" (ICLR 2024); Esser et al., "Taming Transformers for
High-Resolution Image Synthesis" (CVPR 2021); Ramesh et al., "Zero-Shot Text-to-Image Generation" (ICML 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...core.errors import UsageError
from .autoencoder import Autoencoder, Levels
from .base import NoiseMode, register_family
from .captions import Captions, TextGenerator
from .noise import image_generator
from .transformer import Attention, Sketch, feed_forward

Cache = list[tuple[Tensor, Tensor]]


class CausalBlock(nn.Module):
    """Attention to what came before, and feed-forward."""

    def __init__(self, width: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = feed_forward(width, ratio)

    def forward(self, x: Tensor, mask: Tensor | None, before: tuple[Tensor, Tensor] | None = None) -> Any:
        """Tokens (N, T, W) -> the same, and their keys and values joined to those ``before``."""
        q, k, v = self.attention.project(self.norm1(x))
        if before is not None:
            k, v = torch.cat([before[0], k], 2), torch.cat([before[1], v], 2)
        x = x + self.attention.attend(q, k, v, mask)
        return x + self.mlp(self.norm2(x)), (k, v)


class Draughtsman(nn.Module):
    """A causal transformer over positions that hold two sub-tokens each; the second is drawn after the first.

    Parameters
    ----------
    numbers, levels : int
        Of a position: ``numbers`` (even), each at one of ``levels`` levels; a sub-token is half of them.
    length : int
        Positions of a picture.
    width, depth, heads, ratio : int
        Of the transformer.
    """

    def __init__(
        self, numbers: int, levels: int, length: int, width: int, depth: int, heads: int = 4, ratio: int = 3
    ) -> None:
        super().__init__()
        self.digits, self.levels = numbers // 2, levels
        tokens = levels**self.digits
        self.enter = nn.Linear(numbers, width)
        self.places = nn.Parameter(torch.randn(1, length, width) * 0.1)
        self.sketch = Sketch(width, length, width)
        self.blocks = nn.ModuleList(CausalBlock(width, heads, ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, tokens)
        self.told = nn.Linear(self.digits, width)
        self.second = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, tokens))

    def values(self, tokens: Tensor) -> Tensor:
        """Sub-tokens (..., 2) int64 to the numbers (..., 2 * digits) in [-1, 1] that they stand for."""
        powers = self.levels ** torch.arange(self.digits, device=tokens.device)
        digits = tokens[..., None] // powers - self.levels * (tokens[..., None] // (powers * self.levels))
        return (digits.flatten(-2).to(self.places.dtype) / (self.levels // 2)) - 1

    def tokens(self, values: Tensor) -> Tensor:
        """The inverse of :meth:`values`."""
        powers = self.levels ** torch.arange(self.digits, device=values.device)
        digits = ((values + 1) * (self.levels // 2)).round().long()
        return (digits.unflatten(-1, (2, self.digits)) * powers).sum(-1)

    def second_logits(self, hidden: Tensor, first: Tensor) -> Tensor:
        """Logits (..., V) of second sub-tokens, from the hidden state (..., W) and the first sub-tokens (...)."""
        told = self.values(torch.stack([first, first], -1))[..., : self.digits]
        return self.second(hidden + self.told(told))

    def forward(self, values: Tensor, condition: Tensor) -> Tensor:
        """Numbers (N, T, 2 * digits) and conditions (N, W) -> hidden states (N, T, W), each before its own position."""
        inputs = torch.cat([condition[:, None], self.enter(values[:, :-1])], 1)
        x = inputs + self.places + self.sketch(condition)
        length = x.shape[1]
        mask = torch.full((length, length), -torch.inf, device=x.device).triu(1)
        for block in self.blocks:
            x, _ = block(x, mask)
        return self.norm(x)

    def step(self, position: int, token: Tensor, sketch: Tensor, cache: Cache) -> Tensor:
        """Hidden state (N, W) of one position from its input (N, W) and the sketch (N, T, W); the cache grows."""
        x = (token + self.places[:, position] + sketch[:, position])[:, None]
        for i, block in enumerate(self.blocks):
            x, kept = block(x, None, cache[i] if position else None)
            cache[i : i + 1] = [kept]
        return self.norm(x)[:, 0]


@register_family("token_transformer")
class TokenTransformer(TextGenerator):
    """Quantised codes of a picture, drawn row by row.

    ``z_dim`` is 0: the only randomness are the tokens, drawn on the CPU from one generator per image, seeded with the
    image's seed.

    Parameters
    ----------
    resolution : int
        Side of the pictures.
    vocabulary : str
        Known words, a space between them.
    autoencoder : dict
        Keywords of :class:`.autoencoder.Autoencoder`; ``latent`` is even.
    levels : int
        Of every number of a code, odd.
    transformer : dict
        ``width``, ``depth``, ``heads``, ``ratio`` of :class:`Draughtsman`.
    guidance, temperature : float
        Of the sampling, unless the caller says otherwise.
    """

    autoencodes: ClassVar[bool] = True

    def __init__(
        self,
        resolution: int,
        vocabulary: str,
        autoencoder: Mapping[str, Any],
        levels: int,
        transformer: Mapping[str, Any],
        guidance: float = 1.5,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.config = {
            "resolution": resolution,
            "vocabulary": vocabulary,
            "autoencoder": dict(autoencoder),
            "levels": levels,
            "transformer": dict(transformer),
            "guidance": guidance,
            "temperature": temperature,
        }
        self.resolution, self.z_dim, self.c_dim = resolution, 0, 0
        self.guidance, self.temperature = guidance, temperature
        self.side = resolution >> (len(autoencoder["channels"]) - 1)
        self.captions = Captions(vocabulary, int(transformer["width"]))
        self.autoencoder = Autoencoder(**autoencoder)
        self.quantise = Levels(levels)
        self.network = Draughtsman(int(autoencoder["latent"]), levels, self.side**2, **transformer)

    def latents(self, seeds: Sequence[int]) -> np.ndarray:
        """(N, 0): tokens are drawn from the seeds themselves."""
        return np.zeros((len(seeds), 0))

    def learned(self) -> nn.ModuleList:
        """What :meth:`loss` trains."""
        return nn.ModuleList([self.captions, self.network])

    def reconstruct(self, images: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) through the autoencoder, quantised, and back."""
        return self.autoencoder.decoder(self.quantise(self.autoencoder.encoder(images)))

    def encode(self, images: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) to sub-tokens (N, side * side, 2) int64."""
        values = self.quantise(self.autoencoder.encoder(images)).flatten(2).transpose(1, 2)
        return self.network.tokens(values)

    def decode(self, codes: Tensor) -> Tensor:
        """Sub-tokens (N, side * side, 2) to pictures."""
        values = self.network.values(codes).transpose(1, 2).unflatten(2, (self.side, self.side))
        return self.autoencoder.decoder(values)

    def standardise(self, codes: Tensor) -> Tensor:
        """Sub-tokens as they are."""
        return codes

    def loss(self, codes: Tensor, bags: Tensor) -> Tensor:
        """Mean cross-entropy in nats of a sub-token, every one given those before it."""
        hidden = self.network(self.network.values(codes), self.captions(bags))
        first, second = codes.unbind(-1)
        logits = torch.stack([self.network.first(hidden), self.network.second_logits(hidden, first)])
        return F.cross_entropy(logits.float().flatten(0, 2), torch.stack([first, second]).flatten())

    def draw_tokens(self, seeds: Sequence[int], bags: Tensor, guidance: float, temperature: float) -> Tensor:
        """Sub-tokens (N, side * side, 2); row i is drawn from ``seeds[i]`` alone."""
        generators = [image_generator(seed) for seed in seeds]
        guided = guidance != 1
        condition = self.captions(torch.cat([bags, self.captions.without(bags)]) if guided else bags)

        def drawn(logits: Tensor) -> Tensor:
            if guided:
                told, untold = logits.chunk(2)
                logits = untold + guidance * (told - untold)
            chances = (logits.float() / temperature).softmax(-1).cpu()
            rows = [torch.multinomial(p, 1, generator=g) for p, g in zip(chances, generators, strict=True)]
            return torch.cat(rows).to(bags.device)

        def for_both(x: Tensor) -> Tensor:
            return torch.cat([x, x]) if guided else x

        network, token, cache = self.network, condition, []
        sketch = network.sketch(condition)
        positions = []
        for position in range(self.side**2):
            hidden = network.step(position, token, sketch, cache)
            first = drawn(network.first(hidden))
            second = drawn(network.second_logits(hidden, for_both(first)))
            positions.append(torch.stack([first, second], -1))
            token = network.enter(network.values(for_both(positions[-1])))
        return torch.stack(positions, 1)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
        prompts: Sequence[str] | None = None,
        guidance: float | None = None,
        temperature: float | None = None,
    ) -> Tensor:
        """Images (N, 3, S, S) for N seeds and prompts (None: no captions); z (N, 0) is ignored.

        ``guidance`` and ``temperature`` are the config's unless given.
        """
        if seeds is None:
            raise UsageError("a token transformer draws its tokens from seeds: give one seed for every image.")
        guidance = self.guidance if guidance is None else guidance
        temperature = self.temperature if temperature is None else temperature
        return self.decode(self.draw_tokens(seeds, self.bags(prompts, len(seeds)), guidance, temperature))

    @torch.no_grad()
    def sample(
        self,
        seeds: Sequence[int],
        class_labels: Sequence[int] | None = None,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        *,
        prompts: Sequence[str] | None = None,
        guidance: float | None = None,
        temperature: float | None = None,
    ) -> np.ndarray:
        """uint8 (N, S, S, 3), one prompt an image."""
        z = torch.zeros(len(seeds), 0)
        images = self.eval()(z, seeds=seeds, prompts=prompts, guidance=guidance, temperature=temperature)
        return self.to_uint8(images.float().cpu().numpy())
