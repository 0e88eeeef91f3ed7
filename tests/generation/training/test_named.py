from __future__ import annotations

import numpy as np
import pytest

from osbench.generation.training.named import Judge


def test_the_nearest_mean_by_cosine_of_standardised_features() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    rows = 5 + rng.normal(size=(3, 8))[labels] + 0.5 * rng.normal(size=(60, 8))
    judge = Judge.taught(rows, labels)
    new = 5 + rng.normal(size=(20, 8))
    right = 0
    for i, row in enumerate(new):
        standard = (row - rows.mean(0)) / rows.std(0)
        cosines = []
        for k in range(3):
            mean = ((rows[labels == k] - rows.mean(0)) / rows.std(0)).mean(0)
            cosines.append(standard @ mean / np.linalg.norm(standard) / np.linalg.norm(mean))
        right += int(np.argmax(cosines)) == i % 3
    assert judge.share(new, np.arange(20) % 3) == pytest.approx(right / 20)


def test_clear_classes_are_all_named_and_wrong_captions_are_not() -> None:
    labels = np.arange(40) % 4
    rows = 10.0 * np.eye(4)[labels] + np.random.default_rng(0).normal(size=(40, 4))
    judge = Judge.taught(rows, labels)
    assert judge.share(rows, labels) == 1
    assert judge.share(rows, (labels + 1) % 4) == 0
