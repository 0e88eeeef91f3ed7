"""The robustness of a run: its answers to laundered test images, and its metrics under every treatment.

::

    RUNS/<method>/seed<k>-<hash>/laundered.parquet    as predictions.parquet, test images only, with a column ``cell``

The clean cell holds the run's own answers. The threshold is the one of the clean seen validation images: a method is
not told how an image was treated, so nothing is chosen again for any cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...core.documents import Number
from ...core.errors import RunError, UsageError
from ...core.foreign import TableBudget, read_table
from ...core.text import printable
from ..answers import Answers, outcome_of
from ..manifest import Manifest
from ..metrics import Outcome, af1, auc_af1_crr, closed_set_accuracy, crr
from ..predictions import Predictions, row_budget
from ..run_info import RunInfo
from .treatments import CLEAN, Cell, cell_of, value_text

LAUNDERED_FILE = "laundered.parquet"

#: More cells than any sensible grid has, and more bytes than a board should hold, are refused before one is read.
MAX_CELLS = 2000
MAX_BYTES = 1 << 31

Laundered = Mapping[Cell, Predictions]
"""Cell -> answers to all test images, in the order of the manifest."""


@dataclass(frozen=True)
class SurfaceRow:
    """The metrics of one run by one rule under one treatment, at the threshold of the clean validation images.

    ``seen_accepted``: share of seen test images that are accepted, whoever they are taken for.
    """

    quality: int | None
    phase: int
    resize: float
    blur: float
    af1: Number
    crr: Number
    auc_af1_crr: Number
    accuracy: Number
    seen_accepted: Number

    @property
    def cell(self) -> Cell:
        """The treatment."""
        return Cell(self.quality, self.phase, self.resize, self.blur)


SURFACE_METRICS = ("af1", "crr", "auc_af1_crr", "accuracy", "seen_accepted")


def write_laundered(cells: Laundered, path: Path) -> None:
    """Write answers under some cells, one row group each; the same answers give the same bytes."""
    others = sorted({rule for answers in cells.values() for rule in answers.other_candidate})
    tables = [_cell_table(cell, cells[cell], others) for cell in sorted(cells, key=_severity)]
    few_values: Any = [name for name in tables[0].column_names if name == "cell" or name.startswith("candidate")]
    with pq.ParquetWriter(path, tables[0].schema, compression="zstd", use_dictionary=few_values) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=len(table))


def _cell_table(cell: Cell, answers: Predictions, others: Sequence[str]) -> pa.Table:
    """The columns of one cell; ``others``: rules whose candidates differ under any cell, in every cell's table."""
    full = {rule: answers.other_candidate.get(rule, answers.candidate) for rule in others}
    table = replace(answers, other_candidate=full).to_table()
    return table.append_column("cell", pa.array([cell.name] * len(table), pa.string()))


def read_laundered(folder: Path, info: RunInfo, manifest: Manifest) -> Laundered:
    """The answers of a run under every cell that it was asked about, clean first, mildest values first.

    Empty if it was never laundered. RunError in one line for a damaged file.
    """
    path = folder / LAUNDERED_FILE
    if not path.exists() and not path.is_symlink():
        return {}
    where, rows = printable(path), len(manifest.rows("test"))
    row = row_budget(rows * MAX_CELLS, len(manifest.seen), len(info.rules))
    budget = TableBudget(rows=row.rows, bytes=min(row.bytes, MAX_BYTES), file_bytes=min(row.file_bytes, MAX_BYTES))
    table = read_table(path, RunError, budget)
    names = _cell_names(table, where)
    codes, distinct = pd.factorize(names)
    if len(distinct) > MAX_CELLS:
        raise RunError(f"{where}: {len(distinct)} cells; at most {MAX_CELLS} are read.")
    table = table.drop_columns(["cell"])
    found: dict[Cell, Predictions] = {}
    for code, name in enumerate(distinct):
        try:
            cell = cell_of(str(name))
        except UsageError as error:
            raise RunError(f"{where}: {printable(error)}") from error
        part = table.filter(pa.array(codes == code))
        answers = Predictions.from_table(part, info.rules, len(manifest.seen), f"{where}, {cell}")
        found[cell] = answers.join(manifest, f"{where}, {cell}", splits=("test",))
    return {cell: found[cell] for cell in sorted(found, key=_severity)}


def _cell_names(table: pa.Table, where: str) -> np.ndarray:
    if "cell" not in table.column_names:
        raise RunError(f"{where}: column 'cell' is missing.")
    column = table["cell"]
    if not pa.types.is_string(column.type) or column.null_count:
        raise RunError(f"{where}: column 'cell' is not a text in every row.")
    if (pc.max(pc.utf8_length(column)).as_py() or 0) > 100:  # type: ignore[attr-defined]
        raise RunError(f"{where}: a name in column 'cell' is longer than that of any cell.")
    return np.array(column.to_pylist(), dtype=object)


def _severity(cell: Cell) -> tuple[bool, float, float, int, int]:
    return cell.resize != CLEAN.resize, cell.resize, cell.blur, -(cell.quality or 101), cell.phase


def check_clean(laundered: Laundered, own: Predictions, where: Path) -> None:
    """RunError if the clean cell is not what the run answered. own: its answers to the test images."""
    clean = laundered.get(CLEAN)
    if clean is None:
        return
    for rule in own.rules:
        mine, theirs = own.scores(rule), clean.scores(rule)
        if not (
            np.array_equal(mine.known_score, theirs.known_score) and np.array_equal(mine.candidate, theirs.candidate)
        ):
            file = printable(where / LAUNDERED_FILE)
            raise RunError(f"{file} is not what the run answered: delete it and launder again.")


def surface(answers: Answers, laundered: Laundered, threshold: float) -> tuple[SurfaceRow, ...]:
    """The metrics of some answers under every cell, at their clean ``threshold``; NaN for what needs unseen images."""
    rows: list[SurfaceRow] = []
    for cell, predictions in laundered.items():
        test = outcome_of(predictions.scores(answers.rule), answers.manifest, "test")
        rows.append(SurfaceRow(cell.quality, cell.phase, cell.resize, cell.blur, **_numbers(test, threshold)))
    return tuple(rows)


def _numbers(test: Outcome, threshold: float) -> dict[str, float]:
    seen = test.known_score[test.truth >= 0]
    return {
        "af1": af1(test, threshold),
        "crr": crr(test, threshold) if test.n_unseen else math.nan,
        "auc_af1_crr": auc_af1_crr(test) if test.n_unseen else math.nan,
        "accuracy": closed_set_accuracy(test),
        "seen_accepted": float(np.mean(seen >= threshold)),
    }


def surface_table(rows: Sequence[SurfaceRow]) -> str:
    """A surface for people."""
    axes = ("blur", "resize", "phase", "quality")
    table = pd.DataFrame(
        [
            [value_text(getattr(row, axis)) for axis in axes] + [f"{getattr(row, m):.3f}" for m in SURFACE_METRICS]
            for row in rows
        ],
        columns=[*axes, *SURFACE_METRICS],
    )
    head = "laundered test images, at the threshold of the clean validation images:"
    return f"{head}\n{table.to_string(index=False)}"
