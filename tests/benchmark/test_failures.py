"""One line for the reader, the traceback in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from osbench.benchmark.failures import describe_failure, free_memory
from osbench.core.errors import RunError


def raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_an_error_of_our_own_says_what_to_do_and_needs_no_traceback(tmp_path: Path) -> None:
    assert describe_failure(raised(RunError("the loss is nan")), tmp_path, "m") == "the loss is nan"
    assert not list(tmp_path.iterdir())


def test_any_other_is_one_line_and_a_file(tmp_path: Path) -> None:
    line = describe_failure(raised(ValueError("first\nsecond")), tmp_path, "m on rotate/a+b, seed 3")
    path = tmp_path / "failures" / "m-on-rotate-a+b-seed-3.txt"
    assert line == f"ValueError: first (traceback: {path})"
    assert path.read_text().startswith("Traceback ")
    assert path.read_text().endswith("ValueError: first\nsecond\n")


def test_a_traceback_that_cannot_be_written_is_no_second_failure(tmp_path: Path) -> None:
    (tmp_path / "failures").write_text("a file where the folder should be")
    line = describe_failure(raised(MemoryError()), tmp_path, "m")
    assert line.startswith("MemoryError (its traceback cannot be written: ")


def test_memory_is_freed_without_a_gpu() -> None:
    free_memory()
