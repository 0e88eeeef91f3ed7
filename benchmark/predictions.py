"""``predictions.parquet``: one row per validation and test image, the only thing that numbers are computed from.

========================  =============================  ===============================================================
``image_id``              string
``class_scores``          fixed-size list of K float32   of the fit; float16 in a compact file, where no metric reads it
``candidate``             int32                          the seen generator that an accepted image goes to
``known_score.<rule>``    float32                        of every rejection rule, always exact
``candidate.<rule>``      int32                          only of a rule whose candidates differ
========================  =============================  ===============================================================

A file may come from anybody. What is read of it is bounded by the manifest's rows and generators, never by what the
file or the run says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..core.errors import RunError, unknown_name
from ..core.foreign import TableBudget, read_table
from ..core.text import printable
from .manifest import Manifest
from .scores import Scores

#: Longest image id of a file of unknown origin, in characters.
MAX_ID_LENGTH = 64

KNOWN_SCORE, CANDIDATE = "known_score.", "candidate."


@dataclass(frozen=True, eq=False)
class Predictions:
    """Answers of one fit to N images over K seen generators, by every rejection rule.

    Parameters
    ----------
    image_ids : numpy.ndarray
        str (N,), unique.
    class_scores : numpy.ndarray
        float32 (N, K).
    candidate : numpy.ndarray
        int64 (N,), in 0..K-1.
    known_score : mapping of str to numpy.ndarray
        Rule -> float32 (N,).
    other_candidate : mapping of str to numpy.ndarray
        Rule -> int64 (N,), of the rules whose candidates differ from ``candidate``.
    """

    image_ids: np.ndarray
    class_scores: np.ndarray
    candidate: np.ndarray
    known_score: Mapping[str, np.ndarray]
    other_candidate: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])

    @classmethod
    def of(cls, image_ids: np.ndarray, answers: Mapping[str, Scores]) -> Predictions:
        """The answers of a method, rule -> scores. RunError if two rules have different class scores."""
        first_rule, first = next(iter(answers.items()))
        others: dict[str, np.ndarray] = {}
        for rule, scores in answers.items():
            if not np.array_equal(scores.class_scores, first.class_scores):
                raise RunError(
                    f"the class scores of rules '{first_rule}' and '{rule}' differ; a fit has one set of class scores "
                    "(known_score and candidate may differ)."
                )
            if not np.array_equal(scores.candidate, first.candidate):
                others[rule] = scores.candidate
        known = {rule: scores.known_score for rule, scores in answers.items()}
        return cls(np.asarray(image_ids, dtype=str), first.class_scores, first.candidate, known, others)

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rejection rules."""
        return tuple(self.known_score)

    @property
    def n_classes(self) -> int:
        """Number of seen generators K."""
        return self.class_scores.shape[1]

    def scores(self, rule: str) -> Scores:
        """The answers by one rule; UsageError if there is no such rule."""
        if rule not in self.known_score:
            raise unknown_name("rejection rule", rule, self.rules)
        return Scores(self.class_scores, self.known_score[rule], self.other_candidate.get(rule, self.candidate))

    def check(self) -> Self:
        """RunError unless there is one finite answer per image and rule, and no image twice."""
        if not self.known_score:
            raise RunError("no rejection rule has an answer.")
        for rule in self.rules:
            try:
                scores = self.scores(rule).check()
            except RunError as error:
                raise RunError(f"rule '{rule}': {error}") from error
            if len(scores) != len(self.image_ids):
                raise RunError(f"rule '{rule}': {len(scores)} answers for {len(self.image_ids)} images.")
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
                f"first {printable(self.image_ids[int(unknown.argmax())])}."
            )
        return self.take(positions)

    def take(self, positions: np.ndarray) -> Predictions:
        """The answers at integer positions or of a boolean mask."""
        return Predictions(
            self.image_ids[positions],
            self.class_scores[positions],
            self.candidate[positions],
            {rule: values[positions] for rule, values in self.known_score.items()},
            {rule: values[positions] for rule, values in self.other_candidate.items()},
        )

    def of_rules(self, rules: Sequence[str]) -> Predictions:
        """The answers by some of the rules."""
        others = {rule: values for rule, values in self.other_candidate.items() if rule in rules}
        known = {rule: self.known_score[rule] for rule in rules}
        return Predictions(self.image_ids, self.class_scores, self.candidate, known, others)

    def to_table(self, *, compact: bool = False) -> pa.Table:
        """The columns of the file. compact: class scores rounded to float16, unless one is beyond its range."""
        half = compact and bool((np.abs(self.class_scores) <= np.finfo(np.float16).max).all())
        flat = pa.array(self.class_scores.astype(np.float16 if half else np.float32).reshape(-1))
        columns: dict[str, pa.Array] = {
            "image_id": pa.array(self.image_ids.tolist(), pa.string()),
            "class_scores": pa.FixedSizeListArray.from_arrays(flat, self.n_classes),
            "candidate": pa.array(self.candidate.astype(np.int32), pa.int32()),
        }
        columns |= {KNOWN_SCORE + rule: pa.array(v, pa.float32()) for rule, v in self.known_score.items()}
        others = self.other_candidate.items()
        columns |= {CANDIDATE + rule: pa.array(v.astype(np.int32), pa.int32()) for rule, v in others}
        return pa.table(columns)

    @classmethod
    def from_table(cls, table: pa.Table, rules: Sequence[str], n_classes: int, where: str) -> Predictions:
        """The checked answers of a table; RunError, beginning with ``where``, if anything about it is wrong."""
        try:
            _check_columns(table.schema, rules)
            if any(column.null_count for column in table.columns):
                name = next(n for n in table.column_names if table[n].null_count)
                raise RunError(f"column '{name}' has empty cells.")
            known = {rule: table[KNOWN_SCORE + rule].to_numpy() for rule in rules}
            others = {
                rule: table[CANDIDATE + rule].to_numpy().astype(np.int64)
                for rule in rules
                if CANDIDATE + rule in table.column_names
            }
            candidate = table["candidate"].to_numpy().astype(np.int64)
            return cls(_ids(table), _matrix(table, n_classes), candidate, known, others).check()
        except RunError as error:
            raise RunError(f"{where}: {error}") from error


