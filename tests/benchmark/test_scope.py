"""Every answer says what it rests on."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.runs import Run
from osbench.benchmark.scope import CAMERAS_OUTSIDE, NO_PROOF, _cameras_of, scope_of
from osbench.generation.dataset import Dataset


@pytest.fixture(scope="module")
def run(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path_factory.mktemp("runs"))[0]


def test_the_scope_counts_what_the_run_did(run: Run, manifest: Manifest) -> None:
    answers = run.answers()
    threshold = float(np.median(answers.test.known_score))
    scope = scope_of(run, answers, threshold, "accept-95")
    frame = answers.to_frame().query("split == 'test'")
    accepted = frame["known_score"] >= threshold
    seen = frame["openness"] == "seen"
    assert scope.knows == manifest.seen
    assert scope.seen_refused == pytest.approx((~accepted[seen]).mean())
    assert scope.seen_named == pytest.approx((accepted & (frame["candidate"] == frame["generator"]))[seen].mean())
    for name, rate in scope.unseen_refused.items():
        assert rate == pytest.approx((~accepted[frame["generator"] == name]).mean())
    assert set(scope.unseen_refused) == set(manifest.unseen)
    assert scope.refusing == pytest.approx(np.mean(list(scope.unseen_refused.values())))
    assert scope.pictures == len(manifest.rows("train"))
    assert set(scope.content) == {f"{name}/noise" for name in manifest.seen}
    text = " ".join(scope.sentences)
    for said in (*manifest.seen, *manifest.unseen, "crops of 32 px", CAMERAS_OUTSIDE, NO_PROOF):
        assert said in text
    assert scope.to_json()["sentences"] == list(scope.sentences)


def test_cameras_are_known_by_the_suite_or_by_who_asks(run: Run) -> None:
    assert _cameras_of("mini-matched") == {"untouched", "virtual_camera"}
    assert _cameras_of("mini") == _cameras_of("anybody's") == set()
    scope = scope_of(run, run.answers(), 0.0, "accept-95", cameras=["taming"])
    assert scope.cameras == ("taming",)
    assert CAMERAS_OUTSIDE not in scope.sentences
    assert "Camera pictures that it knows: taming." in " ".join(scope.sentences)


def test_a_run_that_was_never_asked_about_strangers_says_so(run: Run) -> None:
    scope = replace(scope_of(run, run.answers(), 0.0, "accept-95"), unseen_refused={}, joined=("newcomer",))
    assert math.isnan(scope.refusing)
    assert "never asked about a source that it does not know" in " ".join(scope.sentences)
    assert "newcomer joined later and was never tested" in scope.sentences[0]


def test_the_packaged_suites_name_is_no_path() -> None:
    assert _cameras_of(str(Path("/etc/passwd"))) == set()
