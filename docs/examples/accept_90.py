"""Threshold for who must not miss unknown images: 90 % of the seen validation images are accepted."""

from osbench.benchmark.metrics.outcome import Outcome
from osbench.benchmark.metrics.thresholds import accept_threshold, register_threshold


@register_threshold("accept-90", "accepts 90 % of the seen validation images")
def accept_90(validation: Outcome) -> float:
    """The largest threshold that accepts at least 90 % of the images."""
    return accept_threshold(validation.known_score, 0.9)
