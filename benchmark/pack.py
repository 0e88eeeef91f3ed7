"""Runs without their models and with compact predictions, small enough to ship.

Known scores and candidates, from which every number is computed, stay exact; class scores are rounded to float16.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import RunError
from ..core.progress import track
from .robustness.surface import LAUNDERED_FILE
from .runs import PREDICTIONS_FILE, Run, find_manifest, list_runs, store_manifest


@dataclass(frozen=True)
class Packed:
    """How many runs were packed, and the bytes of their predictions before and after."""

    runs: int
    bytes_before: int
    bytes_after: int

    def __str__(self) -> str:
        return (
            f"{self.runs} runs: predictions {self.bytes_before / 1e6:.2f} MB -> {self.bytes_after / 1e6:.2f} MB; known "
            "scores and candidates unchanged to the bit"
        )


def pack_runs(runs_dir: Path, out: Path) -> Packed:
    """Copy every run below ``runs_dir`` and their manifests to ``out``, compactly; runs there are replaced.

    RunError if ``out`` lies in ``runs_dir`` (or the other way round), a run or manifest is missing or damaged, or what
    was read back differs in anything that a metric depends on.
    """
    source, target = runs_dir.resolve(), out.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise RunError(f"{out} and {runs_dir} lie in one another; pack into a folder of its own.")
    before = after = 0
    runs = list_runs(runs_dir)
    manifests = {run.manifest_id: find_manifest(runs_dir, run.manifest_id) for run in runs}
    for manifest in manifests.values():
        store_manifest(out, manifest)
    for run in track(runs, description="pack", total=len(runs), unit="run"):
        manifest = manifests[run.manifest_id]
        answers = run.predictions(manifest)
        packed = Run.write(out / run.folder.relative_to(runs_dir), run.info, answers, compact=True)
        if (run.folder / LAUNDERED_FILE).is_file():
            shutil.copyfile(run.folder / LAUNDERED_FILE, packed.folder / LAUNDERED_FILE)
        again = packed.predictions(manifest)
        for rule in run.rules:
            mine, theirs = answers.scores(rule), again.scores(rule)
            if not (
                np.array_equal(mine.known_score, theirs.known_score)
                and np.array_equal(mine.candidate, theirs.candidate)
            ):
                raise RunError(f"{packed.folder}: answers by '{rule}' were changed; the disk may be damaged.")
        before += (run.folder / PREDICTIONS_FILE).stat().st_size
        after += (packed.folder / PREDICTIONS_FILE).stat().st_size
    return Packed(len(runs), before, after)
