from __future__ import annotations

import pytest

from osbench.benchmark.shots.curves import ShotCurves
from osbench.core.errors import RunError

from .test_text import CURVES


def test_curves_survive_json_and_refuse_another_document() -> None:
    document = CURVES.to_json()
    assert ShotCurves.from_json(document) == CURVES
    with pytest.raises(RunError, match="unknown key of here 'colour'"):
        ShotCurves.from_json(document | {"colour": "red"}, "here")


def test_a_line_without_a_point_at_some_shots_has_no_row_there() -> None:
    frame = CURVES.to_frame()
    assert frame[["label", "shots"]].values.tolist() == [
        ["resynthesis", 1],
        ["resynthesis", 2],
        ["resynthesis", 5],
        ["clip-linear", 1],
        ["clip-linear", 5],
    ]
