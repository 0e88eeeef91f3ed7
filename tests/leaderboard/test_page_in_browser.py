"""The page in a real browser, opened from disk: it draws, sorts, follows links and asks nobody for anything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from osbench.benchmark.laundering import Grid
from osbench.benchmark.manifest import Manifest
from osbench.generation.dataset import Dataset
from osbench.leaderboard.board import JSON_FILE, PAGE_FILE, build_board

from .browser import Page, find_browser, open_page
from .synthetic_runs import CARD, Drawn, write_board_runs, write_laundered, write_run
from .test_site import HOSTILE

pytestmark = pytest.mark.skipif(find_browser() is None, reason="no Chromium or Chrome on this machine")

LAUNDERED = [cell for cell in Grid().cells() if (cell.phase, cell.resize) != (4, 0.75)]
"""As on the mini suite, where a frame has no room for the rest of the grid."""

READY = "document.documentElement.dataset.ready === 'true'"
METHODS = "[...document.querySelectorAll('#table tbody tr')].map(row => row.dataset.entry)"


@pytest.fixture(scope="module")
def site(dataset: Dataset, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with pictures and one hostile entry."""
    folder = tmp_path_factory.mktemp("page")
    for run in write_board_runs(folder / "runs", manifest, seeds=2):
        if run.method == "proposed":
            write_laundered(run, manifest, LAUNDERED)
    card = {**CARD, "title": HOSTILE, "url": "javascript:alert(3)", "faithful": [HOSTILE]}
    write_run(folder / "runs", manifest, Drawn(HOSTILE, "=msp", 0.3, 0.5, card=card), 0)
    build_board(folder / "runs", None, folder / "site", dataset=dataset, bootstrap=20)
    return folder / "site"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_page(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser: Page, site: Path) -> Page:
    """The board freshly opened on a desk-sized screen."""
    browser.problems.clear()
    browser.requests.clear()
    browser.resize(1280, 900)
    browser.open("about:blank")
    browser.open((site / PAGE_FILE).as_uri())
    browser.wait_for(READY)
    return browser


def test_it_draws_everything_without_a_complaint_or_a_request(page: Page, site: Path) -> None:
    assert page.evaluate("document.querySelectorAll('#table tbody tr').length") == 8
    assert page.evaluate("document.querySelectorAll('#chart path.curve').length") == 8
    assert page.evaluate("document.querySelectorAll('.confusion tbody td:not(.gap)').length") == 7 * 6
    assert page.evaluate("document.querySelectorAll('.ridge').length") == 7
    assert page.evaluate("document.querySelectorAll('#gallery img').length") == 7 * 9
    assert page.evaluate("[...document.querySelectorAll('#gallery img')].every(i => i.complete && i.naturalWidth > 0)")
    assert page.problems == []
    asked = {url for url in page.requests if not url.startswith(("data:", "about:"))}
    assert asked == {(site / PAGE_FILE).as_uri()}


def test_hostile_words_are_only_words(page: Page) -> None:
    hostile = f"{quote(HOSTILE, safe='')}/{quote('=msp', safe='')}"
    page.evaluate(f"location.hash = 'entry=' + encodeURIComponent({hostile!r})")
    page.wait_for(f"document.querySelector('#pick').value === {hostile!r}")
    assert HOSTILE in page.evaluate("document.querySelector('.card h3').textContent")
    assert page.evaluate("document.querySelectorAll('#entry a[href^=javascript]').length") == 0
    assert page.evaluate("document.scripts.length") == 2
    assert page.problems == []


def test_clicking_a_heading_sorts_and_clicking_again_turns_it_round(page: Page) -> None:
    ranked = page.evaluate(METHODS)
    assert ranked[0] == "proposed/native"
    page.click("[data-sort='stylegan/crr']")
    values = (
        "[...document.querySelectorAll('#table tbody tr')]"
        ".map(row => Number(row.querySelectorAll('td.value .number')[8].textContent))"
    )
    assert page.evaluate("document.querySelector('[aria-sort=descending] button').dataset.sort") == "stylegan/crr"
    descending = page.evaluate(values)
    assert descending == sorted(descending, reverse=True)
    page.press("Enter")  # the heading keeps the focus, so a keyboard can turn the order round
    ascending = page.evaluate(values)
    assert ascending == sorted(ascending)
    assert ascending != descending
    page.click("[data-sort='rank']")
    assert page.evaluate(METHODS) == ranked


