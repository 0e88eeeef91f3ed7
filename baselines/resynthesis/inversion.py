"""Resynthesis without a caption: the picture itself is sought in what a generator can make.

In a GAN by gradient descent on a latent code (Abdal et al., "Image2StyleGAN", ICCV 2019), from the best of many random
pictures; in an autoencoder by encoding and decoding. A method sees a crop and does not know where in the generator's
picture it lay: GANs are compared with it at every place, again every few steps; an autoencoder gets it mirrored out to
its own size at several places, of which the best counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...generation.families import Generator, family_class
from ...generation.networks import kept_rows, repeatable_kernels
from .candidates import Candidate, refuse_silent
from .made import Made
from .way import Comparison, Shown, Way

NEED = "can neither be inverted nor encode pictures: via=inversion asks every source for the image. Use via=reference."
SPACES = ("z", "w", "w+")
SCALES = (1, 2, 4)
"""The loss is the mean squared difference, summed over the picture itself and its means over 2 and over 4 pixels."""

LOOK_AGAIN = 5
"""After so many steps the place of the crop is looked for again."""

_START_SIDE = 12
"""Starts are chosen on pictures whose crop has about this side."""

_WARM_UP = 4
_BATCH = 32
_PLACES = (-2, -1, 0, 1)
"""Where an autoencoder gets the crop, along each axis, in pixels off the centre."""


@dataclass(frozen=True)
class Search:
    """How long a latent code is sought.

    Parameters
    ----------
    space : str
        The widest latent space to use of those that a family has.
    pool : int
        Random pictures among which the starts are chosen.
    starts : int
        How many of them are followed for each image; the best end counts.
    steps : int
        Of Adam.
    rate : float
        Its learning rate, in standard deviations of the codes of random pictures.
    """

    space: str
    pool: int
    starts: int
    steps: int
    rate: float


class Inversion(Way):
    """The pictures of every source that are most like the image itself.

    Parameters
    ----------
    candidates : sequence of Candidate
        The sources. UsageError if one can neither be inverted nor autoencodes.
    comparison : Comparison
        By what pictures are compared.
    search : Search
        How long to search.
    seed : int
        Of the random pictures that the search starts from.
    device : torch.device
        Where the networks run.
    """

    name = "inversion"

    def __init__(
        self,
        candidates: Sequence[Candidate],
        comparison: Comparison,
        search: Search,
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__([one.name for one in candidates], [one.class_index for one in candidates], comparison)
        refuse_silent(candidates, [can_invert(one) for one in candidates], NEED)
        self.candidates, self.search, self.seed, self.device = tuple(candidates), search, seed, device
        self._started: tuple[str, _Start] | None = None

    def show(self, number: int, images: np.ndarray, texts: Sequence[str]) -> Shown:
        candidate, size = self.candidates[number], images.shape[1]

        def make(positions: np.ndarray) -> np.ndarray:
            network = candidate.network(self.device)
            rows = kept_rows(candidate.source, network.resolution)
            candidate.check_size(size, min(rows.stop - rows.start, network.resolution))
            crops = torch.from_numpy(np.ascontiguousarray(images[positions])).to(self.device)
            target = crops.permute(0, 3, 1, 2) / 127.5 - 1
            with repeatable_kernels():
                if network.autoencodes:
                    found = _autoencoded(network, target, rows)
                else:
                    found = self._start(candidate, network, size, rows).sought(target)
            return network.to_uint8(found.cpu().numpy())

        recipe: dict[str, Any] = {"seed": self.seed, "search": asdict(self.search), "version": 1}
        pictures, seconds = Made(candidate, self.name, recipe, size).pictures(images, make, _BATCH)
        return Shown(pictures[:, None], seconds)

    def _start(self, candidate: Candidate, network: Generator, size: int, rows: slice) -> _Start:
        """The random pictures of a source; the last ones are kept."""
        if self._started is None or self._started[0] != candidate.name:
            start = _Start.of(network, candidate, self.search, self.seed, size, rows, self.device)
            self._started = candidate.name, start
        return self._started[1]


def can_invert(candidate: Candidate) -> bool:
    """Whether a source can be asked to show a given picture."""
    family = candidate.source.family
    cls = type(candidate.network(torch.device("cpu"))) if family is None else family_class(family)
    return bool(cls.latent_spaces) or cls.autoencodes


def _autoencoded(network: Any, target: Tensor, rows: slice) -> Tensor:
    """Crops (N, 3, S, S) through a family's autoencoder, at the place where they change least."""
    size, side = target.shape[2], network.resolution
    free_y, free_x = rows.stop - rows.start - size, side - size
    best, found = torch.full((len(target),), torch.inf, device=target.device), torch.zeros_like(target)
    mode = "reflect" if max(side, rows.stop) - size < size else "replicate"
    places = {(y, x) for y in _around(free_y) for x in _around(free_x)}
    for y, x in sorted(places):
        top = rows.start + y
        with torch.no_grad():
            whole = F.pad(target, (x, free_x - x, top, side - top - size), mode=mode)
            again = network.decode(network.encode(whole)).float()[:, :, top : top + size, x : x + size]
        error = (again - target).square().mean((1, 2, 3))
        better = error < best
        best, found = torch.where(better, error, best), torch.where(better[:, None, None, None], again, found)
    return found


