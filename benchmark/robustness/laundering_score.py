"""One number for what laundering leaves of a method: its mean aF1 over the treatments.

The mean is over every cell that was asked but the clean one, each counting the same, and at the one threshold of the
clean seen validation images: nobody tells a method how an image was treated. So a threshold that does not travel costs
as much as a candidate that does not. Two runs compare on the same cells alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..answers import Answers, outcome_of
from ..metrics.outcome import FloatArray, Outcome
from ..metrics.resampling import Replicates, Resamples
from ..metrics.tally import ratio
from .surface import Laundered
from .treatments import CLEAN, Cell

LAUNDERING = "laundering"
"""The name of the score among metrics."""

Af1 = Mapping[Cell, FloatArray]
"""Treatment -> aF1 on the images as they are, and on each resample of them: float64 (1 + R,)."""

_AT_ONCE = 16  # treatments counted together: bounds the memory


def laundered_af1(answers: Answers, laundered: Laundered, threshold: float, resamples: Resamples) -> Af1:
    """aF1 of a run by one rule under every treatment but the clean one.

    Parameters
    ----------
    answers : Answers
        Of the run by the rule.
    laundered : Laundered
        Its answers to laundered test images.
    threshold : float
        Of the clean validation images.
    resamples : Resamples
        Of the test images.
    """
    cells = [cell for cell in laundered if cell != CLEAN]
    found: dict[Cell, FloatArray] = {}
    for start in range(0, len(cells), _AT_ONCE):
        part = cells[start : start + _AT_ONCE]
        tests = [outcome_of(laundered[cell].scores(answers.rule), answers.manifest, "test") for cell in part]
        found |= zip(part, _af1_each(tests, threshold, resamples).T, strict=True)
    return found


def _af1_each(tests: Sequence[Outcome], threshold: float, resamples: Resamples) -> FloatArray:
    """aF1 (1 + R, tests) of answers to the same images: plain, then on each resample."""
    resamples.check(tests[0])
    images, classes, truth = len(tests[0]), tests[0].n_classes, tests[0].truth
    # One column per test and class: the images given to the class, and of these the right ones. Products of small
    # whole numbers, whose sums float32 holds exactly up to 2^24.
    given = np.zeros((images, len(tests), classes), np.float32)
    rows = np.arange(images)
    for k, test in enumerate(tests):
        given[rows, k, test.candidate] = test.known_score >= threshold
    right = given * (truth[:, None] == np.arange(classes))[:, None, :]
    columns = np.concatenate([given.reshape(images, -1), right.reshape(images, -1)], axis=1)
    present = np.bincount(truth[truth >= 0], minlength=classes)  # the same in every resample
    parts = [np.ones((1, images), np.float32), *resamples.blocks()]
    sums = np.concatenate([np.asarray(weights, np.float32) @ columns for weights in parts]).astype(np.float64)
    accepted, hits = sums.reshape(len(sums), 2, len(tests), classes).transpose(1, 0, 2, 3)
    return ratio(2 * hits, accepted + present).mean(axis=2)


def laundering_replicates(seeds: Sequence[Af1], seed: int) -> Replicates | None:
    """The score of each training seed, plain and on resamples, as metric :data:`LAUNDERING`.

    Parameters
    ----------
    seeds : sequence of Af1
        Of each training seed.
    seed : int
        Of the resampling.

    Returns
    -------
    Replicates or None
        Over the treatments that all seeds were asked about; None if there is none.
    """
    shared = shared_cells(seeds)
    if not shared:
        return None
    means = np.array([np.mean([own[cell] for cell in shared], axis=0) for own in seeds])
    return Replicates({LAUNDERING: means[:, 0]}, {LAUNDERING: means[:, 1:].T}, seed)


def shared_cells(seeds: Sequence[Af1]) -> tuple[Cell, ...]:
    """The treatments that all seeds were asked about, in the order of the first."""
    return tuple(cell for cell in seeds[0] if all(cell in own for own in seeds)) if seeds else ()
