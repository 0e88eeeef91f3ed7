from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osbench.benchmark.method import (
    Method,
    Scores,
    get_method,
    method_names,
    parse_options,
    register_method,
    source_sha256,
)
from osbench.core.errors import RunError, UsageError


def scores(n: int = 4, k: int = 3) -> Scores:
    return Scores(np.zeros((n, k)), np.zeros(n), np.zeros(n))


def test_scores_take_any_numbers_and_keep_fixed_types() -> None:
    s = Scores([[1, 2]], [3], [0])  # type: ignore[arg-type]
    assert (s.class_scores.dtype, s.known_score.dtype, s.candidate.dtype) == (np.float32, np.float32, np.int64)
    assert len(s.check()) == 1


@given(st.integers(0, 3), st.sampled_from(["class_scores", "known_score"]), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_check_names_the_first_row_that_is_not_finite(row: int, field: str, value: float) -> None:
    s = scores()
    getattr(s, field)[row:] = value
    with pytest.raises(RunError, match=f"row {row} are not finite"):
        s.check()


@pytest.mark.parametrize("candidate", [-1, 3])
def test_check_refuses_a_candidate_that_is_no_seen_generator(candidate: int) -> None:
    s = scores()
    s.candidate[2] = candidate
    with pytest.raises(RunError, match=f"candidate {candidate} of row 2 is none of the 3"):
        s.check()


def test_check_refuses_different_lengths() -> None:
    with pytest.raises(RunError, match="different lengths"):
        Scores(np.zeros((4, 3)), np.zeros(5), np.zeros(4)).check()
    with pytest.raises(RunError, match="different lengths"):
        Scores(np.zeros(4), np.zeros(4), np.zeros(4)).check()


def test_concatenation_keeps_the_order() -> None:
    parts = [Scores(np.full((n, 2), n), np.full(n, n), np.zeros(n)) for n in (1, 3, 2)]
    whole = Scores.concatenate(parts)
    assert whole.known_score.tolist() == [1, 3, 3, 3, 2, 2]
    assert whole.class_scores.shape == (6, 2)


def test_a_method_file_registers_its_method(method_file: str, method_class: type[Method]) -> None:
    assert get_method(method_file) is method_class
    assert get_method("nearest-colour") is method_class
    assert "nearest-colour" in method_names()
    assert method_class.name == "nearest-colour"
    digest = source_sha256(method_class)
    assert digest is not None
    assert len(digest) == 64


def test_an_unknown_method_suggests_the_nearest(method_class: type[Method]) -> None:
    with pytest.raises(UsageError, match="Did you mean 'nearest-colour'"):
        get_method("nearest-color")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "registers 0 methods; it needs exactly one"),
        ("import no_such_module_at_all", "cannot be imported: No module named"),
        ("def broken(:", "cannot be imported"),
    ],
)
def test_a_bad_method_file_is_a_one_line_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    loaded = set(sys.modules)
    with pytest.raises(UsageError, match=message):
        get_method(str(path))
    with pytest.raises(UsageError, match="no method file"):
        get_method(str(tmp_path / "absent.py"))
    assert not [name for name in set(sys.modules) - loaded if "bad" in name and "import" in message]


def test_two_classes_cannot_share_a_name(method_class: type[Method]) -> None:
    with pytest.raises(UsageError, match="two methods are named 'nearest-colour'"):

        @register_method("nearest-colour")
        class Other(Method):  # pyright: ignore[reportUnusedClass]
            pass


def test_options_override_defaults_and_unknown_ones_are_refused(method_class: type[Method]) -> None:
    assert method_class(bins=8).options == {"bins": 8, "scale": 1.0, "fail_at": ""}
    with pytest.raises(UsageError, match=r"unknown option of method nearest-colour 'bin'. Did you mean 'bins'"):
        method_class(bin=8)


def test_options_from_the_command_line_have_the_type_of_the_default(method_class: type[Method]) -> None:
    assert parse_options(method_class, ["bins=8", "scale=1e-4", "fail_at=1"]) == {
        "bins": 8,
        "scale": 1e-4,
        "fail_at": "1",
    }
    assert parse_options(method_class, ["scale=3"]) == {"scale": 3.0}
    for pair, message in [
        ("bins", "not of the form key=value"),
        ("bin=3", "Did you mean 'bins'"),
        ("bins=many", "expected int, like the default 4"),
        ("bins=1.5", "expected int"),
        ("scale=true", "expected float"),
    ]:
        with pytest.raises(UsageError, match=message):
            parse_options(method_class, [pair])


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "Mean Colour", "-x"])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a method"):
        register_method(name)
