"""Which images are trained on, validated on and tested: by source, or by groups that never straddle splits.

Nothing here depends on the order of the rows. Images without groups are split in the order of a hash of their ids
inside every source: a split depends on nothing but the set of images of that source. Images that belong together are a
*group* and lie in one split, whoever made them: they show the same scene, are crops of one picture, or come from one
original. A data set says so itself (:func:`own_groups`), or a protocol names a column.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import pandas as pd

from ..core.errors import DatasetError
from ..core.text import natural_order, printable
from .manifest_columns import source_names

SPLITS = ("train", "val", "test")
ORIGINAL = "original"
"""The role of an image that somebody made from a prompt, and not of its resyntheses."""

_STAND_INS = {"character": ("prompt", "class_label")}
"""Columns that say the same where a suite has no column of that name: a caption names the character."""

_LONGEST_GROUP = 200
_SCALE = 1_000_000


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


def own_groups(index: pd.DataFrame) -> np.ndarray:
    """The group of every row, str (N,), as the data set itself says it; empty for an image that belongs to no other.

    The column ``group`` (pictures that all sources of a suite show, folders with a ``groups.csv`` or ``group: stem``),
    else the ``content_id``.
    """
    keys = np.full(len(index), "", dtype=object)
    for name in ("content_id", "group"):
        if name in index:
            keys = np.where(index[name].notna(), index[name].astype(str), keys)
    return keys.astype(str)


def split_sources(index: pd.DataFrame, ratios: Sequence[Fraction]) -> np.ndarray:
    """The split of every row, str (N,): inside each source the first images in hash order train, the last ones test.

    Where images of a source have groups of their own, whole groups are put into splits instead, for all sources that
    share groups together. DatasetError for a source with too few images, or groups, for all three.
    """
    ids, source, group = np.asarray(index["image_id"], dtype=str), source_names(index), own_groups(index)
    rows: dict[str, list[int]] = {}
    for i, name in enumerate(source.tolist()):
        rows.setdefault(name, []).append(i)
    sizes = {name: split_counts(len(members), ratios) for name, members in rows.items()}
    for name, size in sizes.items():
        if min(size) < 1:
            raise DatasetError(
                f"source {name} has {sum(size)} images, too few for {_at(ratios)}: generate more images."
            )
    split = np.empty(len(index), dtype="<U5")
    grouped = np.isin(source, source[group != ""])
    for name, members in rows.items():
        if not grouped[members[0]]:
            order = np.array(members)[np.argsort(np.array([_hash(ids[i]) for i in members]), kind="stable")]
            split[order] = np.repeat(SPLITS, sizes[name])
    if grouped.any():
        # An image without a group, in a source that has some, is one of its own; no name of a group is its name.
        alone = np.where(group != "", np.char.add("group ", group), np.char.add("image ", ids))
        split[grouped] = np.array(SPLITS)[_fill_splits(source[grouped], alone[grouped], sizes)]
    return split


def _fill_splits(source: np.ndarray, group: np.ndarray, sizes: Mapping[str, tuple[int, int, int]]) -> np.ndarray:
    """The number of the split of every image, int64 (N,), so that every source comes as near as it can to its sizes.

    The largest groups choose first, groups of one size in the order of the hash of their names; each takes the split
    that lacks most of its share where the group has images. Groups that have one image of every source fill the splits
    exactly.
    """
    names, of_group = np.unique(group, return_inverse=True)
    sources, of_source = np.unique(source, return_inverse=True)
    counts = np.zeros((len(names), len(sources)), np.int64)
    np.add.at(counts, (of_group, of_source), 1)
    wanted = np.array([sizes[name] for name in sources.tolist()], np.int64).T
    lacking = wanted.copy()
    hashes = [_hash(name) for name in names.tolist()]
    totals = counts.sum(1).tolist()
    split = np.empty(len(names), np.int64)
    for g in sorted(range(len(names)), key=lambda g: (-totals[g], hashes[g])):
        # In whole numbers: the choice must not depend on a processor's rounding.
        share = (counts[g] * (lacking * _SCALE // wanted)).sum(1)
        split[g] = int(np.argmax(share))
        lacking[split[g]] -= counts[g]
    found = split[of_group]
    for k, name in enumerate(sources.tolist()):
        mine = of_source == k
        if len(set(found[mine].tolist())) < len(SPLITS):
            raise DatasetError(
                f"source {name} has {int(mine.sum())} images in {len(set(of_group[mine].tolist()))} groups, too few for"
                f" {'/'.join(SPLITS)}: a group never straddles splits; give it pictures of more groups."
            )
    return found


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
    names = sorted(set(groups.tolist()), key=natural_order)
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


def few_shots(index: pd.DataFrame, split: np.ndarray, groups: np.ndarray, shots: int, repeat: int) -> np.ndarray:
    """Which rows are the training images of one repeat, bool (N,): ``shots`` of every generator, all of one with fewer.

    Groups come in one order for all generators, so that every generator shows the same; a group gives its second image
    once all have given their first. The images of n shots are among those of n + 1 of the same repeat.

    Parameters
    ----------
    index : pandas.DataFrame
        With ``image_id`` and ``generator``.
    split : numpy.ndarray
        str (N,); only rows of ``train`` are drawn.
    groups : numpy.ndarray
        str (N,), empty for an image that is a group of its own.
    shots, repeat : int
        How many, and which drawing.
    """
    ids, generator = (np.asarray(index[name], dtype=str) for name in ("image_id", "generator"))
    names = np.where(groups != "", groups, ids)
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


def _at(ratios: Sequence[Fraction]) -> str:
    return f"{'/'.join(SPLITS)} at {'/'.join(printable(f'{float(ratio):g}') for ratio in ratios)}"
