"""Text that others wrote, made safe for one line of output."""

from __future__ import annotations

import re
import unicodedata

_SHOWN = 200
_DIGITS = re.compile(r"([0-9]{1,18})")


def printable(text: object, limit: int = _SHOWN) -> str:
    """One line of ``str(text)`` without control, bidirectional or unpaired characters, cut after ``limit``.

    Examples
    --------
    >>> printable("two\\nlines")
    'two lines'
    >>> printable("a long name", limit=6)
    'a long...'
    """
    raw = text if isinstance(text, str) else _plain(text)
    shown = "".join(c if is_plain(c) else " " for c in raw[: limit + 1])
    return shown if len(raw) <= limit else f"{shown[:limit]}..."


def is_plain(character: str) -> bool:
    """Whether a character is neither control, bidirectional, private nor unpaired."""
    return unicodedata.category(character)[0] != "C"


def natural_order(name: str) -> list[tuple[bool, int, str]]:
    """A key that sorts 9 before 10, as people count.

    Examples
    --------
    >>> sorted(["figure 10", "figure 9"], key=natural_order)
    ['figure 9', 'figure 10']
    """
    parts = _DIGITS.split(name)
    return [(bool(k % 2), int(part) if k % 2 else 0, part) for k, part in enumerate(parts)]


def _plain(value: object) -> str:
    try:
        return str(value)
    except ValueError:  # an integer of more digits than Python writes
        return f"a {type(value).__name__} of very many digits"
