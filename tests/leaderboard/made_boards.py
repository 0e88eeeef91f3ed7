"""Boards of entries that were never run, for what only reads a board."""

from __future__ import annotations

import math
from collections.abc import Mapping

from osbench.benchmark.metrics import METRICS
from osbench.benchmark.metrics.intervals import Interval
from osbench.benchmark.primary_rule import Separation
from osbench.benchmark.run_info import Config
from osbench.benchmark.score import Confusion
from osbench.leaderboard.board import Board, Counts
from osbench.leaderboard.curves import EntryCurve
from osbench.leaderboard.entry import Entry

from .synthetic_runs import CARD


def interval(estimate: float, low: float = math.nan, high: float = math.nan) -> Interval:
    return Interval(estimate, low, high, 0.95, "images", 10, 0)


def made_entry(method: str, rule: str, metrics: Mapping[str, Interval], variant: str = "") -> Entry:
    """An entry with some metrics; the others are undefined."""
    return Entry(
        id=f"{method}/{rule}/{variant}",
        rank=1,
        rank_low=1,
        rank_high=1,
        unranked="",
        method=method,
        rule=rule,
        primary_rule=True,
        separation=Separation(0.5, 0, True),
        name=method,
        variant=variant,
        seeds=(0, 1),
        trainings=2,
        runs=(),
        config=Config({}, {}, {}, 32),
        code_sha256="0" * 64,
        git=None,
        osbench_version="0.1.0",
        precision="float32",
        hardware="a processor",
        wall_time_s=1.0,
        created="2026-01-01T00:00:00+00:00",
        threshold_rule="accept-95",
        normalised_distance=False,
        metrics={name: interval(math.nan) for name in METRICS} | dict(metrics),
        new_generator={},
        per_generator={},
        card=CARD,
        confusion=Confusion((), (), ()),
        curve=EntryCurve((), ()),
        histogram=None,
    )


def made_board(*entries: Entry) -> Board:
    return Board(
        suite="mini",
        protocol="fang2023",
        fold="fang2023",
        manifest_id="f" * 64,
        seen=(),
        unseen=(),
        titles={},
        crop_size=32,
        counts=Counts(0, 0, 0, 0),
        primary="auc_af1_crr",
        ranks_note="",
        threshold_rule="accept-95",
        bootstrap=10,
        metrics={},
        created="2026-01-01T00:00:00+00:00",
        osbench_version="0.1.0",
        refused=(),
        entries=entries,
    )
