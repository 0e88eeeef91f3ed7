from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from osbench.core.errors import UsageError

from .test_text import CROSSING, CURVES


def test_lines_bands_and_crossings() -> None:
    axes = CURVES.plot()
    free, trained, dot = axes.lines
    assert free.get_label() == "resynthesis"
    assert np.asarray(free.get_xydata()).tolist() == [[1, 0.5], [2, 0.5], [5, 0.5]]
    assert free.get_linestyle() == "--"
    assert np.asarray(trained.get_xydata()).tolist() == [[1, 0.25], [5, 0.75]]
    assert np.asarray(dot.get_xydata()).tolist() == [[3.0, 0.5]]
    assert len(axes.collections) == 2
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "5"]
    assert replace(CURVES, crossings=(replace(CROSSING, shots=None),)).plot(axes) is axes


def test_a_figure_is_written_in_the_format_of_its_ending_the_same_bytes_every_time(tmp_path: Path) -> None:
    first, second = (CURVES.save_figure(tmp_path / name / "shots.svg").read_bytes() for name in "ab")
    assert first == second
    assert b"resynthesis" in first
    assert CURVES.save_figure(tmp_path / "shots.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(UsageError, match=r"a figure ends in \.svg or \.png"):
        CURVES.save_figure(tmp_path / "shots.bmp")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "shots.png"]


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.ticker"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"pip install 'osbench\[plot\]'"):
        CURVES.plot()
    with pytest.raises(UsageError, match=r"pip install 'osbench\[plot\]'"):
        CURVES.save_figure(tmp_path / "shots.svg")
