"""An entry's numbers are those of its runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.metrics.resampling import Resamples
from osbench.benchmark.run_info import Hardware
from osbench.benchmark.runs import Run
from osbench.leaderboard.entry import Entry, Robustness, entry_of, hardware_text, settings_text

from .synthetic_runs import Drawn, write_run

METHOD = Drawn("proposed", 0.9, {"native": 3.0})


@pytest.fixture
def runs(manifest: Manifest, tmp_path: Path) -> list[Run]:
    return [write_run(tmp_path / "runs", manifest, METHOD, seed) for seed in range(3)]


def entry(runs: list[Run], manifest: Manifest, replicates: int = 50) -> Entry:
    answers = [run.answers(manifest=manifest) for run in runs]
    return entry_of(answers, [Robustness()] * len(runs), Resamples(answers[0].test, replicates))[0]


def test_one_seed_gives_what_score_gives(runs: list[Run], manifest: Manifest) -> None:
    found, score = entry(runs[:1], manifest), runs[0].score(manifest=manifest, bootstrap=50)
    assert found.metrics == score.metrics
    assert found.per_generator == score.per_generator
    assert str(found.new_generator) == str(score.new_generator)  # NaN bounds: two generators cannot tell
    assert found.confusion == score.confusion
    assert found.curve is not None
    assert score.curve is not None
    assert found.curve.crr[:-1] == score.curve.crr


def test_several_seeds_give_means_and_summed_counts(runs: list[Run], manifest: Manifest) -> None:
    found, sides = entry_of(
        [run.answers(manifest=manifest) for run in runs], [Robustness()] * 3, Resamples(runs[0].answers().test, 50)
    )
    scores = [run.score(manifest=manifest, bootstrap=2) for run in runs]
    for name, metric in found.metrics.items():
        assert metric.estimate == pytest.approx(np.mean([score.metrics[name].estimate for score in scores]))
        assert metric.low <= metric.high
        assert metric.kind == "seeds+images"
    assert np.array_equal(found.confusion.counts, np.sum([score.confusion.counts for score in scores], axis=0))
    assert sides.primary.estimate == found.metrics["auc_af1_crr"].estimate
    assert sides.primary.values.shape == (50,)
    assert (sides.laundering, found.laundering) == (None, None)
    assert (found.seeds, found.wall_time_s) == ((0, 1, 2), 312.5)


def test_what_an_image_costs_is_the_mean_of_the_seeds(runs: list[Run], manifest: Manifest) -> None:
    answers = [run.answers(manifest=manifest) for run in runs[:2]]
    costs = ({"a": 1.0, "b": 0.5}, {"a": 3.0})
    told = [replace(one, info=replace(one.info, seconds_per_image=c)) for one, c in zip(answers, costs, strict=True)]
    found, _ = entry_of(told, [Robustness((), {})] * 2, Resamples(answers[0].test, 5))
    assert found.seconds_per_image == {"a": 2.0, "b": 0.5}


def test_a_document_comes_back(runs: list[Run], manifest: Manifest) -> None:
    found = entry(runs, manifest, 5)
    again = Entry.from_json(found.to_json())
    assert again.to_json() == found.to_json()
    assert again.metrics == found.metrics
    assert list(found.to_frame()["seeds"].iloc[0]) == [0, 1, 2]


def test_settings_are_what_differs_from_the_defaults(runs: list[Run]) -> None:
    config = runs[0].info.config
    assert settings_text(config) == ""
    assert settings_text(replace(config, options={"epochs": 5})) == "epochs=5"
    assert settings_text(replace(config, options={"epochs": 30, "x": "a\x1b[2J\u202e"})).isprintable()


def test_hardware_in_words() -> None:
    machine = Hardware("cpu", "a processor", "x86_64", 2, 8.0, "Linux")
    assert hardware_text(machine) == "a processor, 2 cores"
    assert hardware_text(replace(machine, cores=None)) == "a processor"
    assert hardware_text(replace(machine, device="cuda", device_name="a GPU")) == "a GPU"
