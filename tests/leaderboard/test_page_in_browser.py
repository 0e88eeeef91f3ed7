"""The page in a real browser, opened from disk: it draws, sorts, follows links and asks nobody for anything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.robustness.treatments import Grid
from osbench.generation.dataset import Dataset
from osbench.leaderboard.board import JSON_FILE, PAGE_FILE, build_board

from .browser import Page, find_browser, open_page
from .synthetic_runs import Drawn, write_board_runs, write_laundered, write_run
from .test_site import HOSTILE, HOSTILE_RUN

pytestmark = pytest.mark.skipif(find_browser() is None, reason="no Chromium or Chrome on this machine")

LAUNDERED = [cell for cell in Grid().cells() if (cell.phase, cell.resize) != (4, 0.75)]
"""As on the mini suite, where a frame is too small for the rest of the grid."""

READY = "document.documentElement.dataset.ready === 'true'"
METHODS = "[...document.querySelectorAll('#table tbody tr')].map(row => row.dataset.entry)"


def entry_id(site: Path, name: str) -> str:
    """The id of the entry ``method/rule``, which ends in a hash of its settings and code."""
    entries = json.loads((site / JSON_FILE).read_text())["entries"]
    (found,) = (entry["id"] for entry in entries if entry["id"].startswith(f"{name}/"))
    return found


def without_hash(ids: list[str]) -> list[str]:
    return [name.rpartition("/")[0] for name in ids]


@pytest.fixture(scope="module")
def site(dataset: Dataset, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with pictures and one hostile entry."""
    folder = tmp_path_factory.mktemp("page")
    for run in write_board_runs(folder / "runs", manifest):
        if run.method == "proposed":
            write_laundered(run, manifest, LAUNDERED)
    write_run(folder / "runs", manifest, HOSTILE_RUN, 0)
    (folder / "runs" / "broken" / "seed0").mkdir(parents=True)
    (folder / "runs" / "broken" / "seed0" / "run.json").write_text(HOSTILE)
    build_board(folder / "runs", dataset=dataset, bootstrap=20).save(folder / "site")
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


def test_hostile_words_are_only_words(page: Page, site: Path) -> None:
    hostile = entry_id(site, "hostile/msp")
    page.evaluate(f"location.hash = 'entry=' + encodeURIComponent({hostile!r})")
    page.wait_for(f"document.querySelector('#pick').value === {hostile!r}")
    assert HOSTILE in page.evaluate("document.querySelector('.card h3').textContent")
    assert page.evaluate("document.querySelectorAll('#entry a[href^=javascript]').length") == 0
    assert f"x={HOSTILE}" in page.evaluate("document.querySelector('.card .facts').textContent")
    assert page.evaluate("document.querySelector('#refused summary').textContent") == "1 run or submission was left out"
    assert page.evaluate("document.querySelector('#refused li code').textContent") == "broken/seed0"
    assert page.evaluate("document.scripts.length") == 2
    assert page.problems == []


def test_clicking_a_heading_sorts_and_clicking_again_turns_it_round(page: Page) -> None:
    ranked = page.evaluate(METHODS)
    assert without_hash(ranked)[0] == "proposed/native"
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
    assert without_hash(page.evaluate(METHODS)) == ["dct-cnn/msp"]


def test_a_crowded_board_can_be_reduced_to_one_rule_of_each_fit(page: Page) -> None:
    page.click("#leading-only")
    best = without_hash(page.evaluate(METHODS))
    assert len(best) == 4
    assert best[:2] == ["proposed/native", "resnet50/centroid-sigma"]
    page.click(".legend-choices button")
    assert page.evaluate("document.querySelectorAll('#chart path.curve').length") == 4
    page.evaluate("location.hash = 'entry=resnet50%2Fnever'")  # a chosen entry is always drawn
    page.wait_for("document.querySelectorAll('#chart path.curve').length === 5")


def test_a_crowded_board_begins_with_one_rule_of_each_fit(browser: Page, site: Path) -> None:
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
    assert browser.evaluate("document.querySelectorAll('#table tbody tr').length") == 16
    assert browser.evaluate("document.querySelector('#leading-count').textContent") == "(16 of 32)"
    assert browser.evaluate("document.querySelector('#leading-only').checked")
    typed = (
        "(() => { const field = document.querySelector('#filter');"
        "field.value = 'never'; field.dispatchEvent(new Event('input')); })()"
    )
    browser.evaluate(typed)
    assert browser.evaluate("document.querySelectorAll('#table tbody tr').length") == 4 * sum(
        e["rule"] == "never" for e in ranked
    )
    browser.evaluate(typed.replace("'never'", "''"))
    browser.click("#leading-only")
    assert browser.evaluate("document.querySelectorAll('#table tbody tr').length") == 32
    assert browser.problems == []


def test_a_permalink_opens_its_entry(browser: Page, site: Path) -> None:
    browser.problems.clear()
    browser.open("about:blank")
    browser.open(f"{(site / PAGE_FILE).as_uri()}#entry=resnet50%2Fmsp")
    browser.wait_for(READY)
    wanted = entry_id(site, "resnet50/msp")
    assert browser.evaluate("document.querySelector('#pick').value") == wanted
    assert browser.evaluate("document.querySelector('#table tr.chosen').dataset.entry") == wanted
    browser.open("about:blank")
    browser.open(f"{(site / PAGE_FILE).as_uri()}#entry={quote(wanted, safe='')}")
    browser.wait_for(READY)
    assert browser.evaluate("document.querySelector('#pick').value") == wanted
    browser.open("about:blank")
    browser.open(f"{(site / PAGE_FILE).as_uri()}#entry=%E0%A4%A")
    browser.wait_for(READY)
    assert browser.evaluate("document.querySelector('#pick').value") == entry_id(site, "proposed/native")
    assert browser.problems == []


