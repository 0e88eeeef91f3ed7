"""What virtual cameras photograph: linear light without traces of an earlier camera or JPEG compression.

Everything is reduced 2 to 4 times by area averaging first. Photographs lose their old mosaic, noise and block traces
that way; procedural scenes, which have none, take the same path so that both have the same sharpness.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from scipy.fft import irfft2

from ...core.errors import DatasetError
from ...core.progress import get_logger
from ...generation.folders import list_images
from ...generation.image_files import open_image

_REMEDY = " Remove it from the folder."
MARGIN = 32
"""Procedural scenes are this much larger than a shot, so that cameras do not all see the same window."""

_SRGB_TO_LINEAR = np.array(
    [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.arange(256) / 255], np.float32
)


class Scenes(Protocol):
    """Scenes for virtual cameras; a pure function of the scene's number."""

    def __len__(self) -> int: ...

    def picture(self, index: int) -> np.ndarray:
        """Linear light float32 (H, W, 3), 0..1, at least as large as the shots need."""
        ...

    def describe(self) -> dict[str, Any]:
        """What they are, for the card of the weights; changes whenever a picture does."""
        ...


@dataclass(frozen=True)
class ProceduralScenes:
    """Scenes with the statistics of natural images, from a seed alone: no photograph is needed.

    The dead-leaves model (occluding figures whose sizes follow a power law: natural edges and occlusions) over a
    gradient, each figure with its own 1/f texture, under uneven light. A 1/f spectrum alone has no edges, leaves alone
    no texture. ``size``: smallest side in pixels that a shot needs.
    """

    count: int
    size: int
    seed: int = 0

    def __len__(self) -> int:
        return self.count

    def picture(self, index: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, index])
        factor, side = int(rng.integers(2, 5)), self.size + MARGIN
        return area_average(_dead_leaves(rng, side * factor), factor)

    def describe(self) -> dict[str, Any]:
        return {"kind": "procedural (dead leaves and 1/f noise)", "count": self.count, "seed": self.seed}


@dataclass(frozen=True)
class PhotographScenes:
    """Photographs of a folder as scenes; use :func:`photograph_scenes` to make one."""

    files: tuple[Path, ...]
    size: int
    seed: int
    sha256: str

    def __len__(self) -> int:
        return len(self.files)

    def picture(self, index: int) -> np.ndarray:
        path = self.files[index]
        with open_image(path, remedy=_REMEDY) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        largest = min(4.0, min(pixels.shape[:2]) / self.size)
        factor = np.random.default_rng([self.seed, index]).uniform(2.0, largest)
        return _reduce(_SRGB_TO_LINEAR[pixels], factor)

    def describe(self) -> dict[str, Any]:
        return {"kind": "photographs", "count": len(self.files), "seed": self.seed, "sha256": self.sha256}


def photograph_scenes(folder: Path, size: int, seed: int = 0) -> PhotographScenes:
    """All photographs below ``folder`` that are still ``size`` px wide and high after halving.

    Smaller ones are left out with a line in the log. DatasetError if a file is no image or too few remain.
    """
    files, digest = [], hashlib.sha256()
    small = 0
    for path in list_images(folder):
        with open_image(path, remedy=_REMEDY) as picture:
            fits = min(picture.size) >= 2 * size
        if fits:
            files.append(path)
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        small += not fits
    if small:
        get_logger().warning("%s: %d images are smaller than %d px and left out", folder, small, 2 * size)
    if len(files) < 3:
        raise DatasetError(
            f"{folder}: {len(files)} photographs of at least {2 * size}x{2 * size} px; at least three are needed, one "
            "each for training, validation and test."
        )
    return PhotographScenes(tuple(files), size, seed, digest.hexdigest())


def split_scenes(keys: Sequence[str]) -> dict[str, str]:
    """Scene -> "train", "val" or "test", 8:1:1 and at least one each, in the order of the scenes' hashes."""
    order = sorted(set(keys), key=lambda key: hashlib.sha256(key.encode()).digest())
    tenth = max(1, round(len(order) / 10))
    names = ["val"] * tenth + ["test"] * tenth + ["train"] * max(0, len(order) - 2 * tenth)
    return dict(zip(order, names, strict=False))


