"""An oracle, for diagnosis only: the best balance of aF1 and CRR on the test images themselves."""

from __future__ import annotations

import numpy as np

from ..curves import af1_crr_curve
from ..outcome import Outcome
from . import register_threshold


@register_threshold("oracle-harmonic", "best harmonic mean of aF1 and CRR on the test images themselves", oracle=True)
def harmonic_max(test: Outcome) -> float:
    """Of the equally good thresholds the largest."""
    thresholds, crr, af1 = af1_crr_curve(test)
    values = 2 * crr * af1 / np.maximum(crr + af1, np.finfo(float).tiny)
    return float(thresholds[:-1][np.flatnonzero(values[:-1] == values[:-1].max())[-1]])
