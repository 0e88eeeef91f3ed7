"""Exact, tie-aware metrics of open-set source attribution. Arrays in, numbers out; see `Outcome` for the input.

Every metric accepts an image iff ``known_score >= threshold`` and treats equal scores as one step.
"""

from .curves import (
    af1_crr_curve,
    auc_af1_crr,
    auc_af1_crr_pooled,
    auroc,
    auroc_macro,
    auroc_per_generator,
    ccr_at_fpr,
    fpr95_id,
    fpr95_ood,
    oscr,
    oscr_curve,
)
from .intervals import (
    Interval,
    bootstrap_interval,
    bootstrap_intervals,
    generator_interval,
    nested_interval,
    per_generator_intervals,
)
from .outcome import Outcome
from .paired import Difference, paired_difference
from .rates import (
    af1,
    af1_known,
    closed_set_accuracy,
    crr,
    crr_per_generator,
    crr_pooled,
    crr_worst,
    f1_per_class,
    macro_f1,
)
from .summary import (
    FIXED_WITHOUT_REJECTION,
    METRICS,
    PER_GENERATOR,
    PRIMARY,
    Metric,
    all_metrics,
    defined_metrics,
    defined_per_generator,
    null_for_nan,
    primary_metric,
)
from .thresholds import ThresholdRule, accept_threshold, choose_threshold, threshold_names, threshold_rule

__all__ = [
    "FIXED_WITHOUT_REJECTION",
    "METRICS",
    "PER_GENERATOR",
    "PRIMARY",
    "Difference",
    "Interval",
    "Metric",
    "Outcome",
    "ThresholdRule",
    "accept_threshold",
    "af1",
    "af1_crr_curve",
    "af1_known",
    "all_metrics",
    "auc_af1_crr",
    "auc_af1_crr_pooled",
    "auroc",
    "auroc_macro",
    "auroc_per_generator",
    "bootstrap_interval",
    "bootstrap_intervals",
    "ccr_at_fpr",
    "choose_threshold",
    "closed_set_accuracy",
    "crr",
    "crr_per_generator",
    "crr_pooled",
    "crr_worst",
    "defined_metrics",
    "defined_per_generator",
    "f1_per_class",
    "fpr95_id",
    "fpr95_ood",
    "generator_interval",
    "macro_f1",
    "nested_interval",
    "null_for_nan",
    "oscr",
    "oscr_curve",
    "paired_difference",
    "per_generator_intervals",
    "primary_metric",
    "threshold_names",
    "threshold_rule",
]
