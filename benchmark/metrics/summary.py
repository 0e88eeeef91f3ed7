"""All metrics by name: what a score sheet prints, what the bootstrap resamples, what a board ranks by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...core.errors import unknown_name
from . import curves, rates
from .outcome import FloatArray, Outcome
from .tally import Tally

PRIMARY = "auc_af1_crr"


@dataclass(frozen=True)
class Metric:
    """A metric by name.

    Attributes
    ----------
    kernel: Tally of R weightings -> (R,), or (R, generators) for those of `PER_GENERATOR`.
    uses: what of an outcome it depends on: "threshold" (which images are accepted there), "scores" (their order),
        "candidates" (neither).
    lower_is_better: True for the error rates.
    """

    kernel: Callable[[Tally], FloatArray]
    uses: str
    lower_is_better: bool = False


METRICS: dict[str, Metric] = {
    "auc_af1_crr": Metric(curves.tally_auc_af1_crr, "scores"),
    "auc_af1_crr_pooled": Metric(curves.tally_auc_af1_crr_pooled, "scores"),
    "af1": Metric(rates.tally_af1, "threshold"),
    "af1_known": Metric(rates.tally_af1_known, "threshold"),
    "crr": Metric(rates.tally_crr, "threshold"),
    "crr_pooled": Metric(rates.tally_crr_pooled, "threshold"),
    "crr_worst": Metric(rates.tally_crr_worst, "threshold"),
    "auroc": Metric(curves.tally_auroc, "scores"),
    "auroc_macro": Metric(curves.tally_auroc_macro, "scores"),
    "fpr95_id": Metric(curves.tally_fpr95_id, "scores", lower_is_better=True),
    "fpr95_ood": Metric(curves.tally_fpr95_ood, "scores", lower_is_better=True),
    "oscr": Metric(curves.tally_oscr, "scores"),
    "ccr_at_fpr_0.01": Metric(partial(curves.tally_ccr_at_fpr, fpr=0.01), "scores"),
    "ccr_at_fpr_0.1": Metric(partial(curves.tally_ccr_at_fpr, fpr=0.1), "scores"),
    "accuracy": Metric(rates.tally_accuracy, "candidates"),
    "macro_f1": Metric(rates.tally_macro_f1, "candidates"),
}

PER_GENERATOR: dict[str, Metric] = {
    "f1_per_class": Metric(rates.tally_f1_per_class, "threshold"),
    "crr_per_generator": Metric(rates.tally_crr_per_generator, "threshold"),
    "auroc_per_generator": Metric(curves.tally_auroc_per_generator, "scores"),
}


def metric(name: str) -> Metric:
    """The metric of that name; UsageError lists those that exist."""
    known = METRICS | PER_GENERATOR
    if name not in known:
        raise unknown_name("metric", name, known)
    return known[name]


def all_metrics(outcome: Outcome, threshold: float) -> dict[str, float]:
    """Every metric of `METRICS` at `threshold`, as floats; NaN where one is undefined (see `null_for_nan`).

    Raises
    ------
    RunError: no unseen images. ValueError: the threshold is NaN.
    """
    tally = Tally(outcome, threshold)
    return {name: float(m.kernel(tally)[0]) for name, m in METRICS.items()}


def null_for_nan(value: Any) -> Any:
    """The same value for JSON: NaN and infinities become None, arrays lists, NumPy numbers Python's; any depth."""
    if isinstance(value, Mapping):
        return {key: null_for_nan(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [null_for_nan(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
