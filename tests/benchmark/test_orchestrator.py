"""An experiment's loop: what cannot run or fails is named and costs nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from osbench.benchmark.experiment import Configuration, Experiment
from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.method import get_method
from osbench.benchmark.metrics import closed_set_accuracy
from osbench.benchmark.orchestrator import check_experiment, run_experiment, summarize
from osbench.benchmark.runs import list_runs
from osbench.core.errors import RunError, UsageError
from osbench.generation.dataset import Dataset
from osbench.leaderboard.board import build_board
from tests.benchmark.captioned import Captioned
from tests.benchmark.tiny_dataset import METHOD_FILE


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Three methods: one that works, one whose answers are not finite, one whose weights are not here."""
    folder = tmp_path_factory.mktemp("orchestrator")
    needs = '    def missing(self):\n        return "its weights are not on this machine: get them."\n\n    def fit('
    texts = {
        "works": METHOD_FILE,
        "fails": METHOD_FILE.replace('"fail_at": ""', '"fail_at": "nan"'),
        "lacks": METHOD_FILE.replace("    def fit(", needs),
    }
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text.replace("nearest-colour", f"loop-{name}"))
    return {name: str(folder / f"{name}.py") for name in texts}


def experiment(files: dict[str, str], *names: str, seeds: int = 1, **more: Configuration) -> Experiment:
    return Experiment({name: Configuration(files[name]) for name in names} | more, seeds=seeds)


def test_one_that_fails_or_lacks_weights_does_not_stop_the_others(
    dataset: Dataset, manifest: Manifest, files: dict[str, str], tmp_path: Path
) -> None:
    asked = experiment(files, "lacks", "fails", "works", seeds=2)
    found = run_experiment(asked, dataset, [manifest], out=tmp_path)
    assert {label: [(run.method, run.seed) for run in runs] for label, runs in found.runs.items()} == {
        "works": [("loop-works", 0), ("loop-works", 1)]
    }
    assert all(run.rules == ("distance", "never") for run in found.all_runs())
    assert found.missing == {"lacks": "its weights are not on this machine: get them."}
    assert list(found.failed) == ["fails"]
    assert "not finite" in found.failed["fails"]
    assert len(list_runs(tmp_path)) == 2


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ('ValueError("two lines:\\nthe second")', "ValueError: two lines: (traceback: "),
        ("MemoryError()", "MemoryError (traceback: "),
        ('OSError(28, "No space left on device")', "OSError: [Errno 28] No space left on device (traceback: "),
    ],
)
def test_no_kind_of_error_stops_the_others(
    dataset: Dataset, manifest: Manifest, files: dict[str, str], tmp_path: Path, error: str, line: str
) -> None:
    path = tmp_path / "raises.py"
    name = "loop-" + "".join(filter(str.isalpha, error))[:9]
    text = METHOD_FILE.replace("nearest-colour", name).replace("        log = context", f"        raise {error}\n#")
    path.write_text(text)
    out = tmp_path / "runs"
    asked = experiment(files, "works", raises=Configuration(str(path)))
    found = run_experiment(asked, dataset, [manifest], out=out)
    assert list(found.runs) == ["works"]
    reason = found.failed["raises"]
    assert reason.startswith(line)
    assert "\n" not in reason
    trace = Path(reason.removesuffix(")").rpartition("(traceback: ")[2])
    assert trace.parent == out / "failures"
    assert ", in fit\n" in trace.read_text()


def test_an_interrupt_is_no_failure(
    dataset: Dataset, manifest: Manifest, files: dict[str, str], tmp_path: Path
) -> None:
    asked = Experiment({"works": Configuration(files["works"], {"fail_at": "fit"})})
    with pytest.raises(KeyboardInterrupt):
        run_experiment(asked, dataset, [manifest], out=tmp_path)


