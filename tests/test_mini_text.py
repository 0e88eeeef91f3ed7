"""The experiment mini-text, small: untrained networks in the place of its sources, two shots, two repeats."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from osbench.benchmark.experiment import Configuration, Experiment, load_experiment
from osbench.benchmark.orchestrator import check_experiment
from osbench.benchmark.protocols import load_protocol
from osbench.benchmark.results import read_results
from osbench.generation.catalog import suite_file
from osbench.generation.efficientnet_lite0 import EfficientNetLite0
from osbench.generation.families import save_generator
from osbench.leaderboard.folds import SHOTS_FILE, Folds
from osbench.pipeline import run
from tests.generation.test_mini_text import small_networks

EXPERIMENT = load_experiment("mini-text")
QUICK = ("resynthesis", "resynthesis, wrong caption", "clip-linear", "clip-knn")
SMALL_AUTOENCODERS = {"patches_per_class": 4, "real_patches": 48}


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An untrained encoder; the sources of the suite are untrained too."""
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(suite_file, "ZOO", tmp_path / "zoo")
    folder = tmp_path / "zoo" / "mini-text"
    folder.mkdir(parents=True)
    for network in small_networks():
        save_generator(network, folder / f"{network.family}-characters.safetensors")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = EfficientNetLite0()
    path = tmp_path / "untrained.pth"
    torch.save(network.state_dict(), path)
    return path


def small(weights: Path, *labels: str) -> Experiment:
    """The experiment with few images, shots, repeats and epochs."""
    entries = {}
    for label, own in EXPERIMENT.chosen(labels).entries.items():
        options = dict(own.options)
        method = own.method or label
        if method == "resynthesis" or "encoder" in options:
            options["encoder"] = f"efficientnet-lite0:{weights}"
        if method == "tiny-autoencoders":
            options |= SMALL_AUTOENCODERS
        if "references" in options:
            options["references"] = 4
        entries[label] = Configuration(own.method, options, epochs=1)
    return replace(EXPERIMENT, entries=entries, count=40, shots=(1, 2), repeats=2)


def check(folder: Path, labels: list[str], found: Folds) -> None:
    (curves,) = found.shots
    assert (curves.shots, curves.repeats, curves.classes) == ((1, 2), 2, 5)
    assert len(curves.lines) == len(labels)
    free = [line for line in curves.lines if line.training_free]
    assert len(free) == sum(label.startswith("resynthesis") for label in labels)
    assert len(curves.crossings) == len(free) * (len(labels) - len(free))
    # A training-free entry is fitted once, the others on every fold.
    runs = len(list((folder / "runs").glob("*/seed*")))
    assert runs == len(free) + 4 * (len(labels) - len(free))
    assert json.loads((folder / "leaderboard" / SHOTS_FILE).read_text())["shots"] == [curves.to_json()]
    assert (folder / "leaderboard" / "shots-1.svg").is_file()
    (result,) = read_results(folder / "results.json").shots
    assert result.curves == curves
    assert len(result.directions) == len(labels) - len(free)
    text = (folder / "RESULTS.md").read_text()
    assert "### Where is the crossing?" in text
    assert "is ahead with up to 10 shots, trained methods are with more." in text


def test_the_experiment_asks_what_paper_2_asks() -> None:
    check_experiment(EXPERIMENT)
    assert EXPERIMENT.protocol == "fewshot"
    assert set(EXPERIMENT.shots) <= set(load_protocol("fewshot").shots)
    methods = {EXPERIMENT.configuration(label).method for label in EXPERIMENT.entries}
    assert methods == {
        *("resynthesis", "clip-linear", "clip-knn", "clip-mlp", "de-fake", "clip-lora"),
        *("efficientnet-b4", "tiny-autoencoders", "proposed"),
    }


def test_a_small_version_draws_the_lines_and_says_where_they_cross(weights: Path, tmp_path: Path) -> None:
    done = run(small(weights, *QUICK), tmp_path / "out", workers=1)
    assert done.found.failed == done.found.missing == {}
    assert isinstance(done.board, Folds)
    check(tmp_path / "out", list(QUICK), done.board)
    assert done.page.is_file()
    again = run(small(weights, *QUICK), tmp_path / "out", workers=1)
    assert again.board == done.board


@pytest.mark.slow
def test_every_entry_of_a_small_version(weights: Path, tmp_path: Path) -> None:
    done = run(small(weights), tmp_path / "out", workers=1)
    assert done.found.failed == done.found.missing == {}
    assert isinstance(done.board, Folds)
    check(tmp_path / "out", list(EXPERIMENT.entries), done.board)
