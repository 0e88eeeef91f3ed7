"""For who may lose few seen images: 99 % of the seen validation images are accepted."""

from __future__ import annotations

from ..outcome import Outcome
from . import accept_threshold, register_threshold


@register_threshold("accept-99", "accepts 99 % of the seen validation images")
def accept_99(validation: Outcome) -> float:
    """The largest threshold that accepts at least 99 % of the images."""
    return accept_threshold(validation.known_score, 0.99)
