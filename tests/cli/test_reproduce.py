"""``osbench reproduce`` as a user meets it; the tables themselves are in tests/baselines/reproduction."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from osbench.cli import main


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fang2032"], 2, "Did you mean 'fang2023'?"),
        (["fang2023", "--table", "1"], 2, "unknown table of fang2023 '1'"),
        (["fang2023", "--data", "nowhere"], 1, "nowhere: not a dataset"),
    ],
)
def test_errors_are_one_line(arguments: list[str], code: int, message: str, tmp_path: Path) -> None:
    places = ["--out", str(tmp_path / "out"), "--results", str(tmp_path / "results")]
    result = CliRunner().invoke(main, ["reproduce", *arguments, *places])
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_says_what_a_comparison_may_claim() -> None:
    text = CliRunner().invoke(main, ["reproduce", "--help"]).stdout
    assert "--table 2" in text
    assert "may claim" in " ".join(text.split())
