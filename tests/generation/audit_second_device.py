"""``osbench generate`` with a device of its own: the same bytes, with one process and with several."""

from __future__ import annotations

from pathlib import Path

import pytest

from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from osbench.generation.regenerate import regenerate
from tests.second_device import NAME, register

register()


def shards(dataset: Dataset) -> list[bytes]:
    return [path.read_bytes() for path in sorted(dataset.path.rglob("*.parquet"))]


@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_same_shards(workers: int, tiny_suite: Path, tmp_path: Path) -> None:
    here = generate(tiny_suite, tmp_path / "here")
    there = generate(tiny_suite, tmp_path / "there", workers=workers, device=NAME)
    assert there.info["device"] == NAME
    assert len(shards(here)) == 6
    assert shards(here) == shards(there)
    found = list(regenerate(here, 3, suite=tiny_suite, device=NAME))
    assert {row.verdict for row in found} == {"bit-exact"}
