from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.evaluate import evaluate, torch_device
from osbench.benchmark.images import load_images
from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.method import Method
from osbench.benchmark.runs import list_runs
from osbench.core.errors import RunError, UsageError
from osbench.generation.dataset import Dataset


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*") if p.is_file()
    }


def test_one_run_per_rejection_and_seed(
    dataset: Dataset, manifest: Manifest, method_file: str, method_class: type[Method], tmp_path: Path
) -> None:
    runs = evaluate(method_file, dataset, manifest, seeds=[0, 1], out=tmp_path, options={"bins": 8})
    assert [(r.rejection, r.seed) for r in runs] == [("distance", 0), ("never", 0), ("distance", 1), ("never", 1)]
    assert {run.folder for run in runs} == {run.folder for run in list_runs(tmp_path)}
    names = {p.name for p in (tmp_path / "nearest-colour").iterdir()}
    assert not [name for name in names if name.startswith(".")]
    assert all(run.folder.name.startswith(f"{run.rejection}-seed{run.seed}-") for run in runs)
    inodes = [{p.name: p.stat().st_ino for p in run.model.iterdir()} for run in runs]
    assert inodes[0] == inodes[1] != inodes[2]
    assert runs[0].manifest().manifest_id == manifest.manifest_id

    document = runs[0].info
    assert document["config"]["given"] == {"bins": 8}
    assert document["config"]["defaults"]["bins"] == 4
    assert document["config"]["resolved"]["options"] == {"bins": 8, "scale": 1.0, "fail_at": ""}
    assert document["config"]["resolved"]["crop_size"] == 32
    assert document["card"]["title"] == "Nearest colour"
    assert document["manifest"]["counts"] == manifest.counts()
    assert {"python", "torch", "numpy"} <= document["versions"].keys()
    assert document["hardware"]["device"] == "cpu"
    assert document["wall_time_s"] > 0


def test_answers_are_those_of_the_saved_model(
    dataset: Dataset, manifest: Manifest, method_file: str, method_class: type[Method], tmp_path: Path
) -> None:
    run = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)[0]
    answers = run.predictions(manifest)
    images = load_images(dataset, manifest)
    asked = images.subset(images.split_name != "train")
    assert answers.image_ids.tolist() == asked.image_ids.tolist()
    again = method_class.load(run.model).predict(asked.pixels)["distance"]
    np.testing.assert_array_equal(again.known_score, answers.scores.known_score)
    # It learned something: seen test images go to their own generator.
    seen = asked.class_index >= 0
    assert (answers.scores.candidate[seen] == asked.class_index[seen]).mean() > 0.9


def test_finished_runs_are_skipped_and_missing_ones_reuse_the_model(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path, rejections=["distance"])
    before = files(tmp_path)
    evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path, rejections=["distance"])
    assert files(tmp_path) == before
    monkeypatch.setattr(f"{_method_module(method_file)}.fit", _refuse_fit)
    both = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
    assert [run.rejection for run in both] == ["distance", "never"]
    assert both[1].info["wall_time_s"] >= first.info["wall_time_s"]
    assert before.items() <= files(tmp_path).items()


def test_runs_of_other_code_are_kept_and_named(
    dataset: Dataset,
    manifest: Manifest,
    method_file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (first,) = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path, rejections=["distance"])
    assert len(first.info["code_sha256"]) == 64
    evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
    assert "before its code changed" not in caplog.text
    shutil.rmtree(tmp_path / "nearest-colour" / first.folder.name.replace("distance", "never"))
    monkeypatch.setattr("osbench.benchmark.evaluate.code_sha256", lambda cls: "0" * 64)
    again = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
    assert {run.info["code_sha256"] for run in again} == {first.info["code_sha256"]}, "the model is the old code's"
    assert f"2 of 2 runs were made before its code changed, first {first.folder}" in caplog.text


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
        evaluate(method_file, dataset, m, seeds=[0], out=tmp_path, rejections=["never"], **given)[0].folder
        for m, given in [
            (manifest, {}),
            (manifest, {"options": {"bins": 5}}),
            (manifest, {"crop_size": 16}),
            (manifest, {"epochs": 3}),
            (build_manifest(dataset, "rotate-one", "taming"), {}),
        ]
    }
    assert len(folders) == 5


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
    runs = evaluate(method_file, dataset, manifest, **arguments)
    assert len(runs) == 2
    assert not left.exists()
    assert runs[0].info["wall_time_s"] > spent


def test_a_crash_between_two_runs_loses_neither_model_nor_answers(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from osbench.benchmark import runs as module

    write = module.Run.write
    calls = []

    def failing(folder: Path, *rest: object) -> object:
        calls.append(folder)
        if len(calls) == 2:
            raise OSError("disk gone")
        return write(folder, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module.Run, "write", failing)
    with pytest.raises(OSError, match="disk gone"):
        evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
    assert [run.rejection for run in list_runs(tmp_path)] == ["distance"]
    published = files(calls[0])
    monkeypatch.setattr(module.Run, "write", write)
    monkeypatch.setattr(f"{_method_module(method_file)}.fit", _refuse_fit)
    assert len(evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)) == 2
    assert files(calls[0]) == published


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
        ({"rejections": ["msp"]}, "unknown rejection rule of method nearest-colour 'msp'"),
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
    assert len(evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)) == 2


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
    assert 3600 < evaluate(method_file, dataset, manifest, **arguments)[0].info["wall_time_s"] < 3660
