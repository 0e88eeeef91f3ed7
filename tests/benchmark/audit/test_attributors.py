from __future__ import annotations

import numpy as np
import pytest

from osbench.benchmark.audit import get_probe
from osbench.benchmark.audit.attributors import CLASSIFIERS, attribute, best
from osbench.benchmark.audit.evidence import read_evidence
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.scores import Scores
from osbench.generation.dataset import Dataset


@pytest.mark.numeric
def test_three_classifiers_learn_colours(dataset: Dataset, manifest: Manifest) -> None:
    probe = get_probe("colour")()
    answers = attribute(probe, read_evidence(dataset, dataset.index(), [manifest], {"colour": probe}), manifest)
    assert tuple(answers) == CLASSIFIERS
    rows = manifest.rows("val", "test")
    seen = np.asarray(rows["class_index"]) >= 0
    for scores in answers.values():
        scores.check()
        assert scores.class_scores.sum(1) == pytest.approx(1, abs=1e-5)
        assert scores.known_score == pytest.approx(scores.class_scores.max(1))
        assert np.mean(scores.candidate[seen] == np.asarray(rows["class_index"])[seen]) > 0.9


def test_the_best_is_chosen_on_validation_images_alone(manifest: Manifest) -> None:
    rows = manifest.rows("val", "test")
    truth = np.asarray(rows["class_index"], np.int64)
    val = np.asarray(rows["split"] == "val")
    wrong = (truth + 1) % len(manifest.seen)

    def answers(right: np.ndarray) -> Scores:
        candidate = np.where(right, np.maximum(truth, 0), wrong)
        return Scores(np.zeros((len(rows), len(manifest.seen))), np.zeros(len(rows)), candidate)

    found = dict(zip(CLASSIFIERS, (answers(~val), answers(val), answers(np.zeros(len(val), bool))), strict=True))
    assert best([found], [manifest]) == CLASSIFIERS[1]
    assert best([dict.fromkeys(CLASSIFIERS, found[CLASSIFIERS[1]])], [manifest]) == CLASSIFIERS[0]
