"""What would make a test image a known one: an id twice, or one picture, or one scene, on both sides of a border."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..core.errors import DatasetError, LeakError
from ..core.text import printable


def refuse_repeated_ids(ids: np.ndarray) -> None:
    """LeakError if an image id, str (N,), occurs twice."""
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise LeakError(f"image id {values[counts > 1][0]} appears {counts[counts > 1][0]} times; ids must be unique.")


def refuse_copies(index: pd.DataFrame) -> None:
    """LeakError if two sources hold the same picture, wherever it was cropped, whatever is trained or tested.

    Parameters
    ----------
    index : pandas.DataFrame
        Of a whole dataset; ``native_sha256`` is empty for pictures that were not supplied in a folder.
    """
    if "native_sha256" not in index:
        return
    supplied = index[index["native_sha256"].notna()]
    columns = (supplied[name] for name in ("native_sha256", "generator", "training_set", "index"))
    first: dict[str, tuple[str, int]] = {}
    for content, generator, training_set, number in zip(*columns, strict=True):
        name = f"{generator}/{training_set}"
        other, at = first.setdefault(content, (name, number))
        if other != name:
            raise LeakError(
                f"image {at} of source {other} and image {number} of source {name} are the same picture (counted from"
                " 0 in the order of the file names): leave it, or one of the two sources, out of the dataset."
            )


def refuse_twins(ids: np.ndarray, generator: np.ndarray, split: np.ndarray, hashes: np.ndarray, column: str) -> None:
    """LeakError if two images with one hash lie in different splits or under different generators.

    Parameters
    ----------
    ids, generator, split : numpy.ndarray
        str (N,).
    hashes : numpy.ndarray
        object (N,), None where an image has no such hash.
    column : str
        What the hash is called.
    """
    first: dict[str, int] = {}
    for i, content in enumerate(hashes.tolist()):
        if not isinstance(content, str):
            continue
        j = first.setdefault(content, i)
        if (generator[i], split[i]) != (generator[j], split[j]):
            raise LeakError(
                f"images {ids[j]} ({generator[j]}, {split[j]}) and {ids[i]} ({generator[i]}, {split[i]}) have the same "
                f"{column}: remove one of them from its source."
            )


def refuse_torn_groups(ids: np.ndarray, group: np.ndarray, split: np.ndarray) -> None:
    """LeakError if images of one group lie in two splits, whoever made them.

    Parameters
    ----------
    ids, group, split : numpy.ndarray
        str (N,); an empty group is none.
    """
    first: dict[str, int] = {}
    for i, name in enumerate(group.tolist()):
        j = first.setdefault(name, i)
        if name and split[i] != split[j]:
            raise LeakError(
                f"group {printable(name, 60)} is torn: {ids[j]} is in {split[j]} and {ids[i]} in {split[i]}."
            )


def refuse_missing_content(index: pd.DataFrame, source: np.ndarray) -> None:
    """DatasetError unless all sources that show pictures show the same ones: else what is shown says who made it.

    Parameters
    ----------
    index : pandas.DataFrame
        Of a whole dataset, N rows.
    source : numpy.ndarray
        str (N,), names of sources.
    """
    if "content_id" not in index or not index["content_id"].notna().to_numpy().any():
        return
    shown = index["content_id"].notna().to_numpy()
    content = index["content_id"].to_numpy()
    sets = {name: set(content[shown & (source == name)].tolist()) for name in sorted(set(source[shown].tolist()))}
    every = set[str]().union(*sets.values())
    for name, own in sets.items():
        lacking = every - own
        if lacking:
            raise DatasetError(
                f"source {name} lacks {len(lacking)} of {len(every)} pictures that others show, first"
                f" {printable(min(lacking), 60)}: run the same `osbench generate` for all sources with one --count."
            )
