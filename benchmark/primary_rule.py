"""The one rejection rule by which a fit is ranked.

A classifier comes with a dozen rules, and the best of a dozen on the test images says more about the dozen than about
the classifier. So one of them is chosen before anybody looks at a test image, from seen *validation* images alone:

1. A rule that gives all validation images one known score cannot reject and is not chosen while another is there.
2. The rule whose known scores best separate the rightly from the wrongly named validation images: the share of pairs,
   one of each, in which the rightly named image has the higher score, ties counting half; the mean over the seeds.
   Whoever knows where it errs has a reason to be believed where it rejects.
3. Where fewer than :data:`LEAST_WRONG` validation images are wrongly named, over all seeds together, a handful of
   images would decide: then the first rule of the method's own order, which it declares in ``rejections``. So also
   among equals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from ..core.documents import Number
from .metrics import Outcome

LEAST_WRONG = 20
"""Wrongly named validation images that a choice by separation needs."""


@dataclass(frozen=True)
class Separation:
    """How well a rule separates rightly from wrongly named seen validation images.

    Parameters
    ----------
    area : float
        0.5 is chance; NaN where no seed has both kinds.
    wrong : int
        Wrongly named images of all seeds.
    rejects : bool
        Whether its known scores differ at all.
    """

    area: Number
    wrong: int
    rejects: bool


def separation_of(validation: Sequence[Outcome]) -> Separation:
    """The separation by one rule.

    Parameters
    ----------
    validation : sequence of Outcome
        The answers to the seen validation images, of each seed.
    """
    right = [seed.truth == seed.candidate for seed in validation]
    both = [(seed, named) for seed, named in zip(validation, right, strict=True) if 0 < named.sum() < len(seed)]
    areas = [_area(seed.known_score, named) for seed, named in both]
    return Separation(
        area=float(np.mean(areas)) if areas else float("nan"),
        wrong=int(sum((~named).sum() for named in right)),
        rejects=any(np.ptp(seed.known_score) > 0 for seed in validation),
    )


def _area(scores: np.ndarray, right: np.ndarray) -> float:
    """The share of pairs in which the rightly named image has the higher score (Mann and Whitney, 1947)."""
    n, m = int(right.sum()), int((~right).sum())
    return float((rankdata(scores)[right].sum() - n * (n + 1) / 2) / (n * m))


def primary_rule(found: Mapping[str, Separation]) -> str:
    """The rule that ranks; see the module's text.

    Parameters
    ----------
    found : mapping of str to Separation
        Rule -> its separation, in the method's own order; at least one.
    """
    rejecting = {rule: one for rule, one in found.items() if one.rejects} or dict(found)
    if min(one.wrong for one in rejecting.values()) < LEAST_WRONG:
        return next(iter(rejecting))
    return max(rejecting, key=lambda rule: rejecting[rule].area)
