from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from osbench.benchmark.experiment import Configuration, Experiment, Published
from osbench.benchmark.result import Direction, ShotsResult
from osbench.benchmark.results import AGREES, CANNOT_TELL, CONTRADICTS, read_results, write_results
from osbench.benchmark.runs import Run
from osbench.benchmark.shots.curves import Gap, ShotCurves
from osbench.benchmark.shots.results import shots_results

from .drawn_runs import GROWING, few_shot_manifests, write_few_shot_runs
from .test_text import CROSSING, CURVES

EXPERIMENT = Experiment(
    {"resynthesis": Configuration(), "clip-linear": Configuration()},
    name="few",
    title="Few shots",
    protocol="fewshot",
    fold="all",
    published=Published("A paper", "https://example.org", {"sources": 10, "most_shots": 20}, ahead={"resynthesis": 3}),
    notes=("Few is few.",),
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sequence[Run]]:
    return {
        "clip-linear": write_few_shot_runs(tmp_path_factory.mktemp("runs"), few_shot_manifests((1,), 1), (GROWING,))
    }


def result(runs: Mapping[str, Sequence[Run]], curves: ShotCurves = CURVES) -> ShotsResult:
    (found,) = shots_results(EXPERIMENT, [curves], runs, "v1", left_out={"gone": "no weights"})
    return found


def test_a_paper_says_who_is_ahead_with_few_shots_and_with_many(runs: Mapping[str, Sequence[Run]]) -> None:
    assert result(runs).directions == (Direction("clip-linear", "resynthesis", AGREES, AGREES),)
    changed = replace(CROSSING, fewest=Gap(1, 0.2, 0.1, 0.3), most=Gap(5, 0.1, -0.1, 0.3))
    (direction,) = result(runs, replace(CURVES, crossings=(changed,))).directions
    assert (direction.few, direction.many) == (CONTRADICTS, CANNOT_TELL)


def test_shots_on_the_other_side_say_nothing_of_a_paper(runs: Mapping[str, Sequence[Run]]) -> None:
    elsewhere = replace(CROSSING, fewest=Gap(4, -0.2, -0.3, -0.1), most=Gap(3, 0.2, 0.1, 0.3))
    (direction,) = result(runs, replace(CURVES, crossings=(elsewhere,))).directions
    assert (direction.few, direction.many) == (CANNOT_TELL, CANNOT_TELL)


def test_lines_of_no_published_entry_have_no_direction(runs: Mapping[str, Sequence[Run]]) -> None:
    other = replace(CROSSING, training_free="via=reference")
    assert result(runs, replace(CURVES, crossings=(other,))).directions == ()
    (found,) = shots_results(replace(EXPERIMENT, published=None), [CURVES], runs, "v1")
    assert (found.directions, found.paper) == ((), "")


def test_an_entry_is_known_by_what_its_runs_are_called(runs: Mapping[str, Sequence[Run]]) -> None:
    named = [replace(run, info=replace(run.info, label="resynthesis, by prompt")) for run in runs["clip-linear"]]
    called = replace(CROSSING, training_free="resynthesis, by prompt")
    (found,) = shots_results(EXPERIMENT, [replace(CURVES, crossings=(called,))], {"resynthesis": named}, "v1")
    assert found.ahead == {"resynthesis, by prompt": 3}
    assert len(found.directions) == 1


def test_they_are_written_beside_the_tables_and_replaced_whole(
    runs: Mapping[str, Sequence[Run]], tmp_path: Path
) -> None:
    found = result(runs)
    data, page = write_results(tmp_path, [], [found])
    assert read_results(data).shots == (found,)
    text = page.read_text()
    for part in (
        "## few, mini-text, fewshot, 5 classes (v1)",
        "Few shots. [A paper](https://example.org).",
        "| most shots | 20 | 5 |",
        "### Where is the crossing?",
        "| clip-linear | resynthesis | 3.0 | 2.2 to more than 5 | -0.250 (-0.400 to -0.100) |",
        "The paper: resynthesis is ahead with up to 3 shots, trained methods are with more. Of 1 trained entries here",
        "here, with the fewest shots 1 agrees; with the most shots 1 agrees.",
        "10 groups of test images are resampled.",
        "Few is few.",
        "Left out: gone: no weights",
    ):
        assert part in text
    newer = replace(found, notes=())
    write_results(tmp_path, [], [newer])
    assert read_results(data).shots == (newer,)
    write_results(tmp_path, [], [replace(found, experiment="other")])
    assert len(read_results(data).shots) == 2
