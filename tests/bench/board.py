"""A board of 20 entries x 3 seeds x 26,000 test images: cold, after one new entry, and the area alone as it was before.

Before, every entry drew its own resamples and looked at every class at every score of an unseen image. That way is
the reference: the primary metric of one outcome on a few resamples, scaled to the board's 60 outcomes x 1000
resamples. (Its other metrics, and the pairs, which did the same once more, are left out.) Equal: on these resamples
both ways give the same area to 1e-9. ``ours_s`` is the cold board, from reading the runs to the ranks; ``ours_cpu_s``
and ``after_one_more_cpu_s`` are processor seconds, for a machine that does other things as well.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osbench.benchmark.manifest import Manifest, _header, _manifest_id
from osbench.benchmark.metrics import METRICS, Outcome
from osbench.benchmark.metrics.rates import crr_at, f1_at
from osbench.benchmark.metrics.resampling import Resamples
from osbench.benchmark.metrics.tally import Tally, mean_over_groups
from osbench.benchmark.runs import list_runs
from osbench.leaderboard.board import Board, build_board
from tests.leaderboard.synthetic_runs import Drawn, write_run

ENTRIES, SEEDS, REPLICATES = 20, 3, 1000
SEEN = {"progan": 4000, "projected_gan": 4000, "stylegan2": 4000, "stylegan3": 3000, "taming": 3000}
UNSEEN = {"latent_diffusion": 3000, "stylegan": 5000}
_FEW = 8


def paper_sized_manifest() -> Manifest:
    """26,000 test images of seven generators; of the seen ones as many to validate, and eight times as many train."""
    parts = [
        pd.DataFrame({"generator": name, "split": split}, index=range(count * (8 if split == "train" else 1)))
        for name, count in (SEEN | UNSEEN).items()
        for split in (("train", "val", "test") if name in SEEN else ("test",))
    ]
    table = pd.concat(parts, ignore_index=True)
    seen = tuple(sorted(SEEN))
    table["image_id"] = [f"{i * 2654435761 % 2**61:032x}" for i in range(len(table))]
    table["shard"], table["row"], table["training_set"] = "shard", np.arange(len(table)), "drawn"
    table["openness"] = np.where(table["generator"].isin(list(SEEN)), "seen", "unseen")
    table["class_index"] = np.array([seen.index(g) if g in SEEN else -1 for g in table["generator"]], dtype=np.int64)
    columns = ["image_id", "shard", "row", "generator", "training_set", "openness", "split", "class_index"]
    table = pd.DataFrame(table[columns]).sort_values("image_id", ignore_index=True)
    manifest = Manifest("fang2023", "fang2023", seen, tuple(sorted(UNSEEN)), table, "", "bench", 256)
    object.__setattr__(manifest, "manifest_id", _manifest_id(_header(manifest), table))
    return manifest


def area_at_every_cut(outcome: Outcome, weights: NDArray) -> NDArray:
    """The primary metric with the F1 of every class at every score of an unseen image, float64 (R,)."""
    tally = Tally(outcome, weights=weights)
    levels = np.unique(outcome.ranking[1][outcome.unseen_group >= 0])
    step = mean_over_groups(crr_at(tally, levels + 1)) - mean_over_groups(crr_at(tally, levels))
    middle = (mean_over_groups(f1_at(tally, levels)) + mean_over_groups(f1_at(tally, levels + 1))) / 2
    return (step * middle).sum(axis=1)


def _timed_board(runs: Path) -> tuple[Board, float, float]:
    start, start_cpu = time.perf_counter(), time.process_time()
    board = build_board(runs, bootstrap=REPLICATES)
    return board, time.perf_counter() - start, time.process_time() - start_cpu


def run() -> dict[str, float | bool]:
    """Write the runs, build the board, add an entry, build it again."""
    manifest = paper_sized_manifest()
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        drawn = [Drawn(f"method-{k:02}", 0.95 - 0.02 * k, {"native": 3.0 - 0.1 * k}) for k in range(ENTRIES + 1)]
        for one in drawn[:ENTRIES]:
            for seed in range(SEEDS):
                write_run(runs, manifest, one, seed)
        with mock.patch.dict(os.environ, {"OSBENCH_CACHE": str(Path(folder) / "cache")}):
            board, ours_s, ours_cpu_s = _timed_board(runs)
            for seed in range(SEEDS):
                write_run(runs, manifest, drawn[-1], seed)
            larger, again_s, again_cpu_s = _timed_board(runs)
        first = next(run for run in list_runs(runs) if run.method == drawn[0].method).answers().test
    assert (len(board.entries), len(larger.entries)) == (ENTRIES, ENTRIES + 1)
    (weights,) = Resamples(first, _FEW).blocks()
    start = time.perf_counter()
    slow = area_at_every_cut(first, weights)
    reference_s = (time.perf_counter() - start) * ENTRIES * SEEDS * REPLICATES / _FEW
    fast = METRICS["auc_af1_crr"].kernel(Tally(first, weights=weights))
    return {
        "ratio": reference_s / ours_s,
        "ours_s": ours_s,
        "reference_s": reference_s,
        "equal": bool(np.allclose(slow, fast, rtol=0, atol=1e-9)),
        "ours_cpu_s": ours_cpu_s,
        "after_one_more_s": again_s,
        "after_one_more_cpu_s": again_cpu_s,
    }
