from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.evaluate import evaluate, torch_device
from osbench.benchmark.images import load_images
from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.method import Method
from osbench.benchmark.runs import Run, find_runs, list_runs
from osbench.core.errors import OsbenchError, RunError, UsageError
from osbench.core.hashing import file_sha256
from osbench.generation.dataset import Dataset
from tests.benchmark.tiny_dataset import METHOD_FILE


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*") if p.is_file()
    }


def test_one_run_per_fit(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path) -> None:
    runs = evaluate(method_file, dataset, manifest, seeds=[0, 1], out=tmp_path, options={"bins": 8})
    assert [(r.rules, r.seed) for r in runs] == [(("distance", "never"), 0), (("distance", "never"), 1)]
    assert {run.folder for run in runs} == {run.folder for run in list_runs(tmp_path)}
    names = {p.name for p in (tmp_path / "nearest-colour").iterdir()}
    assert not [name for name in names if name.startswith(".")]
    assert all(run.folder.name.startswith(f"seed{run.seed}-") for run in runs)
    assert {p.name for p in runs[0].folder.iterdir()} == {"run.json", "predictions.parquet", "model"}
    assert runs[0].manifest().manifest_id == manifest.manifest_id

    info = runs[0].info
    assert info.config.given == {"bins": 8}
    assert info.config.defaults["bins"] == 4
    assert info.config.options == {"bins": 8, "scale": 1.0, "fail_at": ""}
    assert info.config.crop_size == 32
    assert info.config.method_sha256 == file_sha256(Path(method_file))
    assert info.card.title == "Nearest colour"
    assert info.manifest.counts == manifest.counts()
    assert {"python", "torch", "numpy"} <= info.versions.keys()
    assert info.hardware.device == "cpu"
    assert len(info.code_sha256) == 64
    assert info.wall_time_s > 0


def test_answers_are_those_of_the_saved_model(
    dataset: Dataset, manifest: Manifest, method_file: str, method_class: type[Method], tmp_path: Path
) -> None:
    run = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)[0]
    answers = run.predictions(manifest)
    images = load_images(dataset, manifest)
    asked = images.subset(images.split_name != "train")
    assert answers.image_ids.tolist() == asked.image_ids.tolist()
    for rule, again in method_class.load(run.model).predict(asked.pixels).items():
        np.testing.assert_array_equal(again.known_score, answers.known_score[rule])
    # It learned something: seen test images go to their own generator.
    seen = asked.class_index >= 0
    assert (answers.candidate[seen] == asked.class_index[seen]).mean() > 0.9


