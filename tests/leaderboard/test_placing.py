"""Who has a rank: one rule of each fit, after three trainings, and nobody else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.metrics import PRIMARY
from osbench.benchmark.metrics.paired import Side
from osbench.benchmark.primary_rule import LEAST_WRONG, Separation
from osbench.benchmark.robustness.treatments import Cell
from osbench.leaderboard.board import build_board
from osbench.leaderboard.entry import Entry, Laundering, Sides
from osbench.leaderboard.placing import Scored, placed, ranks_note
from osbench.leaderboard.tables import board_text

from .made_boards import interval, made_board, made_entry
from .synthetic_runs import CARD, Drawn, write_run

CHANCE = np.random.default_rng(0).normal(0, 0.01, 200)


def scored(
    method: str, value: float, rule: str = "native", trainings: int = 3, seeds: int = 3, area: float = 0.8
) -> Scored:
    entry = replace(
        made_entry(method, rule, {PRIMARY: interval(value)}),
        rank=None,
        seeds=tuple(range(seeds)),
        trainings=trainings,
        separation=Separation(area, LEAST_WRONG, True),
    )
    each = value + (0.002 * np.array([-1.0, 0.0, 1.0]) if trainings > 1 else np.zeros(3))
    return entry, Sides(Side(each, value + CHANCE)), method


TREATMENTS = (Cell(quality=70), Cell(blur=1.0))


def laundered(one: Scored, value: float, cells: tuple[Cell, ...] = TREATMENTS) -> Scored:
    """The same with a score under laundering."""
    entry, sides, fit = one
    entry = replace(entry, laundering=Laundering(interval(value), cells))
    each = value + 0.002 * np.array([-1.0, 0.0, 1.0])
    return entry, replace(sides, laundering=Side(each, value + CHANCE)), fit


def found(*all_scored: Scored) -> dict[tuple[str, str], Entry]:
    return {(entry.method, entry.rule): entry for entry in placed(all_scored, PRIMARY)}


def test_one_rule_of_each_fit_is_ranked_and_the_others_say_which() -> None:
    entries = found(
        scored("a", 0.5, "msp", area=0.7), scored("a", 0.9, "energy", area=0.6), scored("b", 0.6, "knn", area=0.5)
    )
    assert list(entries) == [("a", "energy"), ("b", "knn"), ("a", "msp")], "the order is by value"
    assert entries["a", "energy"].unranked == "its fit is ranked by msp"
    assert entries["a", "energy"].rank is None
    assert not entries["a", "energy"].primary_rule
    assert (entries["b", "knn"].rank, entries["a", "msp"].rank) == (1, 2)
    assert entries["a", "msp"].primary_rule


@pytest.mark.parametrize(
    ("trainings", "seeds", "reason"),
    [
        (1, 1, "one training: a rank needs 3"),
        (2, 2, "2 trainings: a rank needs 3"),
        (1, 3, "one training, 3 seeds of the same answers: a rank needs 3"),
        (3, 3, ""),
    ],
)
def test_a_rank_needs_three_trainings(trainings: int, seeds: int, reason: str) -> None:
    entry = found(scored("a", 0.5, trainings=trainings, seeds=seeds))["a", "native"]
    assert entry.unranked == reason
    assert entry.rank == (None if reason else 1)


@pytest.mark.parametrize(("trainings", "reason"), [(1, ""), (2, "2 trainings: a rank needs 3"), (3, "")])
def test_a_method_that_draws_nothing_needs_one_unless_its_seeds_differ(trainings: int, reason: str) -> None:
    entry, sides, fit = scored("a", 0.5, trainings=trainings, seeds=trainings)
    drawn = replace(entry, card=replace(CARD, deterministic=True))
    assert found((drawn, sides, fit))["a", "native"].unranked == reason


def test_who_is_not_ranked_takes_no_rank_from_others() -> None:
    entries = found(scored("a", 0.9, trainings=1), scored("b", 0.8), scored("c", 0.5))
    assert [entries[name, "native"].rank for name in "abc"] == [None, 1, 2]


def test_what_laundering_leaves_ranks_in_another_order() -> None:
    entries = found(laundered(scored("a", 0.9), 0.3), laundered(scored("b", 0.8), 0.6), scored("c", 0.7))
    assert [entries[name, "native"].rank for name in "abc"] == [1, 2, 3]
    places = [entries[name, "native"].laundering for name in "abc"]
    assert [place.rank if place else None for place in places] == [2, 1, None]


def test_who_is_not_ranked_is_not_ranked_under_laundering_either() -> None:
    (entry,) = placed([laundered(scored("a", 0.9, trainings=1, seeds=1), 0.3)], PRIMARY)
    assert entry.laundering is not None
    assert (entry.laundering.rank, entry.laundering.unranked) == (None, entry.unranked)


def test_scores_over_other_treatments_do_not_compare() -> None:
    few = (Cell(quality=70),)
    entries = found(
        laundered(scored("a", 0.9), 0.3), laundered(scored("b", 0.8), 0.9, few), laundered(scored("c", 0.7), 0.4)
    )
    places = {name: entries[name, "native"].laundering for name in "abc"}
    assert [place.rank for place in places.values() if place] == [2, None, 1]
    assert places["b"] is not None
    assert places["b"].unranked == "asked about other treatments than most entries"


def test_an_undefined_value_has_no_rank() -> None:
    entry = found(scored("a", math.nan), scored("b", 0.5))["a", "native"]
    assert (entry.rank, entry.unranked) == (None, "its AUC aF1-CRR is undefined")


def test_a_board_without_ranks_says_so() -> None:
    alone = placed([scored("a", 0.9, trainings=1, seeds=1), scored("b", 0.8, trainings=1, seeds=1)], PRIMARY)
    assert ranks_note(alone) == "One training each: order shown, no ranks."
    two = placed([scored("a", 0.9, trainings=2, seeds=2), scored("b", 0.8, trainings=1, seeds=1)], PRIMARY)
    assert ranks_note(two) == "Fewer than 3 trainings each: order shown, no ranks."
    assert ranks_note(placed([scored("a", 0.9)], PRIMARY)) == ""
    assert ranks_note(alone) in board_text(replace(made_board(*alone), ranks_note=ranks_note(alone)))


def test_the_same_run_under_three_seeds_is_one_training(
    manifest: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("copies") / "runs"
    for seed in range(3):
        run = write_run(folder, manifest, Drawn("proposed", 0.9, {"native": 3.0}), seed)
        if seed == 0:
            original = run.folder / "predictions.parquet"
        (run.folder / "predictions.parquet").write_bytes(original.read_bytes())
    (entry,) = build_board(folder, bootstrap=5).entries
    assert (entry.seeds, entry.trainings, entry.rank) == ((0, 1, 2), 1, None)
    assert entry.unranked == "one training, 3 seeds of the same answers: a rank needs 3"


def test_a_placeholder_is_shown_without_a_rank_and_says_what_differs() -> None:
    entry, sides, fit = scored("stub", 0.9)
    stub = replace(entry.card, reproduction="placeholder", differs="130 steps")
    entries = found((replace(entry, card=stub), sides, fit), scored("a", 0.5), scored("b", 0.4))
    assert [method for method, _ in entries] == ["stub", "a", "b"], "the order is by value"
    assert entries["stub", "native"].rank is None
    assert entries["stub", "native"].unranked == "a placeholder, no reproduction: 130 steps"
    assert entries["a", "native"].rank == 1
    partial = replace(entry.card, reproduction="partial", differs="from scratch")
    entries = found((replace(entry, card=partial), sides, fit), scored("a", 0.5))
    assert entries["stub", "native"].rank == 1, "a partial reproduction is ranked"


def test_what_is_no_full_reproduction_is_said_below_the_table() -> None:
    entries = (
        replace(scored("a", 0.6)[0], card=replace(CARD, title="A", reproduction="partial", differs="from scratch")),
        replace(scored("b", 0.5)[0], card=replace(CARD, title="B", reproduction="full")),
    )
    text = board_text(made_board(*entries))
    assert "a: partial: from scratch" in text.splitlines()
    assert "b: full" not in text