def test_choosing_a_row_changes_the_address_and_the_entry(page: Page, site: Path) -> None:
    wanted = entry_id(site, "resnet50/never")
    page.click(f"tr[data-entry='{wanted}'] td.value")
    assert page.evaluate("location.hash") == f"#entry={quote(wanted, safe='')}"
    assert "accepts everything" in page.evaluate("document.querySelector('#entry-body').textContent")


def test_what_laundering_leaves_is_a_second_column_with_ranks(page: Page, site: Path) -> None:
    entry = json.loads((site / JSON_FILE).read_text())["entries"][0]["laundering"]
    assert page.evaluate("document.querySelector('#table td.group-laundered .number').textContent") == (
        f"{entry['score']['estimate']:.3f}"
    )
    assert page.evaluate("document.querySelector('#table td.group-laundered .place').textContent") == "# 1"
    assert page.evaluate("document.querySelectorAll('#table td.group-laundered .place').length") == 1


def test_a_laundered_entry_has_a_heat_map_of_any_metric(page: Page, site: Path) -> None:
    rows = json.loads((site / JSON_FILE).read_text())["entries"][0]["robustness"]
    values = "[...document.querySelectorAll('.heat td:not(.not-measured)')].map(cell => parseFloat(cell.textContent))"
    clean = "document.querySelector('.heat .clean').textContent"
    assert page.evaluate("document.querySelectorAll('.heat td').length") == 72
    assert page.evaluate("document.querySelectorAll('.heat .not-measured').length") == 12
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
    page.wait_for("document.querySelector('#pick').value.startsWith('resnet50/msp/')")
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


def test_the_csv_has_every_entry(page: Page, site: Path) -> None:
    page.evaluate(
        "(() => { window.saved = null; const make = URL.createObjectURL;"
        "URL.createObjectURL = blob => { blob.text().then(text => { window.saved = text; }); return make(blob); }; })()"
    )
    page.click("#csv")
    page.wait_for("window.saved !== null")
    lines = page.evaluate("window.saved").strip().split("\r\n")
    assert len(lines) == 9
    head, first = (line.split(",") for line in lines[:2])
    start = head.index("name")
    assert head[start : start + 7] == ["name", "method", "rule", "variant", "seeds", "auc_af1_crr", "auc_af1_crr:low"]
    assert first[start : start + 3] == ["proposed", "proposed", "native"]
    entry = json.loads((site / JSON_FILE).read_text())["entries"][0]
    assert float(first[head.index("probability_best")]) == entry["probability_best"]
    best = entry["metrics"]["auc_af1_crr"]
    assert [float(v) for v in first[start + 5 : start + 8]] == [best["estimate"], best["low"], best["high"]]


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
    browser.evaluate("document.querySelector('.confusion').scrollIntoView({behavior: 'instant'})")
    edges = browser.evaluate(
        "[...document.querySelectorAll('.confusion .unknown')].map(cell => cell.getBoundingClientRect().right)"
    )
    assert len(edges) == 8
    assert max(edges) <= 390, "the column that answers the board's question is in sight"
    assert browser.problems == []


def test_every_metric_is_defined_and_entries_that_differ_say_in_what(page: Page, site: Path) -> None:
    board = json.loads((site / JSON_FILE).read_text())
    defined = page.evaluate("[...document.querySelectorAll('#definitions dt')].map(node => node.textContent)")
    assert {metric["title"] for metric in board["metrics"].values()} <= set(defined)
    facts = page.evaluate("document.querySelector('.card .facts').textContent")
    assert "Crop32 × 32 px" in facts
    assert board["entries"][0]["code_sha256"][:8] in facts
    assert "cannot decide" in page.evaluate("document.querySelector('.claims').textContent")
    assert "fewer than five" in page.evaluate("document.querySelector('.claims').textContent")
    assert page.evaluate("document.querySelector('.ridges').closest('.panel').querySelector('h3').textContent") == (
        "Normalised distance of every source"
    )


def test_the_headline_says_on_what_it_rests(browser: Page, manifest: Manifest, tmp_path: Path) -> None:
    for method, skill, crop in (("good", 0.95, 32), ("poor", 0.2, 24)):
        write_run(tmp_path / "runs", manifest, Drawn(method, skill, {"native": 3.0}, crop_size=crop), 0)
    browser.resize(1280, 900)
    browser.open(build_board(tmp_path / "runs", bootstrap=50).save(tmp_path / "site").as_uri())
    browser.wait_for(READY)
    said = browser.evaluate("document.querySelector('#finding').textContent")
    assert "One training each: order shown, no ranks." in said
    assert "32 × 32 px, 24 × 24 px: see each entry" in browser.evaluate("document.querySelector('#facts').textContent")


def test_the_headline_names_whom_the_first_cannot_be_told_apart_from(
    browser: Page, manifest: Manifest, tmp_path: Path
) -> None:
    for seed in range(3):
        for method, skill in (("good", 0.95), ("equal", 0.95)):
            write_run(tmp_path / "runs", manifest, Drawn(method, skill, {"native": 3.0}), seed)
    browser.resize(1280, 900)
    browser.open(build_board(tmp_path / "runs", bootstrap=50).save(tmp_path / "site").as_uri())
    browser.wait_for(READY)
    said = browser.evaluate("document.querySelector('#finding').textContent")
    assert "Compared on the same images it cannot be told apart from" in said