def test_the_table_can_be_filtered_and_widened(page: Page) -> None:
    shown = "[...document.querySelectorAll('#table th.more')].filter(cell => cell.offsetWidth > 0).length"
    assert page.evaluate(shown) == 0
    page.click("#show-more")
    assert page.evaluate(shown) == 11
    page.evaluate(
        "(() => { const field = document.querySelector('#filter');"
        "field.value = 'dct msp'; field.dispatchEvent(new Event('input')); })()"
    )
    assert page.evaluate(METHODS) == ["dct-cnn/msp"]


def test_a_crowded_board_can_be_reduced_to_the_best_of_each_method(page: Page) -> None:
    page.click("#best-only")
    best = page.evaluate(METHODS)
    assert len(best) == 4
    assert best[:2] == ["proposed/native", "resnet50/centroid-sigma"]
    page.click(".legend-choices button")
    assert page.evaluate("document.querySelectorAll('#chart path.curve').length") == 4
    page.evaluate("location.hash = 'entry=resnet50%2Fnever'")  # a chosen entry is always drawn
    page.wait_for("document.querySelectorAll('#chart path.curve').length === 5")


def test_a_crowded_board_begins_with_the_best_of_each_method(browser: Page, site: Path) -> None:
    text = (site / PAGE_FILE).read_text()
    (data,) = re.findall(r'id="board-data"[^>]*>(.*?)</script>', text, re.DOTALL)
    board = json.loads(data)
    ranked = board["entries"]
    board["entries"] = [e | {"id": f"{e['id']}/{k}", "variant": f"copy {k}"} for e in ranked for k in range(4)]
    crowded = site.parent / "crowded.html"
    crowded.write_text(text.replace(data, json.dumps(board).replace("<", "\\u003c")))
    browser.problems.clear()
    browser.open(crowded.as_uri())
    browser.wait_for(READY)
    assert browser.evaluate("document.querySelectorAll('#table tbody tr').length") == 4
    assert browser.evaluate("document.querySelector('#best-count').textContent") == "(4 of 32)"
    assert browser.evaluate("document.querySelector('#best-only').checked")
    typed = (
        "(() => { const field = document.querySelector('#filter');"
        "field.value = 'never'; field.dispatchEvent(new Event('input')); })()"
    )
    browser.evaluate(typed)
    assert browser.evaluate("document.querySelectorAll('#table tbody tr').length") == 4 * sum(
        e["rejection"] == "never" for e in ranked
    )
    browser.evaluate(typed.replace("'never'", "''"))
    browser.click("#best-only")
    assert browser.evaluate("document.querySelectorAll('#table tbody tr').length") == 32
    assert browser.problems == []


def test_a_permalink_opens_its_entry(browser: Page, site: Path) -> None:
    browser.problems.clear()
    browser.open("about:blank")
    browser.open(f"{(site / PAGE_FILE).as_uri()}#entry=resnet50%2Fmsp")
    browser.wait_for(READY)
    assert browser.evaluate("document.querySelector('#pick').value") == "resnet50/msp"
    assert browser.evaluate("document.querySelector('#table tr.chosen').dataset.entry") == "resnet50/msp"
    browser.open("about:blank")
    browser.open(f"{(site / PAGE_FILE).as_uri()}#entry=%E0%A4%A")
    browser.wait_for(READY)
    assert browser.evaluate("document.querySelector('#pick').value") == "proposed/native"
    assert browser.problems == []


def test_choosing_a_row_changes_the_address_and_the_entry(page: Page) -> None:
    page.click("tr[data-entry='resnet50/never'] td.value")
    assert page.evaluate("location.hash") == "#entry=resnet50%2Fnever"
    assert "accepts everything" in page.evaluate("document.querySelector('#entry-body').textContent")


