from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from osbench.core.errors import DatasetError, UsageError
from osbench.generation import regenerate as module
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from osbench.generation.regenerate import Reproduction, regenerate
from osbench.generation.shards import NativeImage, Unit, sample_batch


@pytest.fixture(scope="module")
def dataset(tiny_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    # no JPEG: a change of one level stays one level
    document = tiny_suite.read_text().replace("recipe:\n", "recipe:\n  qualities: [null]\n")
    suite = tiny_suite.with_name("lossless.yaml")
    suite.write_text(document)
    return generate(suite, tmp_path_factory.mktemp("again") / "data")


def again(dataset: Dataset, tiny_suite: Path, images: int = 3) -> list[Reproduction]:
    return list(regenerate(dataset, images, suite=tiny_suite.with_name("lossless.yaml")))


def test_same_machine_is_bit_exact(dataset: Dataset, tiny_suite: Path) -> None:
    rows = again(dataset, tiny_suite)
    assert [(r.source, r.images, r.bit_exact, r.verdict) for r in rows] == [
        ("alpha/noise", 3, 3, "bit-exact"),
        ("beta/noise", 3, 3, "bit-exact"),
    ]
    assert rows[0].psnr_db is None
    assert again(dataset, tiny_suite, 99)[0].images == 10


@pytest.mark.parametrize(
    ("step", "verdict", "psnr"), [(1, "within one level", 48.13), (2, "different", 42.11)], ids=["one", "two"]
)
def test_other_pixels_are_classified(
    dataset: Dataset, tiny_suite: Path, monkeypatch: pytest.MonkeyPatch, step: int, verdict: str, psnr: float
) -> None:
    original = sample_batch

    def shifted(unit: Unit, indices: range) -> list[NativeImage]:
        batch = original(unit, indices)
        moved = [np.where(image.pixels > 127, image.pixels - step, image.pixels + step) for image in batch]
        return [NativeImage(i.index, p.astype(np.uint8), None) for i, p in zip(batch, moved, strict=True)]

    monkeypatch.setattr(module, "sample_batch", shifted)
    row = again(dataset, tiny_suite)[0]
    assert (row.verdict, row.bit_exact, row.within_one) == (verdict, 0, 3 if step == 1 else 0)
    assert row.psnr_db == pytest.approx(psnr, abs=0.01)


def test_other_weights_are_refused(dataset: Dataset, tiny_suite: Path, tmp_path: Path) -> None:
    suite = tmp_path / "other.yaml"
    suite.write_text(tiny_suite.read_text())
    for name, other in (("alpha", "beta"), ("beta", "alpha")):
        (tmp_path / f"{name}.safetensors").write_bytes((tiny_suite.parent / f"{other}.safetensors").read_bytes())
    with pytest.raises(DatasetError, match="made with other weights"):
        list(regenerate(dataset, 1, suite=suite))
    with pytest.raises(UsageError, match="at least 1"):
        list(regenerate(dataset, 0, suite=suite))
