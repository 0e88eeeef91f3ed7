"""Folds: what a protocol asks, one question at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

HeldColumn = Literal["training_set", "weights"]
"""What a fold can hold out, by the column of the data set."""


@dataclass(frozen=True)
class Fold:
    """One choice of unseen generators and, under some protocols, of something held out or of a few training images.

    Parameters
    ----------
    name : str
        The protocol, and what tells the fold from its others.
    unseen : tuple of str
        The unseen generators, sorted; empty under a closed-set protocol.
    held_out : str
        The training set, or the weights, whose images, whoever made them, stay out of train and val; empty if there is
        none.
    hold_out : str
        Column of the data set that ``held_out`` is a value of.
    shots : int
        Training images of every seen generator; 0 for all that there are.
    repeat : int
        Which drawing of these images, from 0.
    seen : tuple of str
        The seen generators, sorted; empty for all that are not unseen.
    """

    name: str
    unseen: tuple[str, ...]
    held_out: str = ""
    hold_out: HeldColumn = "training_set"
    shots: int = 0
    repeat: int = 0
    seen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shots:
    """What the folds of a few-shot protocol differ in.

    Parameters
    ----------
    shots : tuple of int
        Training images of a generator.
    repeats : int
        How often they are drawn anew.
    classes : tuple of int
        Numbers of seen generators; empty for all of them.
    """

    shots: tuple[int, ...]
    repeats: int = 1
    classes: tuple[int, ...] = ()

    def folds(self, fold: Fold, generators: Iterable[str]) -> Iterator[Fold]:
        """One fold for every number of classes, shots and every repeat.

        Parameters
        ----------
        fold : Fold
            Who is unseen.
        generators : iterable of str
            Who could be seen.
        """
        candidates = sorted(set(generators) - set(fold.unseen))
        first = f"{fold.name}," if "/" in fold.name else f"{fold.name}/"
        for count in self._counts(len(candidates)):
            drawn = "" if count == len(candidates) else f"classes={count},"
            for shots in sorted(self.shots):
                for repeat in range(self.repeats):
                    name = f"{first}{drawn}shots={shots},repeat={repeat}"
                    seen = tuple(sorted(_in_random_order(candidates, repeat)[:count]))
                    yield replace(fold, name=name, shots=shots, repeat=repeat, seen=seen)

    def _counts(self, generators: int) -> list[int]:
        """The numbers of classes that can be had, at most all; all of them where fewer are there than anybody asks."""
        return sorted(count for count in self.classes if count <= generators) or [generators]

    def count(self, generators: int) -> int:
        """How many folds there are for each choice of unseen generators."""
        return len(self._counts(generators)) * len(self.shots) * self.repeats


def _in_random_order(generators: Sequence[str], repeat: int) -> list[str]:
    """An order that depends on the names and the repeat alone: five classes are among the six of the same repeat."""
    return sorted(generators, key=lambda name: hashlib.sha256(f"class {repeat} {name}".encode()).hexdigest())


def too_few_images(fold: Fold, images: Mapping[str, int]) -> list[str]:
    """Seen generators with fewer training images than the fold has shots, sorted.

    Parameters
    ----------
    images : mapping of str to int
        Generator -> training images.
    """
    return sorted(name for name in fold.seen if images.get(name, 0) < fold.shots)


def plain(name: str) -> str:
    """A name in lower case without signs, as architectures are compared."""
    return "".join(c for c in name.casefold() if c.isalnum())


def short(fold_name: str) -> str:
    """The name of a fold without its protocol."""
    return fold_name.split("/", 1)[-1]
