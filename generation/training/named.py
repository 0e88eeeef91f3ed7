"""Does a picture show what its caption says? A judge that looks for the nearest character among real pictures.

The judge knows the characters by the mean feature of some training pictures of each, in EfficientNet-Lite0's last
layer. It never saw a network's picture, and is stricter than a person where colours or details are off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Judge:
    """Mean directions (K, D) of K characters in features that are standardised by ``centre`` and ``scale`` (D,)."""

    directions: np.ndarray
    centre: np.ndarray
    scale: np.ndarray

    @classmethod
    def taught(cls, rows: np.ndarray, labels: np.ndarray) -> Judge:
        """From features (N, D) of real pictures and their classes (N,), every class at least once."""
        centre, scale = rows.mean(0), rows.std(0) + 1e-9
        standard = (rows - centre) / scale
        means = np.stack([standard[labels == k].mean(0) for k in range(int(labels.max()) + 1)])
        return cls(means / np.linalg.norm(means, axis=1, keepdims=True), centre, scale)

    def share(self, rows: np.ndarray, labels: np.ndarray) -> float:
        """Which share of pictures, by their features (N, D), lies nearest (by cosine) to its own class (N,)."""
        return float(((((rows - self.centre) / self.scale) @ self.directions.T).argmax(1) == labels).mean())
