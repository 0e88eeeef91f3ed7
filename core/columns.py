"""Rows as text in columns, for terminals."""

from __future__ import annotations

from collections.abc import Sequence


def text_columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equal length, one line each, every column as wide as its widest cell; empty for no rows.

    Examples
    --------
    >>> print(text_columns([("method", "AUC"), ("osbench-1", "0.893")]))
    method     AUC
    osbench-1  0.893
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
