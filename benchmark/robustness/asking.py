"""Asking fitted models about laundered test images; what they answer is kept in the run (:mod:`.robustness`).

Every finished cell is kept in ``.laundering/`` of the run until all are there, so that an interrupted command continues
with the next cell. An image is laundered once per cell for all runs, and a model is asked once for all its rules.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...core.errors import RunError, UsageError
from ...core.progress import Bar, get_logger, progress_bar
from ...core.publish import publishing, remove_abandoned
from ...generation.dataset import Dataset
from ..evaluate import PREDICT_BATCH, ask, torch_device
from ..frames import StoredFrame, load_test_frames
from ..manifest import Manifest
from ..method import Method
from ..models import load_model
from ..predictions import Predictions, read_predictions, write_predictions
from ..runs import Run, answers_to_test
from ..scores import Scores
from .surface import LAUNDERED_FILE, MAX_BYTES, MAX_CELLS, write_laundered
from .treatments import CLEAN, Cell, Grid, cell_of, fits, launder

#: A model must give this share of its published answers again; other hardware may change the rest by rounding.
_SAME_ANSWERS = 0.98

_MAX_THREADS = 16
_UNFINISHED = ".laundering"


@dataclass(frozen=True)
class _Asked:
    """A run with its fitted method, and the cells that it already has answers under."""

    run: Run
    method: Method
    finished: dict[Cell, Predictions]

    @property
    def folder(self) -> Path:
        return self.run.folder / _UNFINISHED


def launder_runs(
    runs: Sequence[Run], dataset: Dataset, manifest: Manifest, grid: Grid, *, device: str = "cpu"
) -> dict[Cell, int]:
    """Ask the fitted models of runs about the test images under every cell.

    Parameters
    ----------
    runs : sequence of Run
        Of one manifest and crop size. Cells that a run has are skipped.
    dataset : Dataset
        The images.
    manifest : Manifest
        Which of them are test images.
    grid : Grid
        The treatments.
    device : str
        Where the models are asked.

    Returns
    -------
    dict of Cell to int
        The cells that were left out, with the number of test images whose stored frame is too small for them: numbers
        over different images would not compare.

    Raises
    ------
    RunError
        A run without a model, or with one that no longer gives the answers it published.
    DatasetError
        Bad images.
    """
    for run in runs:
        run.check_as_fitted()
    frames = load_test_frames(dataset, manifest, _crop_size(runs))
    lacking = {cell: _too_small(frames, cell) for cell in grid.cells()}
    left_out = {cell: count for cell, count in lacking.items() if count}
    cells = [cell for cell in lacking if cell not in left_out]
    _refuse_too_much(len(cells), len(frames), runs)
    if left_out:
        get_logger().info("%d of %d cells do not fit into every stored frame", len(left_out), len(lacking))
    asked = [one for run in runs if (one := _asked(run, manifest, frames, cells, torch_device(device))) is not None]
    if asked:
        _launder_all(asked, frames, manifest, cells)
    return left_out


def _crop_size(runs: Sequence[Run]) -> int:
    sizes = {run.info.config.crop_size for run in runs}
    if len(sizes) != 1:
        raise UsageError(f"runs with crops of {sorted(sizes)} px cannot be laundered together.")
    return sizes.pop()


def _too_small(frames: Sequence[StoredFrame], cell: Cell) -> int:
    return sum(not fits(frame.height, frame.width, frame.crop, cell) for frame in frames)


def _refuse_too_much(cells: int, images: int, runs: Sequence[Run]) -> None:
    columns = max(len(run.class_names) + len(run.rules) for run in runs)
    needed = cells * images * (4 * columns + 100)
    if cells > MAX_CELLS or needed > MAX_BYTES:
        raise UsageError(
            f"{cells} cells of {images} test images are {needed / 1e9:.1f} GB of answers; a run keeps at most "
            f"{MAX_CELLS} cells and {MAX_BYTES / 1e9:.1f} GB: give a smaller grid with --launder-grid."
        )


def _asked(
    run: Run, manifest: Manifest, frames: Sequence[StoredFrame], cells: Sequence[Cell], device: torch.device
) -> _Asked | None:
    """The run with its model; None if it has all cells."""
    finished = dict(_published(run, manifest))
    unfinished = run.folder / _UNFINISHED
    own = answers_to_test(run.predictions(manifest), manifest)
    finished |= {CLEAN: own} | {cell: answers for cell, answers in _kept(run, manifest) if cell not in finished}
    if all(cell in finished for cell in cells) and not unfinished.exists() and (run.folder / LAUNDERED_FILE).exists():
        return None
    asked = _Asked(run, load_model(run).to(device), finished)
    _check_model(asked, own, frames)
    unfinished.mkdir(exist_ok=True)
    remove_abandoned(unfinished)
    return asked


def _published(run: Run, manifest: Manifest) -> dict[Cell, Predictions]:
    """The answers that the run has; damaged ones are named in the log, and asked for again."""
    try:
        return dict(run.laundered(manifest))
    except RunError as error:
        get_logger().warning("damaged answers to laundered images are made again: %s", error)
        (run.folder / LAUNDERED_FILE).unlink(missing_ok=True)
        return {}


def _kept(run: Run, manifest: Manifest) -> Iterator[tuple[Cell, Predictions]]:
    """What an interrupted command left."""
    for path in sorted((run.folder / _UNFINISHED).glob("[!.]*.parquet")):
        rows = len(manifest.rows("test"))
        answers = read_predictions(path, run.rules, len(run.class_names), rows)
        yield cell_of(path.stem), answers.join(manifest, str(path), splits=("test",))


def _check_model(asked: _Asked, own: Predictions, frames: Sequence[StoredFrame]) -> None:
    """Guard against a model, a method or images that changed since the run was made."""
    first = frames[:PREDICT_BATCH]
    pixels = np.stack([launder(frame.decode(), frame.crop, CLEAN) for frame in first])
    answers = _ask(asked, pixels, _captions(first))
    for rule in asked.run.rules:
        published, now = own.scores(rule), answers[rule]
        known = published.known_score[: len(first)]
        tolerance = 0.02 * float(known.std()) + 1e-6
        same = (now.candidate == published.candidate[: len(first)]) & (np.abs(now.known_score - known) <= tolerance)
        if same.mean() < _SAME_ANSWERS:
            raise RunError(
                f"{asked.run.folder}: its model gives {same.mean():.0%} of the answers that it published (rule "
                f"'{rule}'); method or images have changed: evaluate again into another folder."
            )


def _captions(frames: Sequence[StoredFrame]) -> list[str | None]:
    return [frame.caption for frame in frames]


def _ask(asked: _Asked, pixels: np.ndarray, captions: Sequence[str | None]) -> dict[str, Scores]:
    answers = ask(asked.method, pixels, captions)
    for rule in asked.run.rules:
        if rule not in answers:
            raise RunError(f"method {asked.run.method} gave no scores for its rejection rule '{rule}'.")
    return {rule: answers[rule] for rule in asked.run.rules}


def _launder_all(
    asked: Sequence[_Asked], frames: Sequence[StoredFrame], manifest: Manifest, cells: Sequence[Cell]
) -> None:
    todo = [(cell, waiting) for cell in cells if (waiting := [one for one in asked if cell not in one.finished])]
    total = len(frames) * sum(len(waiting) for _, waiting in todo)
    threads = min(os.cpu_count() or 1, _MAX_THREADS)
    with (
        progress_bar(f"{asked[0].run.method} launder", total, "img") as bar,
        ThreadPoolExecutor(threads) as pool,
    ):
        for cell, waiting in todo:
            _launder_cell(waiting, frames, manifest, cell, pool, bar)
    for one in asked:
        with publishing(one.run.folder / LAUNDERED_FILE) as partial:
            write_laundered(one.finished, partial)
        shutil.rmtree(one.folder)


def _launder_cell(
    asked: Sequence[_Asked],
    frames: Sequence[StoredFrame],
    manifest: Manifest,
    cell: Cell,
    pool: ThreadPoolExecutor,
    bar: Bar,
) -> None:
    parts: list[list[dict[str, Scores]]] = [[] for _ in asked]
    for batch, pixels in _batches(frames, cell, pool):
        for one, answers in zip(asked, parts, strict=True):
            try:
                answers.append(_ask(one, pixels, _captions(batch)))
            except RunError as error:
                raise RunError(f"method {one.run.method} under {cell}: {error}") from error
            bar.update(len(pixels))
    ids = np.array([frame.image_id for frame in frames])
    for one, answers in zip(asked, parts, strict=True):
        scores = {rule: Scores.concatenate([part[rule] for part in answers]) for rule in one.run.rules}
        predictions = Predictions.of(ids, scores).check()
        with publishing(one.folder / f"{cell.name}.parquet") as partial:
            write_predictions(predictions, partial)
        one.finished[cell] = predictions.join(manifest, str(one.folder), splits=("test",))


def _batches(
    frames: Sequence[StoredFrame], cell: Cell, pool: ThreadPoolExecutor
) -> Iterator[tuple[Sequence[StoredFrame], np.ndarray]]:
    """Some frames and their treated crops uint8 (B, S, S, 3). Decoding and encoding run outside Python's lock."""

    def treated(frame: StoredFrame) -> np.ndarray:
        return launder(frame.decode(), frame.crop, cell)

    for start in range(0, len(frames), PREDICT_BATCH):
        batch = frames[start : start + PREDICT_BATCH]
        yield batch, np.stack(list(pool.map(treated, batch)))
