"""Who is known: a protocol is one YAML file in this folder.

::

    name: fang2023                        # also the file name
    description: one paragraph
    unseen:
      architectures: [StyleGAN, ...]      # one fold, named like the protocol; or
      choose: 2                           # one fold for every choice of so many generators
    hold_out: training_set                # or absent; with it, one fold for every training set that can be held out
    ratios: [0.8, 0.1, 0.1]               # train, val, test inside every source

A fold of a choosing protocol is named ``rotate/stylegan+taming``: the protocol, then its unseen generators in
alphabetical order. A fold that holds a training set out ends in its name: ``cross-content/emoji``.

A training set can be held out if a seen generator has it and every seen generator has another one: a class without a
training image could not be learnt, and leaving its held-out images in training would teach every method that this
content means this generator. Such a training set gives no fold, and asking for it by name says whom it would empty.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

from ...core.errors import DatasetError, UsageError, unknown_name
from ...core.text import printable
from ...core.yaml import read_yaml


@dataclass(frozen=True)
class Fold:
    """One choice of unseen generators and, under some protocols, of a training set.

    Attributes
    ----------
    held_out: the training set whose images, whoever made them, stay out of train and val; empty = none.
    """

    name: str
    unseen: tuple[str, ...]
    held_out: str = ""


@dataclass(frozen=True)
class Protocol:
    """A rule that says which generators are unseen and how the images of a source are split.

    Attributes
    ----------
    architectures: names of the unseen architectures (empty when ``choose`` is set).
    choose: number of unseen generators per fold (0 when ``architectures`` is set).
    holds_out: whether every fold also holds a training set out.
    ratios: shares of train, val and test inside every source; they add up to 1.
    """

    name: str
    description: str
    architectures: tuple[str, ...]
    choose: int
    holds_out: bool
    ratios: tuple[Fraction, Fraction, Fraction]

    def folds(self, generators: Iterable[str] | Mapping[str, str], sources: Collection[str] = ()) -> list[Fold]:
        """All folds over the given generators, in a fixed order.

        ``generators`` maps generator names to the architectures of the catalog; a plain collection of names
        counts every name as its own architecture. ``sources`` are names ``generator/training_set``; only protocols
        that hold a training set out look at them. Raises DatasetError if an unseen architecture is missing, if
        fewer than two generators would stay seen, or if no training set can be held out.
        """
        candidates = self._candidates(generators, sources)
        possible = [fold for fold in candidates if not _emptied(fold, sources)]
        if self.holds_out and not possible:
            emptied = sorted({generator for fold in candidates for generator in _emptied(fold, sources)})
            raise DatasetError(
                f"protocol '{self.name}' can hold no training set out: each one of this dataset "
                f"({', '.join(sorted({fold.held_out for fold in candidates}))}) is the only one of a seen generator "
                f"({', '.join(emptied)}): generate a second training set for those, or use another protocol."
            )
        return possible

    def _candidates(self, generators: Iterable[str] | Mapping[str, str], sources: Collection[str]) -> list[Fold]:
        """All folds, those too that would leave a seen generator without a training image."""
        folds = self._generator_folds(generators)
        return _hold_out(folds, sources) if self.holds_out else folds

    def _generator_folds(self, generators: Iterable[str] | Mapping[str, str]) -> list[Fold]:
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

    def fold(
        self,
        generators: Iterable[str] | Mapping[str, str],
        name: str | None = None,
        sources: Collection[str] = (),
    ) -> Fold:
        """The fold of that name (``rotate/stylegan+taming`` or ``stylegan+taming``); parameters as in :meth:`folds`.

        Without a name: the only fold there is, or a UsageError that lists the choices. DatasetError for a training
        set that exists but cannot be held out.
        """
        folds = self.folds(generators, sources)
        if name is None and len(folds) == 1:
            return folds[0]
        by_name = {fold.name: fold for fold in folds}
        if name is None:
            raise UsageError(
                f"protocol '{self.name}' has {len(folds)} folds; choose one: {', '.join(_short(n) for n in by_name)}."
            )
        for fold in self._candidates(generators, sources):
            if name in (fold.name, _short(fold.name)):
                if fold not in folds:
                    raise DatasetError(
                        f"fold {fold.name} would leave no training image of {', '.join(_emptied(fold, sources))}: "
                        "generate another training set for it, or choose another fold."
                    )
                return fold
        raise unknown_name(f"fold of protocol {self.name}", name, map(_short, by_name))


def _hold_out(folds: Iterable[Fold], sources: Collection[str]) -> list[Fold]:
    """Every fold once for each training set of its seen generators, whether or not it can be held out."""
    return [
        Fold(f"{fold.name}/{held_out}", fold.unseen, held_out)
        for fold in folds
        for held_out in sorted(set().union(*_seen_training_sets(fold, sources).values()))
    ]


def _emptied(fold: Fold, sources: Collection[str]) -> list[str]:
    """Seen generators that would have no training image, sorted."""
    return sorted(name for name, sets in _seen_training_sets(fold, sources).items() if sets == {fold.held_out})


def _seen_training_sets(fold: Fold, sources: Collection[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for source in sources:
        generator, training_set = source.split("/")
        if generator not in fold.unseen:
            found.setdefault(generator, set()).add(training_set)
    return found


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
    return read_protocol(Path(__file__).parent / f"{name}.yaml")


def read_protocol(path: Path) -> Protocol:
    """The protocol of a YAML file; UsageError, naming file and key, for anything else than the keys above."""
    document = read_yaml(path, UsageError)
    try:
        return _parse(document)
    except UsageError as error:
        raise UsageError(f"protocol {path}: {error}") from error


def _parse(document: object) -> Protocol:
    top = _mapping(document, "a protocol", {"name", "description", "unseen", "ratios"}, {"hold_out"})
    unseen = _mapping(top["unseen"], "unseen", set(), {"architectures", "choose"})
    architectures, choose = unseen.get("architectures", []), unseen.get("choose", 0)
    if not isinstance(architectures, list) or not all(isinstance(name, str) for name in architectures):
        raise UsageError(f"unseen: architectures must be a list of names, not {_shown(architectures)}.")
    if type(choose) is not int or choose < 0:
        raise UsageError(f"unseen: choose must be a number of generators, not {_shown(choose)}.")
    if bool(architectures) == bool(choose):
        raise UsageError(
            "unseen must say who is unseen, in one way: 'architectures: [StyleGAN]' or 'choose: 2'; without an unseen"
            " generator there is nothing to refuse."
        )
    if top.get("hold_out") not in {None, "training_set"}:
        raise UsageError(f"hold_out must be training_set or be left out, not {_shown(top['hold_out'])}.")
    for key in ("name", "description"):
        if not isinstance(top[key], str) or not top[key]:
            raise UsageError(f"{key} must be a text, not {_shown(top[key])}.")
    return Protocol(
        name=top["name"],
        description=top["description"],
        architectures=tuple(architectures),
        choose=choose,
        holds_out=top.get("hold_out") == "training_set",
        ratios=_ratios(top["ratios"]),
    )


def _ratios(value: object) -> tuple[Fraction, Fraction, Fraction]:
    numbers = value if isinstance(value, list) else []
    if len(numbers) != 3 or not all(type(n) in (int, float) and 0 < n < 1 for n in numbers):
        raise UsageError(f"ratios must be three numbers between 0 and 1 (train, val, test), not {_shown(value)}.")
    # Exact decimals: 0.1 of 15 images must not depend on the binary value of 0.1.
    train, val, test = (Fraction(str(number)) for number in numbers)
    if train + val + test != 1:
        raise UsageError(f"ratios must add up to 1, not to {float(train + val + test):g}.")
    return train, val, test


def _mapping(value: object, what: str, needed: set[str], allowed: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{what} must be a mapping, not {_shown(value)}.")
    for key in value:
        if key not in needed | allowed:
            raise unknown_name(f"key of {what}", printable(key, 60), needed | allowed)
    for key in sorted(needed - value.keys()):
        raise UsageError(f"{what} lacks the key {key}.")
    return value


def _shown(value: object) -> str:
    return printable(repr(value), 60)
