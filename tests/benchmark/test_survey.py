"""Many methods unattended: what cannot run or fails is named and costs nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.method import get_method
from osbench.benchmark.metrics import closed_set_accuracy
from osbench.benchmark.runs import list_runs
from osbench.benchmark.score import answers_of
from osbench.benchmark.survey import summarize, survey
from osbench.core.errors import RunError, UsageError
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


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ('ValueError("two lines:\\nthe second")', "ValueError: two lines: (traceback: "),
        ("MemoryError()", "MemoryError (traceback: "),
        ('torch.OutOfMemoryError("CUDA out of memory")', "OutOfMemoryError: CUDA out of memory (traceback: "),
        ('OSError(28, "No space left on device")', "OSError: [Errno 28] No space left on device (traceback: "),
    ],
)
def test_no_kind_of_error_stops_the_others(
    dataset: Dataset, manifest: Manifest, files: dict[str, str], tmp_path: Path, error: str, line: str
) -> None:
    path = tmp_path / "raises.py"
    name = "survey-" + "".join(filter(str.isalpha, error))[:9]
    text = METHOD_FILE.replace("nearest-colour", name).replace("        log = context", f"        raise {error}\n#")
    path.write_text(f"import torch\n{text}")
    out = tmp_path / "runs"
    found = survey([str(path), files["works"]], dataset, [manifest], options={}, seeds=[0], out=out)
    assert {run.method for run in found.runs} == {"survey-works"}
    assert list(found.failed) == [str(path)]
    reason = found.failed[str(path)]
    assert reason.startswith(line)
    assert "\n" not in reason
    trace = Path(reason.removesuffix(")").rpartition("(traceback: ")[2])
    assert trace == out / "failures" / f"{name}-on-fang2023.txt"
    assert ", in fit\n" in trace.read_text()
    assert len(list_runs(out)) == 2


def test_an_interrupt_is_no_failure(
    dataset: Dataset, manifest: Manifest, files: dict[str, str], tmp_path: Path
) -> None:
    options = {files["works"]: {"fail_at": "fit"}}
    with pytest.raises(KeyboardInterrupt):
        survey([files["works"]], dataset, [manifest], options=options, seeds=[0], out=tmp_path)


def test_attended_errors_reach_the_caller(
    dataset: Dataset, manifest: Manifest, files: dict[str, str], tmp_path: Path
) -> None:
    names = [files["fails"], files["works"]]
    with pytest.raises(RunError, match="not finite"):
        survey(names, dataset, [manifest], options={}, seeds=[0], out=tmp_path / "one", unattended=False)
    with pytest.raises(UsageError, match="unknown rejection rule"):
        survey(
            names,
            dataset,
            [manifest],
            options={},
            seeds=[0],
            out=tmp_path / "two",
            unattended=False,
            jobs=2,
            rejections=["msp"],
        )
    assert not (tmp_path / "two").exists()


def test_side_by_side_a_failed_fit_costs_its_own_seed(
    dataset: Dataset, manifest: Manifest, files: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "second.py"
    text = METHOD_FILE.replace("nearest-colour", "survey-second").replace(
        "        log = context", "        if context.seed == 1:\n            1 / 0\n        log = context"
    )
    path.write_text(text)
    names, out = [files["lacks"], str(path), files["works"]], tmp_path / "runs"
    found = survey(names, dataset, [manifest], options={}, seeds=range(2), out=out, jobs=2, rejections=["never"])
    assert [(run.method, run.seed) for run in found.runs] == [
        ("survey-second", 0),
        ("survey-works", 0),
        ("survey-works", 1),
    ]
    assert list(found.missing) == [files["lacks"]]
    trace = out / "failures" / "survey-second-on-fang2023-seed-1.txt"
    reason = f"ZeroDivisionError: division by zero (traceback: {trace})"
    assert found.failed == {str(path): f"survey-second on fang2023, seed 1: {reason}"}
    assert "1 / 0" in trace.read_text()
    assert caplog.text.count(reason) == 1
    assert [path.name[:10] for path in out.glob("*/.fit*")] == [".fit-seed1"], "to be continued"


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

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("clip-linear", "clip-knn", "clip-mlp", "clip-lora", "de-fake"):
        reason = get_method(name)().missing()
        assert reason is not None, name
        assert "\n" not in reason
    for name in ("proposed", "osbench-1", "resnet50", "exif-net"):
        assert get_method(name)().missing() is None
