from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.metrics import all_metrics
from osbench.benchmark.runs import Run
from osbench.benchmark.score import answers_of, score_run, score_tables, threshold_of
from osbench.core.errors import RunError, UsageError
from osbench.generation.dataset import Dataset


@pytest.fixture(scope="module")
def runs(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path_factory.mktemp("runs"))


def test_answers_are_joined_with_the_truth(runs: list[Run], manifest: Manifest) -> None:
    answers = answers_of(runs[0], manifest)
    assert (len(answers.validation), len(answers.test)) == (12, 20)
    assert answers.validation.n_unseen == 0
    assert np.bincount(answers.test.truth + 1).tolist() == [8, 4, 4, 4]
    assert np.bincount(answers.test.unseen_group + 1).tolist() == [12, 4, 4]
    table = manifest.rows("test")
    for i in range(len(table)):
        unseen = int(answers.test.unseen_group[i])
        name = manifest.unseen[unseen] if unseen >= 0 else manifest.seen[int(answers.test.truth[i])]
        assert name == table["generator"].iloc[i]


def test_the_threshold_comes_from_seen_validation_images_alone(runs: list[Run], manifest: Manifest) -> None:
    threshold, scores = threshold_of(runs[0], manifest)
    assert (scores >= threshold).mean() >= 0.95
    assert sorted(scores)[0] == threshold  # of 12 images, 95 % is all of them
    with pytest.raises(UsageError, match="looks at test labels"):
        threshold_of(runs[0], manifest, "oracle-harmonic")
    with pytest.raises(UsageError, match="Did you mean 'accept-95'"):
        threshold_of(runs[0], manifest, "accept-59")


def test_the_document_agrees_with_a_literal_count(runs: list[Run], manifest: Manifest) -> None:
    document = score_run(runs[0], manifest, bootstrap=50)
    json.dumps(document, allow_nan=False)
    answers = answers_of(runs[0], manifest)
    threshold = document["threshold"]["value"]
    assert document["threshold"] == {"rule": "accept-95", "value": threshold, "oracle": False}
    for name, value in all_metrics(answers.test, threshold).items():
        interval = document["metrics"][name]
        assert interval["estimate"] == pytest.approx(value)
        assert interval["low"] <= interval["high"]
        assert interval["kind"] == "images"

    table = manifest.rows("test").set_index("image_id")
    predictions = runs[0].predictions()
    rows, columns = document["confusion"]["rows"], document["confusion"]["columns"]
    literal = [[0] * len(columns) for _ in rows]
    for i, name in enumerate(predictions.image_ids):
        if name in table.index:
            accepted = predictions.scores.known_score[i] >= threshold
            answer = manifest.seen[predictions.scores.candidate[i]] if accepted else "unknown"
            literal[rows.index(table.loc[name, "generator"])][columns.index(answer)] += 1
    assert document["confusion"]["counts"] == literal
    assert columns[-1] == "unknown"
    assert rows == [*manifest.seen, *manifest.unseen]

    per_generator = document["per_generator"]
    rejected = [counts[-1] / sum(counts) for counts in literal[len(manifest.seen) :]]
    assert [per_generator[name]["crr"]["estimate"] for name in manifest.unseen] == pytest.approx(rejected)
    assert document["metrics"]["crr"]["estimate"] == pytest.approx(np.mean(rejected))
    for k, name in enumerate(manifest.seen):
        hits = literal[k][k]
        f1 = 2 * hits / (sum(literal[k]) + sum(row[k] for row in literal))
        assert per_generator[name]["f1"]["estimate"] == pytest.approx(f1)
    assert document["composition"] == manifest.counts()
    assert document["new_generator"]["crr"]["kind"] == "generators"


def test_never_accepts_everything(runs: list[Run], manifest: Manifest) -> None:
    document = score_run(runs[1], manifest, bootstrap=10)
    assert document["metrics"]["crr"]["estimate"] == 0
    assert document["metrics"]["auroc"]["estimate"] == 0.5
    assert all(row[-1] == 0 for row in document["confusion"]["counts"])


def test_an_oracle_rule_is_marked(runs: list[Run], manifest: Manifest) -> None:
    document = score_run(runs[0], manifest, threshold_rule="oracle-harmonic", bootstrap=10)
    assert document["threshold"]["oracle"] is True
    assert "never ranked" in score_tables(document)


def test_the_tables_show_every_generator_and_metric(runs: list[Run], manifest: Manifest) -> None:
    text = score_tables(score_run(runs[0], manifest, bootstrap=10))
    for name in [*manifest.seen, *manifest.unseen, "unknown", "auc_af1_crr", "these generators", "a new generator"]:
        assert name in text


def test_a_run_without_its_rows_is_refused(runs: list[Run], manifest: Manifest, tmp_path: Path) -> None:
    whole = runs[0].predictions()
    run = Run.write(tmp_path / "m" / "r", runs[0].info, whole.take(np.arange(len(whole) - 1)))
    with pytest.raises(RunError, match="1 of 32 images have no answer"):
        score_run(run, manifest)
