"""``osbench generate`` with a device of its own: the same bytes, with one process and with several."""

from __future__ import annotations

from pathlib import Path

import pytest
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from osbench.generation.networks import open_network
from osbench.generation.regenerate import regenerate
from osbench.generation.training.hardware import Hardware

from tests.second_device import NAME, register

DEVICE = register()


def shards(dataset: Dataset) -> list[bytes]:
    return [path.read_bytes() for path in sorted(dataset.path.rglob("*.parquet"))]


@pytest.mark.parametrize("workers", [1, 3])
def test_same_shards(workers: int, tiny_suite: Path, tmp_path: Path) -> None:
    here = generate(tiny_suite, tmp_path / "here")
    there = generate(tiny_suite, tmp_path / "there", workers=workers, device=NAME)
    assert there.info["device"] == NAME
    assert len(shards(here)) == 6
    assert shards(here) == shards(there)
    found = list(regenerate(here, 3, suite=tiny_suite, device=NAME))
    assert {row.verdict for row in found} == {"bit-exact"}
