"""All metrics by name: what a score sheet prints, what the bootstrap resamples, what a board ranks by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from ...core.errors import unknown_name
from . import curves, rates
from .outcome import FloatArray, Outcome
from .tally import Tally

PRIMARY, CLOSED_PRIMARY = "auc_af1_crr", "accuracy"
"""What ranks, and what ranks where nobody is unseen."""

FIXED_WITHOUT_REJECTION = ("crr", "crr_pooled", "crr_worst", "auroc", "auroc_macro", "fpr95_id", "fpr95_ood")
"""Metrics with one value for every rule that gives all images the same known score: its CRR is 0 by construction."""


@dataclass(frozen=True)
class Metric:
    """A metric by name.

    Parameters
    ----------
    title : str
        As a column is headed.
    definition : str
        One or two sentences for readers of a board.
    kernel : callable
        Tally of R weightings -> (R,), or (R, generators) for those of `PER_GENERATOR`.
    uses : str
        What of an outcome it depends on: "threshold" (which images are accepted there), "scores" (their order),
        "candidates" (neither).
    lower_is_better : bool
        True for the error rates.
    closed : bool
        Whether it also means something where no image is of an unseen generator.
    """

    title: str
    definition: str
    kernel: Callable[[Tally], FloatArray]
    uses: str
    lower_is_better: bool = False
    closed: bool = False


METRICS: dict[str, Metric] = {
    "auc_af1_crr": Metric(
        "AUC aF1-CRR",
        "Area under aF1 as a function of CRR over every distinct score, ties as one step, trapezoid. The metric that "
        "ranks: it does not depend on the threshold rule. Its maximum is below 1 when seen generators are confused.",
        curves.tally_auc_af1_crr,
        "scores",
    ),
    "auc_af1_crr_pooled": Metric(
        "AUC aF1-CRR pooled",
        "The same area over the pooled CRR, so that it depends on how many images each unseen generator has.",
        curves.tally_auc_af1_crr_pooled,
        "scores",
    ),
    "af1": Metric(
        "aF1",
        "Mean F1 over the seen generators at the threshold (Fang et al. 2023, eq. 9). F1 of one is 2 TP / (2 TP + FP + "
        "FN): false positives are images of other seen generators and of unseen ones, a rejected image is a false "
        "negative. It depends on how many unseen images there are: boards of two test sets do not compare.",
        rates.tally_af1,
        "threshold",
    ),
    "af1_known": Metric(
        "aF1 known",
        "aF1 over the seen images alone: unseen images are no false positives.",
        rates.tally_af1_known,
        "threshold",
        closed=True,
    ),
    "crr": Metric(
        "CRR",
        "Correct rejection rate: the share of an unseen generator's images that is rejected (eq. 10), the mean over "
        "the unseen generators, each counting the same.",
        rates.tally_crr,
        "threshold",
    ),
    "crr_pooled": Metric(
        "CRR pooled",
        "The share of all unseen images that is rejected, each image counting the same.",
        rates.tally_crr_pooled,
        "threshold",
    ),
    "crr_worst": Metric(
        "CRR worst", "CRR of the unseen generator that is rejected least.", rates.tally_crr_worst, "threshold"
    ),
    "auroc": Metric(
        "AUROC",
        "How often a seen test image has a higher known score than an unseen one, ties counting half, whichever class "
        "was named. 0.5 is chance.",
        curves.tally_auroc,
        "scores",
    ),
    "auroc_macro": Metric(
        "AUROC macro",
        "Mean of the AUROC against each unseen generator alone.",
        curves.tally_auroc_macro,
        "scores",
    ),
    "fpr95_id": Metric(
        "FPR95 (id)",
        "Share of the unseen images accepted at the largest threshold that accepts 95 % of the seen ones; lower is "
        "better.",
        curves.tally_fpr95_id,
        "scores",
        lower_is_better=True,
    ),
    "fpr95_ood": Metric(
        "FPR95 (ood)",
        "Share of the seen images rejected at the smallest threshold that rejects 95 % of the unseen ones; lower is "
        "better.",
        curves.tally_fpr95_ood,
        "scores",
        lower_is_better=True,
    ),
    "oscr": Metric(
        "OSCR",
        "Open-set classification rate: area under the correct classification rate of seen images against the false "
        "acceptance of unseen ones, exact on ties (also called OpenAUC).",
        curves.tally_oscr,
        "scores",
    ),
    "ccr_at_fpr_0.01": Metric(
        "CCR @ FPR 1 %",
        "Share of the seen images accepted and named rightly where at most 1 % of the unseen ones is accepted.",
        partial(curves.tally_ccr_at_fpr, fpr=0.01),
        "scores",
    ),
    "ccr_at_fpr_0.1": Metric(
        "CCR @ FPR 10 %",
        "Share of the seen images accepted and named rightly where at most 10 % of the unseen ones is accepted.",
        partial(curves.tally_ccr_at_fpr, fpr=0.1),
        "scores",
    ),
    "accuracy": Metric(
        "Accuracy",
        "Share of the seen images whose nearest seen generator is the right one, nothing being rejected.",
        rates.tally_accuracy,
        "candidates",
        closed=True,
    ),
    "macro_f1": Metric(
        "Macro F1",
        "Mean F1 over the seen generators, over seen images alone, nothing being rejected.",
        rates.tally_macro_f1,
        "candidates",
        closed=True,
    ),
}

PER_GENERATOR: dict[str, Metric] = {
    "f1_per_class": Metric(
        "F1", "F1 of each seen generator at the threshold.", rates.tally_f1_per_class, "threshold", closed=True
    ),
    "crr_per_generator": Metric(
        "CRR", "Rejected share of each unseen generator.", rates.tally_crr_per_generator, "threshold"
    ),
    "auroc_per_generator": Metric(
        "AUROC", "AUROC against each unseen generator alone.", curves.tally_auroc_per_generator, "scores"
    ),
}


def defined_metrics(n_unseen: int) -> dict[str, Metric]:
    """Those of `METRICS` that mean something with so many unseen generators: of a closed set, a few."""
    return {name: m for name, m in METRICS.items() if n_unseen or m.closed}


def defined_per_generator(n_unseen: int) -> dict[str, Metric]:
    """Those of `PER_GENERATOR`, likewise."""
    return {name: m for name, m in PER_GENERATOR.items() if n_unseen or m.closed}


def primary_metric(n_unseen: int) -> str:
    """The metric that ranks with so many unseen generators."""
    return PRIMARY if n_unseen else CLOSED_PRIMARY


def metric(name: str) -> Metric:
    """The metric of that name; UsageError lists those that exist."""
    known = METRICS | PER_GENERATOR
    if name not in known:
        raise unknown_name("metric", name, known)
    return known[name]


def all_metrics(outcome: Outcome, threshold: float) -> dict[str, float]:
    """Every one of `defined_metrics` at `threshold`, as floats; NaN where one is undefined (see `null_for_nan`).

    Raises
    ------
    ValueError
        The threshold is NaN.
    """
    tally = Tally(outcome, threshold)
    return {name: float(m.kernel(tally)[0]) for name, m in defined_metrics(outcome.n_unseen).items()}


def null_for_nan(value: Any) -> Any:
    """The same value for JSON: NaN and infinities become None, arrays lists, NumPy numbers Python's; any depth."""
    if isinstance(value, Mapping):
        return {key: null_for_nan(item) for key, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [null_for_nan(item) for item in cast(Sequence[Any], value)]
    if isinstance(value, np.generic):
        value = cast(Any, value).item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
