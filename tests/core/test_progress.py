from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from osbench.core import progress


@pytest.fixture(autouse=True)
def loud() -> Iterator[None]:
    progress.set_quiet(False)
    yield
    progress.set_quiet(False)


def test_without_a_terminal_there_is_one_line_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress_bar("generate", 10, "img") as bar:
        for _ in range(10):
            bar.update(1, source="alpha")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("generate: 10/10 img, ")
    assert "img/s" in err
    assert "source alpha" in err


def test_lines_come_now_and_then_with_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(float(t) for t in range(0, 10**4, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    list(progress.track(range(6), description="read", unit="file"))
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 6
    assert "left" in lines[0]
    assert "left" not in lines[-1]


def test_quiet_means_silent_but_for_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    progress.set_quiet(True)
    assert list(progress.track([1, 2], description="x")) == [1, 2]
    with progress.progress_bar("y", 3) as bar:
        bar.update(3, a=1)
    progress.get_logger().info("not shown")
    progress.get_logger().warning("shown")
    assert capsys.readouterr() == ("", "shown\n")
    assert progress.is_quiet()


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.progress_bar("bar", 4, "img") as bar:
        bar.update(4, shards="1/1")
    assert list(progress.track(iter("ab"), description="walk", total=2)) == ["a", "b"]
    out, err = capsys.readouterr()
    assert out == ""
    assert "4/4" in err
    assert "walk" in err


def test_one_handler_however_often_the_logger_is_asked_for() -> None:
    assert len({id(progress.get_logger()) for _ in range(3)}) == 1
    assert len(progress.get_logger().handlers) == 1
