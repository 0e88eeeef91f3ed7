"""Runs without their models and with compact predictions, small enough to ship.

What is kept to the bit: ``run.json``, image ids, ``known_score`` and ``candidate``, from which every metric, interval
and rank is computed. What is rounded: ``class_scores``, to float16 (relative error at most 2**-11 in its normal range),
which no metric reads. Answers to laundered images are copied as they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import RunError, unknown_name
from ..core.progress import track
from .laundered import LAUNDERED_FOLDER
from .runs import MANIFESTS_FOLDER, PREDICTIONS_FILE, Run, find_manifest, list_runs, store_manifest


@dataclass(frozen=True)
class Packed:
    """What was packed: runs, their bytes before (model left out) and after, the largest change of a class score."""

    runs: int
    bytes_before: int
    bytes_after: int
    largest_change: float

    def __str__(self) -> str:
        return (
            f"{self.runs} runs: predictions {self.bytes_before / 1e6:.2f} MB -> {self.bytes_after / 1e6:.2f} MB; known "
            f"scores and candidates unchanged to the bit, class scores by at most {self.largest_change:.2g}"
        )


def pack_runs(runs_dir: Path, out: Path, *, rejections: Collection[str] = ()) -> Packed:
    """Copy every run below ``runs_dir`` and their manifests to ``out``, compactly; runs there are replaced.

    rejections: only runs with these rejection rules, empty = all. What was written is read back and compared.
    UsageError for a rule that no run has. RunError if ``out`` lies in ``runs_dir`` (or the other way round), a run or
    manifest is missing or damaged, or what was read back differs in anything that a metric depends on.
    """
    source, target = runs_dir.resolve(), out.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise RunError(f"{out} and {runs_dir} lie in one another; pack into a folder of its own.")
    runs = list_runs(runs_dir)
    known = {run.rejection for run in runs}
    for name in rejections:
        if name not in known:
            raise unknown_name(f"rejection rule of the runs in {runs_dir}", name, known)
    runs = [run for run in runs if run.rejection in (rejections or known)]
    manifests = {run.manifest_id: find_manifest(runs_dir, run.manifest_id) for run in runs}
    before = after = 0
    change = 0.0
    for run in track(runs, description="pack", total=len(runs), unit="run"):
        manifest = manifests[run.manifest_id]
        answers = run.predictions(manifest)
        packed = Run.write(out / run.folder.relative_to(runs_dir), run.info, answers, compact=True)
        if (run.folder / LAUNDERED_FOLDER).is_dir():
            shutil.copytree(run.folder / LAUNDERED_FOLDER, packed.folder / LAUNDERED_FOLDER)
        again = packed.predictions(manifest)
        for name in ("known_score", "candidate"):
            if not np.array_equal(getattr(again.scores, name), getattr(answers.scores, name)):
                raise RunError(f"{packed.folder}: {name} was changed by packing; the disk may be damaged.")
        change = max(change, float(np.abs(again.scores.class_scores - answers.scores.class_scores).max()))
        before += (run.folder / PREDICTIONS_FILE).stat().st_size
        after += (packed.folder / PREDICTIONS_FILE).stat().st_size
    (out / MANIFESTS_FOLDER).mkdir(exist_ok=True)
    for manifest in manifests.values():
        store_manifest(out, manifest)
    return Packed(len(runs), before, after, change)
