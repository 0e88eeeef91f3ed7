from __future__ import annotations

from osbench.core.text import printable


def test_printable_text_is_one_line_without_control_characters() -> None:
    assert printable("a\x1b[31mb\nc\u202ed\ud800") == "a [31mb c d "
    assert printable("x" * 300) == "x" * 200 + "..."
    assert printable(12) == "12"


def test_numbers_that_python_refuses_to_write_are_described() -> None:
    assert printable(10**6000) == "a int of very many digits"
    assert printable([10**6000]) == "a list of very many digits"
