"""A run's answers to laundered test images: asked of its fitted model, kept beside its predictions.

::

    RUNS/<method>/<run_id>/laundered/<cell>.parquet    columns as in predictions.parquet, test images only

One file per cell, so that an interrupted command continues with the next cell. The clean cell holds the run's own
answers. The folder is no part of a submission; whoever reads it checks it like predictions from anybody.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..core.errors import RunError, UsageError
from ..core.progress import Bar, get_logger, progress_bar
from ..core.publish import publishing
from ..generation.dataset import Dataset
from .evaluate import PREDICT_BATCH, ask, torch_device
from .frames import StoredFrame, load_test_frames
from .laundering import CLEAN, Cell, Grid, cell_of, has_room, launder
from .manifest import Manifest
from .method import Method, Scores
from .predictions import Predictions, read_predictions, write_predictions
from .runs import Run, load_model

LAUNDERED_FOLDER = "laundered"

#: More files than any sensible grid has cells are refused before one is read.
MAX_CELLS = 2000

#: A model must give this share of its published answers again; the rest is left to other hardware.
_SAME_ANSWERS = 0.98

_MAX_THREADS = 16


@dataclass(frozen=True)
class _Fit:
    """A fitted method and the runs that it answered for, one per rejection rule."""

    method: Method
    runs: list[Run]


def launder_runs(
    runs: Sequence[Run], dataset: Dataset, manifest: Manifest, grid: Grid, *, device: str = "cpu"
) -> dict[Cell, int]:
    """Ask the fitted models of ``runs`` (same manifest and crop size) about the test images under every cell.

    An image is laundered once per cell for all runs, and a model is asked once per cell for all its rejection rules.
    Cells that a run has are skipped. Returns the cells that were left out, with the number of test images that have
    no room for them: numbers over different images would not compare.

    Raises RunError for a run without a model, or with one that no longer gives the answers it published; DatasetError
    for bad images.
    """
    frames = load_test_frames(dataset, manifest, _crop_size(runs))
    lacking = {cell: _without_room(frames, cell) for cell in grid.cells()}
    left_out = {cell: count for cell, count in lacking.items() if count}
    cells = [cell for cell in lacking if cell not in left_out]
    waiting = [run for run in runs if any(not cell_file(run, cell).exists() for cell in cells)]
    if left_out:
        get_logger().info("%d of %d cells have no room in every stored frame", len(left_out), len(lacking))
    if waiting:
        fits = _load_fits(waiting, torch_device(device))
        for fit in fits:
            _check_model(fit, frames, manifest)
        _launder_fits(fits, frames, manifest, cells)
    return left_out


def _crop_size(runs: Sequence[Run]) -> int:
    sizes = {int(run.info["config"]["resolved"]["crop_size"]) for run in runs}
    if len(sizes) != 1:
        raise UsageError(f"runs with crops of {sorted(sizes)} px cannot be laundered together.")
    return sizes.pop()


def _without_room(frames: Sequence[StoredFrame], cell: Cell) -> int:
    return sum(not has_room(frame.height, frame.width, frame.crop, cell) for frame in frames)


def _load_fits(runs: Sequence[Run], device: torch.device) -> list[_Fit]:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        key = json.dumps([run.method, run.seed, run.manifest_id, run.info["config"]["resolved"]], sort_keys=True)
        groups.setdefault(key, []).append(run)
    return [_Fit(load_model(group[0]).to(device), group) for group in groups.values()]


def _check_model(fit: _Fit, frames: Sequence[StoredFrame], manifest: Manifest) -> None:
    """Guard against a model, a method or images that changed since the run was made."""
    first = frames[:PREDICT_BATCH]
    answers = ask(fit.method, np.stack([launder(frame.decode(), frame.crop, CLEAN) for frame in first]))
    for run in fit.runs:
        published = _own_answers(run, manifest).scores
        now = _of_rule(answers, run)
        known = published.known_score[: len(first)]
        tolerance = 0.02 * float(known.std()) + 1e-6
        same = (now.candidate == published.candidate[: len(first)]) & (np.abs(now.known_score - known) <= tolerance)
        if same.mean() < _SAME_ANSWERS:
            raise RunError(
                f"{run.folder}: its model gives {same.mean():.0%} of the answers that it published; method or images "
                "have changed: evaluate again into another folder."
            )


def _of_rule(answers: dict[str, Scores], run: Run) -> Scores:
    if run.rejection not in answers:
        raise RunError(f"method {run.method} gave no scores for its rejection rule '{run.rejection}'.")
    return answers[run.rejection]


def _own_answers(run: Run, manifest: Manifest) -> Predictions:
    """What the run answered to the benchmark crops of the test images."""
    is_test = np.asarray(manifest.rows("val", "test")["split"] == "test")
    return run.predictions(manifest).take(is_test)


def _launder_fits(
    fits: Sequence[_Fit], frames: Sequence[StoredFrame], manifest: Manifest, cells: Sequence[Cell]
) -> None:
    for run in (run for fit in fits for run in fit.runs):
        (run.folder / LAUNDERED_FOLDER).mkdir(exist_ok=True)
        if not cell_file(run, CLEAN).exists():
            _publish(run, CLEAN, _own_answers(run, manifest))
    todo = [(cell, asked) for cell in cells if (asked := [fit for fit in fits if _lacks(fit, cell)])]
    total = len(frames) * sum(len(asked) for _, asked in todo)
    name = fits[0].runs[0].method
    threads = min(os.cpu_count() or 1, _MAX_THREADS)
    with progress_bar(f"{name} launder", total, "img") as bar, ThreadPoolExecutor(threads) as pool:
        for cell, asked in todo:
            _launder_cell(asked, frames, cell, pool, bar)


def _lacks(fit: _Fit, cell: Cell) -> bool:
    return any(not cell_file(run, cell).exists() for run in fit.runs)


def _launder_cell(
    fits: Sequence[_Fit], frames: Sequence[StoredFrame], cell: Cell, pool: ThreadPoolExecutor, bar: Bar
) -> None:
    parts: list[list[dict[str, Scores]]] = [[] for _ in fits]
    for pixels in _batches(frames, cell, pool):
        for fit, answers in zip(fits, parts, strict=True):
            try:
                answers.append(ask(fit.method, pixels))
            except RunError as error:
                raise RunError(f"method {fit.method.name} under {cell}: {error}") from error
            bar.update(len(pixels))
    ids = np.array([frame.image_id for frame in frames])
    for fit, answers in zip(fits, parts, strict=True):
        for run in fit.runs:
            if not cell_file(run, cell).exists():
                _publish(run, cell, Predictions(ids, Scores.concatenate([_of_rule(part, run) for part in answers])))


def _batches(frames: Sequence[StoredFrame], cell: Cell, pool: ThreadPoolExecutor) -> Iterator[np.ndarray]:
    """uint8 (B, S, S, 3) at a time. Decoding, resizing and encoding run outside Python's lock."""
    for start in range(0, len(frames), PREDICT_BATCH):
        batch = frames[start : start + PREDICT_BATCH]
        yield np.stack(list(pool.map(lambda frame: launder(frame.decode(), frame.crop, cell), batch)))


