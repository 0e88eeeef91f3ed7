"""What a fold can hold out of training: a training set, or one of several weights of every family.

A training set can be held out if a seen generator has it and every seen generator has another one: a class without a
training image could not be learnt, and leaving its held-out images in training would teach every method that this
content means this generator.

Weights of a name can be held out if every seen generator has them, and two others to train on: from one file of weights
nobody can tell what its family has in common. Sources that no network made (pictures as they are) have no weights, are
trained and tested as ever, and stand in nobody's way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ...core.errors import DatasetError
from .fold import Fold, HeldColumn

LEAST_WEIGHTS = 3
"""Weights of a family that is asked about some that were never trained on."""

_KEPT = {
    "training_set": "generate another training set for it",
    "weights": (
        "take the suite mini-matched, or give its source in your suite file 'weights_id: [w0, w1, w2]' and generate it"
        " anew"
    ),
}


@dataclass(frozen=True)
class Learned:
    """What the images of one source come from.

    Parameters
    ----------
    generator, training_set : str
        As in the columns of the data set.
    weights : str
        Which of several weights; empty for the only ones.
    network : bool
        False for pictures that no network made.
    """

    generator: str
    training_set: str
    weights: str = ""
    network: bool = True


def hold_out(folds: Iterable[Fold], column: HeldColumn, sources: Collection[Learned]) -> list[Fold]:
    """Every fold once for each value of a column that its seen generators have, whether or not it can be held out."""
    return [
        Fold(f"{fold.name}/{value}", fold.unseen, value, column)
        for fold in folds
        for value in sorted({v for values in _of_seen(fold, column, sources).values() for v in values if v})
    ]


def hindered(fold: Fold, sources: Collection[Learned]) -> list[str]:
    """Seen generators because of which a fold cannot hold out what it says, sorted."""
    if not fold.held_out:
        return []
    found = _of_seen(fold, fold.hold_out, sources)
    if fold.hold_out == "weights":
        return sorted(g for g, values in found.items() if fold.held_out not in values or len(values) < LEAST_WEIGHTS)
    return sorted(g for g, values in found.items() if values == {fold.held_out})


def refusal(fold: Fold, sources: Collection[Learned]) -> DatasetError:
    """Why a fold that somebody asked for by name does not exist, and what to do."""
    names = hindered(fold, sources)
    if fold.hold_out == "weights":
        return DatasetError(f"fold {fold.name}: {_few_weights(names, sources)}; or choose another fold.")
    kept = _KEPT[fold.hold_out]
    return DatasetError(
        f"fold {fold.name} would leave no training image of {', '.join(names)}: {kept}, or choose another fold."
    )


def nothing_to_hold_out(name: str, column: HeldColumn, folds: Collection[Fold], sources: Collection[Learned]) -> str:
    """Why a protocol has no fold at all in a data set, and what to do; ``folds`` are those that cannot be."""
    names = sorted({generator for fold in folds for generator in hindered(fold, sources)})
    if column == "weights":
        everybody = sorted({s.generator for s in sources if s.network})
        return f"protocol '{name}' can hold no weights out: {_few_weights(names or everybody, sources)}."
    values = ", ".join(sorted({fold.held_out for fold in folds}))
    alone = f"each one of this dataset ({values}) is the only one of a seen generator ({', '.join(names)})"
    return (
        f"protocol '{name}' can hold no training set out: {alone}: generate a second training set for those, or use"
        " another protocol."
    )


def _few_weights(names: Collection[str], sources: Collection[Learned]) -> str:
    each = {name: sorted({s.weights for s in sources if s.generator == name and s.weights}) for name in names}
    counted = ", ".join(f"{name} has {' '.join(found) or 'one'}" for name, found in each.items())
    return (
        f"every seen generator needs {LEAST_WEIGHTS} weights of the same names, two to train on and one to test"
        f" ({counted}): {_KEPT['weights']}"
    )


def _of_seen(fold: Fold, column: HeldColumn, sources: Collection[Learned]) -> dict[str, set[str]]:
    """Seen generator -> its values of a column; by weights, only generators that have a network."""
    found: dict[str, set[str]] = {}
    for source in sources:
        if source.generator not in fold.unseen and (source.network or column == "training_set"):
            found.setdefault(source.generator, set()).add(getattr(source, column))
    return found
