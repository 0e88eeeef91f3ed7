"""The page shows the stored bytes, and not too many of them."""

from __future__ import annotations

import base64
import dataclasses

import pytest

from osbench.benchmark.manifest import Manifest
from osbench.generation.dataset import Dataset
from osbench.generation.pixels import bytes_sha256
from osbench.leaderboard import gallery as module
from osbench.leaderboard.gallery import gallery, holds_images


def test_every_source_shows_stored_bytes_of_test_images(dataset: Dataset, manifest: Manifest) -> None:
    sources = gallery(dataset, manifest, per_source=4)
    assert [s.openness for s in sources] == ["seen"] * 5 + ["unseen"] * 2
    index = dataset.index().to_dict("records")
    test = set(manifest.rows("test")["image_id"])
    for source in sources:
        assert len(source.images) == 4
        own = {r["index"]: r for r in index if r["generator"] == source.generator}
        for image in source.images:
            row = own[image.index]
            kind, encoded = image.src.split(";base64,")
            assert kind == "data:image/png"
            assert bytes_sha256(base64.b64decode(encoded)) == row["bytes_sha256"]
            assert row["image_id"] in test
            assert image.quality is None
            assert image.crop_x + manifest.crop_size <= image.width
            assert image.crop_y + manifest.crop_size <= image.height


def test_large_images_mean_fewer_images(dataset: Dataset, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTE_BUDGET", 7 * 7000)
    counts = [len(source.images) for source in gallery(dataset, manifest, per_source=9)]
    assert all(1 <= count < 9 for count in counts)


def test_a_dataset_knows_whether_it_is_the_one(dataset: Dataset, manifest: Manifest) -> None:
    assert holds_images(dataset, manifest)
    table = manifest.table.assign(image_id="0" * 32)
    assert not holds_images(dataset, dataclasses.replace(manifest, table=table))
