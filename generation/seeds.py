"""Identity and randomness of one image: both follow from (suite version, generator, training set, index) alone.

Nothing here depends on batch size, order, worker or restart, so a killed run continues with the same images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

REDRAWS = 10
"""How often a blank picture of a pipeline is drawn again before that is an error."""


def _digest(suite: str, generator: str, training_set: str, index: int) -> bytes:
    return hashlib.sha256(f"{suite}/{generator}/{training_set}/{index}".encode()).digest()


def image_id(suite: str, generator: str, training_set: str, index: int) -> str:
    """32 hexadecimal characters, stable for ever; ``suite`` is the suite's *version* (``mini-v1``)."""
    return _digest(suite, generator, training_set, index).hex()[:32]


def image_seed(suite: str, generator: str, training_set: str, index: int) -> int:
    """The first 8 bytes of the SHA-256, big endian, top bit cleared: 0 <= seed < 2**63 (fits a Parquet int64)."""
    return int.from_bytes(_digest(suite, generator, training_set, index)[:8], "big") & (2**63 - 1)


def image_rng(seed: int, stream: str) -> np.random.Generator:
    """An independent random stream of one image; the crop must not move because the JPEG quality was drawn first."""
    key = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "big")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=(key,))))


def draw(seed: int, stream: str, choices: Sequence[T]) -> T:
    """One of the choices, uniformly, for the image of that seed: its class, prompt or JPEG quality."""
    return choices[int(image_rng(seed, stream).integers(len(choices)))]


def redraw_seed(seed: int, attempt: int) -> int:
    """The seed of the ``attempt``-th picture (1 to :data:`REDRAWS`) in place of a blank one."""
    return int(image_rng(seed, f"redraw {attempt}").integers(2**63))
