"""The columns of a manifest's table."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

COLUMNS = ("image_id", "shard", "row", "generator", "training_set", "openness", "split", "class_index")
OPTIONAL = ("weights", "group")
"""Columns that a manifest has only if one of its images has a value there; the others are empty then."""

INTEGERS = ("row", "class_index")


def columns_of(present: Collection[str]) -> tuple[str, ...]:
    """The columns that a manifest should have, with those optional ones that are present."""
    return COLUMNS + tuple(name for name in OPTIONAL if name in present)


def schema_of(present: Collection[str]) -> pa.Schema:
    """The Parquet schema of :func:`columns_of`, without metadata."""
    return pa.schema([(name, pa.int64() if name in INTEGERS else pa.string()) for name in columns_of(present)])


def cells(table: pd.DataFrame, name: str) -> np.ndarray:
    """A column of a manifest, or of the index of a dataset, as an array: str, or int64 (N,).

    An optional column that is not there, or has no value, is empty texts.
    """
    if name in OPTIONAL:
        return np.asarray(table[name].fillna("") if name in table else [""] * len(table), dtype=str)
    return np.asarray(table[name], dtype=np.int64 if name in INTEGERS else str)


def source_names(table: pd.DataFrame) -> np.ndarray:
    """The source of every row, str (N,): ``stylegan2/ffhq``, with several weights ``stylegan2/pictures.w0``."""
    columns = (cells(table, name).tolist() for name in ("generator", "training_set", "weights"))
    return np.array([f"{g}/{t}.{w}" if w else f"{g}/{t}" for g, t, w in zip(*columns, strict=True)], dtype=str)


def class_index(generator: np.ndarray, seen: Sequence[str]) -> np.ndarray:
    """int64 (N,): the place of each generator among the seen ones, -1 for an unseen one."""
    index = {name: i for i, name in enumerate(seen)}
    return np.array([index.get(name, -1) for name in generator], dtype=np.int64)
