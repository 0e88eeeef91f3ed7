"""A finished picture photographed once more: what a camera leaves in it, with the content unchanged."""

from __future__ import annotations

import functools

import numpy as np
from scipy.ndimage import gaussian_filter

from ..pixels import decode_frame
from .develop import MARGIN, shoot
from .virtual import VirtualCamera, virtual_cameras

CAMERAS = 24
_SEED = 2
_LENS_BLUR = 0.6
"""Deviation in pixels: a picture that is sharp to the last pixel would alias on the filter array as no lens lets it."""


@functools.cache
def retaking_cameras() -> tuple[VirtualCamera, ...]:
    """The cameras that take pictures again; always the same ones."""
    return tuple(virtual_cameras(CAMERAS, _SEED))


def retake(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One picture through one of the virtual cameras, its JPEG included.

    Parameters
    ----------
    picture : np.ndarray
        uint8 (H, W, 3), sRGB.
    rng : np.random.Generator
        Draws camera, sensitivity, exposure and noise.

    Returns
    -------
    np.ndarray
        uint8 (H, W, 3).
    """
    cameras = retaking_cameras()
    camera = cameras[int(rng.integers(len(cameras)))]
    values = np.pad(picture, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="symmetric").astype(np.float32) / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    light = gaussian_filter(light, (_LENS_BLUR, _LENS_BLUR, 0))
    return decode_frame(shoot(camera, light, rng))
