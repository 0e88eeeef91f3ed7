"""Lists of texts beside a suite file: prompts, and the characters of a suite with what the generators are told."""

from __future__ import annotations

from pathlib import Path

from ...core.errors import UsageError
from ...core.foreign import printable, read_foreign

_MAX_BYTES = 16 << 20
_BETWEEN = " | "


def read_prompts(path: Path) -> tuple[str, ...]:
    """One prompt a line; empty lines and lines that begin with # do not count. UsageError if it is no text."""
    try:
        text = read_foreign(path, UsageError, _MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{printable(path)}: not a list of texts in UTF-8.") from error
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def read_characters(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of characters, and the text that draws each: one ``name | text`` a line, or the text alone is both.

    UsageError for a list without characters, and for a name that comes twice.
    """
    names: dict[str, str] = {}
    for line in read_prompts(path):
        name, _, text = line.partition(_BETWEEN)
        if name.strip() in names:
            raise UsageError(f"{printable(path)}: two characters are called '{printable(name.strip(), 60)}'.")
        names[name.strip()] = text.strip() or name.strip()
    if not names:
        raise UsageError(f"{printable(path)}: no character in it; write one a line.")
    return tuple(names), tuple(names.values())
