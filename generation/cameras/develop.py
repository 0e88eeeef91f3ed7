"""How a virtual camera takes a picture: light -> raw -> colour image -> JPEG, in the order of a real camera."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, median_filter, uniform_filter

from .demosaic import cfa_places, demosaic, mosaic
from .jpeg_tables import encode_jpeg
from .virtual import NoiseProfile, Sensor, VirtualCamera

MARGIN = 16
"""Pixels on every side of a scene that a shot leaves out: filters behave differently at the border of an image, and
the small frames of this simulation would be mostly border. A whole number of Bayer cells and JPEG blocks."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_YCC = np.array([_LUMA, [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_RGB = np.linalg.inv(_YCC).astype(np.float32)


def shoot(camera: VirtualCamera, scene: np.ndarray, rng: np.random.Generator) -> bytes:
    """The JPEG file of one photograph.

    scene: linear light, float (H + 2 MARGIN, W + 2 MARGIN, 3), 1 = white, sRGB primaries. ``rng`` draws ISO, exposure
    (+-0.5 EV) and noise. The photograph is H x W px.
    """
    image = develop(camera, scene, rng)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    pixels = np.rint(image * 255).astype(np.uint8)
    return encode_jpeg(pixels, camera.luma_table, camera.chroma_table, camera.subsampling)


def develop(camera: VirtualCamera, scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The finished picture before JPEG: float32, the scene's shape, 0..1, tone curve applied."""
    profile = camera.sensor.noise[int(rng.integers(len(camera.sensor.noise)))]
    raw = expose(camera.sensor, scene * 2.0 ** rng.uniform(-0.5, 0.5))
    raw = add_noise(raw, camera.sensor.cfa, profile, rng)
    steps = 2**camera.bits - 1
    raw = np.rint(np.clip(raw, 0, 1) * steps) / steps
    colour = demosaic(raw, camera.sensor.cfa, camera.demosaicker)
    colour = np.clip(colour * np.asarray(camera.sensor.white_balance, np.float32), 0, 1)
    to_srgb = np.linalg.inv(np.asarray(camera.sensor.camera_from_srgb)).astype(np.float32)
    ycc = tone(camera, np.clip(colour @ to_srgb.T, 0, 1)) @ _YCC.T
    ycc[..., 1:] *= camera.saturation
    ycc = sharpen(camera, denoise(camera, ycc))
    return np.clip(ycc @ _RGB.T, 0, 1)


def expose(sensor: Sensor, scene: np.ndarray) -> np.ndarray:
    """Linear sRGB light (H, W, 3) -> noiseless raw values (H, W); 1 is where the green pixels saturate."""
    light = scene.astype(np.float32) @ np.asarray(sensor.camera_from_srgb, np.float32).T
    return mosaic(light / np.asarray(sensor.white_balance, np.float32), sensor.cfa)


def add_noise(raw: np.ndarray, cfa: str, profile: NoiseProfile, rng: np.random.Generator) -> np.ndarray:
    """Poisson noise of variance a * x and Gaussian noise of variance b, each with its colour's a and b.

    Fitted profiles may have a slightly negative b, which is taken as no Gaussian noise.
    """
    noisy = np.empty(raw.shape, np.float32)
    for channel, place in cfa_places(cfa):
        a, b = profile.a[channel], max(profile.b[channel], 0.0)
        x = np.maximum(raw[place], 0)
        noisy[place] = rng.poisson(x / a) * a + rng.normal(0.0, np.sqrt(b), x.shape)
    return noisy


def tone(camera: VirtualCamera, linear: np.ndarray) -> np.ndarray:
    """Linear 0..1 -> display values 0..1: sRGB's curve, an S curve of the camera's contrast, its gamma."""
    y = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    y = y + camera.contrast * y * (1 - y) * (2 * y - 1)  # monotonic for contrast < 1
    return (np.clip(y, 0, 1) ** camera.gamma).astype(np.float32)


def denoise(camera: VirtualCamera, ycc: np.ndarray) -> np.ndarray:
    """In-camera noise reduction of luma and colour differences (H, W, 3); colours are always smoothed more."""
    strength, out = camera.denoise_strength, ycc.copy()
    if camera.denoiser == "gaussian":
        out[..., 0] = gaussian_filter(ycc[..., 0], 0.5 * strength)
        for c in (1, 2):
            out[..., c] = gaussian_filter(ycc[..., c], 2 * strength)
    elif camera.denoiser == "median":
        share = (0.5 * strength, strength, strength)
        for c in range(3):
            out[..., c] += share[c] * (median_filter(ycc[..., c], 3) - ycc[..., c])
    elif camera.denoiser == "wiener":
        for c, level in enumerate((0.008, 0.02, 0.02)):
            out[..., c] = _wiener(ycc[..., c], (level * strength) ** 2)
    return out


def _wiener(plane: np.ndarray, noise_variance: float) -> np.ndarray:
    """Lee's local Wiener filter in 5x5 windows."""
    mean = uniform_filter(plane, 5)
    variance = np.maximum(uniform_filter(plane * plane, 5) - mean * mean, 0)
    return mean + (plane - mean) * (variance / (variance + noise_variance))


def sharpen(camera: VirtualCamera, ycc: np.ndarray) -> np.ndarray:
    """Unsharp masking of the luma, with coring."""
    detail = ycc[..., 0] - gaussian_filter(ycc[..., 0], camera.sharpen_radius)
    cored = np.sign(detail) * np.maximum(np.abs(detail) - camera.sharpen_core, 0)
    out = ycc.copy()
    out[..., 0] += camera.sharpen_amount * cored
    return out
