"""Who is known: a protocol is one YAML file in this folder.

::

    name: fang2023                        # also the file name
    description: one paragraph
    unseen:
      architectures: [StyleGAN, ...]      # one fold, named like the protocol; or
      choose: 2                           # one fold for every choice of so many generators
    ratios: [0.8, 0.1, 0.1]               # train, val, test inside every source

A fold of a choosing protocol is named ``rotate/stylegan+taming``: the protocol, then its unseen generators in
alphabetical order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import yaml

from ...generation.errors import DatasetError, UsageError, unknown_name


@dataclass(frozen=True)
class Fold:
    """One choice of unseen generators."""

    name: str
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class Protocol:
    """A rule that says which generators are unseen and how the images of a source are split.

    Attributes
    ----------
    architectures: names of the unseen architectures (empty when ``choose`` is set).
    choose: number of unseen generators per fold (0 when ``architectures`` is set).
    ratios: shares of train, val and test inside every source; they add up to 1.
    """

    name: str
    description: str
    architectures: tuple[str, ...]
    choose: int
    ratios: tuple[Fraction, Fraction, Fraction]

    def folds(self, generators: Iterable[str] | Mapping[str, str]) -> list[Fold]:
        """All folds over the given generators, in a fixed order.

        ``generators`` maps generator names to the architectures of the catalog; a plain collection of names
        counts every name as its own architecture. Raises DatasetError if an unseen architecture is missing or
        fewer than two generators would stay seen.
        """
        table = dict(generators) if isinstance(generators, Mapping) else {name: name for name in generators}
        folds = [Fold(self.name, self._unseen(table))] if self.architectures else self._rotations(sorted(table))
        if not folds or len(table) - len(folds[0].unseen) < 2:
            raise DatasetError(
                f"protocol '{self.name}' needs at least two seen generators besides its "
                f"{self.choose or len(self.architectures)} unseen; this dataset has "
                f"{', '.join(sorted(table)) or 'none'}."
            )
        return folds

    def _unseen(self, table: Mapping[str, str]) -> tuple[str, ...]:
        names: list[str] = []
        for architecture in self.architectures:
            found = [g for g, a in table.items() if _plain(architecture) in (_plain(a), _plain(g))]
            if not found:
                raise DatasetError(
                    f"protocol '{self.name}' holds out {architecture}, but no generator of this dataset has that "
                    f"architecture (it has {', '.join(sorted(table)) or 'none'}): generate one, or use another "
                    "protocol."
                )
            names += found
        return tuple(sorted(set(names)))

    def _rotations(self, names: list[str]) -> list[Fold]:
        return [Fold(f"{self.name}/{'+'.join(unseen)}", unseen) for unseen in combinations(names, self.choose)]

    def fold(self, generators: Iterable[str] | Mapping[str, str], name: str | None = None) -> Fold:
        """The fold of that name (``rotate/stylegan+taming`` or ``stylegan+taming``).

        Without a name: the only fold there is, or a UsageError that lists the choices.
        """
        folds = self.folds(generators)
        if name is None and len(folds) == 1:
            return folds[0]
        by_name = {fold.name: fold for fold in folds}
        if name is None:
            raise UsageError(
                f"protocol '{self.name}' has {len(folds)} folds; choose one: {', '.join(_short(n) for n in by_name)}."
            )
        for fold in folds:
            if name in (fold.name, _short(fold.name)):
                return fold
        raise unknown_name(f"fold of protocol {self.name}", name, map(_short, by_name))


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def _short(fold_name: str) -> str:
    return fold_name.split("/", 1)[-1]


def protocol_names() -> list[str]:
    """Names of all protocols, sorted."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.yaml"))


def load_protocol(name: str) -> Protocol:
    """The protocol of that name; UsageError with a suggestion if there is none."""
    if name not in protocol_names():
        raise unknown_name("protocol", name, protocol_names())
    text = (Path(__file__).parent / f"{name}.yaml").read_text(encoding="utf-8")
    return _parse(yaml.safe_load(text))


def _parse(document: dict) -> Protocol:
    unseen = document["unseen"]
    # Ratios as exact decimals: 0.1 of 15 images must not depend on the binary value of 0.1.
    train, val, test = (Fraction(str(ratio)) for ratio in document["ratios"])
    if train + val + test != 1 or min(train, val, test) <= 0:
        raise DatasetError(f"protocol '{document['name']}': ratios must be positive and add up to 1.")
    return Protocol(
        name=document["name"],
        description=document["description"],
        architectures=tuple(unseen.get("architectures", ())),
        choose=int(unseen.get("choose", 0)),
        ratios=(train, val, test),
    )
