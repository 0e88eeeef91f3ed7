"""The tables of the measurement, and the command that adds them to the results."""

from __future__ import annotations

import json
import math
from pathlib import Path

from click.testing import CliRunner

from osbench.benchmark.new_sources.__main__ import main
from osbench.benchmark.new_sources.result import Grouped, Joined, Mean, NewSources
from osbench.benchmark.new_sources.text import new_sources_markdown
from osbench.generation.dataset import Dataset

HALF, NONE = Mean(0.5, 0.25, 0.75), Mean(math.nan, math.nan, math.nan)


def test_every_number_has_its_interval() -> None:
    joined = (Joined(10, HALF, HALF, HALF, Mean(0.01, -0.02, 0.03), NONE),)
    grouped = Grouped(HALF, Mean(80, 60, 100), HALF, HALF, Mean(2, 2, 2), HALF, {"2": 20, "3": 1})
    found = NewSources(
        "m", "", "native", "accept-95", "tiny", "v1", "rotate", 32, 21, 3, 7, "0" * 64, "1.0", joined, grouped
    )
    text = new_sources_markdown(found)
    assert "| 10 | 0.500 (0.250 to 0.750) |" in text
    assert "| +0.010 (-0.020 to +0.030) | - |" in text
    assert "| 80 (60 to 100) |" in text
    assert "Fits by groups found: 2: 20, 3: 1." in text
    assert "21 folds of rotate, 3 seeds; each of 7 generators" in text


def test_the_command_adds_to_the_results(dataset: Dataset, tmp_path: Path) -> None:
    arguments = ["--data", str(dataset.path), "--protocol", "fang2023", "--results", str(tmp_path / "results")]
    quick = ["--seeds", "1", "--shots", "1", "--images", "2", "--out", str(tmp_path / "parts")]
    for options in ([], ["--option", "axes=5"], []):
        result = CliRunner().invoke(main, ["osbench-1", *arguments, *quick, *options])
        assert result.exit_code == 0, result.output
    page = (tmp_path / "results" / "RESULTS.md").read_text()
    assert page.count("## New sources, osbench-1 on the suite tiny") == 1
    assert page.count("## New sources, osbench-1 (axes=5) on the suite tiny") == 1
    document = json.loads((tmp_path / "results" / "results.json").read_text())
    assert [one["protocol"] for one in document["new_sources"]] == ["fang2023"] * 2
    assert len(list((tmp_path / "parts").glob("*.json"))) == 2
