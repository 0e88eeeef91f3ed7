"""Two entries on the same images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import binomtest

import osbench
from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.metrics import paired_difference
from osbench.cli import main
from osbench.core.errors import RunError, UsageError
from osbench.generation.dataset import Dataset
from osbench.leaderboard.compare import compare, holm, mcnemar

from .synthetic_runs import Drawn, write_board_runs, write_run


@pytest.fixture(scope="module")
def runs(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare") / "runs"
    write_board_runs(folder, manifest)
    return folder


def test_the_difference_is_that_of_joint_resamples(runs: Path, manifest: Manifest) -> None:
    found = compare(runs / "proposed", runs / "dct-cnn", rule=None, bootstrap=50)
    sides = [
        [osbench.Run.open(path).answers(rule) for path in sorted((runs / name).iterdir())]
        for name, rule in (("proposed", "native"), ("dct-cnn", found.b.split()[-1]))
    ]
    cuts = [[one.threshold() for one in side] for side in sides]
    literal = paired_difference(
        [one.test for one in sides[0]], [one.test for one in sides[1]], thresholds=(cuts[0], cuts[1]), replicates=50
    )
    assert (found.difference, found.low, found.high, found.p) == (
        literal.difference,
        literal.low,
        literal.high,
        literal.p_value,
    )
    assert found.metric == "auc_af1_crr"
    assert found.a == "proposed native"
    assert found.p < 0.05
    assert found.verdict.startswith("proposed native is better than dct-cnn")
    assert "on these 7 generators of drawn" in found.verdict
    for said in (*manifest.unseen, "3 and 3 training seeds", "others may turn it round"):
        assert said in found.scope


def test_turning_it_round_turns_the_sign_and_names_the_same_winner(runs: Path) -> None:
    one = compare("proposed", "dct-cnn", runs=runs, bootstrap=40)
    other = compare("dct-cnn", "proposed", runs=runs, bootstrap=40)
    assert one.difference == -other.difference
    assert other.verdict.startswith("proposed native is better than dct-cnn")
    assert [test.only_a for test in one.per_generator] == [test.only_b for test in other.per_generator]


def test_of_a_metric_that_is_better_when_lower_the_winner_is_lower(runs: Path) -> None:
    found = compare("proposed", "dct-cnn", runs=runs, bootstrap=40, metric="fpr95_id")
    assert found.difference < 0
    assert found.verdict.startswith("proposed native is better than")


def test_a_method_does_not_differ_from_itself(runs: Path) -> None:
    found = compare("proposed", runs / "proposed", runs=runs, bootstrap=30)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert found.verdict.startswith("No difference between proposed native (A) and proposed native (B)")
    assert all(test.p == 1 for test in found.per_generator)


def test_two_rules_of_one_fit_are_two_entries(runs: Path) -> None:
    found = compare("resnet50 centroid-sigma", "resnet50 never", runs=runs, bootstrap=30)
    assert (found.a, found.b) == ("resnet50 centroid-sigma", "resnet50 never")
    assert found.difference > 0


def test_generators_are_tested_by_what_only_one_answers_rightly(runs: Path, manifest: Manifest) -> None:
    found = compare(runs / "proposed", runs / "resnet50", rule=None, bootstrap=20)
    assert [test.generator for test in found.per_generator] == [*manifest.seen, *manifest.unseen]
    rows = manifest.rows("test")
    right = []
    for name, rule in (("proposed", "native"), ("resnet50", found.b.split()[-1])):
        votes = np.zeros(len(rows))
        for path in sorted((runs / name).iterdir()):
            answers = osbench.Run.open(path).answers(rule)
            accepted = answers.test.known_score >= answers.threshold()
            named = np.array(manifest.seen)[answers.test.candidate] == rows["generator"].to_numpy()
            votes += np.where(rows["openness"] == "seen", accepted & named, ~accepted)
        right.append(votes >= 2)
    for test in found.per_generator:
        own = (rows["generator"] == test.generator).to_numpy()
        assert test.only_a == (right[0] & ~right[1] & own).sum()
        assert test.only_b == (right[1] & ~right[0] & own).sum()
        assert test.images == own.sum()
    assert [test.p_corrected for test in found.per_generator] == holm([test.p for test in found.per_generator])
    assert found.to_frame().shape == (7, 7)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (7, 2), (30, 31), (400, 300)])
def test_mcnemar_is_the_exact_binomial_test(a: int, b: int) -> None:
    expected = binomtest(a, a + b).pvalue if a + b else 1.0
    assert mcnemar(a, b) == pytest.approx(expected, rel=1e-9)


def test_holm_keeps_order_and_never_passes_one() -> None:
    assert holm([0.6, 0.01, 0.02, 0.7]) == pytest.approx([1.0, 0.04, 0.06, 1.0])
    assert holm([]) == []


def test_one_training_each_is_said(runs: Path) -> None:
    folders = [sorted((runs / name).iterdir())[0] for name in ("proposed", "resnet50")]
    assert "One training each: two fitted models are compared" in compare(*folders, bootstrap=20).scope


def test_what_cannot_be_compared_is_one_line(runs: Path, dataset: Dataset, manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'proposed'"):
        compare("propposed", "resnet50", runs=runs)
    with pytest.raises(UsageError, match=r"unknown rejection rule of resnet50 'mspp'. Did you mean 'msp'"):
        compare("resnet50 mspp", "proposed", runs=runs)
    with pytest.raises(UsageError, match="unknown metric 'aucc'"):
        compare("resnet50", "proposed", runs=runs, metric="aucc")
    with pytest.raises(UsageError, match="one value for each generator"):
        compare("resnet50", "proposed", runs=runs, metric="crr_per_generator")
    with pytest.raises(UsageError, match="means 3 entries: give a folder of one"):
        compare(runs, "proposed", runs=runs)
    other = build_manifest(dataset, "rotate", fold="rotate/progan+taming")
    write_run(tmp_path / "runs", other, Drawn("proposed", 0.9, {"native": 3.2}), 0)
    with pytest.raises(RunError, match="answer no manifest in common"):
        compare(tmp_path / "runs" / "proposed", "proposed", runs=runs)
    write_run(tmp_path / "runs", manifest, Drawn("proposed", 0.9, {"native": 3.2}), 0, tag="1a1a1a1a")
    both = tmp_path / "runs" / "proposed"
    with pytest.raises(UsageError, match=r"share 2 manifests: say which one, --manifest ID"):
        compare(both, both)
    assert compare(both, both, manifest_id=manifest.manifest_id[:8], bootstrap=10).difference == 0


def test_the_verb_prints_the_same(runs: Path) -> None:
    words = ["compare", str(runs / "proposed"), "resnet50", "--runs", str(runs), "--bootstrap", "30"]
    result = CliRunner().invoke(main, [*words, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document == osbench.compare(runs / "proposed", "resnet50", runs=runs, bootstrap=30).to_json()
    assert {"metric", "difference", "low", "high", "p", "scope", "verdict"} <= document.keys()
    text = CliRunner().invoke(main, words).stdout
    assert text.splitlines()[0] == document["verdict"]
    assert document["scope"] in text
    assert CliRunner().invoke(main, ["compare", "proposed", "nobody", "--runs", str(runs)]).exit_code == 2