def _publish(run: Run, cell: Cell, predictions: Predictions) -> None:
    with publishing(cell_file(run, cell)) as partial:
        write_predictions(predictions.check(), partial)


def cell_file(run: Run, cell: Cell) -> Path:
    """Where a run keeps its answers under a cell."""
    return run.folder / LAUNDERED_FOLDER / f"{cell.name}.parquet"


def laundered_cells(run: Run) -> list[Cell]:
    """The cells that a run has answers for, clean first, mildest values first; empty if it was never laundered.

    RunError for a file that is named after no cell.
    """
    paths = sorted((run.folder / LAUNDERED_FOLDER).glob("*.parquet"))
    if len(paths) > MAX_CELLS:
        raise RunError(f"{run.folder / LAUNDERED_FOLDER} holds {len(paths)} files; at most {MAX_CELLS} are read.")
    try:
        cells = [cell_of(path.stem) for path in paths]
    except UsageError as error:
        raise RunError(f"{run.folder / LAUNDERED_FOLDER}: {error} Move it away.") from error
    return sorted(cells, key=lambda c: (c.resize != CLEAN.resize, c.resize, c.blur, -(c.quality or 101), c.phase))


def read_laundered(run: Run, cell: Cell, manifest: Manifest) -> Predictions:
    """The answers under a cell in the order of the manifest's test rows; RunError in one line if they are damaged.

    Damaged is also a clean cell that differs from what the run answered.
    """
    path = cell_file(run, cell)
    answers = read_predictions(path, n_classes=len(run.class_names)).join(manifest, str(path), splits=("test",))
    if cell == CLEAN:
        own = _own_answers(run, manifest).scores
        pairs = ((own.known_score, answers.scores.known_score), (own.candidate, answers.scores.candidate))
        if not all(np.array_equal(mine, theirs) for mine, theirs in pairs):
            raise RunError(f"{path} is not what the run answered: delete {path.parent} and launder again.")
    return answers
