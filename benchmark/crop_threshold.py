"""What known scores of several crops of one picture mean, from validation answers about one crop of each picture.

The known score of a picture is the mean over its crops. A mean of T crops varies less than one crop, so the threshold
of single crops would be too lenient for it: seen pictures would hardly ever be refused, and unseen ones too seldom.
The variance of a class's validation scores has two parts, between pictures and between the crops of one; two crops of
one picture are correlated by :data:`CORRELATION`. So a mean of T crops of a seen picture has CORRELATION +
(1 - CORRELATION) / T of the variance of one crop, and the threshold moves towards the usual score in the proportion of
the standard deviations. For one crop it is the threshold itself.

The variance is not read from the picture's own crops: known scores have a long lower tail, so that one odd crop would
lower the mean and raise the threshold at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .answers import Answers
from .metrics.outcome import FloatArray

CORRELATION = 0.5
"""Of the known scores of two crops of one picture. Measured on pictures of 128 px by real networks, crops of 64 px and
``osbench-2``, for three choices of seen sources: 0.35, 0.44 and 0.58."""

_FEWEST = 5


@dataclass(frozen=True, eq=False)
class Calibration:
    """The answers of a run to seen validation pictures, as the scale of every other answer.

    Parameters
    ----------
    threshold : float
        Of one crop.
    known : FloatArray
        (N,) known scores of the validation pictures.
    candidate : numpy.ndarray
        int64 (N,) their candidates.
    margins : FloatArray
        How far the candidate's class score lies above the next one, of the rightly named ones.
    """

    threshold: float
    known: FloatArray
    candidate: NDArray[np.int64]
    margins: FloatArray

    @classmethod
    def of(cls, answers: Answers, class_scores: np.ndarray, threshold: float) -> Calibration:
        """From the answers by one rule; ``class_scores`` (N, K) of the validation pictures in the same order."""
        validation = answers.validation
        right = validation.truth == validation.candidate
        ordered = np.sort(class_scores.astype(np.float64), axis=1)
        margins = ordered[:, -1] - ordered[:, -2] if ordered.shape[1] > 1 else np.zeros(len(ordered))
        return cls(threshold, validation.known_score, validation.candidate, margins[right])

    def usual(self, candidate: int) -> float:
        """Mean known score of validation pictures with this candidate; of all where these are too few."""
        own = self.known[self.candidate == candidate]
        return float((own if len(own) >= _FEWEST else self.known).mean())

    def shrinkage(self, crops: int) -> float:
        """Standard deviation of a mean of so many crops over that of one crop, in (0, 1]."""
        return math.sqrt(CORRELATION + (1 - CORRELATION) / crops)

    def threshold_for(self, candidate: int, crops: int) -> float:
        """The threshold for the mean known score of so many crops."""
        if crops == 1:
            return self.threshold
        centre = self.usual(candidate)
        return centre + (self.threshold - centre) * self.shrinkage(crops)

    def percentile(self, candidate: int, known_score: float, crops: int) -> float:
        """Share of seen validation pictures whose score is lower, 0..1, as if they had as many crops."""
        centre = self.usual(candidate)
        alike = centre + (known_score - centre) / self.shrinkage(crops)
        return float((self.known < alike).mean())

    def margin_percentile(self, margin: float) -> float:
        """Share of rightly named validation pictures with a smaller margin, 0..1; 0 where there is none."""
        return float((self.margins < margin).mean()) if len(self.margins) else 0.0
