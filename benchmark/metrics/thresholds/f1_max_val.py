"""The best aF1 that a threshold gives on the seen validation images."""

from __future__ import annotations

import numpy as np

from ..outcome import Outcome
from ..rates import f1_at
from ..tally import Tally, mean_over_groups
from . import register_threshold


@register_threshold("f1-max-val", "largest threshold with the best aF1 over the seen validation images")
def f1_max(validation: Outcome) -> float:
    """Of the equally good thresholds the largest: it rejects the most."""
    tally = Tally(validation)
    values = mean_over_groups(f1_at(tally, np.arange(tally.levels)))[0]
    return float(validation.ranking[0][np.flatnonzero(values == values.max())[-1]])
