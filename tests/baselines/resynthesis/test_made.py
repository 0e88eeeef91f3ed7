"""What was made is kept, also by a process that is killed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from osbench.baselines.resynthesis.made import Made

from .tiny_suite import SILENT, candidates

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 3), np.uint8)


def test_an_interrupted_search_continues_where_it_was(suite: Path) -> None:
    one, other = candidates(suite, SILENT)
    asked: list[int] = []

    def make(positions: np.ndarray) -> np.ndarray:
        if len(asked) >= 4 and interrupted:
            raise KeyboardInterrupt
        asked.extend(int(i) for i in positions)
        return 255 - IMAGES[positions]

    interrupted = True
    with pytest.raises(KeyboardInterrupt):
        Made(one, "inversion", {"steps": 3}, 4).pictures(IMAGES, make, 2)
    assert asked == [0, 1, 2, 3]
    interrupted = False
    pictures, seconds = Made(one, "inversion", {"steps": 3}, 4).pictures(IMAGES, make, 2)
    assert asked == [0, 1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(pictures, 255 - IMAGES)
    again, as_long = Made(one, "inversion", {"steps": 3}, 4).pictures(IMAGES[::-1], make, 2)
    assert len(asked) == 7
    np.testing.assert_array_equal(again, 255 - IMAGES[::-1])
    assert as_long == pytest.approx(seconds, rel=1e-5)
    assert seconds > 0
    for changed in (Made(other, "inversion", {"steps": 3}, 4), Made(one, "inversion", {"steps": 4}, 4)):
        changed.pictures(IMAGES[:1], make, 2)
    assert len(asked) == 9
