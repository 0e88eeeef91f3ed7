"""The score under laundering is the mean of the metric itself, plain and on every resample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.answers import outcome_of
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.metrics import METRICS
from osbench.benchmark.metrics.resampling import Resamples, replicate
from osbench.benchmark.robustness.laundering_score import LAUNDERING, laundered_af1, laundering_replicates, shared_cells
from osbench.benchmark.robustness.treatments import CLEAN, Cell
from osbench.benchmark.runs import Run, answers_to_test
from tests.benchmark import run_documents as documents

CELLS = [CLEAN, *(Cell(quality=q, blur=b) for q in range(50, 60) for b in (0.0, 1.0))]
"""More than are counted at once."""


@pytest.fixture
def run(manifest: Manifest, tmp_path: Path) -> Run:
    info = documents.run_info(manifest)
    return Run.write(tmp_path / "m" / "seed0-aa", info, documents.drawn_answers(manifest))


@pytest.mark.parametrize("rule", ["native", "never"])
def test_each_treatment_has_the_metric_itself_on_every_resample(run: Run, manifest: Manifest, rule: str) -> None:
    answers = run.answers(rule, manifest)
    own = answers_to_test(run.predictions(manifest), manifest)
    rng = np.random.default_rng(0)
    laundered = {}
    for cell in CELLS:
        known = {name: score + rng.normal(size=len(own)).astype(np.float32) for name, score in own.known_score.items()}
        laundered[cell] = replace(own, known_score=known, candidate=rng.permutation(own.candidate))
    resamples = Resamples(answers.test, 40)
    threshold = answers.threshold()
    found = laundered_af1(answers, laundered, threshold, resamples)
    assert list(found) == CELLS[1:], "the clean cell is not laundered"
    for cell in (CELLS[1], CELLS[-1]):
        test = outcome_of(laundered[cell].scores(rule), manifest, "test")
        expected = replicate([test], [threshold], {"af1": METRICS["af1"]}, resamples)
        assert found[cell][0] == pytest.approx(expected.each["af1"][0], abs=1e-12)
        assert found[cell][1:] == pytest.approx(expected.values["af1"][:, 0], abs=1e-12)


def test_the_score_is_over_the_treatments_that_all_seeds_share() -> None:
    a, b, c = (Cell(quality=q) for q in (60, 70, 80))
    seeds = [{a: np.array([0.2, 0.3]), b: np.array([0.4, 0.5])}, {b: np.array([0.6, 0.9]), c: np.array([0.0, 0.0])}]
    assert shared_cells(seeds) == (b,)
    found = laundering_replicates(seeds, 7)
    assert found is not None
    assert found.each[LAUNDERING].tolist() == [0.4, 0.6]
    assert found.values[LAUNDERING].tolist() == [[0.5, 0.9]]
    assert found.seed == 7
    assert laundering_replicates([seeds[0], {}], 0) is None
    assert laundering_replicates([], 0) is None
