from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from osbench.benchmark.audit import audit_dataset, probe_names
from osbench.benchmark.audit.floors import write_floor
from osbench.benchmark.runs import list_runs
from osbench.generation.audit_record import Audit
from osbench.generation.dataset import Dataset


@pytest.fixture(scope="module")
def kept(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Audit, Path]:
    runs = tmp_path_factory.mktemp("floors") / "runs"
    return audit_dataset(dataset, on_answers=partial(write_floor, runs)), runs


def test_the_answers_of_probes_are_runs(kept: tuple[Audit, Path]) -> None:
    audit, folder = kept
    runs = {run.method: run for run in list_runs(folder)}
    assert set(runs) == {f"floor-{name}" for name in probe_names()}
    for probe in audit.probes:
        run = runs[f"floor-{probe.name}"]
        score = run.score(bootstrap=2)
        assert score.accuracy.estimate == pytest.approx(probe.accuracy)
        assert score.auc_af1_crr.estimate == pytest.approx(probe.auc_af1_crr)
        assert (run.info.card.kind, run.rules) == ("floor", ("msp",))
        assert probe.title in run.info.card.faithful[0]
        assert run.info.card.faithful[1].startswith(probe.classifier)


def test_the_same_audit_leaves_the_same_runs(kept: tuple[Audit, Path], dataset: Dataset) -> None:
    _, folder = kept
    before = sorted(path.relative_to(folder) for path in folder.rglob("predictions.parquet"))
    audit_dataset(dataset, on_answers=partial(write_floor, folder))
    assert sorted(path.relative_to(folder) for path in folder.rglob("predictions.parquet")) == before
