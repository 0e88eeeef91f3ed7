"""Which images are trained on, validated on and tested: by source, or by groups that never straddle splits.

Nothing here depends on the order of the rows. Without groups, images are split in the order of a hash of their ids
inside every source: a split depends on nothing but the set of images of that source. With groups, whole groups are
split over all sources together.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pandas as pd

from ..core.errors import DatasetError
from ..core.text import printable

SPLITS = ("train", "val", "test")
ORIGINAL = "original"
"""The role of an image that somebody made from a prompt, and not of its resyntheses."""

_STAND_INS = {"character": ("prompt", "class_label")}
"""Columns that say the same where a suite has no column of that name: a caption names the character."""

_LONGEST_GROUP = 200


def split_counts(n: int, ratios: Sequence[Fraction]) -> tuple[int, int, int]:
    """Exact sizes of train, val and test for ``n`` images: val and test are rounded half up, train is the rest."""
    val, test = (int(n * ratio + Fraction(1, 2)) for ratio in ratios[1:])
    return n - val - test, val, test


def originals(index: pd.DataFrame) -> pd.DataFrame:
    """The rows of an index that are to be attributed: resyntheses are made from them, and are not."""
    if "role" not in index:
        return index
    role = index["role"]
    return pd.DataFrame(index[role.isna() | (role == ORIGINAL)]).reset_index(drop=True)


def split_sources(index: pd.DataFrame, ratios: Sequence[Fraction]) -> np.ndarray:
    """The split of every row, str (N,): inside each source the first images in hash order train, the last ones test.

    DatasetError for a source with too few images for all three.
    """
    rows: dict[str, list[int]] = {}
    for i, (generator, training_set) in enumerate(zip(index["generator"], index["training_set"], strict=True)):
        rows.setdefault(f"{generator}/{training_set}", []).append(i)
    keys = np.array([_hash(name) for name in index["image_id"]])
    split = np.empty(len(index), dtype="<U5")
    for source, members in rows.items():
        sizes = split_counts(len(members), ratios)
        if min(sizes) < 1:
            raise DatasetError(
                f"source {source} has {len(members)} images, too few for {_at(ratios)}: generate more images."
            )
        order = np.array(members)[np.argsort(keys[members], kind="stable")]
        split[order] = np.repeat(SPLITS, sizes)
    return split


def group_names(index: pd.DataFrame, column: str) -> np.ndarray:
    """The group of every row, str (N,), from a column of the index; DatasetError if one has none.

    A data set without the column ``character`` is grouped by its captions, else by its class labels.
    """
    choices = (column, *_STAND_INS.get(column, ()))
    there = [name for name in choices if name in index and _lacking(index, name) < len(index)]
    if not there:
        raise DatasetError(
            f"the protocol splits by {' or '.join(choices)}, and no image of this dataset has one: use another protocol"
            " or another 'group'."
        )
    lacking = _lacking(index, there[0])
    if lacking:
        raise DatasetError(
            f"the protocol splits by {there[0]}, and {lacking} of {len(index)} images have none: leave their sources "
            "out."
        )
    names = [str(value) for value in index[there[0]].tolist()]
    return np.array([name if len(name) <= _LONGEST_GROUP else _hash(name) for name in names], dtype=str)


def split_groups(groups: np.ndarray, ratios: Sequence[Fraction], seed: int | None) -> np.ndarray:
    """The split of every row, str (N,), so that all rows of a group are in one.

    Parameters
    ----------
    groups : numpy.ndarray
        str (N,).
    ratios : sequence of Fraction
        Shares of the groups, not of the images.
    seed : int, optional
        The groups, numbers in them counting as numbers, are shuffled as ``numpy.random.seed`` and ``shuffle`` do it;
        the first train, the next test, the last validate (paper 2's code). Without it they are in the order of a hash.

    Raises
    ------
    DatasetError
        Too few groups for all three.
    """
    names = sorted(set(groups.tolist()), key=_natural)
    if seed is None:
        names.sort(key=_hash)
    else:
        np.random.RandomState(seed).shuffle(names)
    train, val, test = split_counts(len(names), ratios)
    if min(train, val, test) < 1:
        raise DatasetError(f"{len(names)} groups are too few for {_at(ratios)}: generate images of more.")
    ordered = np.repeat(("train", "test", "val"), (train, test, val))
    split_of = dict(zip(names, ordered.tolist(), strict=True))
    return np.array([split_of[name] for name in groups.tolist()], dtype="<U5")


def few_shots(index: pd.DataFrame, split: np.ndarray, groups: np.ndarray | None, shots: int, repeat: int) -> np.ndarray:
    """Which rows are the training images of one repeat, bool (N,): ``shots`` of every generator, all of one with fewer.

    Groups come in one order for all generators, so that every generator shows the same; a group gives its second image
    once all have given their first. The images of n shots are among those of n + 1 of the same repeat.

    Parameters
    ----------
    index : pandas.DataFrame
        With ``image_id`` and ``generator``.
    split : numpy.ndarray
        str (N,); only rows of ``train`` are drawn.
    groups : numpy.ndarray, optional
        str (N,); without it every image is a group of its own.
    shots, repeat : int
        How many, and which drawing.
    """
    ids, generator = (np.asarray(index[name], dtype=str) for name in ("image_id", "generator"))
    names = ids if groups is None else groups
    chosen = np.zeros(len(index), bool)
    for name in np.unique(generator).tolist():
        rows = np.flatnonzero((generator == name) & (split == "train"))
        order = sorted(rows.tolist(), key=lambda i: _hash(f"shot {repeat} {ids[i]}"))
        given: dict[str, int] = {}
        turns: list[tuple[int, str, int]] = []
        for i in order:
            group = str(names[i])
            given[group] = given.get(group, 0) + 1
            turns.append((given[group], _hash(f"shot {repeat} {group}"), i))
        chosen[[i for _, _, i in sorted(turns)[:shots]]] = True
    return chosen


def _lacking(index: pd.DataFrame, column: str) -> int:
    return int(np.count_nonzero(index[column].isna()))


def _hash(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key that sorts 9 before 10."""
    parts = re.split(r"([0-9]+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _at(ratios: Sequence[Fraction]) -> str:
    return f"{'/'.join(SPLITS)} at {'/'.join(printable(f'{float(ratio):g}') for ratio in ratios)}"
