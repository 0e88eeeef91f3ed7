from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np

from osbench.generation.training.report import curves_svg, grid, points


def test_grid_goes_by_rows_and_drops_what_does_not_fill_one() -> None:
    samples = np.stack([np.full((4, 4, 3), i, np.uint8) for i in range(7)])
    picture = np.asarray(grid(samples, columns=3))
    assert picture.shape == (8, 12, 3)
    assert picture[::4, ::4, 0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_points_of_one_measure() -> None:
    curve = [{"seconds": 0, "swd": 9.0}, {"seconds": 60, "swd_reconstruction": 4.0}, {"seconds": 90, "swd": 3.0}]
    assert points(curve, "swd") == [(0, 9.0), (1.5, 3.0)]


def test_curves_are_well_formed_and_inside_the_frame() -> None:
    text = curves_svg({"a": [(0, 900.0), (1, 50.0), (2, 25.0)], "b": [(0, 800.0), (4, 100.0)], "none": []})
    root = ET.fromstring(text)
    lines = [e.get("points", "") for e in root.iter() if e.tag.endswith("polyline")]
    numbers = [tuple(map(float, p.split(","))) for line in lines for p in line.split()]
    assert len(numbers) == 5
    assert all(50 <= x <= 550 and 30 <= y <= 270 for x, y in numbers)
    assert numbers[0] == (50, 30)  # an untrained model's distance is cut at the top
    assert numbers[-1] == (550, 30)


def test_a_curve_of_one_moment() -> None:
    assert ET.fromstring(curves_svg({"a": [(0.0, 0.0)]})) is not None
    assert ET.fromstring(curves_svg({})) is not None
