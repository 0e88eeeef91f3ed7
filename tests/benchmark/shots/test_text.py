from __future__ import annotations

import math
from dataclasses import replace

from osbench.benchmark.shots.curves import Crossing, Gap, ShotCurves, ShotLine, ShotPoint
from osbench.benchmark.shots.text import crossing_cells, curves_text, gap_text, line_rows


def point(shots: int, value: float) -> ShotPoint:
    return ShotPoint(shots, value, value - 0.1, value + 0.1, {"0": value})


FREE = ShotLine("resynthesis", "resynthesis", True, (point(0, 0.5),))
TRAINED = ShotLine("clip-linear", "clip-linear", False, (point(1, 0.25), point(5, 0.75)))
GAPS = (Gap(1, -0.25, -0.4, -0.1), Gap(5, 0.25, 0.1, 0.4))
CROSSING = Crossing("clip-linear", "resynthesis", 3.0, 2.25, None, *GAPS)
CURVES = ShotCurves(
    "mini-text", "fewshot", (), 5, "accuracy", (1, 2, 5), 1, 50, 10, 0.95, 100, 0, (FREE, TRAINED), (CROSSING,)
)


def test_a_row_for_every_line_and_a_value_for_every_number_of_shots() -> None:
    assert line_rows(CURVES) == [
        ["resynthesis (training-free)", *["0.500 (0.400 to 0.600)"] * 3],
        ["clip-linear", "0.250 (0.150 to 0.350)", "-", "0.750 (0.650 to 0.850)"],
    ]


def test_where_lines_cross_in_words() -> None:
    assert crossing_cells(CROSSING, CURVES) == ("3.0", "2.2 to more than 5")
    assert crossing_cells(replace(CROSSING, shots=1.0, low=1.0, high=1.0), CURVES) == ("1 or fewer", "1 or fewer")
    assert crossing_cells(replace(CROSSING, shots=None, low=None), CURVES) == ("more than 5", "more than 5")


def test_gaps() -> None:
    assert gap_text(GAPS[0]) == "-0.250 (-0.400 to -0.100)"
    assert gap_text(Gap(1, math.nan, math.nan, math.nan)) == "-"


def test_the_whole_text() -> None:
    text = curves_text(CURVES)
    assert text.splitlines()[0].startswith("mini-text, fewshot, 5 classes: accuracy, mean over repeats")
    assert "clip-linear  resynthesis  3.0" in text
    assert curves_text(replace(CURVES, unseen=("gan",), crossings=())).startswith(
        "mini-text, fewshot, 5 classes, unseen: gan: accuracy"
    )
