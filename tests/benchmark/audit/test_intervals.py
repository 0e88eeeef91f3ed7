from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from osbench.benchmark.answers import outcome_of
from osbench.benchmark.audit.intervals import _weights, fold_intervals
from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.scores import Scores
from osbench.generation.dataset import Dataset


@pytest.fixture(scope="module")
def folds(matched: Dataset) -> list[Manifest]:
    return [build_manifest(matched, "cross-weights", f"w{k}") for k in range(3)]


def answers(manifest: Manifest, right: np.ndarray):
    """Test answers: right or the next class, all of one score."""
    truth = np.asarray(manifest.rows("test")["class_index"], np.int64)
    candidate = np.where(right, truth, truth + 1) % 3
    return outcome_of(Scores(np.zeros((len(truth), 3)), np.zeros(len(truth)), candidate), manifest, "test")


def test_images_of_one_scene_are_drawn_together_in_all_folds(folds: list[Manifest]) -> None:
    drawn = _weights(folds, 0)
    scenes = [np.asarray(manifest.rows("test")["group"], str) for manifest in folds]
    for name in set(scenes[0].tolist()):
        columns = [part[:, own == name] for part, own in zip(drawn, scenes, strict=True)]
        both = np.concatenate(columns, axis=1)
        assert (both == both[:, :1]).all()
    makers = np.asarray(folds[0].rows("test")["generator"], str)
    for maker in set(makers.tolist()):
        assert (drawn[0][:, makers == maker].sum(1) == (makers == maker).sum()).all()


def test_without_groups_every_generator_keeps_its_images(dataset: Dataset) -> None:
    manifest = build_manifest(dataset, "fang2023")
    (drawn,) = _weights([manifest], 0)
    makers = np.asarray(manifest.rows("test")["generator"], str)
    for maker in set(makers.tolist()):
        assert (drawn[:, makers == maker].sum(1) == (makers == maker).sum()).all()


def test_the_estimate_is_the_mean_over_folds(folds: list[Manifest]) -> None:
    counts = [len(manifest.rows("test")) for manifest in folds]
    rights = [np.arange(n) % (k + 2) > 0 for k, n in enumerate(counts)]
    outcomes = [answers(manifest, right) for manifest, right in zip(folds, rights, strict=True)]
    found = fold_intervals(outcomes, folds, ["accuracy"])["accuracy"]
    seen = [np.asarray(manifest.rows("test")["class_index"]) >= 0 for manifest in folds]
    by_hand = np.mean([np.mean(right[own]) for right, own in zip(rights, seen, strict=True)])
    assert found.estimate == pytest.approx(by_hand)
    assert found.low <= found.estimate <= found.high


def test_scenes_that_are_right_or_wrong_together_give_a_wide_interval(folds: list[Manifest]) -> None:
    """Four scenes in the test split: right on two of them is no sure half of 36 answers."""
    two = sorted(set(folds[0].rows("test")["group"]))[:2]
    rights = [np.isin(np.asarray(manifest.rows("test")["group"], str), two) for manifest in folds]
    outcomes = [answers(manifest, right) for manifest, right in zip(folds, rights, strict=True)]
    together = fold_intervals(outcomes, folds, ["accuracy"])["accuracy"]
    alone = [replace(manifest, table=manifest.table.drop(columns="group")) for manifest in folds]
    each = fold_intervals(outcomes, alone, ["accuracy"])["accuracy"]
    assert together.estimate == each.estimate == 0.5
    assert together.high - together.low > 1.5 * (each.high - each.low)
