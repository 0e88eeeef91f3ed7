"""Three standard classifiers on the features of a probe, and the best of them by validation images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..manifest import Manifest
from ..scores import Scores
from .evidence import Evidence
from .probe import Probe

SEED = 0
_LARGEST = 10.0
_NEIGHBOURS = 15
_TREES = 100


def _classifiers(rows: int) -> dict[str, Any]:
    # scikit-learn takes a second to import.
    from sklearn.ensemble import RandomForestClassifier  # pyright: ignore[reportMissingTypeStubs]
    from sklearn.linear_model import LogisticRegression  # pyright: ignore[reportMissingTypeStubs]
    from sklearn.neighbors import KNeighborsClassifier  # pyright: ignore[reportMissingTypeStubs]

    return {
        "logistic regression": LogisticRegression(C=1.0, max_iter=300, tol=1e-3, class_weight="balanced"),
        "random forest": RandomForestClassifier(_TREES, min_samples_leaf=2, class_weight="balanced", random_state=SEED),
        "nearest neighbours": KNeighborsClassifier(min(_NEIGHBOURS, rows), weights="distance"),
    }


CLASSIFIERS: tuple[str, ...] = ("logistic regression", "random forest", "nearest neighbours")


def attribute(probe: Probe, evidence: Evidence, manifest: Manifest) -> dict[str, Scores]:
    """Answers of every classifier to the validation and test images of a fold, in the order of the manifest.

    The candidate is the class of the highest probability, the known score is that probability.
    """
    train, asked = manifest.rows("train"), manifest.rows("val", "test")
    labels = np.asarray(train["class_index"], np.int64)
    learnt, relate = probe.relate(evidence.of(probe.name, np.asarray(train["image_id"], str)), labels)
    others = relate(evidence.of(probe.name, np.asarray(asked["image_id"], str)))
    centre, scale = learnt.mean(0), learnt.std(0)
    scale[scale < 1e-6] = 1.0
    x, y = (np.clip((part - centre) / scale, -_LARGEST, _LARGEST).astype(np.float64) for part in (learnt, others))
    found: dict[str, Scores] = {}
    for name, classifier in _classifiers(len(x)).items():
        classifier.fit(x, labels)
        probability = np.zeros((len(y), len(manifest.seen)))
        probability[:, np.asarray(classifier.classes_, np.int64)] = classifier.predict_proba(y)
        found[name] = Scores(probability, probability.max(1), probability.argmax(1))
    return found


def best(answers: Sequence[dict[str, Scores]], manifests: Sequence[Manifest]) -> str:
    """The classifier that names most validation images rightly over all folds; the first of equal ones."""
    right: dict[str, float] = dict.fromkeys(CLASSIFIERS, 0.0)
    for found, manifest in zip(answers, manifests, strict=True):
        rows = manifest.rows("val", "test")
        val: np.ndarray = np.asarray(rows["split"] == "val")
        truth = np.asarray(rows["class_index"], np.int64)[val]
        for name, scores in found.items():
            same: np.ndarray = scores.candidate[val] == truth
            right[name] += float(np.mean(same))
    return max(CLASSIFIERS, key=lambda name: right[name])
