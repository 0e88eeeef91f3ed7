"""What a reader must know about a method before trusting its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from ..core.documents import Limits

Text = Annotated[str, Limits(longest=5000)]
Lines = Annotated[list[Text], Limits(longest=100)]

Reproduction = Literal["full", "partial", "placeholder"]


@dataclass(frozen=True)
class MethodCard:
    """The card of a method; every run carries it.

    Parameters
    ----------
    title, paper, url : str
        What the method is called, and where it is described.
    faithful, deviations : list of str
        What follows the paper, and what does not.
    licence : str
        Of the code.
    published : dict of str to float
        Numbers printed in the paper, metric name -> value; never mixed with ours.
    input_range : str
        What the network sees for pixel values 0..255, e.g. ``"0..1"``.
    deterministic : bool
        Whether fitting draws nothing at random, so that every seed gives the same answers: then one fit is enough for
        a rank. Seeds with different answers prove the contrary.
    kind : str
        ``method``, or ``floor`` for what a method should not fall below: never ranked.
    reproduction : str, optional
        ``full``: trained and asked as its source says, apart from what all methods here share (crops, balanced classes,
        rejection rules), or nobody else's. ``partial``: something differs that may change its numbers. ``placeholder``:
        it stands where the method would stand and says nothing of its worth; shown, never ranked. None: not said.
    differs : str
        What differs from the original, in one sentence; for ``partial`` and ``placeholder``.
    tuning : str
        How the defaults were chosen here, and what was tried for it; empty where they are the paper's.
    """

    title: Text
    paper: Text
    url: Text
    faithful: Lines = field(default_factory=list[str])
    deviations: Lines = field(default_factory=list[str])
    licence: Text = "Apache-2.0"
    published: Annotated[dict[str, float], Limits(longest=100)] = field(default_factory=dict[str, float])
    input_range: Text = "0..1"
    deterministic: bool = False
    kind: Literal["method", "floor"] = "method"
    reproduction: Reproduction | None = None
    differs: Text = ""
    tuning: Text = ""

    @property
    def competes(self) -> bool:
        """Whether it takes part in ranks: it is neither a floor nor a placeholder."""
        return self.kind == "method" and self.reproduction != "placeholder"

    @property
    def reproduction_text(self) -> str:
        """``partial: from scratch; ...`` for a line; empty where nothing is said."""
        return ": ".join(part for part in (self.reproduction, self.differs) if part)