def write_predictions(predictions: Predictions, path: Path, *, compact: bool = False) -> None:
    """Write Parquet; the same answers give the same bytes. compact: see :meth:`Predictions.to_table`."""
    write_table(predictions.to_table(compact=compact), path, compact=compact)


def write_table(table: pa.Table, path: Path, *, compact: bool = False, row_group: int | None = None) -> None:
    """Write answers as Parquet: repeating columns as dictionaries, the others plainly."""
    few_values: Any = [name for name in table.column_names if name == "cell" or name.startswith("candidate")]
    level = 19 if compact else None
    pq.write_table(
        table, path, compression="zstd", compression_level=level, use_dictionary=few_values, row_group_size=row_group
    )


def read_predictions(path: Path, rules: Sequence[str], n_classes: int, max_rows: int) -> Predictions:
    """Read and check a predictions file; RunError in one line otherwise.

    Parameters
    ----------
    path : Path
        The file, of anybody.
    rules : sequence of str
        Rejection rules that it must answer by.
    n_classes, max_rows : int
        Seen generators, and validation and test images, of the manifest.
    """
    table = read_table(path, RunError, row_budget(max_rows, n_classes, len(rules)))
    return Predictions.from_table(table, rules, n_classes, printable(path))


def row_budget(rows: int, n_classes: int, n_rules: int) -> TableBudget:
    """What answers to so many images may cost to read."""
    row = 4 * MAX_ID_LENGTH + 4 * (n_classes + 2) + 8 * n_rules + 64
    return TableBudget(rows=rows, bytes=rows * row + (1 << 20), file_bytes=rows * row + (16 << 20))


def _check_columns(schema: pa.Schema, rules: Sequence[str]) -> None:
    needed = ["image_id", "class_scores", "candidate", *(KNOWN_SCORE + rule for rule in rules)]
    allowed = {*needed, *(CANDIDATE + rule for rule in rules)}
    for name in needed:
        if name not in schema.names:
            raise RunError(f"column '{name}' is missing.")
    for name in schema.names:
        if name not in allowed:
            raise RunError(f"column '{printable(name, 80)}' is unknown; the run has the rules {', '.join(rules)}.")
    if len(set(schema.names)) < len(schema.names):
        raise RunError("two columns have one name.")
    for name in schema.names:
        kind = schema.field(name).type
        if not _right_type(name, kind):
            raise RunError(f"column '{name}' is {printable(kind, 60)}, which is not its type.")


def _right_type(name: str, kind: pa.DataType) -> bool:
    if name == "image_id":
        return pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if name == "class_scores":
        listed = pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind)
        return listed and kind.value_type in (pa.float32(), pa.float16())
    return kind == (pa.float32() if name.startswith(KNOWN_SCORE) else pa.int32())


def _ids(table: pa.Table) -> np.ndarray:
    ids = table["image_id"].combine_chunks()
    longest = pc.max(pc.utf8_length(ids)).as_py()  # type: ignore[attr-defined]
    if longest is None:
        raise RunError("no rows.")
    if longest > MAX_ID_LENGTH:
        raise RunError(f"an image id has {longest} characters; at most {MAX_ID_LENGTH} are read.")
    return np.array(ids.to_pylist(), dtype=str)


def _matrix(table: pa.Table, n_classes: int) -> np.ndarray:
    lists = table["class_scores"].combine_chunks()
    if not pa.types.is_fixed_size_list(lists.type):
        lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
        if (lengths != n_classes).any():
            row = int(np.argmax(lengths != n_classes))
            raise RunError(f"row {row} has {lengths[row]} class scores; expected {n_classes}.")
    elif lists.type.list_size != n_classes:
        raise RunError(f"{lists.type.list_size} class scores per row; expected {n_classes}.")
    values = lists.flatten()
    if values.null_count:
        raise RunError("column 'class_scores' has empty cells.")
    return values.to_numpy(zero_copy_only=False).reshape(table.num_rows, n_classes).astype(np.float32)
