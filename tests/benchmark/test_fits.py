"""Fits side by side, in real processes: same bytes, failures, warnings, and what is left when they are ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from threadpoolctl import threadpool_limits

from osbench.benchmark.evaluate import evaluate, is_finished, plan_fits
from osbench.benchmark.fits import Fit, run_fits
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.runs import Run, list_runs
from osbench.generation.dataset import Dataset
from tests.benchmark.tiny_dataset import METHOD_FILE

BEGIN = "        log = context.folder"

# Seeds 0 to 5 end in six ways; the process says how many threads it may use.
ENDINGS = """
        import os, signal, sys, warnings
        import torch
        from osbench.core.progress import get_logger
        print("said by a method")
        get_logger().info("not shown")
        get_logger().warning("threads: %d", torch.get_num_threads())
        if context.seed == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if context.seed == 2:
            sys.exit(7)
        if context.seed == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        if context.seed == 4:
            warnings.warn("of a library")
            raise MemoryError
"""

# Says that it is there, and works until it is ended; not for ever, should the test be killed.
ENDLESS = """
        import os, time
        (context.folder / "pid").write_text(str(os.getpid()))
        at_once = os.environ.get("OSBENCH_TEST_QUICK") or "rehearsal" in str(context.folder)
        end = time.monotonic() + (0 if at_once else 240)
        while time.monotonic() < end:
            time.sleep(0.05)
"""

# A shell starts background jobs with SIGINT ignored, which is inherited: this one must hear it wherever tests run.
MAIN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from osbench.cli import main
main()
"""


def method(folder: Path, name: str, code: str) -> str:
    path = folder / f"{name}.py"
    path.write_text(METHOD_FILE.replace("nearest-colour", name).replace(BEGIN, f"{code}{BEGIN}"))
    return str(path)


def missing_fits(name: str, dataset: Dataset, manifest: Manifest, **arguments: Any) -> list[Fit]:
    plans = plan_fits(name, dataset, manifest, **arguments)
    return [Fit.of(plan, dataset) for plan in plans if not is_finished(plan)]


def test_runs_are_those_of_one_process(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (method_file, "osbench-1"):
        there, here = tmp_path / "there", tmp_path / "here"
        fits = missing_fits(name, dataset, manifest, seeds=[0, 1], out=there)
        assert [fit.seed for fit in fits] == [0, 1]
        monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
        assert run_fits(fits, 2, dataset, manifest) == [None, None]
        assert missing_fits(name, dataset, manifest, seeds=[0, 1], out=there) == []
        with threadpool_limits(1):  # as many as each of the two processes has; rounding may depend on it
            runs = evaluate(name, dataset, manifest, seeds=[0, 1], out=here)
        for run in runs:
            other = Run.open(there / run.folder.relative_to(here))
            assert (run.folder / "predictions.parquet").read_bytes() == (
                other.folder / "predictions.parquet"
            ).read_bytes()
            same = ("config", "manifest", "code_sha256", "card", "hardware")
            assert [getattr(run.info, key) for key in same] == [getattr(other.info, key) for key in same]
            assert [p.read_bytes() for p in sorted(run.model.iterdir())] == [
                p.read_bytes() for p in sorted(other.model.iterdir())
            ]
    assert len(list_runs(tmp_path / "there")) == len(list_runs(tmp_path / "here"))


def test_every_ending_is_named_and_warnings_are_shown_once(
    dataset: Dataset, manifest: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = method(tmp_path, "fits-endings", ENDINGS)
    out = tmp_path / "runs"
    fits = missing_fits(name, dataset, manifest, seeds=range(5), out=out)
    found = run_fits(fits, 2, dataset, manifest)
    trace = out / "failures" / "fits-endings-on-fang2023-seed-4.txt"
    assert found == [
        None,
        "its process was killed, perhaps for lack of memory. Run the same command again with fewer --jobs.",
        "its process ended with exit code 7.",
        "its process ended by SIGTERM.",
        f"MemoryError (traceback: {trace})",
    ]
    assert [run.seed for run in list_runs(out)] == [0]
    for number, reason in enumerate(found):
        assert (f"fits-endings on fang2023, seed {number} failed: {reason}" in caplog.text) == (reason is not None)
    threads = max(1, torch.get_num_threads() // 2)
    assert caplog.text.count(f": threads: {threads}") == 1
    assert caplog.text.count(": said by a method") == 1
    assert "UserWarning: of a library" in caplog.text
    assert "not shown" not in caplog.text


@contextmanager
def started(dataset: Dataset, name: str, out: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """``osbench evaluate --jobs 2`` with three seeds, and the processes of the first two fits once they are at work."""
    arguments = ["evaluate", "--method", name, "--data", str(dataset.path), "--out", str(out), "--seeds", "3"]
    command = [sys.executable, "-c", MAIN, *arguments, "--jobs", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            deadline = time.monotonic() + 120
            while len(files := [p for p in out.glob("*/.fit*/context/pid") if p.read_text()]) < 2:
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < deadline, "the fits did not start"
                time.sleep(0.1)
            yield process, [int(path.read_text()) for path in files]
        finally:
            process.kill()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_an_interrupt_ends_the_fits_and_they_continue(
    dataset: Dataset, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, out = method(tmp_path, "fits-endless", ENDLESS), tmp_path / "runs"
    with started(dataset, name, out) as (process, pids):
        begun = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to the whole group
        error = process.communicate(timeout=60)[1]
        assert time.monotonic() - begun < 10
    assert process.returncode == 130
    assert not any(map(alive, pids))
    assert error.splitlines()[-1] == "osbench: interrupted; run the same command again to resume."
    assert "Traceback" not in error
    assert "failed" not in error
    left = sorted(path.name[:10] for path in (out / "fits-endless").iterdir())
    assert left == [".fit-seed0", ".fit-seed1"], "the third was not begun"

    monkeypatch.setenv("OSBENCH_TEST_QUICK", "1")
    assert [run.seed for run in evaluate(name, dataset, manifest, seeds=[0], out=out)] == [0]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_the_fits_end_with_a_process_that_is_killed(dataset: Dataset, tmp_path: Path) -> None:
    with started(dataset, method(tmp_path, "fits-orphans", ENDLESS), tmp_path / "runs") as (process, pids):
        process.kill()
        process.communicate()
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, pids))


def test_a_fit_travels_as_json(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path) -> None:
    from dataclasses import asdict

    (fit,) = missing_fits(method_file, dataset, manifest, seeds=[4], out=tmp_path, options={"bins": 5}, crop_size=16)
    assert Fit(**json.loads(json.dumps(asdict(fit)))) == fit
    assert fit.label == "nearest-colour on fang2023, seed 4"
    assert (fit.options, fit.crop_size, fit.device) == ({"bins": 5}, 16, "cpu")
    assert fit.module == ""
    (built_in,) = missing_fits("osbench-1", dataset, manifest, seeds=[0], out=tmp_path)
    assert built_in.module == "osbench.baselines.methods.osbench_1"
