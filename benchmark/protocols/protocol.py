"""A protocol: the rule that says who is unseen, what is held out, and how many images may be trained on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import Annotated, Any, Literal, cast

from ...core.documents import to_json
from ...core.errors import DatasetError, UsageError, unknown_name
from ...core.schema import Limits
from ...core.text import printable
from .fold import Fold, HeldColumn, Shots, plain, short, too_few_images
from .holding_out import Learned, hindered, hold_out, nothing_to_hold_out, refusal

SUFFIXES = (".yaml", ".yml")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
_LONGEST_NAME = 100
_MOST_FOLDS = 10_000

_Names = Annotated[tuple[Annotated[str, Limits(shortest=1, longest=200)], ...], Limits(longest=1000, unique=True)]
_Ratio = Annotated[float, Limits(least=0, most=1)]
_Numbers = Annotated[tuple[Annotated[int, Limits(least=1, most=100_000)], ...], Limits(longest=1000, unique=True)]

NOBODY = "none"
"""What a protocol says instead of :class:`Unseen` if all that is tested is seen."""


@dataclass(frozen=True)
class Unseen:
    """Who is unseen, said in one way.

    Parameters
    ----------
    generators : tuple of str
        Names of generators of the data set.
    architectures : tuple of str
        Names of architectures, as the catalog gives them to generators.
    choose : int, optional
        Every choice of so many generators, one fold each.
    """

    generators: _Names = ()
    architectures: _Names = ()
    choose: Annotated[int, Limits(least=1, most=1000)] | None = None

    def __post_init__(self) -> None:
        if sum(map(bool, (self.generators, self.architectures, self.choose))) != 1:
            raise UsageError(
                "say who is unseen, in one way: 'generators: [midjourney]', 'architectures: [StyleGAN]' or"
                " 'choose: 2'; without an unseen generator there is nothing to refuse."
            )


@dataclass(frozen=True)
class Protocol:
    """A rule that says which generators are unseen and how the images of a source are split.

    Parameters
    ----------
    name : str
        Letters, digits, ``_``, ``-``, ``+`` and ``.``; manifests are called so.
    unseen : Unseen
        Who is unseen.
    description : str
        One paragraph for people.
    hold_out : str, optional
        ``training_set`` or ``weights``: every fold also holds one of them out.
    ratios : tuple of float
        Shares of train, val and test inside every source, or of the groups; they add up to 1.
    group : str, optional
        A column of the data set: images of one value are in one split, whoever made them. Without it, images that
        the data set itself says belong together are (:func:`..splitting.own_groups`).
    group_seed : int, optional
        Shuffles the groups as ``numpy.random.RandomState`` does; without it they are split in the order of a hash.
    shots : tuple of int
        Numbers of training images of a seen generator, one fold each; all images in one fold where it is empty.
    repeats : int
        How often these images are drawn anew, one fold each.
    classes : tuple of int
        Numbers of seen generators, one fold each; all of them where it is empty.
    """

    name: str
    unseen: Unseen | Literal["none"]
    description: Annotated[str, Limits(longest=2000)] = ""
    hold_out: HeldColumn | None = None
    ratios: tuple[_Ratio, _Ratio, _Ratio] = (0.8, 0.1, 0.1)
    group: Annotated[str, Limits(shortest=1, longest=100)] | None = None
    group_seed: Annotated[int, Limits(least=0, most=2**32 - 1)] | None = None
    shots: _Numbers = ()
    repeats: Annotated[int, Limits(least=1, most=1000)] = 1
    classes: _Numbers = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name.endswith(SUFFIXES):
            raise UsageError(
                f"'{printable(self.name, 60)}' cannot name a protocol: use at most {_LONGEST_NAME} letters, digits,"
                " '_', '-', '+' and '.'."
            )
        if not all(0 < ratio < 1 for ratio in self.ratios):
            raise UsageError("ratios must be three numbers between 0 and 1 (train, val, test).")
        if sum(self.shares) != 1:
            raise UsageError(f"ratios must add up to 1, not to {float(sum(self.shares)):g}.")
        self._check_shots()

    def _check_shots(self) -> None:
        if self.unseen == NOBODY and not self.shots:
            raise UsageError("'unseen: none' needs 'shots': where every image may be trained on, say who is unseen.")
        if self.shots and self.hold_out:
            raise UsageError("'shots' and 'hold_out' do not go together: leave one of them out.")
        if not self.shots and (self.repeats > 1 or self.classes):
            raise UsageError("'repeats' and 'classes' belong to 'shots': say how many, e.g. 'shots: [1, 5, 10]'.")
        if min(self.classes, default=2) < 2:
            raise UsageError("'classes' must be at least 2 each.")
        if self.group_seed is not None and self.group is None:
            raise UsageError("'group_seed' shuffles groups: say which column they are in, e.g. 'group: character'.")

    @classmethod
    def of_unseen(cls, names: Sequence[str], name: str | None = None, hold_out: HeldColumn | None = None) -> Protocol:
        """The protocol under which these generators are unseen and all others are seen.

        Parameters
        ----------
        names : sequence of str
            Generators of a data set; whether they exist is known once it is split.
        name : str, optional
            What the protocol is called; without it ``unseen-flux+midjourney``, or a hash of names that are many or odd.
        hold_out : str, optional
            As of :class:`Protocol`; without a name, it ends in ``-across-weights``, for example.

        Raises
        ------
        UsageError
            No name at all, or a name that cannot be one.
        """
        unseen = tuple(sorted(set(names)))
        held = f"-across-{hold_out.replace('_', '-')}" if hold_out else ""
        joined = f"unseen-{'+'.join(unseen)}"
        if not _NAME.fullmatch(joined + held):
            joined = f"unseen-{len(unseen)}-{hashlib.sha256(joined.encode()).hexdigest()[:12]}"
        return cls(joined + held if name is None else name, Unseen(generators=unseen), hold_out=hold_out)

    @property
    def shares(self) -> tuple[Fraction, ...]:
        """The ratios as exact decimals: 0.1 of 15 images must not depend on the binary value of 0.1."""
        return tuple(Fraction(str(ratio)) for ratio in self.ratios)

    def document(self) -> dict[str, Any]:
        """What its YAML file says: plain data, without what is said nowhere."""
        document = _said(self)
        if isinstance(self.unseen, Unseen):
            document["unseen"] = _said(self.unseen)
        if not self.shots:
            del document["repeats"]
        return document

    def folds(
        self,
        generators: Iterable[str] | Mapping[str, str],
        sources: Collection[Learned] = (),
        images: Mapping[str, int] | None = None,
    ) -> list[Fold]:
        """All folds over the given generators, in a fixed order.

        Parameters
        ----------
        generators : iterable or mapping of str
            Generators -> their architectures in the catalog; in a plain collection every name is its own architecture.
        sources : collection of Learned
            Only protocols that hold something out look at them.
        images : mapping of str to int, optional
            Generator -> training images that there are; only protocols with shots look at them. Without it, as many
            as anybody asks for. A generator that has none cannot be seen.

        Raises
        ------
        DatasetError
            An unseen architecture is missing, fewer than two generators would stay seen, nothing can be held out, or no
            generator has as many training images as the smallest number of shots.
        """
        candidates = self._candidates(generators, sources, images)
        possible = [fold for fold in candidates if not self._lacking(fold, sources, images)]
        if not possible:
            lacking = sorted({name for fold in candidates for name in self._lacking(fold, sources, images)})
            if self.shots:
                raise DatasetError(
                    f"protocol '{self.name}' asks for {min(self.shots)} training images of every seen generator or "
                    f"more, and {', '.join(lacking)} has fewer: generate more images."
                )
            assert self.hold_out is not None
            raise DatasetError(nothing_to_hold_out(self.name, self.hold_out, candidates, sources))
        return possible

    def _candidates(
        self,
        generators: Iterable[str] | Mapping[str, str],
        sources: Collection[Learned],
        images: Mapping[str, int] | None,
    ) -> list[Fold]:
        """All folds, those too that would leave a seen generator without enough training images."""
        folds = self._generator_folds(generators)
        if self.hold_out:
            return hold_out(folds, self.hold_out, sources)
        if not self.shots:
            return folds
        few = Shots(self.shots, self.repeats, self.classes)
        able = [name for name in generators if images is None or images.get(name, 0) > 0]
        folds = [fold for fold in folds if len(set(able) - set(fold.unseen)) > 1]
        if not folds:
            raise DatasetError(
                f"protocol '{self.name}' needs training images of two seen generators at least; this dataset has some "
                f"of {', '.join(sorted(able)) or 'none'}."
            )
        _refuse_many(self.name, len(folds) * few.count(len(able) - len(folds[0].unseen)))
        return [each for fold in folds for each in few.folds(fold, able)]

    def _lacking(self, fold: Fold, sources: Collection[Learned], images: Mapping[str, int] | None) -> list[str]:
        """Seen generators because of which a fold cannot be."""
        if self.shots:
            return too_few_images(fold, images) if images is not None else []
        return hindered(fold, sources)

    def _generator_folds(self, generators: Iterable[str] | Mapping[str, str]) -> list[Fold]:
        table = (
            dict(cast(Mapping[str, str], generators))
            if isinstance(generators, Mapping)
            else {name: name for name in generators}
        )
        unseen = self.unseen
        choose = unseen.choose if isinstance(unseen, Unseen) else None
        folds = self._rotations(sorted(table), choose) if choose else [Fold(self.name, self._unseen(table))]
        if not folds or len(table) - len(folds[0].unseen) < 2:
            raise DatasetError(
                f"protocol '{self.name}' needs at least two seen generators besides its "
                f"{choose or len(folds[0].unseen)} unseen; this dataset has {', '.join(sorted(table)) or 'none'}."
            )
        return folds

    def _unseen(self, table: Mapping[str, str]) -> tuple[str, ...]:
        if not isinstance(self.unseen, Unseen):
            return ()
        for name in self.unseen.generators:
            if name not in table:
                raise unknown_name(f"generator under 'unseen' of protocol {self.name}", name, table)
        names = list(self.unseen.generators)
        for architecture in self.unseen.architectures:
            found = [g for g, a in table.items() if plain(architecture) in (plain(a), plain(g))]
            if not found:
                raise DatasetError(
                    f"protocol '{self.name}' holds out {printable(architecture)}, but no generator of this dataset has"
                    f" that architecture (it has {', '.join(sorted(table)) or 'none'}): generate one, use another"
                    " protocol, or say who is unseen with `osbench split --unseen NAME`."
                )
            names += found
        return tuple(sorted(set(names)))

    def _rotations(self, names: list[str], choose: int) -> list[Fold]:
        _refuse_many(self.name, comb(len(names), choose), f" over {len(names)} generators")
        return [Fold(f"{self.name}/{'+'.join(unseen)}", unseen) for unseen in combinations(names, choose)]

    def fold(
        self,
        generators: Iterable[str] | Mapping[str, str],
        name: str | None = None,
        sources: Collection[Learned] = (),
        images: Mapping[str, int] | None = None,
    ) -> Fold:
        """The fold of that name (``rotate/stylegan+taming`` or ``stylegan+taming``); parameters as in :meth:`folds`.

        Without a name: the only fold there is, or a UsageError that lists the choices. DatasetError for something that
        exists but cannot be held out, and for more shots than a generator has training images.
        """
        folds = self.folds(generators, sources, images)
        if name is None and len(folds) == 1:
            return folds[0]
        by_name = {fold.name: fold for fold in folds}
        if name is None:
            raise UsageError(f"protocol '{self.name}' has {len(folds)} folds; choose one: {_some(by_name)}.")
        for fold in self._candidates(generators, sources, images):
            if name in (fold.name, short(fold.name)):
                if fold not in folds:
                    raise (
                        self._impossible(fold, self._lacking(fold, sources, images))
                        if self.shots
                        else refusal(fold, sources)
                    )
                return fold
        raise unknown_name(f"fold of protocol {self.name}", name, map(short, by_name))

    def _impossible(self, fold: Fold, lacking: Sequence[str]) -> DatasetError:
        return DatasetError(
            f"fold {fold.name} needs {fold.shots} training images of every seen generator, and "
            f"{', '.join(lacking)} has fewer: generate more images, or choose another fold."
        )


def _said(record: Unseen | Protocol) -> dict[str, Any]:
    values: dict[str, Any] = to_json(record)
    return {key: value for key, value in values.items() if value or value == 0}


def _refuse_many(name: str, folds: int, over: str = "") -> None:
    if folds > _MOST_FOLDS:
        raise DatasetError(f"protocol '{name}' has {folds:,} folds{over}; at most {_MOST_FOLDS:,} do.")


def _some(fold_names: Collection[str], most: int = 50) -> str:
    more = f" and {len(fold_names) - most} more" if len(fold_names) > most else ""
    return ", ".join([short(name) for name in fold_names][:most]) + more
