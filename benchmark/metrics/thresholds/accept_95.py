"""The default: 95 % of the seen validation images are accepted."""

from __future__ import annotations

from ..outcome import Outcome
from . import accept_threshold, register_threshold


@register_threshold("accept-95", "accepts 95 % of the seen validation images")
def accept_95(validation: Outcome) -> float:
    """The largest threshold that accepts at least 95 % of the images."""
    return accept_threshold(validation.known_score, 0.95)