def area_average(picture: np.ndarray, factor: int) -> np.ndarray:
    """Means of factor x factor blocks of (H, W, 3); H and W are multiples of ``factor``."""
    height, width = picture.shape[:2]
    return picture.reshape(height // factor, factor, width // factor, factor, 3).mean((1, 3), dtype=np.float32)


def _reduce(picture: np.ndarray, factor: float) -> np.ndarray:
    """Area averaging by a factor that need not be an integer."""
    size = (int(picture.shape[1] / factor), int(picture.shape[0] / factor))
    planes = [Image.fromarray(np.ascontiguousarray(picture[..., c])) for c in range(3)]
    return np.stack([np.asarray(plane.resize(size, Image.Resampling.BOX)) for plane in planes], axis=-1)


def _power_law_noise(rng: np.random.Generator, side: int, exponent: float, channels: int) -> np.ndarray:
    """Noise (side, side, channels) with amplitudes f ** -exponent, mean 0, standard deviation 1 per channel."""
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    f[0, 0] = np.inf
    shape = (side, side // 2 + 1, channels)
    spectrum = (rng.standard_normal(shape, np.float32) + 1j * rng.standard_normal(shape, np.float32)) * (
        f[..., None] ** -exponent
    ).astype(np.float32)
    noise = np.asarray(irfft2(spectrum, (side, side), axes=(0, 1)))
    return (noise / noise.std((0, 1))).astype(np.float32)


def _dead_leaves(rng: np.random.Generator, side: int) -> np.ndarray:
    """A scene (side, side, 3) of linear light within 0..1."""
    texture = _power_law_noise(rng, side, rng.uniform(0.8, 1.3), 3)
    texture = 0.7 * texture[..., :1] + 0.3 * texture  # textures are mostly brightness
    down = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    palette = np.exp(rng.normal(-1.6, 0.9, (5, 1))) * rng.uniform(0.5, 1.5, (5, 3))
    ends = palette[rng.integers(5, size=2)].astype(np.float32)
    canvas = np.repeat(ends[0] * (1 - down) + ends[1] * down, side, axis=1)
    canvas *= np.exp(rng.uniform(0.02, 0.15) * texture)
    for _ in range(int(rng.integers(150, 400))):
        colour = palette[rng.integers(5)] * np.exp(rng.normal(0, 0.35, 3))
        _paint_leaf(rng, canvas, texture, colour.astype(np.float32))
    light = _power_law_noise(rng, side, 2.0, 1)
    return np.clip(canvas * np.exp(0.25 * light), 0, 1)


def _paint_leaf(rng: np.random.Generator, canvas: np.ndarray, texture: np.ndarray, colour: np.ndarray) -> None:
    """Cover part of the canvas by an ellipse, a box or a stripe: radius r with density r ** -3, as in the model."""
    side = len(canvas)
    smallest, largest = side / 40, side / 2.5
    radius = smallest / np.sqrt(1 - rng.random() * (1 - (smallest / largest) ** 2))
    cy, cx = rng.uniform(0, side, 2)
    angle, flatness, kind = rng.uniform(0, np.pi), rng.uniform(0.15, 1.0), rng.integers(3)
    top, left = (max(0, int(c - 1.5 * radius)) for c in (cy, cx))
    bottom, right = (min(side, int(c + 1.5 * radius) + 1) for c in (cy, cx))
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    y, x = y - cy, x - cx
    along = (x * np.cos(angle) + y * np.sin(angle)) / radius
    across = (y * np.cos(angle) - x * np.sin(angle)) / (radius * flatness)
    if kind == 0:
        inside = along**2 + across**2 < 1
    else:
        inside = np.maximum(np.abs(along), np.abs(across)) < 0.9
    if kind == 2:
        inside &= np.sin(across * rng.uniform(4, 12)) > 0
    grain = np.exp(rng.uniform(0.0, 0.5) * texture[top:bottom, left:right][inside])
    canvas[top:bottom, left:right][inside] = colour * grain