def test_finished_runs_are_skipped(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
    before = files(tmp_path)
    monkeypatch.setattr(f"{_method_module(method_file)}.fit", _refuse_fit)
    evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("damage", ["cut", "json", "older", "rows", "seen"])
def test_a_damaged_run_is_made_again(
    dataset: Dataset,
    manifest: Manifest,
    method_file: str,
    tmp_path: Path,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = evaluate(method_file, dataset, manifest, seeds=[0, 1], out=tmp_path)
    answers = (first.folder / "predictions.parquet").read_bytes()
    document = json.loads((first.folder / "run.json").read_text())
    if damage == "cut":
        (first.folder / "predictions.parquet").write_bytes(answers[:500])
    elif damage == "rows":
        Run.write(first.folder, first.info, first.predictions(manifest).take(np.arange(5)))
    else:
        document["manifest"]["seen"].reverse()
        changed = {"json": "{", "older": '{"schema_version": 1}', "seen": json.dumps(document)}[damage]
        (first.folder / "run.json").write_text(changed)
    kept = files(second.folder)
    again = evaluate(method_file, dataset, manifest, seeds=[0, 1], out=tmp_path)
    assert caplog.text.count("a damaged run is made again: ") == 1
    assert str(first.folder) in caplog.text
    assert (first.folder / "predictions.parquet").read_bytes() == answers
    assert again[0].predictions(manifest).rules == first.rules
    assert files(second.folder) == kept


def test_runs_of_other_code_are_kept_and_named(
    dataset: Dataset,
    manifest: Manifest,
    method_file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (first,) = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
    evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
    assert "before its code changed" not in caplog.text
    monkeypatch.setattr("osbench.benchmark.evaluate.code_sha256", lambda cls: "0" * 64)
    again = evaluate(method_file, dataset, manifest, seeds=[0, 1], out=tmp_path)
    assert [run.info.code_sha256 for run in again] == [first.info.code_sha256, "0" * 64]
    assert f"1 of 2 runs were made before its code changed, first {first.folder}" in caplog.text


def _variant(folder: Path, name: str, *changes: tuple[str, str]) -> str:
    """The method of the tests under another name, with changes of its text."""
    text = METHOD_FILE.replace("nearest-colour", name)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / f"{name}.py").write_text(text)
    return str(folder / f"{name}.py")


def test_epochs_are_an_option_like_others(dataset: Dataset, manifest: Manifest, tmp_path: Path) -> None:
    name = _variant(tmp_path, "with-epochs", ('"bins": 4,', '"bins": 4, "epochs": 7,'))
    runs = {
        label: evaluate(name, dataset, manifest, seeds=[0], out=tmp_path / "runs", **given)[0]
        for label, given in {
            "epochs": {"epochs": 2},
            "option": {"options": {"epochs": 2}},
            "default": {},
            "named default": {"epochs": 7},
        }.items()
    }
    assert runs["epochs"] == runs["option"]
    assert runs["epochs"].info.config.options["epochs"] == 2
    assert runs["default"].folder == runs["named default"].folder != runs["epochs"].folder


def test_a_method_without_epochs_is_one_run(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path
) -> None:
    plain, other = (
        evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path, epochs=epochs)[0] for epochs in (None, 3)
    )
    assert plain == other


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("loads-zeros", 'np.array(document["centroids"])', 'np.zeros_like(document["centroids"])'),
        ("forgets-options", 'cls(**document["options"])', "cls(scale=2.0)"),
    ],
)
def test_a_method_that_loads_another_one_is_not_published(
    dataset: Dataset, manifest: Manifest, tmp_path: Path, name: str, old: str, new: str
) -> None:
    with pytest.raises(RunError, match=f"method {name}: after save and load it gives other answers") as caught:
        evaluate(_variant(tmp_path, name, (old, new)), dataset, manifest, seeds=[0], out=tmp_path / "runs")
    assert "\n" not in str(caught.value)
    assert find_runs(tmp_path / "runs") == ([], [])


