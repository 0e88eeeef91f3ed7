"""The measurement of enroll and discover, on a small dataset."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from osbench.baselines.methods.osbench_1 import Osbench1
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.method import Method
from osbench.benchmark.new_sources import measure as module
from osbench.benchmark.new_sources.measure import measure, measured_parts
from osbench.core.documents import from_json, to_json
from osbench.core.errors import RunError, UsageError
from osbench.generation.dataset import Dataset


def test_every_unseen_generator_joins_every_fit(dataset: Dataset, manifest: Manifest, tmp_path: Path) -> None:
    parts = measured_parts(Osbench1, dataset, [manifest], seeds=2, shots=(1, 2), images=2, folder=tmp_path)
    assert [(part.fold, part.seed) for part in parts] == [(manifest.fold, 0), (manifest.fold, 1)]
    for part in parts:
        assert [(one.generator, one.shots) for one in part.enrolled] == [
            (name, count) for name in manifest.unseen for count in (1, 2)
        ]
        for one in part.enrolled:
            assert 0 <= one.accuracy <= one.named <= 1
            assert 0 <= one.taken <= 1
            assert 0 <= one.af1_before <= 1
        assert part.discovered.sources <= len(manifest.unseen)
    found = measure(lambda: Osbench1(axes=5), dataset, [manifest], seeds=1, shots=(1, 2), images=2)
    assert (found.method, found.settings, found.generators) == ("osbench-1", "axes=5", 2)
    assert [one.shots for one in found.joined] == [1, 2]
    again = from_json(type(found), json.loads(json.dumps(to_json(found))), "found", RunError)
    assert to_json(again) == to_json(found)


def test_a_measurement_continues(
    dataset: Dataset, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick: dict[str, Any] = {"shots": (1,), "images": 2, "folder": tmp_path}
    (found,) = measured_parts(Osbench1, dataset, [manifest], seeds=1, **quick)
    fits: list[int] = []
    real = Osbench1.fit

    def counted(self: Osbench1, train: object, val: object, context: object) -> None:
        fits.append(1)
        real(self, train, val, context)  # type: ignore[arg-type]

    monkeypatch.setattr(Osbench1, "fit", counted)
    again, _ = measured_parts(Osbench1, dataset, [manifest], seeds=2, **quick)
    assert to_json(again) == to_json(found)
    assert fits == [1]
    for path in tmp_path.glob("*.json"):
        path.write_text("{")
    (third,) = measured_parts(Osbench1, dataset, [manifest], seeds=1, **quick)
    assert to_json(third) == to_json(found)
    assert fits == [1, 1]


def test_too_few_images_and_a_method_that_cannot(
    dataset: Dataset, manifest: Manifest, method_class: type[Method]
) -> None:
    with pytest.raises(UsageError, match="fewer shots than 20"):
        measure(Osbench1, dataset, [manifest], seeds=1, shots=(20,))
    with pytest.raises(UsageError, match="nearest-colour cannot take another source"):
        measure(method_class, dataset, [manifest], seeds=1, shots=(1,))
    with pytest.raises(UsageError, match="no fold"):
        measure(Osbench1, dataset, [], seeds=1)


def test_what_goes_to_the_new_source_is_lost_for_the_old_ones(dataset: Dataset, manifest: Manifest) -> None:
    """A method that gives every image to whoever joined: the others are left with nothing."""

    class Greedy(Osbench1):
        def enroll(self, images: np.ndarray, class_name: str) -> Greedy:
            joined = super().enroll(images, class_name)
            plain = joined.predict

            def greedy(pixels: np.ndarray) -> dict[str, module.Scores]:
                scores = plain(pixels)["native"]
                k = scores.class_scores.shape[1] - 1
                everything = np.full(len(scores), k), np.full(len(scores), 1e9)
                return {"native": replace(scores, candidate=everything[0], known_score=everything[1])}

            joined.predict = greedy  # type: ignore[method-assign]
            return joined

    (part,) = measured_parts(Greedy, dataset, [manifest], seeds=1, shots=(1,), images=2)
    for one in part.enrolled:
        assert (one.accuracy, one.named, one.af1_after, one.taken) == (1, 1, 0, 1)
        assert one.af1_before > 0
