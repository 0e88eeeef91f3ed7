from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.core.errors import DatasetError, UsageError
from osbench.generation.catalog import load_suite
from osbench.generation.generate import generate
from osbench.generation.plan import estimate_bytes, plan, plan_text
from osbench.generation.record import source_sha256
from osbench.generation.shards import Unit


def test_plan_measures_and_writes_nothing(tiny_suite: Path, tmp_path: Path) -> None:
    rows = plan(tiny_suite, out=tmp_path / "data")
    assert [(r.source, r.images, r.shards, r.published) for r in rows] == [
        ("alpha/noise", 10, 3, 0),
        ("beta/noise", 10, 3, 0),
    ]
    assert all(r.origin == "measured on 2 images" and r.seconds and r.bytes > 0 for r in rows)
    assert not (tmp_path / "data").exists()


def test_plan_counts_what_is_there(tiny_suite: Path, tmp_path: Path) -> None:
    generate(tiny_suite, tmp_path / "data", sources=["alpha"])
    first, second = plan(tiny_suite, out=tmp_path / "data")
    assert (first.published, first.bytes, first.seconds, first.origin) == (10, 0, 0.0, "already published")
    assert second.published == 0


def test_plan_looks_at_the_disk_and_not_only_at_the_ledger(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = generate(tiny_suite, tmp_path / "data", sources=["alpha"])
    lost, damaged, kept = (dataset.path / entry.file for entry in dataset.shards())
    lost.unlink()
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    before = {path: path.read_bytes() for path in dataset.path.rglob("*") if path.is_file()}
    (row,) = plan(tiny_suite, out=dataset.path, sources=["alpha"])
    assert row.published == 2
    assert row.seconds
    assert {path: path.read_bytes() for path in dataset.path.rglob("*") if path.is_file()} == before
    assert kept in before


def test_plan_says_what_a_larger_count_would_add_and_a_smaller_one_is_refused(tiny_suite: Path, tmp_path: Path) -> None:
    out = generate(tiny_suite, tmp_path / "data", count=10, sources=["alpha"]).path
    (row,) = plan(tiny_suite, out=out, sources=["alpha"], count=16)
    assert (row.images, row.published, row.shards) == (16, 8, 4)  # the shard of two images is made again
    with pytest.raises(DatasetError, match="holds 10 images of alpha/noise, more than the 8 asked for"):
        plan(tiny_suite, out=out, count=8)
    with pytest.raises(DatasetError, match=r"another recipe .frame"):
        plan(tiny_suite, out=out, frame="full")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="holds other files"):
        plan(tiny_suite, out=tmp_path)


def test_plan_counts_what_is_there_without_its_weights(tiny_suite: Path, tmp_path: Path) -> None:
    out = generate(tiny_suite, tmp_path / "data").path
    suite = tmp_path / "tiny.yaml"
    suite.write_text(tiny_suite.read_text())
    assert [row.published for row in plan(suite, out=out)] == [10, 10]
    with pytest.raises(DatasetError, match="more than the 8 asked for"):
        plan(suite, out=out, count=8)


def test_the_estimate_of_disk_is_near_the_truth(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = generate(tiny_suite, tmp_path / "data", count=40, sources=["alpha"])
    truth = sum((dataset.path / entry.file).stat().st_size for entry in dataset.shards())
    (row,) = plan(tiny_suite, count=40, sources=["alpha"])
    assert 0.05 < row.bytes / truth < 4  # four images a shard: Parquet's own share is unusually large here
    suite = load_suite(tiny_suite)
    source = suite.sources[0]
    unit = Unit(tmp_path, suite.version, source, source_sha256(source), suite.recipe, 40, 0)
    assert estimate_bytes(unit) == 4 * (32 * 32 + 600)


def test_missing_weights_are_said_not_hidden(tiny_suite: Path, tmp_path: Path) -> None:
    suite = tmp_path / "tiny.yaml"
    suite.write_text(tiny_suite.read_text())
    rows = plan(suite)
    assert all(r.seconds is None and "not on this machine" in r.origin for r in rows)
    assert "unknown" in plan_text(rows)


def test_folder_sources_and_errors(tiny_suite: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{seed}.png")
    (row,) = plan(tiny_suite, folders={"own": photos}, sources=["own"])
    assert (row.source, row.images, row.origin) == ("own/folder", 3, "measured on 2 images")
    with pytest.raises(UsageError, match="unknown source"):
        plan(tiny_suite, sources=["gamma"])


def test_text_has_a_line_per_source_and_a_sum(tiny_suite: Path) -> None:
    lines = plan_text(plan(tiny_suite)).splitlines()
    assert len(lines) == 4
    assert lines[-1].split()[:2] == ["all", "20"]


def test_what_generate_refuses_is_refused_here_too(tiny_suite: Path) -> None:
    with pytest.raises(UsageError, match="--workers must be at least 1, not 0"):
        plan(tiny_suite, workers=0)
    with pytest.raises(UsageError, match="device 'nonsense' cannot be used"):
        plan(tiny_suite, device="nonsense")
