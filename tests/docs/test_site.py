"""The site is built without a warning, every link of it leads somewhere, and nothing on it needs a network."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

import osbench
from osbench.cli import main

from .pages import ROOT

#: Tags whose address a browser fetches by itself.
FETCHED = {"script", "link", "img", "iframe", "source", "video", "audio"}


@dataclass
class Page(HTMLParser):
    """Anchors and addresses of a built page."""

    path: Path
    anchors: set[str] = field(default_factory=set)
    links: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            if name in ("href", "src") and value:
                self.links.append((tag, value))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def built(site: Path) -> dict[Path, Page]:
    return {path.resolve(): Page(path) for path in site.rglob("*.html")}


def test_no_link_is_broken(site: Path, built: dict[Path, Page]) -> None:
    broken = []
    for page in built.values():
        for _, address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            base = site if parts.path.startswith("/") else page.path.parent
            target = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else page.path.resolve()
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(parts.fragment)
            if not target.is_file() or (anchor and target in built and anchor not in built[target].anchors):
                broken.append(f"{page.path.relative_to(site)}: {address}")
    assert not broken


def test_nothing_is_fetched_from_a_network(site: Path, built: dict[Path, Page]) -> None:
    fetched = [
        f"{page.path.relative_to(site)}: {address}"
        for page in built.values()
        for tag, address in page.links
        if tag in FETCHED and urlsplit(address).netloc and "canonical" not in address
    ]
    assert not fetched
    for sheet in site.rglob("*.css"):
        assert "url(http" not in sheet.read_text("utf-8"), sheet
    assert (site / "search" / "search_index.js").stat().st_size > 10_000


def test_every_verb_has_a_page_with_its_help(site: Path) -> None:
    for verb in main.list_commands(click.Context(main)):
        page = (site / "verbs" / f"{verb}.html").read_text("utf-8")
        assert f"Usage: osbench {verb}" in page
    index = (site / "verbs" / "index.html").read_text("utf-8")
    assert "evaluate.html" in index


def test_every_promised_name_is_in_the_reference(built: dict[Path, Page], site: Path) -> None:
    promised = {f"osbench.{name}" for name in osbench.__all__ if not name.startswith("__")}
    assert promised
    assert promised <= built[(site / "reference" / "library.html").resolve()].anchors


def test_what_the_program_says_is_on_the_pages(site: Path) -> None:
    """Markers are replaced, and tables made from the program have rows."""
    for path in site.rglob("*.html"):
        text = path.read_text("utf-8")
        assert "<!-- help" not in text
        assert "<!-- setup" not in text
    for page, word in (
        ("reference/rules.html", "relative-mahalanobis"),
        ("reference/methods.html", "osbench-1"),
        ("reference/formats.html", "pixel_sha256"),
        ("reference/formats.html", "Rejection rules that the run has answers of."),
        ("concepts/thresholds.html", "oracle-harmonic"),
        ("tour.html", "Who is seen, who is unseen"),
    ):
        assert word in (site / page).read_text("utf-8"), page
