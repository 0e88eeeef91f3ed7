"""Many methods unattended: what cannot run or fails is named and costs nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.method import get_method
from osbench.benchmark.metrics import closed_set_accuracy
from osbench.benchmark.score import answers_of
from osbench.benchmark.survey import summarize, survey
from osbench.generation.dataset import Dataset

from tests.benchmark.tiny_dataset import METHOD_FILE


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Three methods: one that works, one whose answers are not finite, one whose weights are not here."""
    folder = tmp_path_factory.mktemp("survey")
    needs = '    def missing(self):\n        return "its weights are not on this machine: get them."\n\n    def fit('
    texts = {
        "works": METHOD_FILE,
        "fails": METHOD_FILE.replace('"fail_at": ""', '"fail_at": "nan"'),
        "lacks": METHOD_FILE.replace("    def fit(", needs),
    }
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text.replace("nearest-colour", f"survey-{name}"))
    return {name: str(folder / f"{name}.py") for name in texts}


def test_one_that_fails_or_lacks_weights_does_not_stop_the_others(
    dataset: Dataset, manifest: Manifest, files: dict[str, str], tmp_path: Path
) -> None:
    names = [files["lacks"], files["fails"], files["works"]]
    found = survey(names, dataset, [manifest], options={}, seeds=range(2), out=tmp_path)
    assert [(run.method, run.rejection, run.seed) for run in found.runs] == [
        ("survey-works", "distance", 0),
        ("survey-works", "never", 0),
        ("survey-works", "distance", 1),
        ("survey-works", "never", 1),
    ]
    assert found.missing == {files["lacks"]: "its weights are not on this machine: get them."}
    assert list(found.failed) == [files["fails"]]
    assert "survey-fails, batch 1 (from image " in found.failed[files["fails"]]
    assert "not finite" in found.failed[files["fails"]]


def test_summary_counts_seeds_and_rules_once(
    dataset: Dataset, manifest: Manifest, files: dict[str, str], tmp_path: Path
) -> None:
    found = survey(
        [files["works"]], dataset, [manifest], options={files["works"]: {"bins": 6}}, seeds=[3, 5], out=tmp_path
    )
    (summary,) = summarize(found.runs, [manifest])
    assert (summary.method, summary.fold, summary.rules, summary.seeds) == ("survey-works", "fang2023", 2, 2)
    each = [closed_set_accuracy(answers_of(run, manifest).test) for run in found.runs if run.rejection == "never"]
    assert summary.accuracy == pytest.approx(sum(each) / 2)
    assert summary.accuracy > summary.chance == pytest.approx(1 / 3)
    assert found.runs[0].info["config"]["given"] == {"bins": 6}


def test_methods_on_clip_say_what_they_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import osbench.baselines  # noqa: F401  (registers them)

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("clip-linear", "clip-knn", "clip-mlp", "clip-lora", "de-fake"):
        reason = get_method(name)().missing()
        assert reason is not None, name
        assert "\n" not in reason
    for name in ("proposed", "osbench-1", "resnet50", "exif-net"):
        assert get_method(name)().missing() is None
