from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.metrics import auc_af1_crr
from osbench.benchmark.runs import Run
from osbench.benchmark.shots.curves import ShotCurves
from osbench.benchmark.shots.lines import crossing_of, shot_curves
from osbench.core.errors import UsageError

from .drawn_runs import (
    FREE,
    GROWING,
    SHOTS,
    STRONG,
    WEAK,
    by_id,
    few_shot_manifests,
    write_few_shot_runs,
    write_skilled_run,
)


def literal_accuracy(run: Run, manifest: Manifest) -> float:
    answers = run.predictions(manifest)
    truth = dict(zip(manifest.column("image_id"), manifest.column("class_index"), strict=True))
    tested = set(manifest.rows("test")["image_id"])
    hits = [
        truth[name] == said for name, said in zip(answers.image_ids, answers.candidate, strict=True) if name in tested
    ]
    return sum(hits) / len(hits)


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return few_shot_manifests()


@pytest.fixture(scope="module")
def runs(manifests: list[Manifest], tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return write_few_shot_runs(tmp_path_factory.mktemp("few"), manifests, (WEAK, FREE, GROWING, STRONG))


@pytest.fixture(scope="module")
def curves(runs: list[Run], manifests: list[Manifest]) -> ShotCurves:
    (found,) = shot_curves(runs, by_id(manifests), replicates=400)
    return found


def test_points_are_means_over_repeats(curves: ShotCurves, runs: list[Run], manifests: list[Manifest]) -> None:
    assert (curves.protocol, curves.unseen, curves.classes, curves.metric) == ("fewshot", (), 5, "accuracy")
    assert (curves.shots, curves.repeats, curves.images, curves.groups) == (SHOTS, 3, 100, 10)
    assert [line.label for line in curves.lines] == ["free", "strong", "growing", "weak"]
    known = by_id(manifests)
    for line in curves.lines:
        for point in line.points:
            hits = [
                literal_accuracy(run, known[run.manifest_id])
                for run in runs
                if run.method == line.method and (line.training_free or known[run.manifest_id].shots == point.shots)
            ]
            assert point.value == pytest.approx(np.mean(hits))
            assert list(point.repeats.values()) == pytest.approx(hits)
            assert point.low <= point.value <= point.high


def test_a_training_free_line_is_one_point_at_every_number_of_shots(curves: ShotCurves) -> None:
    free = curves.lines[0]
    assert free.training_free
    assert [point.shots for point in free.points] == [0]
    frame = curves.to_frame()
    assert list(frame.columns) == ["label", "method", "training_free", "shots", "accuracy", "low", "high", "repeats"]
    assert frame["shots"].tolist() == list(SHOTS) * 4
    assert frame["accuracy"].tolist()[: len(SHOTS)] == [free.points[0].value] * len(SHOTS)
    assert frame["label"].tolist()[: len(SHOTS)] == ["free"] * len(SHOTS)


def test_crossings_are_where_the_lines_say(curves: ShotCurves) -> None:
    found = {crossing.trained: crossing for crossing in curves.crossings}
    assert set(found) == {"growing", "weak", "strong"}
    assert all(crossing.training_free == "free" for crossing in found.values())
    assert (found["strong"].shots, found["strong"].low, found["strong"].high) == (1.0, 1.0, 1.0)
    assert (found["weak"].shots, found["weak"].low, found["weak"].high) == (None, None, None)
    growing = found["growing"]
    assert growing.shots is not None
    assert growing.low is not None
    assert 1 < growing.low <= growing.shots < 20
    assert growing.fewest.shots == 1
    assert growing.fewest.high < 0
    assert growing.most.low > 0
    (line,) = (line for line in curves.lines if line.label == "growing")
    xs, ys = [p.shots for p in line.points], [p.value for p in line.points]
    assert np.interp(np.log(growing.shots), np.log(xs), ys) == pytest.approx(curves.lines[0].points[0].value)


def test_the_same_numbers_again(curves: ShotCurves, runs: list[Run], manifests: list[Manifest]) -> None:
    (again,) = shot_curves(list(reversed(runs)), by_id(manifests), replicates=400)
    assert again == curves
    document = json.loads(json.dumps(curves.to_json(), allow_nan=False))
    assert ShotCurves.from_json(document) == curves


def test_seeds_of_a_fold_are_averaged_first(manifests: list[Manifest], tmp_path: Path) -> None:
    few = manifests[:2]
    runs = [write_skilled_run(tmp_path, manifest, GROWING, seed) for manifest in few for seed in (0, 1)]
    (curves,) = shot_curves(runs, by_id(manifests), replicates=10)
    (point,) = curves.lines[0].points
    each = [run.score(bootstrap=1, manifest=by_id(manifests)[run.manifest_id]).accuracy.estimate for run in runs]
    assert list(point.repeats.values()) == pytest.approx([np.mean(each[:2]), np.mean(each[2:])])


def test_settings_of_one_label_are_lines_of_their_own(manifests: list[Manifest], tmp_path: Path) -> None:
    run = write_skilled_run(tmp_path, manifests[0], GROWING)
    config = replace(run.info.config, options={"lr": 0.5})
    other = Run(run.folder, replace(run.info, config=config))
    (curves,) = shot_curves([run, other], by_id(manifests), replicates=10)
    assert sorted(line.label for line in curves.lines) == sorted(
        f"growing {one.info.config.key}" for one in (run, other)
    )


def test_open_sets_are_drawn_by_their_own_metric_one_drawing_each(tmp_path: Path) -> None:
    manifests = [
        manifest
        for unseen in ("gan", "flow")
        for manifest in few_shot_manifests((1, 5), 2, protocol="fewshot-open", fold=f"{unseen},")
    ]
    runs = write_few_shot_runs(tmp_path, manifests, (GROWING, FREE))
    found = shot_curves(runs, by_id(manifests), replicates=30)
    assert [(curves.unseen, curves.metric) for curves in found] == [
        (("flow",), "auc_af1_crr"),
        (("gan",), "auc_af1_crr"),
    ]
    (run,) = (run for run in runs if run.method == "free" and run.info.manifest.unseen == ("gan",))
    assert found[1].lines[0].points[0].value == pytest.approx(
        auc_af1_crr(run.answers(manifest=by_id(manifests)[run.manifest_id]).test)
    )
    (accuracy, _) = shot_curves(runs, by_id(manifests), replicates=5, metric="accuracy")
    assert accuracy.metric == "accuracy"


def test_a_metric_that_cannot_be_is_refused(runs: list[Run], manifests: list[Manifest]) -> None:
    for metric in ("crr", "nothing"):
        with pytest.raises(UsageError, match=f"'{metric}' is no metric of fewshot"):
            shot_curves(runs, by_id(manifests), metric=metric)


def test_runs_without_shots_are_left_aside(runs: list[Run], manifests: list[Manifest]) -> None:
    without = {key: replace(manifest, shots=0) for key, manifest in by_id(manifests).items()}
    assert shot_curves(runs, without) == []


ABOVE = hnp.arrays(
    float, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=st.sampled_from([-0.5, -0.25, 0.0, 0.25])
)


def literal_crossing(shots: list[int], values: list[float]) -> float:
    """Walk back from the end as long as the line is at or above zero."""
    k = len(values)
    while k > 0 and values[k - 1] >= 0:
        k -= 1
    if k == 0:
        return shots[0]
    if k == len(values):
        return float("inf")
    return float(np.exp(np.interp(0.0, [values[k - 1], values[k]], np.log([shots[k - 1], shots[k]]))))


@given(ABOVE)
def test_the_last_crossing_counts(above: np.ndarray) -> None:
    shots = [1, 2, 5, 10, 20][: above.shape[1]]
    expected = [literal_crossing(shots, row) for row in above.tolist()]
    assert crossing_of(np.array(shots, float), above).tolist() == pytest.approx(expected)
