"""Submitting to a server over real sockets: once, verified, on the board, and refused in words."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from osbench.benchmark.manifest import Manifest
from osbench.core.errors import RunError, UsageError
from osbench.leaderboard.submit import submit

from ..synthetic_runs import Drawn, write_run
from .served import METHOD, Server, archive


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    return server.token("alpha")


def test_from_runs_to_a_row_on_the_board(
    server: Server, token: str, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSBENCH_TOKEN", token)
    for seed in (0, 1, 2):
        write_run(tmp_path / "runs", manifest, METHOD, seed)
    dry = submit(tmp_path / "runs", server.address, dry_run=True)
    assert dry.status == "dry run"
    assert server.get("/api/v1/submissions", headers={"Authorization": f"Bearer {token}"}).json()["submissions"] == []
    first = submit(tmp_path / "runs", server.address)
    assert first.status == "submitted"
    again = submit(tmp_path / "runs", server.address)
    assert (again.status, again.location) == ("already submitted", first.location)
    digest = first.location.rpartition("/")[2]
    assert dry.location.endswith(digest)
    found = server.verified(digest)
    assert (found["status"], found["problems"], found["team"]) == ("accepted", [], "alpha")
    assert 0 < found["metrics"]["native"]["auc_af1_crr"]["estimate"] <= 1
    assert found["location"] == first.location
    page = requests.get(first.location, timeout=30)
    assert page.status_code == 200
    assert "accepted" in page.text
    board = server.board(digest)
    (entry,) = [entry for entry in board["entries"] if any(digest in run for run in entry["runs"])]
    assert entry["metrics"]["auc_af1_crr"]["estimate"] == found["metrics"]["native"]["auc_af1_crr"]["estimate"]
    front = server.get("/")
    assert f"/submissions/{digest}" in front.text
    assert server.get(f"/board/{board['manifest_id']}").text.startswith("<!")
    listed = server.get("/api/v1/submissions", headers={"Authorization": f"Bearer {token}"}).json()
    assert [row["id"] for row in listed["submissions"]] == [digest]


def test_twenty_at_once_are_one(server: Server, token: str, manifest: Manifest, tmp_path: Path) -> None:
    digest, data = archive(tmp_path, manifest, Drawn("dct-cnn", 0.5, {"msp": 1.0}))
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: server.upload(data, token), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [202]
    assert sorted({answer.json()["status"] for answer in answers}) == ["already submitted", "submitted"]
    assert {answer.json()["id"] for answer in answers} == {digest}
    assert server.verified(digest)["status"] == "accepted"


def _zip(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return buffer.getvalue()


def _files(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as made:
        return {name: made.read(name) for name in made.namelist()}


def _renamed(files: dict[str, bytes], key: str, value: object) -> dict[str, bytes]:
    return files | {"submission.json": json.dumps(json.loads(files["submission.json"]) | {key: value}).encode()}


def _link(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            if name.endswith("run.json"):
                info.external_attr, data = 0o120777 << 16, b"/etc/passwd"
            made.writestr(info, data)
    return buffer.getvalue()


def _lying_size(files: dict[str, bytes]) -> bytes:
    """A member that says that it is short, and is not."""
    big = bytes(3_000_000)
    data = _zip(files | {"seed0/predictions.parquet": big})
    return data.replace(len(big).to_bytes(4, "little"), (1000).to_bytes(4, "little"))


HOSTILE: dict[str, tuple[Callable[[dict[str, bytes]], bytes], int, str]] = {
    "nothing": (lambda files: b"", 422, "archive-damaged"),
    "no ZIP file": (lambda files: b"hello" * 100, 422, "archive-damaged"),
    "cut off": (lambda files: _zip(files)[:-100], 422, "archive-damaged"),
    "flipped": (lambda files: _zip(files, zipfile.ZIP_STORED).replace(b"PAR1", b"PAR2"), 422, "archive-damaged"),
    "a bomb": (lambda files: _zip(files | {"seed0/predictions.parquet": bytes(300_000_000)}), 413, "archive-too-large"),
    "a bomb in JSON": (lambda files: _zip(files | {"seed0/run.json": b" " * 5_000_000}), 413, "archive-too-large"),
    "a lie about a size": (_lying_size, 422, "archive-damaged"),
    "many files": (lambda files: _zip(files | {f"{k}": b"" for k in range(30_000)}), 422, "archive-files"),
    "a way out": (lambda files: _zip(files | {"../../evil": b"x"}), 422, "archive-files"),
    "an absolute path": (lambda files: _zip(files | {"/etc/cron.d/evil": b"x"}), 422, "archive-files"),
    "a link": (_link, 422, "archive-files"),
    "another method of compression": (lambda files: _zip(files, zipfile.ZIP_LZMA), 422, "archive-files"),
    "a model": (lambda files: _zip(files | {"seed0/model/weights.safetensors": b"x"}), 422, "archive-files"),
    "two submissions": (
        lambda files: _zip({f"{top}/{name}": data for top in "ab" for name, data in files.items()}),
        422,
        "archive-files",
    ),
    "no document": (
        lambda files: _zip({name: data for name, data in files.items() if name != "submission.json"}),
        422,
        "archive-files",
    ),
    "a file is missing": (
        lambda files: _zip({name: data for name, data in files.items() if name != "seed0/run.json"}),
        422,
        "submission-invalid",
    ),
    "a file was changed": (
        lambda files: _zip(files | {"seed0/run.json": files["seed0/run.json"].replace(b"proposed", b"proposee")}),
        422,
        "submission-invalid",
    ),
    "no JSON": (lambda files: _zip(files | {"submission.json": b"{" * 100_000}), 422, "submission-invalid"),
    "HTML as a method": (
        lambda files: _zip(_renamed(files, "method", "<script>alert(1)</script>")),
        422,
        "submission-invalid",
    ),
    "a path as a method": (lambda files: _zip(_renamed(files, "method", "../../x")), 422, "submission-invalid"),
    "no run": (lambda files: _zip(_renamed(files, "runs", [])), 422, "submission-invalid"),
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, manifest_file: Path) -> Iterator[Server]:
    """A server with room for little, stopped with its process."""
    made = Server(tmp_path_factory.mktemp("small") / "board", manifest_file, ("--max-mb", "2", "--per-minute", "1000"))
    try:
        made.start()
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def small_token(small: Server) -> str:
    return small.token("alpha")


@pytest.fixture(scope="module")
def whole(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return _files(archive(tmp_path_factory.mktemp("whole"), manifest)[1])


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_submission_is_refused_in_words(
    small: Server, small_token: str, whole: dict[str, bytes], name: str
) -> None:
    make, status, code = HOSTILE[name]
    answer = small.upload(make(whole), small_token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    error = answer.json()["error"]
    assert error["message"]
    assert error["remedy"]
    assert str(small.folder) not in answer.text
    assert "\n" not in error["message"]
    assert small.files() == set()
    assert small.get("/healthz").status_code == 200


def test_too_large_is_refused_before_it_is_read(small: Server, small_token: str) -> None:
    answer = small.upload(bytes(8_000_000), small_token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "upload-too-large")

    def chunks():  # no length is said
        yield b'--b\r\nContent-Disposition: form-data; name="archive"; filename="a"\r\n\r\n'
        for _ in range(100):
            yield bytes(100_000)

    headers = {"Authorization": f"Bearer {small_token}", "Content-Type": "multipart/form-data; boundary=b"}
    answer = requests.post(f"{small.address}/api/v1/submissions", data=chunks(), headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "upload-too-large")
    assert small.files() == set()


def test_another_manifest_is_refused(small: Server, small_token: str, own_dataset, tmp_path: Path) -> None:
    from osbench.benchmark.manifest import build_manifest

    _, data = archive(tmp_path, build_manifest(own_dataset, "fang2023"))
    answer = small.upload(data, small_token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "manifest-unknown")
    assert small.files() == set()


def test_tokens_are_checked_before_anything(server: Server, token: str, manifest: Manifest, tmp_path: Path) -> None:
    digest, data = archive(tmp_path, manifest, Drawn("repmix", 0.6, {"msp": 1.0}))
    expired = server.token("alpha", days=1e-9)
    revoked = server.token("alpha")
    server.verb("token", "revoke", revoked.split("_")[1])
    reader = server.token("alpha", scope="read")
    changed = token[:-1] + ("0" if token[-1] != "0" else "1")
    before = server.files()
    for text, status, code in (
        ("", 401, "token-missing"),
        ("nonsense", 401, "token-unknown"),
        (changed, 401, "token-unknown"),
        (f"osb_{'0' * 16}_{'0' * 64}", 401, "token-unknown"),
        (expired, 401, "token-expired"),
        (revoked, 401, "token-revoked"),
        (reader, 403, "token-scope"),
    ):
        answer = server.upload(data, text)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert server.files() == before
    assert server.get(f"/api/v1/submissions/{digest}").status_code == 404
    listed = {item["token_id"]: item["state"] for item in server.verb("token", "list")}
    assert listed[expired.split("_")[1]] == "expired"
    assert listed[revoked.split("_")[1]] == "revoked"
    assert all(text.split("_")[2] not in server.log.read_text() for text in (token, revoked, reader))


def test_another_team_neither_sees_nor_takes_a_submission(
    server: Server, token: str, manifest: Manifest, tmp_path: Path
) -> None:
    digest, data = archive(tmp_path, manifest, Drawn("repmix", 0.61, {"msp": 1.0}))
    assert server.upload(data, token).status_code == 202
    other = server.token("beta")
    answer = server.upload(data, other)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "other-team")
    listed = server.get("/api/v1/submissions", headers={"Authorization": f"Bearer {other}"}).json()
    assert listed == {"team": "beta", "submissions": []}
    assert server.verified(digest)["team"] == "alpha"


def test_predictions_that_are_none_are_refused_by_the_verification(
    server: Server, token: str, manifest: Manifest, tmp_path: Path
) -> None:
    files = _files(archive(tmp_path, manifest, Drawn("repmix", 0.62, {"msp": 1.0}))[1])
    files["seed0/predictions.parquet"] = b"PAR1" + bytes(100) + b"PAR1"
    document = json.loads(files["submission.json"])
    document["runs"][0]["predictions_sha256"] = hashlib.sha256(files["seed0/predictions.parquet"]).hexdigest()
    files["submission.json"] = (json.dumps(document, indent=2) + "\n").encode()
    answer = server.upload(_zip(files), token)
    assert answer.status_code == 202
    digest = answer.json()["id"]
    found = server.verified(digest)
    assert (found["status"], found["metrics"]) == ("refused", {})
    assert found["problems"][0]["code"]
    assert str(server.folder) not in json.dumps(found)
    assert "refused" in server.get(f"/submissions/{digest}").text
    assert not any(digest in path for path in server.files() if path.startswith("submissions/"))


def test_limits_of_a_team_and_of_a_token(
    serve: Callable[..., Server], manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve("--per-day", "1", "--per-minute", "4")
    token = server.token("alpha")
    _, first = archive(tmp_path, manifest)
    _, second = archive(tmp_path, manifest, seeds=(1,))
    assert server.upload(first, token).status_code == 202
    answer = server.upload(second, token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "team-day-limit")
    assert server.upload(first, token).status_code == 200, "what is there costs nothing"
    assert server.upload(first, token).status_code == 200
    answer = server.upload(first, token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too-often")
    assert int(answer.headers["Retry-After"]) >= 1
    assert len([path for path in server.files() if path.endswith("submission.json")]) == 1
    assert server.end() == 0


def test_the_command_says_in_one_line_what_is_wrong(
    server: Server, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "runs", manifest, METHOD, 7)
    monkeypatch.delenv("OSBENCH_TOKEN", raising=False)
    with pytest.raises(UsageError, match="set OSBENCH_TOKEN"):
        submit(tmp_path / "runs", server.address)
    monkeypatch.setenv("OSBENCH_TOKEN", "wrong")
    with pytest.raises(RunError, match="refuses the submission: this token is not known here"):
        submit(tmp_path / "runs", server.address)
    with pytest.raises(UsageError, match="no address of a board"):
        submit(tmp_path / "runs", "http://")
