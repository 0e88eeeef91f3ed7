from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.metrics import all_metrics
from osbench.benchmark.runs import Run
from osbench.benchmark.score import Score
from osbench.benchmark.score_text import score_text
from osbench.core.errors import RunError, UsageError
from osbench.generation.dataset import Dataset


@pytest.fixture(scope="module")
def run(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path_factory.mktemp("runs"))[0]


def test_answers_are_joined_with_the_truth(run: Run, manifest: Manifest) -> None:
    answers = run.answers("distance", manifest)
    assert (len(answers.validation), len(answers.test)) == (12, 20)
    assert answers.validation.n_unseen == 0
    assert np.bincount(answers.test.truth + 1).tolist() == [8, 4, 4, 4]
    assert np.bincount(answers.test.unseen_group + 1).tolist() == [12, 4, 4]
    table = manifest.rows("test")
    for i in range(len(table)):
        unseen = int(answers.test.unseen_group[i])
        name = manifest.unseen[unseen] if unseen >= 0 else manifest.seen[int(answers.test.truth[i])]
        assert name == table["generator"].iloc[i]


def test_answers_as_a_frame(run: Run, manifest: Manifest) -> None:
    frame = run.answers("distance", manifest).to_frame()
    assert frame["split"].value_counts().to_dict() == {"test": 20, "val": 12}
    assert set(frame["candidate"]) <= set(manifest.seen)
    own = run.predictions(manifest)
    by_id = dict(zip(own.image_ids, own.known_score["distance"], strict=True))
    assert frame["known_score"].tolist() == [by_id[name] for name in frame["image_id"]]


def test_the_threshold_comes_from_seen_validation_images_alone(run: Run, manifest: Manifest) -> None:
    answers = run.answers("distance", manifest)
    threshold, scores = answers.blind_threshold(), answers.validation.known_score
    assert threshold == answers.threshold()
    assert (scores >= threshold).mean() >= 0.95
    assert sorted(scores)[0] == threshold  # of 12 images, 95 % is all of them
    with pytest.raises(UsageError, match="looks at test labels"):
        answers.blind_threshold("oracle-harmonic")
    with pytest.raises(UsageError, match=r"unknown threshold rule 'accept-59'\. Did you mean 'accept-9"):
        answers.threshold("accept-59")


def test_the_document_agrees_with_a_literal_count(run: Run, manifest: Manifest) -> None:
    score = run.score("distance", manifest=manifest, bootstrap=50)
    document = score.to_json()
    json.dumps(document, allow_nan=False)
    answers = run.answers("distance", manifest)
    threshold = document["threshold"]["value"]
    assert document["threshold"] == {"rule": "accept-95", "value": threshold, "oracle": False}
    for name, value in all_metrics(answers.test, threshold).items():
        interval = document["metrics"][name]
        assert interval["estimate"] == pytest.approx(value)
        assert interval["low"] <= interval["high"]
        assert interval["kind"] == "images"

    table = manifest.rows("test").set_index("image_id")
    predictions = run.predictions()
    rows, columns = document["confusion"]["rows"], document["confusion"]["columns"]
    literal = [[0] * len(columns) for _ in rows]
    for i, name in enumerate(predictions.image_ids):
        if name in table.index:
            accepted = predictions.known_score["distance"][i] >= threshold
            answer = manifest.seen[predictions.candidate[i]] if accepted else "unknown"
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


def test_a_score_survives_json(run: Run) -> None:
    score = run.score("distance", bootstrap=20)
    again = Score.from_json(json.loads(json.dumps(score.to_json(), allow_nan=False)))
    assert again.to_json() == score.to_json()
    assert again.auc_af1_crr == score.auc_af1_crr
    document = score.to_json()
    document["metrics"]["af1"]["low"] = "high"
    with pytest.raises(RunError, match=r"score: metrics\.af1\.low is 'high'"):
        Score.from_json(document)


def test_a_metric_is_an_attribute_and_a_row(run: Run) -> None:
    score = run.score("distance", bootstrap=20)
    assert score.auc_af1_crr is score.metrics["auc_af1_crr"]
    assert "auc_af1_crr" in dir(score)
    with pytest.raises(AttributeError, match="its metrics are auc_af1_crr"):
        score.auc  # noqa: B018
    frame = score.to_frame().set_index("metric")
    assert list(frame.columns) == ["estimate", "low", "high"]
    assert frame.loc["af1", "estimate"] == score.af1.estimate
    assert len(frame) == len(score.metrics)


def test_without_a_native_rule_the_first_one_is_read(run: Run) -> None:
    assert run.score(bootstrap=2).rule == "distance"
    with pytest.raises(UsageError, match="unknown rejection rule of nearest-colour 'msp'"):
        run.score("msp")


def test_the_plot_is_the_curve(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    score = run.score("distance", bootstrap=2)
    axes = score.plot()
    crr, af1 = map(np.asarray, axes.lines[0].get_data())
    assert (crr[0], crr[-1], af1[-1]) == (0, 1, 0)
    assert np.trapezoid(af1, crr) == pytest.approx(score.auc_af1_crr.estimate, abs=0.1)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install 'osbench\[plot\]'"):
        score.plot()


def test_never_accepts_everything(run: Run) -> None:
    score = run.score("never", bootstrap=10)
    assert score.crr.estimate == 0
    assert score.auroc.estimate == 0.5
    assert all(row[-1] == 0 for row in score.confusion.counts)


def test_an_oracle_rule_is_marked(run: Run) -> None:
    score = run.score("distance", threshold_rule="oracle-harmonic", bootstrap=10)
    assert score.threshold.oracle is True
    assert "never ranked" in score_text(score)


def test_the_tables_show_every_generator_and_metric(run: Run, manifest: Manifest) -> None:
    text = score_text(run.score("distance", bootstrap=10))
    for name in [*manifest.seen, *manifest.unseen, "unknown", "auc_af1_crr", "these generators", "a new generator"]:
        assert name in text


def test_a_run_without_its_rows_is_refused(run: Run, manifest: Manifest, tmp_path: Path) -> None:
    whole = run.predictions()
    short = Run.write(tmp_path / "m" / "r", run.info, whole.take(np.arange(len(whole) - 1)))
    with pytest.raises(RunError, match="1 of 32 images have no answer"):
        short.score(manifest=manifest)