def _around(free: int) -> list[int]:
    """Places of a crop along an axis with so many pixels to spare."""
    return [min(max(free // 2 + step, 0), free) for step in _PLACES]


@dataclass(frozen=True)
class _Start:
    """Random pictures of a GAN, from which every search begins.

    render: codes (N, ...) -> pictures (N, 3, H, W). codes: of the random pictures. small: these, reduced by ``factor``.
    """

    render: Callable[[Tensor], Tensor]
    codes: Tensor
    small: Tensor
    factor: int
    search: Search

    @classmethod
    def of(
        cls,
        network: Generator,
        candidate: Candidate,
        search: Search,
        seed: int,
        size: int,
        rows: slice,
        device: torch.device,
    ) -> _Start:
        widest = SPACES.index(search.space)
        space = [name for name in network.latent_spaces if SPACES.index(name) <= widest][-1]
        noise_mode = candidate.source.sampling.get("noise_mode", "const")

        def render(codes: Tensor) -> Tensor:
            # One noise for all: what is found must not depend on the other images of a batch.
            pictures = network.from_space(codes, space, noise_mode=noise_mode, seeds=[seed] * len(codes))
            return pictures.float()[:, :, rows]

        numbers = np.random.default_rng([seed, 0x1A7]).integers(2**62, size=search.pool)
        factor = max(1, size // _START_SIDE)
        codes, small = [], []
        with torch.no_grad():
            for at in range(0, search.pool, _BATCH):
                z = torch.from_numpy(network.latents([int(n) for n in numbers[at : at + _BATCH]])).float().to(device)
                codes.append(network.to_space(z, space))
                small.append(F.avg_pool2d(render(codes[-1]), factor))
        return cls(render, torch.cat(codes), torch.cat(small), factor, search)

    def sought(self, target: Tensor) -> Tensor:
        """The crops (N, 3, S, S) of pictures that are most like some crops."""
        count, starts = len(target), min(self.search.starts, len(self.codes))
        chosen = self._nearest(target, starts)
        targets = target.repeat_interleave(starts, 0)
        codes = self.codes[chosen.flatten()].clone().requires_grad_(True)
        found = self._followed(codes, targets)
        errors = _difference(found, targets).view(count, starts)
        rows = torch.arange(count, device=target.device) * starts + errors.argmin(1)
        return found[rows]

    def _nearest(self, target: Tensor, starts: int) -> Tensor:
        """Numbers (N, starts) of the random pictures that are most like the crops, wherever these may lie."""
        crops = F.avg_pool2d(target, self.factor)
        costs = _costs(self.small, crops[None].expand(len(self.small), -1, -1, -1, -1))
        return costs.amin((2, 3)).topk(starts, dim=0, largest=False).indices.T

    def _followed(self, codes: Tensor, targets: Tensor) -> Tensor:
        steps, rate = self.search.steps, self.search.rate * float(self.codes.std())
        adam = torch.optim.Adam([codes], lr=rate, betas=(0.9, 0.99))
        corners = torch.zeros(len(codes), 2, dtype=torch.long)
        with torch.enable_grad():
            for step in range(steps):
                adam.param_groups[0]["lr"] = rate * min(1, (step + 1) / _WARM_UP) * (1 - step / steps)
                pictures = self.render(codes)
                if step % LOOK_AGAIN == 0:
                    corners = _best_corners(pictures.detach(), targets)
                # A sum: every image's code moves as if it were alone.
                loss = _difference(_cut(pictures, corners, targets.shape[2]), targets).sum()
                (codes.grad,) = torch.autograd.grad(loss, codes)
                adam.step()
        with torch.no_grad():
            pictures = self.render(codes)
            return _cut(pictures, _best_corners(pictures, targets), targets.shape[2])


def _difference(a: Tensor, b: Tensor) -> Tensor:
    """The loss (N,) of :data:`SCALES` between pictures (N, 3, S, S)."""
    parts = [(F.avg_pool2d(a, k) - F.avg_pool2d(b, k)).square().mean((1, 2, 3)) for k in SCALES if k <= a.shape[2]]
    return torch.stack(parts).sum(0)


def _costs(pictures: Tensor, crops: Tensor) -> Tensor:
    """Sums of squared differences (M, N, Y, X) of pictures (M, 3, H, W) and crops (M, N, 3, S, S) at every place.

    By the Fourier transform: crops may be large.
    """
    (height, width), size = pictures.shape[2:], crops.shape[3]
    across, down = width - size + 1, height - size + 1
    spectrum = torch.fft.rfft2(pictures)[:, None] * torch.fft.rfft2(crops, s=(height, width)).conj()
    products = torch.fft.irfft2(spectrum, s=(height, width)).sum(2)[..., :down, :across]
    energy = F.avg_pool2d(pictures.square().sum(1, keepdim=True), size, 1) * size**2
    return energy - 2 * products + crops.square().sum((2, 3, 4))[..., None, None]


def _best_corners(pictures: Tensor, targets: Tensor) -> Tensor:
    """Top and left (N, 2) of the places at which pictures are most like their crops."""
    costs = _costs(pictures, targets[:, None])[:, 0]
    at = costs.flatten(1).argmin(1).cpu()
    return torch.stack([at // costs.shape[2], at % costs.shape[2]], dim=1)


def _cut(pictures: Tensor, corners: Tensor, size: int) -> Tensor:
    cuts = [p[:, y : y + size, x : x + size] for p, (y, x) in zip(pictures, corners.tolist(), strict=True)]
    return torch.stack(cuts)
