"""Who is known: a protocol is one YAML file, in this folder or anybody's own.

::

    name: mine                            # without it, the name of the file
    description: one paragraph            # may be left out
    unseen:                               # one of these three
      generators: [midjourney, flux]      # one fold, named like the protocol
      architectures: [StyleGAN, ...]      # the same, by the architectures that the catalog gives the generators
      choose: 2                           # one fold for every choice of so many generators
    hold_out: training_set                # or weights, or absent; with it, one fold for each that can be held out
    ratios: [0.8, 0.1, 0.1]               # train, val, test inside every source; these where nothing is said
    group: group                          # column whose equal values never straddle splits; without it :mod:`..groups`

A fold of a choosing protocol is named ``rotate/stylegan+taming``: the protocol, then its unseen generators in
alphabetical order. A fold that holds something out ends in its name: ``cross-content/emoji``, and both together are
``mine/stylegan+taming/w2``. What can be held out: :mod:`.holding_out`; asking for something else by name says why not.

A protocol that somebody brings is stored with the manifests of the data set, and known there by its name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Annotated, Any

import yaml

from ...core.errors import DatasetError, UsageError, unknown_name
from ...core.progress import get_logger
from ...core.publish import write_atomically
from ...core.schema import Limits, read_record
from ...core.text import printable
from ...core.yaml import read_yaml
from .fold import Fold, HeldColumn
from .holding_out import Learned, hindered, hold_out, nothing_to_hold_out, refusal

__all__ = [
    "Fold",
    "Learned",
    "Protocol",
    "Unseen",
    "load_protocol",
    "protocol_names",
    "read_protocol",
    "store_protocol",
]

_PACKAGED = Path(__file__).resolve().parent
_SUFFIXES = (".yaml", ".yml")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
_LONGEST_NAME = 100
_MOST_FOLDS = 10_000

_Names = Annotated[tuple[Annotated[str, Limits(shortest=1, longest=200)], ...], Limits(longest=1000, unique=True)]
_Ratio = Annotated[float, Limits(least=0, most=1)]


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
        Shares of train, val and test inside every source; they add up to 1.
    group : str, optional
        Column of the data set whose equal values lie in one split; without it what :mod:`..groups` says.
    """

    name: str
    unseen: Unseen
    description: Annotated[str, Limits(longest=2000)] = ""
    hold_out: HeldColumn | None = None
    ratios: tuple[_Ratio, _Ratio, _Ratio] = (0.8, 0.1, 0.1)
    group: Annotated[str, Limits(shortest=1, longest=60)] | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name.endswith(_SUFFIXES):
            raise UsageError(
                f"'{printable(self.name, 60)}' cannot name a protocol: use at most {_LONGEST_NAME} letters, digits,"
                " '_', '-', '+' and '.'."
            )
        if not all(0 < ratio < 1 for ratio in self.ratios):
            raise UsageError("ratios must be three numbers between 0 and 1 (train, val, test).")
        if sum(self.shares) != 1:
            raise UsageError(f"ratios must add up to 1, not to {float(sum(self.shares)):g}.")

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
        unseen = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self.unseen).items()}
        document = {
            "name": self.name,
            "description": self.description,
            "unseen": {key: value for key, value in unseen.items() if value},
            "hold_out": self.hold_out,
            "ratios": list(self.ratios),
            "group": self.group,
        }
        return {key: value for key, value in document.items() if value}

    def folds(self, generators: Iterable[str] | Mapping[str, str], sources: Collection[Learned] = ()) -> list[Fold]:
        """All folds over the given generators, in a fixed order.

        ``generators`` maps generator names to the architectures of the catalog; a plain collection of names
        counts every name as its own architecture. ``sources``: only protocols that hold something out look at them.
        Raises DatasetError if an unseen architecture is missing, if fewer than two generators would stay seen, or if
        nothing can be held out.
        """
        candidates = self._candidates(generators, sources)
        possible = [fold for fold in candidates if not hindered(fold, sources)]
        if self.hold_out and not possible:
            raise DatasetError(nothing_to_hold_out(self.name, self.hold_out, candidates, sources))
        return possible

    def _candidates(self, generators: Iterable[str] | Mapping[str, str], sources: Collection[Learned]) -> list[Fold]:
        """All folds, those too that cannot hold out what they say."""
        folds = self._generator_folds(generators)
        return hold_out(folds, self.hold_out, sources) if self.hold_out else folds

    def _generator_folds(self, generators: Iterable[str] | Mapping[str, str]) -> list[Fold]:
        table = dict(generators) if isinstance(generators, Mapping) else {name: name for name in generators}
        choose = self.unseen.choose
        folds = self._rotations(sorted(table), choose) if choose else [Fold(self.name, self._unseen(table))]
        if not folds or len(table) - len(folds[0].unseen) < 2:
            raise DatasetError(
                f"protocol '{self.name}' needs at least two seen generators besides its "
                f"{choose or len(folds[0].unseen)} unseen; this dataset has {', '.join(sorted(table)) or 'none'}."
            )
        return folds

    def _unseen(self, table: Mapping[str, str]) -> tuple[str, ...]:
        for name in self.unseen.generators:
            if name not in table:
                raise unknown_name(f"generator under 'unseen' of protocol {self.name}", name, table)
        names = list(self.unseen.generators)
        for architecture in self.unseen.architectures:
            found = [g for g, a in table.items() if _plain(architecture) in (_plain(a), _plain(g))]
            if not found:
                raise DatasetError(
                    f"protocol '{self.name}' holds out {printable(architecture)}, but no generator of this dataset has"
                    f" that architecture (it has {', '.join(sorted(table)) or 'none'}): generate one, use another"
                    " protocol, or say who is unseen with `osbench split --unseen NAME`."
                )
            names += found
        return tuple(sorted(set(names)))

    def _rotations(self, names: list[str], choose: int) -> list[Fold]:
        if comb(len(names), choose) > _MOST_FOLDS:
            raise DatasetError(
                f"protocol '{self.name}' has {comb(len(names), choose):,} folds over {len(names)} generators; at most "
                f"{_MOST_FOLDS:,} do."
            )
        return [Fold(f"{self.name}/{'+'.join(unseen)}", unseen) for unseen in combinations(names, choose)]

    def fold(
        self,
        generators: Iterable[str] | Mapping[str, str],
        name: str | None = None,
        sources: Collection[Learned] = (),
    ) -> Fold:
        """The fold of that name (``rotate/stylegan+taming`` or ``stylegan+taming``); parameters as in :meth:`folds`.

        Without a name: the only fold there is, or a UsageError that lists the choices. DatasetError for something that
        exists but cannot be held out.
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
                    raise refusal(fold, sources)
                return fold
        raise unknown_name(f"fold of protocol {self.name}", name, map(_short, by_name))


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def _short(fold_name: str) -> str:
    return fold_name.split("/", 1)[-1]


def protocol_names() -> list[str]:
    """Names of the packaged protocols, sorted."""
    return sorted(path.stem for path in _PACKAGED.glob("*.yaml"))


def load_protocol(given: str | Path | Protocol, folders: Sequence[Path] = ()) -> Protocol:
    """A protocol by its name or file.

    Parameters
    ----------
    given : str, Path or Protocol
        The name of a packaged protocol or of one stored in ``folders``, the path of a YAML file, or the protocol.
    folders : sequence of Path
        Where protocols are stored; the first that knows a name counts.

    Returns
    -------
    Protocol
        Whether its generators exist is known once a data set is split.

    Raises
    ------
    UsageError
        For an unknown name (with the nearest one), a file that is no protocol, and a protocol that has the name of a
        packaged one and says something else.
    """
    if isinstance(given, Protocol):
        return _checked(given, "this protocol")
    text = str(given)
    if text in protocol_names():
        return read_protocol(_PACKAGED / f"{text}.yaml")
    if text.endswith(_SUFFIXES):
        return _checked(read_protocol(Path(given)), printable(text))
    stored = {path.stem: path for folder in reversed(folders) for path in folder.glob("*.yaml")}
    if text not in stored:
        raise unknown_name("protocol", text, {*protocol_names(), *stored})
    found = read_protocol(stored[text])
    if found.name != text:
        raise UsageError(f"{printable(stored[text])}: holds protocol {found.name} under another name.")
    return found


def _checked(protocol: Protocol, where: str) -> Protocol:
    name = protocol.name
    if name in protocol_names() and replace(protocol, description="") != replace(load_protocol(name), description=""):
        raise UsageError(f"{where} has the name of the packaged protocol {name} and says something else: rename it.")
    return protocol


def read_protocol(path: Path) -> Protocol:
    """The protocol of a YAML file; UsageError, naming file and key, for anything else than the keys above."""
    document = read_yaml(path, UsageError)
    if isinstance(document, dict):
        document = {"name": path.stem} | document
    return read_record(Protocol, document, printable(path))


def store_protocol(protocol: Protocol, folder: Path) -> Path | None:
    """Keep a protocol in a folder, ``<name>.yaml``, so that it is known there by its name.

    Parameters
    ----------
    protocol : Protocol
        What to keep; a packaged one is known everywhere and not written.
    folder : Path
        Where manifests are.

    Returns
    -------
    Path or None
        Where it is stored; None for a packaged one.
    """
    if protocol.name in protocol_names():
        return None
    path = folder / f"{protocol.name}.yaml"
    if path.exists():
        try:
            if read_protocol(path) == protocol:
                return path
        except UsageError:
            pass
        get_logger().warning("%s said something else and is replaced", path)
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(protocol.document(), sort_keys=False, allow_unicode=True, width=120)
    write_atomically(path, text.encode())
    return path
