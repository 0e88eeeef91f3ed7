"""The tables of the measurement, and the command that writes them."""

from __future__ import annotations

import json
import math
from pathlib import Path

from click.testing import CliRunner

from osbench.benchmark.new_sources.__main__ import main
from osbench.benchmark.new_sources.result import Discovered, Enrolled, NewSources, Part
from osbench.benchmark.new_sources.text import new_sources_markdown
from osbench.generation.dataset import Dataset


def part(fold: str, seed: int, accuracy: float, found: int) -> Part:
    enrolled = (
        Enrolled("taming", 1, accuracy, 1.0, 0.8, 0.7, 0.0),
        Enrolled("taming", 10, 1.0, 1.0, 0.8, 0.8, 0.0),
    )
    grouped = Discovered(40, 2, found, 0.5, 0.75, 0.3 if found > 1 else math.nan)
    return Part(fold, seed, ("taming",), 0.9, enrolled, grouped)


def test_means_over_parts() -> None:
    parts = (part("a", 0, 0.4, 2), part("b", 0, 0.6, 3))
    found = NewSources("m", "native", "accept-95", "tiny", "v1", "rotate", 32, 5, "0" * 64, "1.0", parts)
    text = new_sources_markdown(found)
    assert "| 1 | 0.500 (0.500 to 0.500) | 1.000 (1.000 to 1.000) | 0.800 (0.800 to 0.800) | -0.100" in text
    assert "| 10 | 1.000 (1.000 to 1.000)" in text
    assert "Groups found (fits x groups): 1 x 2, 1 x 3." in text
    assert "2 folds of rotate, 1 seeds" in text
    assert "0.500 (0.000 to 1.000) |" in text, "the right number in one of two folds"


def test_the_command_writes_page_and_document(dataset: Dataset, tmp_path: Path) -> None:
    arguments = ["osbench-1", "--data", str(dataset.path), "--protocol", "fang2023", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*arguments, "--seeds", "1", "--shots", "1", "--images", "2"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "NEW_SOURCES.md").read_text() in result.output
    document = json.loads((tmp_path / "out" / "new-sources.json").read_text())
    assert len(document["parts"]) == 1
    assert len(list((tmp_path / "out" / "new-sources").glob("*.json"))) == 1
