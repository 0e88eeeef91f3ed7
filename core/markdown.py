"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Lines of a Markdown table, the header first; a ``|`` inside a cell is escaped.

    Examples
    --------
    >>> print(markdown_table(["method", "seeds"], [["osbench-1", 3]]))
    | method | seeds |
    |---|---|
    | osbench-1 | 3 |
    """
    return "\n".join([_line(header), "|---" * len(header) + "|", *map(_line, rows)])


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
