"""The board as one static HTML page: templates and data joined into a file that loads nothing from anywhere.

The page opens from disk. Its content security policy allows exactly one style sheet and one script, both named by their
hash, and pictures embedded as ``data:`` addresses; every other request is refused by the browser. The board's data
travels as JSON inside a script element of a type that no browser executes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from string import Template
from typing import Any

_FIRST, _LAST = ("dom", "state", "table"), ("main",)
"""Scripts that others build on, and the one that starts them all; those between stand in the order of their names."""

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 28 28'%3E"
    "%3Cg fill='%230c8a82'%3E%3Ccircle cx='9' cy='10' r='4.2'/%3E%3Ccircle cx='19' cy='8' r='3.2'/%3E"
    "%3Ccircle cx='12' cy='20' r='3.6'/%3E%3C/g%3E"
    "%3Ccircle cx='21.5' cy='19' r='4.2' fill='none' stroke='%23d07020' stroke-width='2'/%3E%3C/svg%3E"
)


def _template(name: str) -> str:
    return (files(__name__) / name).read_text(encoding="utf-8")


def script_names() -> list[str]:
    """All scripts of the page, in their order."""
    found = {
        path.name.removesuffix(".js") for path in (files(__name__) / "scripts").iterdir() if path.name.endswith(".js")
    }
    return [*_FIRST, *sorted(found - {*_FIRST, *_LAST}), *_LAST]


def _script() -> str:
    parts = [_template(f"scripts/{name}.js") for name in script_names()]
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


def _hash_source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def embed_json(document: Any) -> str:
    """JSON in ASCII that can stand inside a ``<script>`` element: no ``<``, ``>`` or ``&``, no NaN.

    Raises ValueError if the document holds a number that is not finite.
    """
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def render_page(document: dict[str, Any]) -> str:
    """The whole page as HTML. ``document`` is the board with the details that only the page shows."""
    style, script = _template("style.css"), _script()
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src {_hash_source(style)}",
            f"script-src {_hash_source(script)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    title = f"Open-set source attribution: {document['suite']}, {document['protocol']} (osbench)"
    description = (
        "Leaderboard of open-set synthetic image source attribution: "
        f"which method names seen generators and refuses unseen ones, on the {document['suite']} suite."
    )
    return Template(_template("page.html")).substitute(
        csp=html.escape(policy, quote=True).replace("&#x27;", "'"),
        title=html.escape(title),
        description=html.escape(description, quote=True),
        icon=html.escape(_ICON, quote=True),
        style=style,
        script=script,
        data=embed_json(document),
    )
