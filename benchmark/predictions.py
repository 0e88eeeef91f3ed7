"""Predictions: one row per validation and test image, the only thing that numbers are computed from.

``predictions.parquet`` has the columns ``image_id`` string, ``class_scores`` fixed-size list of K float32,
``known_score`` float32, ``candidate`` int32. A compact file holds ``class_scores`` as float16: no metric reads them,
while every metric follows from ``known_score`` and ``candidate``, which are always exact. A file may come from anybody,
so its size, schema and row count are checked from its footer before any row is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..core.errors import RunError
from .manifest import Manifest
from .method import Scores

COLUMNS = ("image_id", "class_scores", "known_score", "candidate")

#: Limits for files of unknown origin: rows, and characters of one image id.
MAX_ROWS = 5_000_000
MAX_ID_LENGTH = 64


@dataclass(frozen=True)
class Predictions:
    """Answers for N images over K seen generators.

    Attributes
    ----------
    image_ids: str (N,), unique.
    scores: class_scores float32 (N, K), known_score float32 (N,), candidate int64 (N,).
    """

    image_ids: np.ndarray
    scores: Scores

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def n_classes(self) -> int:
        """Number of seen generators K."""
        return self.scores.class_scores.shape[1]

    def check(self) -> Self:
        """RunError unless there is one finite answer per image and no image twice."""
        self.scores.check()
        if len(self.scores) != len(self.image_ids):
            raise RunError(f"{len(self.scores)} answers for {len(self.image_ids)} images.")
        repeated = pd.Series(self.image_ids).duplicated()
        if repeated.any():
            raise RunError(f"image {self.image_ids[int(repeated.to_numpy().argmax())]} is answered twice.")
        return self

    def join(
        self, manifest: Manifest, where: str = "predictions", splits: tuple[str, ...] = ("val", "test")
    ) -> Predictions:
        """The same answers in the order of the manifest's rows of ``splits``.

        RunError, naming ``where`` and the first image, if an image is missing, unknown or answered twice, or if K
        differs.
        """
        if self.n_classes != len(manifest.seen):
            raise RunError(
                f"{where}: scores for {self.n_classes} generators, the manifest has {len(manifest.seen)} seen."
            )
        wanted = manifest.rows(*splits)["image_id"]
        positions = pd.Index(self.image_ids).get_indexer(pd.Index(wanted))
        missing = positions < 0
        if missing.any():
            raise RunError(
                f"{where}: {int(missing.sum())} of {len(wanted)} images have no answer, first "
                f"{wanted[int(missing.argmax())]}."
            )
        if len(self) != len(wanted):
            unknown = ~pd.Series(self.image_ids).isin(wanted).to_numpy()
            raise RunError(
                f"{where}: {int(unknown.sum())} answers are for images outside the manifest's {' and '.join(splits)}, "
                f"first {self.image_ids[int(unknown.argmax())]}."
            )
        return self.take(positions)

    def take(self, positions: np.ndarray) -> Predictions:
        """The answers at integer positions or of a boolean mask."""
        s = self.scores
        return Predictions(
            self.image_ids[positions],
            Scores(s.class_scores[positions], s.known_score[positions], s.candidate[positions]),
        )


def write_predictions(predictions: Predictions, path: Path, *, compact: bool = False) -> None:
    """Write Parquet; the same answers give the same bytes.

    compact: class_scores rounded to float16 (float32 still, if one of them is beyond its range of 65504).
    """
    s = predictions.scores
    half = compact and bool((np.abs(s.class_scores) <= np.finfo(np.float16).max).all())
    flat = pa.array(s.class_scores.astype(np.float16 if half else np.float32).reshape(-1))
    table = pa.table(
        {
            "image_id": pa.array(predictions.image_ids.tolist(), pa.string()),
            "class_scores": pa.FixedSizeListArray.from_arrays(flat, predictions.n_classes),
            "known_score": pa.array(s.known_score, pa.float32()),
            "candidate": pa.array(s.candidate.astype(np.int32), pa.int32()),
        }
    )
    if compact:
        few_values: Any = ["candidate"]
        pq.write_table(table, path, compression="zstd", compression_level=19, use_dictionary=few_values)
    else:
        pq.write_table(table, path, compression="zstd")


def read_predictions(path: Path, n_classes: int) -> Predictions:
    """Read and check a predictions file for K = ``n_classes`` seen generators; RunError in one line otherwise."""
    try:
        with pq.ParquetFile(path, read_dictionary=["image_id"]) as file:
            _check_footer(file, n_classes, path)
            table = file.read()
    except FileNotFoundError as error:
        raise RunError(f"no predictions {path}.") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RunError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}.") from error
    ids = table["image_id"].combine_chunks()
    longest = max((len(name) for name in ids.unique().to_pylist() if name), default=0)
    if table.num_rows == 0 or any(table[name].null_count for name in COLUMNS) or longest > MAX_ID_LENGTH:
        raise RunError(f"{path}: no rows, empty cells, or image ids longer than {MAX_ID_LENGTH} characters.")
    scores = Scores(
        _score_matrix(table["class_scores"].combine_chunks(), table.num_rows, n_classes, path),
        table["known_score"].to_numpy(),
        table["candidate"].to_numpy(),
    )
    try:
        return Predictions(np.array(ids.to_pylist(), dtype=str), scores).check()
    except RunError as error:
        raise RunError(f"{path}: {error}") from error


def _check_footer(file: pq.ParquetFile, n_classes: int, path: Path) -> None:
    schema, footer = file.schema_arrow, file.metadata
    names = tuple(schema.names)
    if names != COLUMNS:
        raise RunError(f"{path}: columns are {', '.join(names)}; expected {', '.join(COLUMNS)}.")
    lists = schema.field("class_scores").type
    kinds = {"known_score": pa.float32(), "candidate": pa.int32()}
    if not (pa.types.is_fixed_size_list(lists) or pa.types.is_list(lists)) or lists.value_type not in (
        pa.float32(),
        pa.float16(),
    ):
        raise RunError(f"{path}: class_scores is {lists}; expected a list of {n_classes} float32 or float16.")
    for name, kind in kinds.items():
        if schema.field(name).type != kind:
            raise RunError(f"{path}: {name} is {schema.field(name).type}; expected {kind}.")
    if footer.num_rows > MAX_ROWS:
        raise RunError(f"{path}: {footer.num_rows} rows; at most {MAX_ROWS} are read.")
    # Run-length encoded columns may unfold to far more than the file's size: count their values first.
    values = sum(footer.row_group(g).column(1).num_values for g in range(footer.num_row_groups))
    if values != footer.num_rows * n_classes:
        raise RunError(f"{path}: {values} class scores for {footer.num_rows} rows; expected {n_classes} per row.")


def _score_matrix(lists: pa.Array, n_rows: int, n_classes: int, path: Path) -> np.ndarray:
    if not pa.types.is_fixed_size_list(lists.type):
        lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
        if (lengths != n_classes).any():
            row = int(np.argmax(lengths != n_classes))
            raise RunError(f"{path}: row {row} has {lengths[row]} class scores; expected {n_classes}.")
    elif lists.type.list_size != n_classes:
        raise RunError(f"{path}: {lists.type.list_size} class scores per row; expected {n_classes}.")
    return lists.flatten().to_numpy(zero_copy_only=False).reshape(n_rows, n_classes)
