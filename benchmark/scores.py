"""What a method says about images: class scores, a candidate, and how known each image looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..core.errors import RunError


@dataclass
class Scores:
    """The answer to N images by one rejection rule, over K seen generators.

    Parameters
    ----------
    class_scores : numpy.ndarray
        float32 (N, K), higher = more alike that seen generator.
    known_score : numpy.ndarray
        float32 (N,), higher = more likely from any seen generator.
    candidate : numpy.ndarray
        int64 (N,), the seen generator the image goes to if it is accepted; 0..K-1.
    """

    class_scores: np.ndarray
    known_score: np.ndarray
    candidate: np.ndarray

    def __post_init__(self) -> None:
        self.class_scores = np.asarray(self.class_scores, np.float32)
        self.known_score = np.asarray(self.known_score, np.float32)
        self.candidate = np.asarray(self.candidate, np.int64)

    def __len__(self) -> int:
        return len(self.known_score)

    def check(self) -> Self:
        """RunError, naming the first bad row, unless shapes agree, values are finite and candidates exist."""
        n = len(self)
        if self.class_scores.ndim != 2 or self.class_scores.shape[0] != n or self.candidate.shape != (n,):
            raise RunError(
                f"scores of different lengths: class_scores {self.class_scores.shape}, known_score "
                f"{self.known_score.shape}, candidate {self.candidate.shape}."
            )
        finite = np.isfinite(self.class_scores).all(axis=1) & np.isfinite(self.known_score)
        if not finite.all():
            raise RunError(f"scores of row {int(np.argmin(finite))} are not finite; the method diverged.")
        known = (self.candidate >= 0) & (self.candidate < self.class_scores.shape[1])
        if not known.all():
            row = int(np.argmin(known))
            raise RunError(
                f"candidate {self.candidate[row]} of row {row} is none of the {self.class_scores.shape[1]} seen "
                "generators."
            )
        return self

    @classmethod
    def concatenate(cls, parts: Sequence[Scores]) -> Scores:
        """One Scores from the batches of a pass, in order."""
        return cls(
            np.concatenate([p.class_scores for p in parts]),
            np.concatenate([p.known_score for p in parts]),
            np.concatenate([p.candidate for p in parts]),
        )
