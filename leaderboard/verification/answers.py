"""A submitted run's predictions against its manifest: read within the manifest's budget, each fault by its code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...benchmark.manifest import Manifest
from ...benchmark.predictions import CANDIDATE, KNOWN_SCORE, MAX_ID_LENGTH, Predictions, row_budget
from ...benchmark.runs import PREDICTIONS_FILE, Run
from ...core.errors import RunError
from ...core.foreign import read_table
from ...core.text import printable
from ..submission import TooLargeError
from .verdict import ProblemError


def check_manifest(run: Run, manifest: Manifest) -> None:
    """ProblemError unless the run says of the manifest what it is."""
    where = run.folder.name
    if run.info.manifest.seen != manifest.seen:
        raise ProblemError("seen-differs", f"{where}: the seen generators, or their order, are not the manifest's.")
    try:
        run.check_manifest(manifest)
        run.check_as_fitted()
    except RunError as error:
        raise ProblemError("manifest-differs", str(error).replace(printable(run.folder), where)) from error


def read_answers(run: Run, manifest: Manifest) -> Predictions:
    """The checked answers of a run, in the order of the manifest; ProblemError for the first thing that is wrong."""
    path, where = run.folder / PREDICTIONS_FILE, f"{run.folder.name}/{PREDICTIONS_FILE}"
    table = _table(path, where, manifest, len(run.rules))
    for code, text in _faults(table, run, manifest):
        raise ProblemError(code, f"{where}: {text}")
    try:
        return Predictions.from_table(table, run.rules, len(manifest.seen), where).join(manifest, where)
    except RunError as error:
        raise ProblemError("predictions-invalid", str(error)) from error


def _table(path: Path, where: str, manifest: Manifest, rules: int) -> pa.Table:
    rows = len(manifest.rows("val", "test"))
    budget = row_budget(rows, len(manifest.seen), rules)
    try:
        return read_table(path, RunError, budget, too_large=TooLargeError)
    except TooLargeError as error:
        raise ProblemError("too-large", str(error).replace(printable(path), where)) from error
    except RunError as error:
        raise ProblemError("predictions-unreadable", str(error).replace(printable(path), where)) from error


def _faults(table: pa.Table, run: Run, manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Code and message of what is wrong; what comes later may rely on what came before."""
    names = table.column_names
    needed = ["image_id", "class_scores", "candidate", *(KNOWN_SCORE + rule for rule in run.rules)]
    lacking = [name for name in needed if name not in names]
    extra = [name for name in names if name not in {*needed, *(CANDIDATE + rule for rule in run.rules)}]
    if lacking or extra or len(set(names)) < len(names):
        what = f"is missing: {lacking[0]}" if lacking else f"is unknown or twice: {printable((extra or names)[0], 80)}"
        yield "columns", f"a column {what}."
        return
    kind = table.schema.field("image_id").type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        yield "id-type", f"image_id is {printable(kind, 60)}, not a string."
    for name in names:
        if table[name].null_count:
            yield "empty-cells", f"column {name} has empty cells."
    ids = table["image_id"]
    if len(ids) and pc.call_function("max", [pc.call_function("utf8_length", [ids])]).as_py() > MAX_ID_LENGTH:
        yield "id-type", f"an image id has more than {MAX_ID_LENGTH} characters."
    yield from _ids(ids.to_pylist(), manifest)
    yield from _numbers(table, len(manifest.seen))


def _ids(found: list[str], manifest: Manifest) -> Iterator[tuple[str, str]]:
    wanted, given = set(manifest.rows("val", "test")["image_id"].tolist()), set(found)
    if len(given) < len(found):
        yield "ids-repeated", f"{len(found) - len(given)} answers repeat an image."
    unknown = sorted(given - wanted)
    if unknown:
        text = f"{len(unknown)} answers are for images outside the manifest's val and test"
        yield "ids-unknown", f"{text}, first {printable(unknown[0], 70)}."
    missing = sorted(wanted - given)
    if missing:
        yield "ids-missing", f"{len(missing)} of {len(wanted)} images have no answer, first {missing[0]}."


def _numbers(table: pa.Table, n_classes: int) -> Iterator[tuple[str, str]]:
    for name in table.column_names:
        kind = table.schema.field(name).type
        if name == "image_id":
            continue
        is_list = pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind)
        if name == "class_scores" and is_list and kind.value_type in (pa.float32(), pa.float16()):
            lengths = pc.call_function("list_value_length", [table[name]]).to_numpy()
            if (lengths != n_classes).any():
                yield "columns", f"class_scores has rows without {n_classes} scores, one for each seen generator."
            values = pc.call_function("list_flatten", [table[name]])
            if values.null_count:
                yield "empty-cells", "class_scores has empty cells."
            numbers = values.to_numpy()
        elif kind == (pa.float32() if name.startswith(KNOWN_SCORE) else pa.int32()) and name != "class_scores":
            numbers = table[name].to_numpy()
        else:
            yield "columns", f"column {name} is {printable(kind, 60)}, which is not its type."
            return
        if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
            yield "not-finite", f"{int((~np.isfinite(numbers)).sum())} values of {name} are not finite."
        if numbers.dtype.kind == "i" and len(numbers) and not 0 <= numbers.min() <= numbers.max() < n_classes:
            yield "candidate-unknown", f"{name} names none of the {n_classes} seen generators."
