"""The report about pictures: complete in one file, hostile to nobody, readable on a telephone."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from osbench.benchmark.attribution_page import attribution_page
from tests.leaderboard.browser import find_browser, open_page

from .made_attributions import ANSWERS, SCOPE, made_attribution


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_report_is_complete_and_loads_nothing() -> None:
    page = attribution_page(ANSWERS)
    found = _Tags(page)
    assert found.tags.count("article") == len(ANSWERS)
    assert "script" not in found.tags
    assert all(address.startswith(("#p", "data:image/jpeg;base64,")) for address in found.addresses)
    assert "4 pictures, 2 named, 1 unknown, 1 without an answer." in page
    for sentence in SCOPE.sentences:
        assert sentence.replace('"', "&quot;") in page
    assert "is empty (0 bytes)." in page
    assert "\u202e" not in page


def test_of_nothing_but_errors_there_is_a_report() -> None:
    page = attribution_page(ANSWERS[-1:])
    assert "1 picture, 0 named, 0 unknown, 1 without an answer." in page


def test_a_picture_without_a_preview_still_has_its_map() -> None:
    page = attribution_page([made_attribution(shown=False)])
    assert page.count("<rect x=") == 3
    assert "<image" not in page


@pytest.mark.skipif(find_browser() is None, reason="no Chromium or Chrome on this machine")
def test_the_report_in_a_browser(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(attribution_page(ANSWERS), "utf-8")
    with open_page(tmp_path / "profile") as page:
        for width, dark in ((1200, False), (1200, True), (390, False)):
            page.resize(width, 900)
            page.prefer_dark(dark)
            page.open((tmp_path / "report.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        colours = [
            page.evaluate(f"getComputedStyle(document.querySelector('{what}')).color") for what in ("body", "h2.known")
        ]
        assert colours[0] != colours[1]  # the style sheet is the one that the policy allows
        assert page.evaluate("document.querySelector('image').getBoundingClientRect().width") > 200
        assert page.problems == []
        assert all(re.match(r"file:|data:image/", address) for address in page.requests)
