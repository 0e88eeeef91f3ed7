"""The page as text: nothing in it can become markup or a request."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osbench.benchmark.manifest import Manifest
from osbench.leaderboard.board import build_board
from osbench.leaderboard.site import embed_json, render_page

from .synthetic_runs import CARD, Drawn, write_run

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
HOSTILE_RUN = Drawn(
    "hostile",
    0.5,
    {"msp": 1.0},
    given={"x": HOSTILE},
    card=replace(CARD, title=HOSTILE, paper=HOSTILE, url="javascript:alert(3)", faithful=[HOSTILE], licence=HOSTILE),
)


class _Reader(HTMLParser):
    """Every tag with its attributes, and the text of each script and style."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.raw.append((self._inside, data))


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


@pytest.fixture(scope="module")
def page(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A board with an entry whose every word is an attack."""
    folder = tmp_path_factory.mktemp("hostile")
    write_run(folder / "runs", manifest, Drawn("proposed", 0.9, {"native": 3.0}), 0)
    write_run(folder / "runs", manifest, HOSTILE_RUN, 0)
    return build_board(folder / "runs", bootstrap=5).save(folder / "site").read_text(encoding="utf-8")


def test_words_from_a_run_never_become_markup(page: str) -> None:
    tags = [tag for tag, _ in _read(page).tags]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert "</script><script>" not in page
    assert HOSTILE in json.dumps(_data(page), ensure_ascii=False)


def _data(page: str) -> Any:
    match = re.search(r'<script type="application/json" id="board-data">(.*?)</script>', page, re.DOTALL)
    assert match
    return json.loads(match[1])


def test_the_policy_allows_this_script_and_style_and_nothing_else(page: str) -> None:
    reader = _read(page)
    policy = next(a["content"] for tag, a in reader.tags if tag == "meta" and "http-equiv" in a)
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    code = [text for tag, text in reader.raw if tag == "script" and not text.lstrip().startswith("{")]
    style = [text for tag, text in reader.raw if tag == "style"]
    for rule, texts in (("script-src", code), ("style-src", style)):
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        assert rules[rule] == " ".join(f"'sha256-{digest}'" for digest in digests)
        assert len(digests) == 1


def test_the_page_asks_nobody_for_anything(page: str) -> None:
    reader = _read(page)
    for tag, attributes in reader.tags:
        for name in ("src", "action", "data", "poster", "srcset"):
            assert name not in attributes, f"{tag} {name}"
        address = attributes.get("href")
        if address:
            assert address.startswith(("#", "data:")) or address in ("leaderboard.json", "leaderboard.parquet")
        assert not any(name.startswith("on") or name == "style" for name in attributes)
    style = next(text for tag, text in reader.raw if tag == "style")
    assert "url(" not in style
    assert "@import" not in style
    script = next(text for tag, text in reader.raw if tag == "script" and not text.lstrip().startswith("{"))
    for forbidden in (
        "fetch(",
        "XMLHttpRequest",
        "innerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "import(",
    ):
        assert forbidden not in script


_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


@given(_json)
def test_embedded_json_is_the_same_document_and_safe_in_a_script(document: Any) -> None:
    text = embed_json(document)
    assert json.loads(text) == document
    assert text.isascii()
    assert not set("<>&") & set(text)


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        embed_json({"value": float("nan")})


def test_names_in_the_head_are_escaped() -> None:
    document = {"suite": "<b>&\"'", "protocol": "</title><script>", "entries": [], "titles": {}}
    page = render_page(document)
    reader = _read(page)
    assert [tag for tag, _ in reader.tags].count("script") == 2
    assert html.escape("</title><script>") in page


def test_every_template_is_part_of_the_package() -> None:
    import osbench.leaderboard.site as site

    folder = Path(str(site.__file__)).parent
    scripts = {path.stem for path in (folder / "scripts").glob("*.js")}
    names = site.script_names()
    assert scripts == set(names)
    assert len(names) == len(scripts)
    assert (names[0], names[-1]) == ("dom", "main")
