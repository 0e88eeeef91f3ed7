"""The 83 attributes of EXIF-Net on virtual cameras: 80 of the camera, and 3 treatments of the crop.

The original reads 80 EXIF tags of photographs. Virtual cameras have no EXIF record but known parameters, so these take
the place of the tags: everything that leaves a trace in the pixels. Continuous ones are compared in steps. The three
treatments are the original's: JPEG compression, Gaussian blur and resizing, each at a strength from a short list.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFilter

from ..generation.cameras.virtual import VirtualCamera

CAMERA_ATTRIBUTES, TREATMENTS = 80, 3
COUNT = CAMERA_ATTRIBUTES + TREATMENTS
UNKNOWN = -1

JPEG_QUALITIES = (None, 90, 75, 60)
BLUR_RADII = (0.0, 0.5, 1.0, 1.5)
ENLARGEMENTS = (1.0, 1.25, 1.5, 2.0)

_LOW_FREQUENCIES = sorted(range(64), key=lambda i: (i // 8 + i % 8, i))[:25]


def camera_codes(cameras: Sequence[VirtualCamera]) -> np.ndarray:
    """int64 (cameras, 80): equal numbers in a column mean that two cameras share the attribute.

    The camera itself (1), CFA phase, bits, demosaicker, denoiser, chroma subsampling (5), tone curve and filters in
    steps (7), colour matrix (9), white balance (2), noise curve at the lowest ISO (6), and the 25 lowest quantisation
    steps of luma and of chroma.
    """
    rows = [_values(i, camera) for i, camera in enumerate(cameras)]
    columns = [np.unique(np.array(column), return_inverse=True)[1] for column in zip(*rows, strict=True)]
    return np.stack(columns, axis=1).astype(np.int64)


def unknown_cameras(count: int) -> np.ndarray:
    """int64 (count, 80) for sources of which only the identity is known: generators, or cameras without a record."""
    codes = np.full((count, CAMERA_ATTRIBUTES), UNKNOWN, np.int64)
    codes[:, 0] = np.arange(count)
    return codes


def _values(number: int, camera: VirtualCamera) -> list[int | str]:
    sensor, noise = camera.sensor, camera.sensor.noise[0]
    matrix = [value for row in sensor.camera_from_srgb for value in row]
    return [
        number,
        *(sensor.cfa, camera.bits, camera.demosaicker, camera.denoiser, camera.subsampling),
        *(_step(camera.contrast, 0.1), _step(camera.gamma, 0.04), _step(camera.saturation, 0.08)),
        *(_step(camera.denoise_strength, 0.15), _step(camera.sharpen_radius, 0.2)),
        *(_step(camera.sharpen_amount, 0.2), _step(camera.sharpen_core, 0.003)),
        *(_step(value, 0.1) for value in matrix),
        *(_step(sensor.white_balance[0], 0.25), _step(sensor.white_balance[2], 0.25)),
        *(_octave(value) for value in (*noise.a, *noise.b)),
        *(camera.luma_table[i] for i in _LOW_FREQUENCIES),
        *(camera.chroma_table[i] for i in _LOW_FREQUENCIES),
    ]


def _step(value: float, width: float) -> int:
    return int(np.floor(value / width))


def _octave(value: float) -> int:
    """Half octaves; variances below 1e-9 (measured ones may be negative) are no noise."""
    return int(np.floor(2 * np.log2(max(value, 1e-9))))


def draw_treatments(rng: np.random.Generator, pairs: int) -> np.ndarray:
    """int64 (2 * pairs, 3): no treatment for half of the pairs, else the same one for both images or one each."""
    strengths = np.array([len(JPEG_QUALITIES), len(BLUR_RADII), len(ENLARGEMENTS)])
    codes = rng.integers(strengths, size=(pairs, 2, TREATMENTS))
    shared = rng.random(pairs) < 0.5
    codes[shared, 1] = codes[shared, 0]
    codes[rng.random(pairs) < 0.5] = 0
    return codes.reshape(2 * pairs, TREATMENTS)


def treat(crop: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """uint8 (S, S, 3) after enlarging its centre, blurring and compressing it, each at the strength of its code."""
    jpeg, blur, enlargement = (int(code) for code in codes)
    if not (jpeg or blur or enlargement):
        return crop
    picture, size = Image.fromarray(crop), len(crop)
    if enlargement:
        side = size / ENLARGEMENTS[enlargement]
        edge = (size - side) / 2
        box = (edge, edge, edge + side, edge + side)
        picture = picture.resize((size, size), Image.Resampling.BICUBIC, box=box)
    if blur:
        picture = picture.filter(ImageFilter.GaussianBlur(BLUR_RADII[blur]))
    if jpeg:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=JPEG_QUALITIES[jpeg])
        picture = Image.open(stream)
    return np.asarray(picture)
