"""One fold of a protocol: who is unseen, and what is held out of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HeldColumn = Literal["training_set", "weights"]
"""What a fold can hold out, by the column of the data set."""


@dataclass(frozen=True)
class Fold:
    """One choice of unseen generators and, under some protocols, of a training set or of weights.

    Parameters
    ----------
    name : str
        The protocol, and what tells the fold from its others.
    unseen : tuple of str
        The unseen generators, sorted.
    held_out : str
        The training set, or the weights, whose images, whoever made them, stay out of train and val; empty if there is
        none.
    column : str
        Of the data set, that ``held_out`` is a value of.
    """

    name: str
    unseen: tuple[str, ...]
    held_out: str = ""
    column: HeldColumn = "training_set"
