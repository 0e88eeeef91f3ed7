"""Docstrings use a little of Sphinx's markup, which readers of ``help()`` know; Markdown has other signs for it."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:attr|class|exc|func|meth|mod|data|obj):`([^`]+)`")
_LITERAL_BLOCK = re.compile(r"(?m)(\S?)::[ ]*$(?=\n\s*\n[ ]+\S)")


def as_markdown(text: str) -> str:
    """``:func:`name``` becomes code, and the ``::`` that begins a literal block one colon."""
    text = _ROLE.sub(lambda found: f"`{found[1].lstrip('~.!')}`", text)
    return _LITERAL_BLOCK.sub(lambda found: f"{found[1]}:" if found[1] else "", text)


class SphinxRoles(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
