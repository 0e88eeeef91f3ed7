from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.content import content_rows, content_table
from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.runs import Run
from osbench.benchmark.score_text import score_text
from osbench.generation.dataset import Dataset


@pytest.fixture(scope="module")
def held_out(two_contents: Dataset) -> Manifest:
    return build_manifest(two_contents, "cross-content", "emoji")


@pytest.fixture(scope="module")
def run(two_contents: Dataset, held_out: Manifest, method_file: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("content")
    (run,) = evaluate(method_file, two_contents, held_out, seeds=[0], out=out)
    return run


def test_rows_say_how_trained_and_held_out_content_fare(run: Run, held_out: Manifest) -> None:
    score = run.score("distance", manifest=held_out, bootstrap=2)
    trained, seen, unseen = score.content
    assert [(r.split, r.openness, r.part, r.held_out, r.images) for r in score.content] == [
        ("val", "seen", "landscape", False, 6),
        ("test", "seen", "emoji", True, 6),
        ("test", "unseen", "emoji", True, 4),
    ]
    # Every seen test image is of held-out content here, so that the row must agree with the metrics.
    assert seen.accuracy == pytest.approx(score.accuracy.estimate)
    assert unseen.rejected == pytest.approx(score.crr_pooled.estimate)
    assert unseen.accuracy is None
    # Emoji are 30 levels brighter than what a method that looks at colours has learnt.
    assert trained.rejected < seen.rejected
    assert trained.accuracy == 1


def test_rows_of_generators_without_the_held_out_content_stay_apart(run: Run, held_out: Manifest) -> None:
    """As if ProGAN had another training set: its test images are of trained content."""
    answers = run.answers("distance", held_out)
    table = held_out.table.assign(
        training_set=held_out.table["training_set"].where(held_out.table["generator"] != "progan", "faces")
    )
    renamed = dataclasses.replace(held_out, table=table)
    rows = content_rows(answers.validation, answers.test, renamed, -0.2)
    named = [(r.split, r.openness, r.part, r.held_out) for r in rows]
    assert named == [
        ("val", "seen", "faces", False),
        ("val", "seen", "landscape", False),
        ("test", "seen", "emoji", True),
        ("test", "seen", "faces", False),
        ("test", "unseen", "emoji", True),
    ]
    tested = np.asarray(renamed.rows("test")["training_set"] == "faces")
    assert rows[3].images == tested.sum()
    assert rows[3].rejected == pytest.approx(np.mean(answers.test.known_score[tested] < -0.2))


def test_the_table_is_printed_where_content_is_held_out(run: Run, held_out: Manifest) -> None:
    score = run.score("distance", manifest=held_out, bootstrap=2)
    text = content_table(score.content)
    assert text in score_text(score)
    assert text.splitlines()[2].split()[:4] == ["landscape", "no", "val", "seen"]
    assert text.splitlines()[-1].split()[-2] == "-"


def test_other_protocols_have_no_such_rows(two_contents: Dataset, method_file: str, tmp_path: Path) -> None:
    manifest = build_manifest(two_contents, "fang2023")
    (run,) = evaluate(method_file, two_contents, manifest, seeds=[0], out=tmp_path)
    score = run.score("distance", manifest=manifest, bootstrap=2)
    assert score.content == ()
    assert "held out" not in score_text(score)
