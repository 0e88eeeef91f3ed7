"""The code blocks of README.md and of the site, and what a block says about itself in comments above it.

``<!-- not run: REASON -->``  a block that no test can run
``<!-- setup: WHAT ... -->``  what must lie in the folder before, see ``sandbox.py``
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENTS = re.compile(r"(?:^<!-- (?:not run|setup): [^\n]* -->\n)+\Z", re.MULTILINE)
_COMMENT = re.compile(r"<!-- (not run|setup): (.*) -->")


@dataclass(frozen=True)
class Block:
    """A block of code on a page.

    Attributes
    ----------
    language : str
        ``sh`` or ``python``.
    line : int
        Where it begins on its page.
    code : str
        Its text.
    setup : tuple[str, ...]
        What must be there before.
    not_run : str
        Why it is not run; empty for a block that is.
    """

    language: str
    line: int
    code: str
    setup: tuple[str, ...]
    not_run: str


def pages() -> list[Path]:
    """README.md and every page of the site."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The command and Python blocks of a page; a block with a title is a file and not a command."""
    text, found = page.read_text("utf-8"), []
    for fence in _FENCE.finditer(text):
        language, _, rest = fence["info"].partition(" ")
        if language not in ("sh", "python") or "title=" in rest:
            continue
        above = _COMMENTS.search(text, 0, fence.start())
        notes = _COMMENT.findall(above[0]) if above else []
        kinds = {kind: tuple(value for name, value in notes if name == kind) for kind in ("setup", "not run")}
        line = text.count("\n", 0, fence.start()) + 1
        reasons = " ".join(kinds["not run"])
        found.append(Block(language, line, fence["code"], kinds["setup"], reasons))
    return found


def commands(code: str) -> list[list[str]]:
    """The words of every command of an ``sh`` block, without comments."""
    lines = code.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]
