"""Which image trains, validates or tests.

Images are split in the order of a hash of their ids inside every source: a split depends on nothing but the set of
images of that source, not on their order, not on other sources, not on the fold.

Images that belong together are a *group* and lie in one split, whoever made them: they show the same scene, are crops
of one picture, or come from one original. Without a word from the protocol, an image's group is what the column
``group`` says (pictures that all sources of a suite show, folders with a ``groups.csv`` or ``group: stem``), else its
``content_id``; an image without either is a group of its own. Sources that share groups are split together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import pandas as pd

from ..core.errors import DatasetError
from ..core.text import printable

SPLITS = ("train", "val", "test")

_GROUP_COLUMNS = ("group", "content_id")
_SCALE = 1_000_000

Sizes = tuple[int, int, int]


def split_counts(n: int, ratios: Sequence[Fraction]) -> Sizes:
    """Exact sizes of train, val and test for ``n`` images: val and test are rounded half up, train is the rest."""
    val, test = (int(n * ratio + Fraction(1, 2)) for ratio in ratios[1:])
    return n - val - test, val, test


def group_keys(index: pd.DataFrame, column: str | None = None) -> np.ndarray:
    """The group of every image of a dataset.

    Parameters
    ----------
    index : pandas.DataFrame
        Of a whole dataset, N rows.
    column : str, optional
        The column that says it, where a protocol names one.

    Returns
    -------
    numpy.ndarray
        str (N,), empty for an image that belongs to no other. DatasetError for a column that is not there or is empty.
    """
    with_values = [name for name in index if index[name].notna().to_numpy().any()]
    if column is not None and column not in with_values:
        raise DatasetError(
            f"the protocol keeps images of one '{printable(column, 60)}' together, but no image of the dataset has a"
            f" value there: leave out its key 'group', or name one of {', '.join(map(str, with_values))}."
        )
    keys = np.full(len(index), "", dtype=object)
    for name in reversed(_GROUP_COLUMNS) if column is None else (column,):
        if name in with_values:
            keys = np.where(index[name].notna(), index[name].astype(str), keys)
    return keys.astype(str)


def split_sources(ids: np.ndarray, source: np.ndarray, group: np.ndarray, ratios: Sequence[Fraction]) -> np.ndarray:
    """The split of every image.

    Inside each source the first images in hash order train, the last ones test. Where images of a source have groups,
    whole groups are put into splits instead.

    Parameters
    ----------
    ids, source, group : numpy.ndarray
        str (N,), image ids, names of sources, and groups as of :func:`group_keys`.
    ratios : sequence of Fraction
        Shares of train, val and test.

    Returns
    -------
    numpy.ndarray
        str (N,). DatasetError for a source of too few images or groups.
    """
    rows: dict[str, list[int]] = {}
    for i, name in enumerate(source.tolist()):
        rows.setdefault(name, []).append(i)
    sizes = {name: split_counts(len(members), ratios) for name, members in rows.items()}
    for name, size in sizes.items():
        if min(size) < 1:
            raise DatasetError(
                f"source {name} has {sum(size)} images, too few for {'/'.join(SPLITS)} at "
                f"{'/'.join(f'{float(r):g}' for r in ratios)}: generate more images."
            )
    split = np.empty(len(ids), dtype="<U5")
    grouped = np.isin(source, source[group != ""])
    for name, members in rows.items():
        if not grouped[members[0]]:
            keys = np.array([hashlib.sha256(ids[i].encode()).hexdigest() for i in members])
            order = np.array(members)[np.argsort(keys, kind="stable")]
            split[order] = np.repeat(SPLITS, sizes[name])
    if grouped.any():
        # An image without a group, in a source that has some, is one of its own; no name of a group is its name.
        alone = np.where(group != "", np.char.add("group ", group), np.char.add("image ", ids))
        split[grouped] = np.array(SPLITS)[_split_groups(source[grouped], alone[grouped], sizes)]
    return split


def _split_groups(source: np.ndarray, group: np.ndarray, sizes: Mapping[str, Sizes]) -> np.ndarray:
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
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in names.tolist()]
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
