"""Whatever was answered with success is there after kill -9, at any moment; PostgreSQL; backups."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import requests

from osbench.benchmark.manifest import Manifest

from ..synthetic_runs import Drawn
from .served import OSBENCH, Server, archive, free_port

MANY = ("--per-day", "100000", "--per-minute", "100000")


def _made(folder: Path, manifest: Manifest, number: int) -> dict[str, bytes]:
    """So many different submissions of one seed: id -> ZIP file."""
    return dict(
        archive(folder, manifest, Drawn("repmix", 0.6, {"msp": 1.0}), seeds=(1000 + number_of,))
        for number_of in range(number)
    )


def _send_until_killed(server: Server, token: str, archives: dict[str, bytes], after: float) -> set[str]:
    """Upload while the server is killed after some seconds; the ids that it said it has."""
    said: set[str] = set()

    def send(item: tuple[str, bytes]) -> None:
        try:
            answer = server.upload(item[1], token)
        except requests.RequestException:
            return
        if answer.status_code in (200, 202):
            assert answer.json()["id"] == item[0]
            said.add(item[0])

    killer = threading.Timer(after, lambda: server.end(signal.SIGKILL))
    killer.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, archives.items()))
    killer.join()
    return said


def _kill_and_look(server: Server, manifest: Manifest, folder: Path, kills: int, each: int, seed: int) -> int:
    archives = _made(folder, manifest, each * kills)
    token = server.token("alpha")
    rng, waiting, said = np.random.default_rng(seed), dict(archives), set()
    for _ in range(kills):
        said |= _send_until_killed(server, token, dict(list(waiting.items())[:each]), float(rng.uniform(0.02, 1.5)))
        server.start()
        for digest in said:
            assert server.get(f"/api/v1/submissions/{digest}").status_code == 200
        waiting = {digest: data for digest, data in waiting.items() if digest not in said}
    for data in waiting.values():
        assert server.upload(data, token).status_code in (200, 202)
    # Killed once more in a verification or a publication.
    time.sleep(float(rng.uniform(0, 3)))
    server.end(signal.SIGKILL)
    server.start()
    for digest in archives:
        assert server.verified(digest)["status"] == "accepted"
    documents = [path for path in server.files() if path.endswith("submission.json")]
    assert sorted(path.split("/")[2] for path in documents) == sorted(archives)
    board = server.board(next(iter(archives)))
    wanted = {run for entry in board["entries"] for run in entry["runs"]}
    until = time.monotonic() + 120
    while len(wanted) < len(archives) and time.monotonic() < until:
        time.sleep(0.5)
        board = server.get("/api/v1/leaderboard").json()
        wanted = {run for entry in board["entries"] for run in entry["runs"]}
    assert {run.split("/")[2] for run in wanted} == set(archives)
    assert board["refused"] == []
    return len(said)


def test_two_kills_lose_nothing(serve: Callable[..., Server], manifest: Manifest, tmp_path: Path) -> None:
    _kill_and_look(serve(*MANY), manifest, tmp_path, kills=2, each=2, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twelve_kills_lose_nothing(serve: Callable[..., Server], manifest: Manifest, tmp_path: Path) -> None:
    _kill_and_look(serve(*MANY), manifest, tmp_path, kills=12, each=4, seed=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_at_once_lose_none(
    serve: Callable[..., Server], manifest: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(*MANY)
    token = server.token("alpha")
    archives = _made(tmp_path, manifest, 200)

    def send(data: bytes) -> tuple[int, str, float]:
        began = time.perf_counter()
        answer = server.upload(data, token, timeout=120)
        return answer.status_code, answer.json()["id"], time.perf_counter() - began

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(send, archives.values()))
    assert {status for status, _, _ in answers} == {202}
    assert {digest for _, digest, _ in answers} == set(archives)
    listed = server.get("/api/v1/submissions", headers={"Authorization": f"Bearer {token}"}).json()["submissions"]
    assert {row["id"] for row in listed} == set(archives)
    times = sorted(seconds for _, _, seconds in answers)
    with capsys.disabled():
        print(f"\n200 uploads at once: median {times[100]:.2f} s, p95 {times[190]:.2f} s, longest {times[-1]:.2f} s")


def test_what_was_being_verified_is_verified_after_a_restart(
    serve: Callable[..., Server], manifest: Manifest, tmp_path: Path
) -> None:
    server = serve(*MANY)
    digest, data = archive(tmp_path, manifest)
    assert server.upload(data, server.token("alpha")).status_code == 202
    until = time.monotonic() + 30
    while server.get(f"/api/v1/submissions/{digest}").json()["status"] != "verifying" and time.monotonic() < until:
        time.sleep(0.02)
    assert server.end(signal.SIGTERM) == 0, "an end that was asked for is in order"
    server.start()
    assert server.verified(digest)["status"] == "accepted"


def test_one_folder_has_one_server(serve: Callable[..., Server], manifest_file: Path) -> None:
    server = serve()
    words = ["leaderboard", "serve", "--dir", str(server.folder), "--port", str(free_port())]
    done = subprocess.run([*OSBENCH, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "served by another process" in line


def _board_of(server: Server, digest: str) -> dict[str, object]:
    found = server.board(digest)
    return {key: found[key] for key in ("manifest_id", "entries")}


def _back_up_and_restore(server: Server, other: Server, manifest: Manifest, folder: Path) -> None:
    """From one server to another, while the first one runs."""
    token = server.token("alpha")
    digest, data = archive(folder, manifest)
    assert server.upload(data, token).status_code == 202
    before = server.verified(digest)
    assert server.verb("backup", "--out", folder / "board.tar") == {"submissions": 1, "tokens": 1}
    assert other.verb("restore", folder / "board.tar") == {"submissions": 1, "tokens": 1}
    other.start()
    same = {key: value for key, value in before.items() if key != "location"}
    found = other.get(f"/api/v1/submissions/{digest}").json()
    assert {key: value for key, value in found.items() if key != "location"} == same
    assert other.files() == server.files()
    answer = other.upload(data, token)
    assert (answer.status_code, answer.json()["status"]) == (200, "already submitted")
    assert _board_of(other, digest) == _board_of(server, digest)
    _, more = archive(folder, manifest, seeds=(5,))
    assert other.upload(more, token).status_code == 202, "the new database goes on counting"


def test_a_backup_is_the_whole_board(
    serve: Callable[..., Server], manifest: Manifest, manifest_file: Path, tmp_path: Path
) -> None:
    server = serve(*MANY)
    other = Server(tmp_path / "other", manifest_file, MANY)
    try:
        _back_up_and_restore(server, other, manifest, tmp_path)
    finally:
        other.end(signal.SIGKILL)
    words = ["leaderboard", "restore", str(tmp_path / "board.tar"), "--dir", str(other.folder)]
    done = subprocess.run([*OSBENCH, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    (tmp_path / "bad.tar").write_bytes(b"no backup")
    words = ["leaderboard", "restore", str(tmp_path / "bad.tar"), "--dir", str(tmp_path / "new")]
    done = subprocess.run([*OSBENCH, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Makes databases in a PostgreSQL of this test; gives their addresses."""
    programs = {name: shutil.which(name) for name in ("initdb", "pg_ctl", "createdb")}
    if not all(programs.values()):
        pytest.skip("PostgreSQL is not installed: initdb, pg_ctl and createdb (Debian: postgresql)")
    folder = tmp_path_factory.mktemp("postgresql")
    port = free_port()
    user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        # Those of pytest, one more with xdist.
        for parent in folder.parents[: len(folder.relative_to(tempfile.gettempdir()).parts) - 1]:
            parent.chmod(parent.stat().st_mode | 0o711)
        user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]

    def call(*words: object) -> None:
        subprocess.run([*user, *map(str, words)], check=True, capture_output=True, cwd=folder)

    data = folder / "data"
    call(programs["initdb"], "-D", data, "-U", "board", "-A", "trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    call(programs["pg_ctl"], "-D", data, "-o", options, "-l", folder / "log", "-w", "start")

    def database(name: str) -> str:
        call(programs["createdb"], "-h", "127.0.0.1", "-p", port, "-U", "board", name)
        return f"postgresql+psycopg://board@127.0.0.1:{port}/{name}"

    yield database
    # It may have ended with a test already.
    with suppress(subprocess.CalledProcessError):
        call(programs["pg_ctl"], "-D", data, "-m", "immediate", "stop")


def test_kills_on_postgresql_lose_nothing(
    serve: Callable[..., Server], manifest: Manifest, tmp_path: Path, postgresql: Callable[[str], str]
) -> None:
    server = serve(*MANY, environment=(("OSBENCH_DATABASE", postgresql("kills")),))
    _kill_and_look(server, manifest, tmp_path, kills=2, each=2, seed=3)
    assert not (server.folder / "board.db").exists()


def test_a_backup_of_sqlite_is_restored_into_postgresql(
    serve: Callable[..., Server],
    manifest: Manifest,
    manifest_file: Path,
    tmp_path: Path,
    postgresql: Callable[[str], str],
) -> None:
    server = serve(*MANY)
    environment = (("OSBENCH_DATABASE", postgresql("restored")),)
    other = Server(tmp_path / "other", manifest_file, MANY, environment)
    try:
        _back_up_and_restore(server, other, manifest, tmp_path)
    finally:
        other.end(signal.SIGKILL)


def test_a_database_that_is_away_is_one_line(tmp_path: Path, manifest_file: Path) -> None:
    words = ["leaderboard", "token", "create", "--team", "a", "--dir", str(tmp_path / "board"), "--database"]
    for address, said, code in (
        (f"postgresql+psycopg://board:secret@127.0.0.1:{free_port()}/x", "cannot be used", 1),
        ("nonsense", "is no address that can be used", 2),
        ("oracle+nothing://user:secret@host/x", "is no address that can be used", 2),
    ):
        done = subprocess.run([*OSBENCH, *words, address], capture_output=True, text=True, check=False)
        (line,) = done.stderr.splitlines()
        assert said in line
        assert "secret" not in line
        assert done.returncode == code


def test_every_change_is_in_the_audit_log(serve: Callable[..., Server], manifest: Manifest, tmp_path: Path) -> None:
    server = serve()
    token = server.token("alpha")
    digest, data = archive(tmp_path, manifest)
    server.upload(data, token)
    server.verified(digest)
    token_id = token.split("_")[1]
    server.verb("token", "revoke", token_id)
    events = server.verb("events")
    assert [(event["action"], event["subject"], event["actor"]) for event in events] == [
        ("token created", token_id, "operator"),
        ("received", digest, f"token {token_id}"),
        ("accepted", digest, "server"),
        ("token revoked", token_id, "operator"),
    ]
    assert token.split("_")[2] not in json.dumps(events)
    assert [event["action"] for event in server.verb("events", digest)] == ["received", "accepted"]
