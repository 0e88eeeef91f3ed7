"""Common corruptions of images, in the spirit of ImageNet-C (Hendrycks and Dietterich, ICLR 2019), for augmentation.

Thirteen of its fifteen kinds: snow and frost are left out, the latter because it pastes photographs of ice. All are our
own small versions in NumPy, SciPy and Pillow with strengths of their own, so robustness numbers of the original
benchmark cannot be compared with these. Every corruption takes uint8 (S, S, 3) and a severity from 1 (hardly visible)
to 5 (severe), and draws from the generator it is given.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

SEVERITIES = (1, 2, 3, 4, 5)

Corruption = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def corrupt(image: np.ndarray, name: str, severity: int, rng: np.random.Generator) -> np.ndarray:
    """``image`` uint8 (S, S, 3) under one corruption, as uint8 of the same shape."""
    return np.rint(CORRUPTIONS[name](image, severity, rng)).clip(0, 255).astype(np.uint8)


def corrupt_at_random(images: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """A copy of uint8 (B, S, S, 3) in which each image, with probability ``rate``, is corrupted.

    Kind and severity are drawn uniformly for every image.
    """
    names = list(CORRUPTIONS)
    out = images.copy()
    for i in np.flatnonzero(rng.random(len(images)) < rate):
        out[i] = corrupt(images[i], names[rng.integers(len(names))], int(rng.choice(SEVERITIES)), rng)
    return out


def _level(severity: int, *levels: float) -> float:
    return levels[severity - 1]


# -- noise -------------------------------------------------------------------------------------------------------------


def _gaussian_noise(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    return image + rng.normal(0.0, _level(severity, 6, 12, 20, 32, 48), image.shape)


def _shot_noise(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Poisson noise of a sensor that collects this many photons at full white."""
    photons = _level(severity, 500, 160, 60, 25, 12)
    return rng.poisson(image * (photons / 255.0)) * (255.0 / photons)


def _impulse_noise(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    hit = rng.random(image.shape) < _level(severity, 0.01, 0.03, 0.06, 0.12, 0.2)
    return np.where(hit, 255 * rng.integers(0, 2, image.shape), image)


# -- blur --------------------------------------------------------------------------------------------------------------


def _defocus_blur(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """A disc whose rim is anti-aliased."""
    radius = _level(severity, 0.8, 1.2, 1.7, 2.5, 3.5)
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return _filtered(image, (radius + 0.5 - np.hypot(y, x)).clip(0, 1))


def _motion_blur(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """A straight line of random direction, one pixel wide."""
    half = _level(severity, 1.0, 1.75, 2.5, 4.0, 6.0)
    angle = rng.uniform(0.0, np.pi)
    reach = int(np.ceil(half))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    return _filtered(image, (half + 0.5 - np.abs(along)).clip(0, 1) * (1.0 - np.abs(across)).clip(0, 1))


def _glass_blur(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """A share of the pixels is taken from random places nearby, as seen through frosted glass."""
    size, reach = image.shape[0], int(_level(severity, 1, 1, 2, 2, 3))
    moved = rng.random((size, size)) < _level(severity, 0.15, 0.4, 0.6, 0.85, 1.0)
    places = np.mgrid[:size, :size] + moved * rng.integers(-reach, reach + 1, (2, size, size))
    y, x = places.clip(0, size - 1)
    return image[y, x]


def _zoom_blur(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """The mean of the image and of seven views zoomed into its middle."""
    size, picture = image.shape[0], Image.fromarray(image)
    views = [image.astype(np.float32)]
    for zoom in np.linspace(1.0, _level(severity, 1.06, 1.1, 1.16, 1.22, 1.3), 8)[1:]:
        margin = size * (1.0 - 1.0 / zoom) / 2
        box = (margin, margin, size - margin, size - margin)
        views.append(np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR, box=box), np.float32))
    return np.mean(views, axis=0)


# -- weather and light -------------------------------------------------------------------------------------------------


def _fog(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """White light scattered by a cloud: smooth noise at four scales, blended over the image."""
    size = image.shape[0]
    cloud = np.zeros((size, size), np.float32)
    for octave in range(1, 5):
        side = min(size, 2**octave + 1)
        noise = Image.fromarray(rng.random((side, side), np.float32))
        cloud += np.asarray(noise.resize((size, size), Image.Resampling.BICUBIC)) / 2**octave
    thickness = _level(severity, 0.2, 0.3, 0.42, 0.55, 0.7) * (0.5 + 0.5 * cloud / cloud.max())[..., None]
    return image * (1.0 - thickness) + 235.0 * thickness


def _brightness(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    return image + _level(severity, 20, 35, 55, 75, 95)


def _contrast(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    mean = image.mean((0, 1))
    return mean + (image - mean) * _level(severity, 0.7, 0.5, 0.35, 0.22, 0.12)


# -- geometry and coding -----------------------------------------------------------------------------------------------


def _elastic(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Displaced along a smooth random field, whose standard deviation is the severity's, in pixels."""
    size, strength = image.shape[0], _level(severity, 0.4, 0.7, 1.0, 1.5, 2.2)
    field = ndimage.gaussian_filter(rng.normal(size=(2, size, size)), (0, size / 16, size / 16), mode="wrap")
    places = np.mgrid[:size, :size] + strength * field / max(float(field.std()), 1e-12)
    planes = np.moveaxis(image.astype(np.float32), -1, 0)
    return np.stack([ndimage.map_coordinates(p, places, order=1, mode="reflect") for p in planes], axis=-1)


def _pixelate(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    size = image.shape[0]
    small = max(1, round(size * _level(severity, 0.85, 0.7, 0.55, 0.4, 0.3)))
    reduced = Image.fromarray(image).resize((small, small), Image.Resampling.BOX)
    return np.asarray(reduced.resize((size, size), Image.Resampling.NEAREST))


def _jpeg(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=int(_level(severity, 80, 55, 35, 20, 10)))
    return np.asarray(Image.open(stream))


def _filtered(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Every channel correlated with a non-negative kernel of any sum; mirrored at the border."""
    return ndimage.correlate(image.astype(np.float32), (kernel / kernel.sum())[..., None], mode="reflect")


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian-noise": _gaussian_noise,
    "shot-noise": _shot_noise,
    "impulse-noise": _impulse_noise,
    "defocus-blur": _defocus_blur,
    "motion-blur": _motion_blur,
    "glass-blur": _glass_blur,
    "zoom-blur": _zoom_blur,
    "fog": _fog,
    "brightness": _brightness,
    "contrast": _contrast,
    "elastic": _elastic,
    "pixelate": _pixelate,
    "jpeg": _jpeg,
}
"""By name. Each returns float or uint8 (S, S, 3) on the scale 0..255, not yet clipped."""