def test_the_error_of_a_single_entry_is_raised(
    dataset: Dataset, manifest: Manifest, files: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="not finite"):
        run_experiment(experiment(files, "fails"), dataset, [manifest], out=tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Configuration("nearest-color"), "unknown method"),
        (Configuration(None, {"binz": 3}), "Did you mean 'bins'"),
        (Configuration(None, {}, None, ("mps",)), "rejection rule of entry 'wrong'"),
        (Configuration(None, {"bins": 4}, epochs=3), "are the same fit"),
    ],
)
def test_senseless_requests_are_refused_before_anything_is_fitted(
    dataset: Dataset,
    manifest: Manifest,
    files: dict[str, str],
    tmp_path: Path,
    wrong: Configuration,
    message: str,
) -> None:
    own = Configuration(wrong.method or files["works"], wrong.options, wrong.epochs, wrong.rules)
    with pytest.raises(UsageError, match=message):
        run_experiment(experiment(files, "works", wrong=own), dataset, [manifest], out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_side_by_side_a_failed_fit_costs_its_own_seed(
    dataset: Dataset, manifest: Manifest, files: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "second.py"
    text = METHOD_FILE.replace("nearest-colour", "loop-second").replace(
        "        log = context", "        if context.seed == 1:\n            1 / 0\n        log = context"
    )
    path.write_text(text)
    out = tmp_path / "runs"
    asked = experiment(files, "lacks", "works", seeds=2, second=Configuration(str(path)))
    found = run_experiment(asked, dataset, [manifest], out=out, jobs=2)
    assert {label: [run.seed for run in runs] for label, runs in found.runs.items()} == {"works": [0, 1], "second": [0]}
    trace = out / "failures" / "loop-second-on-fang2023-seed-1.txt"
    assert found.failed == {
        "second": f"loop-second on fang2023, seed 1: ZeroDivisionError: division by zero (traceback: {trace})"
    }
    assert caplog.text.count("ZeroDivisionError") == 1


def test_a_summary_is_a_mean_over_seeds(
    dataset: Dataset, manifest: Manifest, files: dict[str, str], tmp_path: Path
) -> None:
    asked = Experiment({"six": Configuration(files["works"], {"bins": 6})}, seeds=2)
    found = run_experiment(asked, dataset, [manifest], out=tmp_path)
    (summary,) = summarize(found, [manifest])
    assert (summary.label, summary.fold, summary.rules, summary.seeds) == ("six", "fang2023", 2, 2)
    each = [closed_set_accuracy(run.answers("never", manifest).test) for run in found.all_runs()]
    assert summary.accuracy == pytest.approx(sum(each) / 2)
    assert found.all_runs()[0].info.config.given == {"bins": 6}


def test_methods_on_clip_say_what_they_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("clip-linear", "clip-knn", "clip-mlp", "clip-lora", "de-fake"):
        reason = get_method(name)().missing()
        assert reason is not None, name
        assert "\n" not in reason
    for name in ("proposed", "osbench-1", "resnet50", "exif-net"):
        assert get_method(name)().missing() is None


def test_a_rule_of_other_methods_is_no_error_and_a_misspelt_one_is() -> None:
    """With one entry chosen, the experiment's rules may all be those of the entries that were left out."""
    check_experiment(Experiment({"osbench-1": Configuration()}, rules=("native", "msp")))
    with pytest.raises(UsageError, match="unknown rejection rule of these entries 'mps'"):
        check_experiment(Experiment({"osbench-1": Configuration()}, rules=("native", "mps")))


@pytest.fixture(scope="module")
def few(dataset: Dataset) -> list[Manifest]:
    """One and two shots, two repeats."""
    captioned = Captioned(dataset.path, dataset.info)
    names = [f"shots={shots},repeat={repeat}" for shots in (1, 2) for repeat in (0, 1)]
    return [build_manifest(captioned, "fewshot", name) for name in names]


def test_a_repeat_of_few_shots_has_seeds_of_its_own(
    dataset: Dataset, few: list[Manifest], files: dict[str, str], tmp_path: Path
) -> None:
    asked = experiment(files, "works", seeds=2)
    found = run_experiment(asked, dataset, few, out=tmp_path)
    assert [(run.info.manifest.fold, run.seed) for run in found.runs["works"]] == [
        (f"fewshot/shots={shots},repeat={repeat}", 2 * repeat + seed)
        for shots in (1, 2)
        for repeat in (0, 1)
        for seed in (0, 1)
    ]
    assert not any(run.info.training_free for run in found.all_runs())
    summary = summarize(found, few)[0]
    assert (summary.auc_af1_crr, summary.af1, summary.crr) == (None, None, None)
    assert 0 <= summary.accuracy <= 1


def test_a_training_free_method_is_fitted_once_for_all_that_ask_the_same(
    dataset: Dataset, few: list[Manifest], tmp_path: Path
) -> None:
    path = tmp_path / "free.py"
    text = METHOD_FILE.replace("nearest-colour", "loop-free")
    path.write_text(text.replace("    rejections =", "    training_free = True\n    rejections ="))
    asked = Experiment({"free": Configuration(str(path))})
    assert len({manifest.question for manifest in few}) == 1
    (last,) = run_experiment(asked, dataset, few[3:], out=tmp_path / "runs").all_runs()
    (run,) = run_experiment(asked, dataset, few, out=tmp_path / "runs").all_runs()
    assert run.folder == last.folder  # what is finished is not done again on another fold
    assert run.info.training_free
    (first,) = run_experiment(asked, dataset, few, out=tmp_path / "fresh").all_runs()
    assert first.info.manifest.fold == "fewshot/shots=1,repeat=0"


def test_an_entry_is_called_what_its_method_says_with_these_options(
    dataset: Dataset, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method published on CLIP stands on a board by its encoder; a label of the experiment's own comes first."""
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    options = {"encoder": "log-spectrum", "strength": 1.0}
    for label, name in (("clip-linear", "linear probe (log-spectrum)"), ("mine", "mine")):
        asked = Experiment({label: Configuration("clip-linear", options)}, seeds=1)
        found = run_experiment(asked, dataset, [manifest], out=tmp_path / "runs")
        (run,) = found.all_runs()
        assert run.info.label == name
        assert run.info.card.title == "Linear probe (log-spectrum)"
    board = build_board(tmp_path / "runs", bootstrap=10)
    assert {entry.name for entry in board.entries} == {"mine"}
