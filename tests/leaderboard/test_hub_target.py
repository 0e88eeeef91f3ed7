"""Client conformance against a loopback hub: the shipping huggingface_hub client over a real socket.

Not proved here: permissions, rate limits and merge conflicts of the real Hub. A live test runs only where
``OSBENCH_LIVE_HUB`` names a dataset repository that the token may open pull requests on.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import HfApi, constants

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.runs import Run
from osbench.core.errors import RunError
from osbench.leaderboard.submit import prepare, submit
from osbench.leaderboard.targets import Receipt
from osbench.leaderboard.targets import hub as hub_module

from .loopback_hub import READ_TOKEN, REPOSITORY, TOKEN, LoopbackHub, Trouble, discussion
from .synthetic_runs import Drawn, write_run

TARGET = f"hf://datasets/{REPOSITORY}"
METHOD = Drawn("proposed", 0.9, {"native": 3.0})


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with LoopbackHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setattr(hub_module, "PAUSES_S", (0.01, 0.01, 0.01))
        yield server
        assert server.unknown == [], "the client asked for a route that the contract does not list"


@pytest.fixture
def run(manifest: Manifest, tmp_path: Path) -> Run:
    return write_run(tmp_path / "runs", manifest, METHOD, 0)


def test_a_submission_is_one_pull_request(hub: LoopbackHub, run: Run) -> None:
    receipt = submit(run.folder, TARGET)
    assert receipt == Receipt("submitted", f"{hub.url}/datasets/{REPOSITORY}/discussions/1")
    repository = hub.repositories[REPOSITORY]
    submission = prepare(run.folder)
    assert repository.revisions["refs/pr/1"] == {
        f"{submission.path}/{name}": data for name, data in submission.files.items()
    }
    assert repository.revisions["main"] == {}
    assert repository.lfs_paths == {f"{submission.path}/seed0/predictions.parquet"}
    assert submission.digest[:16] in repository.discussions[0]["title"]


def test_again_while_the_pull_request_waits(hub: LoopbackHub, run: Run) -> None:
    first = submit(run.folder, TARGET)
    before = list(hub.requests)
    assert submit(run.folder, TARGET) == Receipt("already submitted", first.location)
    assert len(hub.repositories[REPOSITORY].discussions) == 1
    assert not any("/commit/" in request or "/preupload/" in request for request in hub.requests[len(before) :])


def test_again_after_the_merge(hub: LoopbackHub, run: Run) -> None:
    submit(run.folder, TARGET)
    HfApi(endpoint=hub.url, token=TOKEN).merge_pull_request(REPOSITORY, 1, repo_type="dataset")
    again = submit(run.folder, TARGET)
    assert again.status == "already submitted"
    assert again.location.endswith(f"/tree/main/{prepare(run.folder).path}")
    assert len(hub.repositories[REPOSITORY].discussions) == 1


def test_again_after_the_pull_request_was_closed(hub: LoopbackHub, run: Run) -> None:
    submit(run.folder, TARGET)
    hub.repositories[REPOSITORY].discussions[0]["status"] = "closed"
    assert submit(run.folder, TARGET).location.endswith("/discussions/2")


def test_a_title_alone_is_not_a_submission(hub: LoopbackHub, run: Run) -> None:
    submit(run.folder, TARGET)
    hub.repositories[REPOSITORY].revisions["refs/pr/1"] = {}
    assert submit(run.folder, TARGET).status == "submitted"
    del hub.repositories[REPOSITORY].revisions["refs/pr/1"]
    assert submit(run.folder, TARGET).location.endswith("/discussions/2")


def test_files_that_reach_main_in_between_are_no_new_pull_request(
    hub: LoopbackHub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = prepare(run.folder)
    ours = {f"{submission.path}/{name}": data for name, data in submission.files.items()}
    hub.repositories[REPOSITORY].revisions["main"] = ours
    monkeypatch.setattr("osbench.leaderboard.targets.hub.HubTarget._holds", lambda *_: False)
    receipt = submit(run.folder, TARGET)
    assert receipt.status == "already submitted"
    assert hub.repositories[REPOSITORY].discussions == []


def test_it_is_found_behind_many_other_pull_requests(hub: LoopbackHub, run: Run) -> None:
    repository = hub.repositories[REPOSITORY]
    repository.discussions += [discussion(REPOSITORY, number, "Submit another") for number in range(1, 26)]
    place = submit(run.folder, TARGET).location
    assert place.endswith("/discussions/26")
    assert submit(run.folder, TARGET) == Receipt("already submitted", place)


def test_what_was_submitted_can_be_downloaded_again(hub: LoopbackHub, run: Run, tmp_path: Path) -> None:
    submit(run.folder, TARGET)
    path = f"{prepare(run.folder).path}/seed0/predictions.parquet"
    fetched = huggingface_hub.hf_hub_download(
        REPOSITORY,
        path,
        repo_type="dataset",
        revision="refs/pr/1",
        endpoint=hub.url,
        token=TOKEN,
        cache_dir=tmp_path / "cache",
    )
    assert Path(fetched).read_bytes() == (run.folder / "predictions.parquet").read_bytes()


def _refused(run: Run, target: str = TARGET) -> str:
    with pytest.raises(RunError) as caught:
        submit(run.folder, target)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_token(hub: LoopbackHub, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    assert "set HF_TOKEN" in _refused(run)
    assert hub.requests == []


def test_a_wrong_token(hub: LoopbackHub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "token is not valid" in _refused(run)


def test_a_token_that_may_only_read(hub: LoopbackHub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", READ_TOKEN)
    assert "write permission" in _refused(run)
    assert hub.repositories[REPOSITORY].discussions == []


def test_a_repository_that_does_not_exist(hub: LoopbackHub, run: Run) -> None:
    assert "none of that name" in _refused(run, "hf://datasets/osbench/elsewhere")
    assert "is no repository name" in _refused(run, "hf://datasets/osbench/a--b..c")


def test_a_hub_that_fails_now_and_then_is_asked_again(hub: LoopbackHub, run: Run) -> None:
    for kind in ("paths-info", "/commit/", "preupload"):
        hub.trouble = [Trouble(kind, 503, 2), Trouble(kind, 429, 1)]
        hub.repositories[REPOSITORY].discussions.clear()
        assert submit(run.folder, TARGET).status == "submitted", kind
        assert len(hub.repositories[REPOSITORY].discussions) == 1


def test_a_commit_whose_answer_was_lost_is_not_made_twice(hub: LoopbackHub, run: Run) -> None:
    hub.trouble = [Trouble("/commit/", 500, 1, after=True)]
    receipt = submit(run.folder, TARGET)
    assert receipt == Receipt("submitted", f"{hub.url}/datasets/{REPOSITORY}/discussions/1")
    assert len(hub.repositories[REPOSITORY].discussions) == 1


@pytest.mark.parametrize(("status", "said"), [(500, "fails with status 500"), (429, "too many requests")])
def test_a_hub_that_keeps_failing_is_tried_later(hub: LoopbackHub, run: Run, status: int, said: str) -> None:
    hub.trouble = [Trouble("paths-info", status, 99)]
    message = _refused(run)
    assert said in message
    assert "try again later" in message
    assert sum("paths-info" in request for request in hub.requests) == 4


def test_a_hub_that_asks_for_a_long_pause_is_believed(hub: LoopbackHub, run: Run) -> None:
    hub.trouble = [Trouble("paths-info", 429, 99, {"Retry-After": "100000"})]
    assert "try again later" in _refused(run)
    assert sum("paths-info" in request for request in hub.requests) == 1


def test_a_hub_that_never_answers_is_given_up(hub: LoopbackHub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "SILENCE_S", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        message = _refused(run)
    assert time.monotonic() - start < 30
    assert "cannot be reached" in message
    assert "try again later" in message


def test_of_two_at_once_the_first_pull_request_stays(
    hub: LoopbackHub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = submit(run.folder, TARGET)
    look = hub_module.HubTarget._find
    monkeypatch.setattr(hub_module.HubTarget, "_find", lambda *_: None)  # both looked before either had opened
    second = submit(run.folder, TARGET)
    monkeypatch.setattr(hub_module.HubTarget, "_find", look)
    assert second == Receipt("already submitted", first.location)
    assert [d["status"] for d in hub.repositories[REPOSITORY].discussions] == ["open", "closed"]
    assert submit(run.folder, TARGET) == Receipt("already submitted", first.location)


def test_no_network(hub: LoopbackHub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    assert "cannot be reached" in _refused(run)


def test_an_offline_client(hub: LoopbackHub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "unset HF_HUB_OFFLINE" in _refused(run)


@pytest.mark.skipif("OSBENCH_LIVE_HUB" not in os.environ, reason="set OSBENCH_LIVE_HUB=ORG/NAME to test the real Hub")
def test_the_real_hub(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    target = f"hf://datasets/{os.environ['OSBENCH_LIVE_HUB']}"
    first = submit(run.folder, target)
    assert submit(run.folder, target) == Receipt("already submitted", first.location)
