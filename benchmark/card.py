"""What a reader must know about a method before trusting its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from ..core.documents import Limits

Text = Annotated[str, Limits(longest=5000)]
Lines = Annotated[list[Text], Limits(longest=100)]


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