def test_a_laundered_entry_has_a_heat_map_of_any_metric(page: Page, site: Path) -> None:
    rows = json.loads((site / JSON_FILE).read_text())["entries"][0]["laundered"]
    values = "[...document.querySelectorAll('.heat td:not(.no-room)')].map(cell => parseFloat(cell.textContent))"
    clean = "document.querySelector('.heat .clean').textContent"
    assert page.evaluate("document.querySelectorAll('.heat td').length") == 72
    assert page.evaluate("document.querySelectorAll('.heat .no-room').length") == 12
    for name in ("af1", "crr", "auc_af1_crr", "accuracy"):
        page.click(f"[data-heat={name}]")
        assert page.evaluate("document.querySelector('.choices [aria-pressed=true]').dataset.heat") == name
        assert page.evaluate(clean) == f"{rows[0][name]:.2f} (clean)"
        shown = page.evaluate(values)
        assert sorted(shown) == pytest.approx(sorted(row[name] for row in rows), abs=0.0051)
    assert "threshold: that of the clean validation images" in page.evaluate(
        "document.querySelector('.robustness').textContent"
    )
    page.evaluate("location.hash = 'entry=resnet50%2Fmsp'")  # was never laundered
    page.wait_for("document.querySelector('#pick').value === 'resnet50/msp'")
    assert page.evaluate("document.querySelector('.robustness')") is None
    assert page.problems == []


def test_the_chart_reads_out_values_to_pointer_and_keyboard(page: Page) -> None:
    box = page.evaluate(
        "(() => { const chart = document.querySelector('#chart'); chart.scrollIntoView({behavior: 'instant'});"
        "const box = chart.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    page.hover(*box)
    page.wait_for("!document.querySelector('#tooltip').hidden")
    assert page.evaluate("document.querySelectorAll('#tooltip tr').length") == 8
    page.evaluate("document.querySelector('#chart').focus()")
    page.press("ArrowRight")
    assert page.evaluate("document.querySelector('#chart-readout').textContent").startswith("CRR 0.55: ")
    page.press("Escape")
    assert page.evaluate("document.querySelector('#tooltip').hidden")


def test_the_csv_has_every_entry_and_no_formula(page: Page, site: Path) -> None:
    page.evaluate(
        "(() => { window.saved = null; const make = URL.createObjectURL;"
        "URL.createObjectURL = blob => { blob.text().then(text => { window.saved = text; }); return make(blob); }; })()"
    )
    page.click("#csv")
    page.wait_for("window.saved !== null")
    lines = page.evaluate("window.saved").strip().split("\r\n")
    assert len(lines) == 9
    assert lines[0].startswith("rank,rank_low,rank_high,method,rejection,variant,seeds,auc_af1_crr,auc_af1_crr:low")
    assert lines[1].split(",")[3:5] == ["proposed", "native"]
    assert any(",'=msp," in line for line in lines)
    best = json.loads((site / JSON_FILE).read_text())["entries"][0]["metrics"]["auc_af1_crr"]
    assert [float(v) for v in lines[1].split(",")[7:10]] == [best["mean"], best["low"], best["high"]]


def test_light_and_dark_follow_the_system_and_the_button(page: Page) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    page.prefer_dark(False)
    light = page.evaluate(paper)
    page.prefer_dark(True)
    dark = page.evaluate(paper)
    assert light != dark
    page.click("#theme")
    assert page.evaluate(paper) == light
    page.click("#theme")
    assert page.evaluate(paper) == dark
    page.evaluate("localStorage.clear()")
    page.prefer_dark(False)


def test_a_phone_scrolls_only_the_table(browser: Page, site: Path) -> None:
    browser.problems.clear()
    browser.resize(390, 844, mobile=True)
    browser.open("about:blank")
    browser.open((site / PAGE_FILE).as_uri())
    browser.wait_for(READY)
    assert browser.evaluate("document.documentElement.scrollWidth") == 390
    assert browser.evaluate("document.querySelectorAll('#table th.generator')[0].offsetWidth") == 0
    assert browser.problems == []