def test_a_full_disk_is_one_line(dataset: Dataset, manifest: Manifest, tmp_path: Path) -> None:
    save = 'raise SafetensorError("I/O error: No space left on device (os error 28)")\n        document = {"options"'
    name = _variant(
        tmp_path,
        "full-disk",
        ('document = {"options"', save),
        ("import json", "from safetensors import SafetensorError"),
    )
    with pytest.raises(RunError, match=r"the fitted model cannot be written: .*No space left on device"):
        evaluate(name, dataset, manifest, seeds=[0], out=tmp_path / "runs")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("bad-card", 'title="Nearest colour"', "title=None", "method bad-card: card.title is null"),
        ("bad-option", '"bins": 4', '"bins": (4, 4)', "'bad-option' breaks the contract: defaults change"),
        (
            "bad-rule",
            'rejections = ("distance"',
            'rejections = ("dis tance"',
            r"bad-rule: rules\[0\] is 'dis tance'",
        ),
    ],
)
def test_what_cannot_be_written_down_is_refused_before_the_fit(
    dataset: Dataset, manifest: Manifest, tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    variant = _variant(
        tmp_path, name, (old, new), ("log = context", 'raise ValueError("fitted")\n        log = context')
    )
    with pytest.raises(OsbenchError, match=message):
        evaluate(variant, dataset, manifest, seeds=[0], out=tmp_path / "runs")


def test_a_rule_without_scores_is_named(dataset: Dataset, manifest: Manifest, tmp_path: Path) -> None:
    name = _variant(tmp_path, "one-rule-less", ('"never": Scores', '"nevre": Scores'))
    with pytest.raises(RunError, match="gives no scores for its rejection rule 'never'"):
        evaluate(name, dataset, manifest, seeds=[0], out=tmp_path / "runs")


def _method_module(method_file: str) -> str:
    from osbench.benchmark.method import get_method

    cls = get_method(method_file)
    return f"{cls.__module__}.{cls.__name__}"


def _refuse_fit(*_: object) -> None:
    pytest.fail("fitted again")


def test_another_configuration_is_another_run(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path
) -> None:
    folders = {
        evaluate(method_file, dataset, m, seeds=[0], out=tmp_path, **given)[0].folder
        for m, given in [
            (manifest, {}),
            (manifest, {"options": {"bins": 5}}),
            (manifest, {"crop_size": 16}),
            (build_manifest(dataset, "rotate-one", "taming"), {}),
        ]
    }
    assert len(folders) == 4


def test_an_interrupted_fit_continues_in_its_folder(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path
) -> None:
    arguments = {"seeds": [0], "out": tmp_path, "options": {"fail_at": "fit"}}
    with pytest.raises(KeyboardInterrupt):
        evaluate(method_file, dataset, manifest, **arguments)
    (left,) = (tmp_path / "nearest-colour").iterdir()
    assert left.name.startswith(".fit-seed0-")
    assert (left / "context" / "fits.txt").read_text() == "fit\n"
    spent = json.loads((left / "wall_time.json").read_text())
    (run,) = evaluate(method_file, dataset, manifest, **arguments)
    assert not left.exists()
    assert run.info.wall_time_s > spent


def test_a_crash_while_publishing_loses_neither_model_nor_answers(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (expected,) = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path / "other")

    def failing(predictions: object, path: Path, **_: object) -> None:
        path.write_bytes(b"a part")
        raise OSError("disk gone")

    with monkeypatch.context() as patch:
        patch.setattr("osbench.benchmark.runs.write_predictions", failing)
        with pytest.raises(OSError, match="disk gone"):
            evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
    assert find_runs(tmp_path) == ([], [])
    monkeypatch.setattr(f"{_method_module(method_file)}.fit", _refuse_fit)
    (run,) = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
    for name in ("predictions.parquet", "model/model.json"):
        assert (run.folder / name).read_bytes() == (expected.folder / name).read_bytes()


def test_answers_that_are_not_finite_are_not_published(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="row 0 are not finite"):
        evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path, options={"fail_at": "nan"})
    with pytest.raises(RunError, match="holds no run"):
        list_runs(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"options": {"bin": 1}}, "unknown option"),
        ({"device": "tpu9"}, "not a device"),
        ({"device": "cuda"}, "torch sees no GPU"),
    ],
)
def test_wrong_requests_change_nothing(
    dataset: Dataset,
    manifest: Manifest,
    method_file: str,
    tmp_path: Path,
    arguments: dict,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UsageError, match=message):
        evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path / "runs", **arguments)
    assert not (tmp_path / "runs").exists()


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert torch_device("cuda:1").index == 1
    with pytest.raises(UsageError, match="device cuda:2 asked for, but torch sees 2 GPUs"):
        torch_device("cuda:2")


def test_two_processes_do_not_fit_the_same(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit_and_start_again(*_: object) -> None:
        with pytest.raises(RunError, match="another 'osbench evaluate' is at this fit"):
            evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
        raise InterruptedError

    monkeypatch.setattr(f"{_method_module(method_file)}.fit", fit_and_start_again)
    with pytest.raises(InterruptedError):
        evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
    monkeypatch.undo()
    assert len(evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)) == 1


def test_the_time_of_a_killed_attempt_counts(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path
) -> None:
    arguments = {"seeds": [0], "out": tmp_path, "options": {"fail_at": "fit"}}
    with pytest.raises(KeyboardInterrupt):
        evaluate(method_file, dataset, manifest, **arguments)
    (folder,) = (tmp_path / "nearest-colour").iterdir()
    # As if that attempt had begun an hour before its last checkpoint and then met SIGKILL.
    (folder / "wall_time.json").unlink()
    (folder / "begun").touch()
    last = (folder / "context" / "fits.txt").stat().st_mtime
    os.utime(folder / "begun", (last - 3600, last - 3600))
    assert 3600 < evaluate(method_file, dataset, manifest, **arguments)[0].info.wall_time_s < 3660
