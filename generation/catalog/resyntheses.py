"""Resyntheses: every source draws again what the originals of every source show, from their descriptions."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

from ...core.errors import UsageError

Split = Literal["train", "val", "test"]
_SPLITS: tuple[Split, ...] = ("train", "val", "test")
_MOST_DRAWS = 1000


@dataclass(frozen=True)
class Resyntheses:
    """What a suite wants made again, the key ``resyntheses`` of its file.

    draws: how often each source draws each original. of: the originals of which characters, one or several of
    ``train``, ``val`` and ``test`` (:func:`..characters.split_of_characters`), or ``all``.
    """

    draws: int = 1
    of: Literal["all"] | Split | tuple[Split, ...] = "all"

    def __post_init__(self) -> None:
        if not 1 <= self.draws <= _MOST_DRAWS:
            raise UsageError(f"resyntheses: draws is {self.draws}; expected 1 to {_MOST_DRAWS:,}.")
        if not self.of:
            raise UsageError("resyntheses: of names no split; expected train, val, test or all.")

    @property
    def splits(self) -> tuple[Split, ...]:
        """Splits of the characters whose originals are made again."""
        if isinstance(self.of, tuple):
            return self.of
        return _SPLITS if self.of == "all" else (self.of,)


@dataclass(frozen=True)
class Drawn:
    """What a resynthesis draws: index of the original in its source, its character, description and proposed split."""

    original: int
    character: str
    description: str
    split_hint: str


@dataclass(frozen=True)
class Originals:
    """The images of a source that another one (or the same) makes again, some of every round through its characters.

    source, generator, learned, namespace: of the originals, see :class:`.Source` and :func:`..record.source_namespace`.
    round: images in one round. asked: which of a round are made again, as positions in it, ascending.
    characters, descriptions, split_hints: of those. draws: images for each original.
    """

    source: str
    generator: str
    learned: str
    namespace: str
    round: int
    asked: tuple[int, ...]
    characters: tuple[str, ...]
    descriptions: tuple[str, ...]
    split_hints: tuple[str, ...]
    draws: int

    def drawn(self, index: int) -> Drawn:
        """What the resynthesis ``index`` draws; all draws of one original come one after the other."""
        turn, k = divmod(index // self.draws, len(self.asked))
        original = turn * self.round + self.asked[k]
        return Drawn(original, self.characters[k], self.descriptions[k], self.split_hints[k])

    def count(self, originals: int) -> int:
        """Resyntheses of the first ``originals`` images."""
        turns, rest = divmod(originals, self.round)
        return (turns * len(self.asked) + bisect_left(self.asked, rest)) * self.draws
