"""Pictures that sources made before, in the user's cache: by source, weights, options, and what they were made for.

Every batch is kept as soon as it is made: who is interrupted continues there, and a second run makes none again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.user_folders import cache_folder
from ..features import FeatureCache
from .candidates import Candidate

_SECONDS = np.dtype("<f4")


class Made:
    """What one source made in one way, and how long each picture took.

    Parameters
    ----------
    candidate : Candidate
        The source.
    way : str
        For people.
    recipe : dict
        JSON-able: what the pictures depend on besides the source, the size and what they are made for.
    size : int
        Side of the pictures in pixels.
    """

    def __init__(self, candidate: Candidate, way: str, recipe: dict[str, Any], size: int) -> None:
        self.size = size
        identity = {"source": candidate.source.recipe(), "weights": candidate.sha256, "way": way, **recipe}
        name = candidate.name.replace("/", "-")
        self._cache = FeatureCache(
            f"{name}-{way}",
            identity | {"size": size},
            size * size * 3 + _SECONDS.itemsize,
            cache_folder() / "resyntheses",
            dtype="u1",
            doing=f"{way} {candidate.name}",
        )

    def pictures(
        self, wanted: Sequence[bytes] | np.ndarray, make: Callable[[np.ndarray], np.ndarray], batch_size: int
    ) -> tuple[np.ndarray, float]:
        """The pictures for some contents, and the mean seconds that one of them took.

        Parameters
        ----------
        wanted : sequence of bytes or np.ndarray
            What the pictures are made for: texts, or images (N, ...).
        make : callable
            Positions int64 (B,) in ``wanted`` -> pictures uint8 (B, S, S, 3), for those that were not made before.
        batch_size : int
            How many at a time.
        """

        def timed(positions: np.ndarray) -> np.ndarray:
            begun = time.perf_counter()
            pictures = make(positions).reshape(len(positions), -1)
            each = np.full((len(positions), 1), (time.perf_counter() - begun) / len(positions), _SECONDS)
            return np.concatenate([pictures, each.view(np.uint8)], axis=1)

        rows = self._cache.rows(wanted, timed, batch_size=batch_size)
        seconds = np.ascontiguousarray(rows[:, -_SECONDS.itemsize :]).view(_SECONDS)
        pictures = rows[:, : -_SECONDS.itemsize].reshape(-1, self.size, self.size, 3)
        return pictures, float(seconds.mean()) if len(rows) else 0.0
