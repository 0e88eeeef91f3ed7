"""A server in a process of its own, and requests to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from osbench.benchmark.manifest import Manifest
from osbench.leaderboard.server.archive import pack
from osbench.leaderboard.submit import prepare

from ..synthetic_runs import Drawn, write_run

METHOD = Drawn("proposed", 0.9, {"native": 3.0})
WAIT_S = 240.0
OSBENCH = (sys.executable, "-c", "from osbench.cli import main; main()")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Server:
    """``osbench leaderboard serve`` over a folder; started, killed and started again as a test likes."""

    folder: Path
    manifest: Path
    options: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.log")

    def start(self) -> None:
        self.port = free_port()
        words = ["leaderboard", "serve", "--dir", self.folder, "--port", self.port, "--bootstrap", 20]
        if not (self.folder / "manifests").exists():
            words += ["--manifest", self.manifest]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*OSBENCH, *map(str, words), *self.options],
                stderr=log,
                env=os.environ | dict(self.environment) | {"OMP_NUM_THREADS": "1"},
            )
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if requests.get(f"{self.address}/healthz", timeout=5).status_code == 200:
                    return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(how)
        code = self.process.wait(60)
        self.process = None
        return code

    def verb(self, *words: object) -> Any:
        done = subprocess.run(
            [*OSBENCH, "leaderboard", *map(str, words), "--dir", str(self.folder), "--json"],
            capture_output=True,
            text=True,
            env=os.environ | dict(self.environment),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def token(self, team: str = "alpha", **options: object) -> str:
        more = [word for key, value in options.items() for word in (f"--{key}", value)]
        return self.verb("token", "create", "--team", team, *more)["token"]

    def upload(self, archive: bytes, token: str, timeout: float = 60) -> requests.Response:
        return requests.post(
            f"{self.address}/api/v1/submissions",
            files={"archive": ("runs.zip", archive)},
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout,
        )

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(f"{self.address}{path}", timeout=30, **options)

    def verified(self, digest: str) -> dict[str, Any]:
        """The submission once it has been verified."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            found = self.get(f"/api/v1/submissions/{digest}").json()
            if found["status"] not in ("waiting", "verifying"):
                return found
            time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def board(self, digest: str) -> dict[str, Any]:
        """The board once a submission is on it."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            answer = self.get("/api/v1/leaderboard")
            if answer.status_code == 200 and digest in answer.text:
                return answer.json()
            time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def files(self) -> set[str]:
        """Every file of a submission, anywhere."""
        places = ("uploads", "incoming", "submissions", "refused")
        return {
            path.relative_to(self.folder).as_posix()
            for place in places
            for path in (self.folder / place).rglob("*")
            if path.is_file()
        }


def archive(
    folder: Path, manifest: Manifest, drawn: Drawn = METHOD, seeds: tuple[int, ...] = (0,)
) -> tuple[str, bytes]:
    """The id and the ZIP file of a drawn submission; another ``drawn`` or other seeds are another one."""
    runs = folder / uuid.uuid4().hex
    for seed in seeds:
        write_run(runs, manifest, drawn, seed)
    made = prepare(runs)
    return made.digest, pack(made)
