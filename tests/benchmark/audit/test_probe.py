from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from osbench.benchmark.audit.probe import Batch, get_probe, probe_names, register_probe
from osbench.core.errors import UsageError


def test_all_probes_are_found_and_say_what_they_look_at() -> None:
    names = ["colour", "file-size", "file-structure", "fixed-pattern", "layout", "low-frequencies", "metadata", "trace"]
    assert set(names) <= set(probe_names())
    for name in names:
        probe = get_probe(name)
        assert probe.name == name
        assert len(probe.title) > 10
        assert (probe.gate.above_chance is None) != (probe.gate.at_least is None)


def test_unknown_and_taken_names() -> None:
    with pytest.raises(UsageError, match=r"unknown probe 'color'. Did you mean 'colour'"):
        get_probe("color")
    get_probe("colour")
    with pytest.raises(UsageError, match="two probes are named 'colour'"):
        register_probe("colour")(type("Other", (), {}))  # type: ignore[type-var]


def test_missing_numbers_are_minus_one() -> None:
    rows = pd.DataFrame({"jpeg_quality": pd.array([90, None], "Int32")})
    batch = Batch(rows, [b"", b""], np.zeros((2, 4, 4, 3), np.uint8))
    assert batch.numbers("jpeg_quality").tolist() == [90, -1]
