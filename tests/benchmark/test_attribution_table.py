"""Answers as text and as CSV."""

from __future__ import annotations

import csv
import io

from osbench.benchmark.attribution_table import COLUMNS, answers_csv, answers_text

from .made_attributions import ANSWERS, HOSTILE, SCOPE


def test_the_text_has_a_row_for_each_picture_and_the_scope() -> None:
    lines = answers_text(ANSWERS).splitlines()
    assert lines[0].split() == ["image", "source", "confidence", "score", "threshold", "crops", "verdict", "why"]
    assert lines[1].split()[:7] == ["photo.png", "progan", "medium", "-1.25", "-2", "2/3", "accepted"]
    assert lines[2].split()[:7] == ["dir/other.png", "unknown", "high", "-9", "-2", "2/3", "unknown"]
    assert lines[4].endswith("error     broken.png: is empty (0 bytes).")
    assert "  photo.png: converted from CMYK to RGB without a colour profile" in lines
    assert [line.strip() for line in lines[-len(SCOPE.sentences) :]] == list(SCOPE.sentences)
    assert all(line.isprintable() for line in lines)


def test_the_csv_can_be_read_again() -> None:
    rows = list(csv.DictReader(io.StringIO(answers_csv(ANSWERS))))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["source"] for row in rows] == ["progan", "unknown", "progan", ""]
    assert float(rows[0]["known_score"]) == -1.25
    assert rows[0]["crops"] == "3"
    assert rows[0]["scope"] == " ".join(SCOPE.sentences)
    assert rows[3]["error"] == "broken.png: is empty (0 bytes)."
    assert rows[2]["image"].startswith("./=cmd")
    assert HOSTILE[1:5] in rows[2]["image"]
