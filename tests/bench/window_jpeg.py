"""Window JPEG against compressing the whole 1024 px image: encode only, as ``osbench generate`` pays it.

Decoding is compared too and must be equal to the bit before any clock starts, but is not in the ratio: the loader
decodes windows in either case.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from osbench.generation.pixels import Box, decode_crop, encode_window

SIZE, CROP, IMAGES, REPEATS = 1024, 256, 6, 5
QUALITY, SUBSAMPLING = 90, "4:2:0"


def _picture(rng: np.random.Generator) -> np.ndarray:
    """Smooth structure and sensor-like noise, so that the entropy coder has a realistic amount to do."""
    y, x = np.mgrid[:SIZE, :SIZE] / 40
    waves = np.stack([np.sin(x * a + y * b) for a, b in rng.uniform(0.2, 1.5, (3, 2))], -1)
    return np.clip(128 + 80 * waves + rng.normal(0, 6, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)


def _whole(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=QUALITY, subsampling=SUBSAMPLING)
    return buffer.getvalue()


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def run() -> dict:
    """``{"ratio", "ours_s", "reference_s", "equal"}``: seconds per image, minimum of interleaved repeats."""
    rng = np.random.default_rng(0)
    images = [_picture(rng) for _ in range(IMAGES)]
    crops = [Box(int(x), int(y), CROP, CROP) for x, y in rng.integers(0, SIZE - CROP + 1, (IMAGES, 2))]
    for image, crop in zip(images, crops, strict=True):
        frame = encode_window(image, crop, QUALITY, SUBSAMPLING)
        whole = np.asarray(Image.open(io.BytesIO(_whole(image))))
        expected = whole[crop.y : crop.y + CROP, crop.x : crop.x + CROP]
        if not np.array_equal(decode_crop(frame.bytes, frame.crop_x, frame.crop_y, CROP), expected):
            return {"ratio": 0.0, "ours_s": 0.0, "reference_s": 0.0, "equal": False}
    ours, reference = [], []
    for _ in range(REPEATS):
        ours.append(
            _seconds(lambda: [encode_window(i, c, QUALITY, SUBSAMPLING) for i, c in zip(images, crops, strict=True)])
        )
        reference.append(_seconds(lambda: [_whole(image) for image in images]))
    fast, slow = min(ours) / IMAGES, min(reference) / IMAGES
    return {"ratio": slow / fast, "ours_s": fast, "reference_s": slow, "equal": True}
