"""Text in columns."""

from __future__ import annotations

import pytest

from osbench.core.columns import text_columns


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert text_columns([("a", "bb", "c"), ("long", "b", "")]) == "a     bb  c\nlong  b"


def test_no_rows_are_no_text_and_ragged_ones_are_refused() -> None:
    assert text_columns([]) == ""
    with pytest.raises(ValueError):
        text_columns([("a", "b"), ("c",)])
