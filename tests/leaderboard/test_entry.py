"""An entry's numbers are those of its runs; a card from anybody becomes plain text and finite numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.runs import Run
from osbench.benchmark.score import score_run
from osbench.core.errors import RunError
from osbench.leaderboard.entry import (
    ScoredRun,
    entry_card,
    entry_confusion,
    entry_hardware,
    entry_numbers,
    entry_seconds,
    settings_key,
    settings_text,
)

from .synthetic_runs import CARD, Drawn, write_run

METHOD = Drawn("proposed", "native", 0.9, 3.0)


@pytest.fixture
def runs(manifest: Manifest, tmp_path: Path) -> list[Run]:
    return [write_run(tmp_path / "runs", manifest, METHOD, seed) for seed in range(3)]


def test_one_seed_gives_what_score_gives(runs: list[Run], manifest: Manifest) -> None:
    scored = ScoredRun.of(runs[0], manifest)
    numbers = entry_numbers([scored], manifest, bootstrap=50)
    sheet = score_run(runs[0], manifest, bootstrap=50)
    assert scored.threshold == sheet["threshold"]["value"]
    for name, metric in sheet["metrics"].items():
        assert numbers["metrics"][name] == {
            "mean": metric["estimate"],
            "low": metric["low"],
            "high": metric["high"],
        }
    for generator, values in numbers["per_generator"].items():
        for name, value in values.items():
            assert value["mean"] == sheet["per_generator"][generator][name]["estimate"]
    assert numbers["new_generator"]["crr"]["high"] == sheet["new_generator"]["crr"]["high"]
    assert entry_confusion([scored], manifest) == sheet["confusion"]


def test_several_seeds_give_means_and_summed_counts(runs: list[Run], manifest: Manifest) -> None:
    scored = [ScoredRun.of(run, manifest) for run in runs]
    numbers = entry_numbers(scored, manifest, bootstrap=50)
    sheets = [score_run(run, manifest, bootstrap=2) for run in runs]
    for name, metric in numbers["metrics"].items():
        assert metric["mean"] == pytest.approx(np.mean([s["metrics"][name]["estimate"] for s in sheets]))
        assert metric["low"] <= metric["high"]
    counts = np.sum([s["confusion"]["counts"] for s in sheets], axis=0)
    assert entry_confusion(scored, manifest)["counts"] == counts.tolist()
    assert numbers["operating"] == {k: numbers["metrics"][k]["mean"] for k in ("crr", "af1")}


def test_settings_tell_entries_apart(manifest: Manifest, tmp_path: Path) -> None:
    plain = write_run(tmp_path, manifest, METHOD, 0, tag="a")
    other = write_run(tmp_path, manifest, METHOD, 1, tag="b")
    short = write_run(tmp_path, manifest, Drawn("proposed", "native", 0.9, 3.0, given={"epochs": 5}), 0, tag="c")
    assert settings_key(plain) == settings_key(other) != settings_key(short)
    assert (settings_text(plain), settings_text(short)) == ("", "epochs=5")


def _with(run: Run, **changes: object) -> Run:
    return Run(run.folder, run.info | changes)


def test_a_card_is_reduced_to_text_and_finite_numbers(runs: list[Run]) -> None:
    assert entry_card(runs[0]) == CARD
    wild = {
        "title": ["not", "text"],
        "faithful": "not a list",
        "deviations": ["kept", 7, "x" * 9999],
        "published": {"crr": float("inf"), "af1": 0.9, "auroc": "high"},
        "extra": object(),
    }
    card = entry_card(_with(runs[0], card=wild))
    assert card["title"] == ""
    assert card["faithful"] == []
    assert card["deviations"] == ["kept", "x" * 500]
    assert card["published"] == {"af1": 0.9}
    assert "extra" not in card


_scalars = st.one_of(
    st.none(), st.booleans(), st.floats(), st.integers(), st.just(10**400), st.text(), st.just("\x1b[2J\ud800\u202e")
)
_keys = st.one_of(st.sampled_from([*CARD, "device", "device_name", "cores"]), st.text())
_anything = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=4)),
    max_leaves=8,
)


@given(st.dictionaries(_keys, _anything, max_size=5))
def test_whatever_a_run_says_of_itself_fits_on_a_page(said: dict[str, Any]) -> None:
    info = {"card": said, "hardware": said, "config": {"given": said}, "wall_time_s": said.get("cores", 1)}
    run = Run(Path("anywhere"), info)
    words = [entry_card(run), entry_hardware(run), settings_text(run)]
    text = json.dumps(words, ensure_ascii=False, allow_nan=False)
    assert text.encode("utf-8")
    assert text.isprintable()


@pytest.mark.parametrize(
    "change", [{"method": "a\x1b[2J"}, {"rejection": "x" * 81}, {"method": ""}, {"seed": 10**30}, {"seed": -1}]
)
def test_names_and_seeds_that_no_table_holds_are_refused(
    runs: list[Run], manifest: Manifest, change: dict[str, Any]
) -> None:
    with pytest.raises(RunError, match=r"printable characters|seed is not in"):
        ScoredRun.of(_with(runs[0], **change), manifest)


def test_odd_hardware_and_times_do_no_harm(runs: list[Run], manifest: Manifest) -> None:
    assert entry_hardware(runs[0]) == "a processor, 2 cores"
    assert entry_hardware(_with(runs[0], hardware={"device": "cuda", "device_name": "a GPU"})) == "a GPU"
    assert entry_hardware(_with(runs[0], hardware={"device": "cpu", "cores": "many"})) == ""
    scored = ScoredRun.of(runs[0], manifest)
    timeless = replace(scored, run=_with(runs[0], wall_time_s=float("inf")))
    assert entry_seconds([scored]) == 312.5
    assert entry_seconds([scored, timeless]) is None
