"""What holds for every rule, by name: they reject, survive saving, and have an answer to degenerate training data."""

import tracemalloc

import numpy as np
import pytest

from osbench.baselines.rejection import Activations, LinearHead, build_rule, feature_space, rule_names
from osbench.core.errors import RunError

pytestmark = pytest.mark.numeric

SCORING = [name for name in rule_names() if name != "never"]


def head(d: int, k: int) -> LinearHead:
    """A last layer that sends feature j to class j mod K."""
    weight = np.zeros((k, d), np.float32)
    weight[np.arange(d) % k, np.arange(d)] = 1.0
    return LinearHead(weight, np.full(k, 0.1, np.float32))


def images(seed: int, per_class: int, d: int, k: int, *, strength: float = 3.0) -> Activations:
    """ReLU-like features: class c is strong in the dimensions j with j mod K = c."""
    rng = np.random.default_rng(seed)
    labels = np.arange(per_class * k) % k
    features = np.maximum(0, rng.normal(0.3, 0.5, (len(labels), d)) + strength * (np.arange(d) % k == labels[:, None]))
    return of(features, labels, k)


def of(features: np.ndarray, labels: np.ndarray, k: int) -> Activations:
    features = features.astype(np.float32)
    last = head(features.shape[1], k)
    return Activations(features, features @ last.weight.T + last.bias, labels)


def fitted(name: str, train: Activations, held_out: Activations | None = None):
    rule = build_rule(name)
    rule.fit(train, held_out or train, head(train.features.shape[1], train.logits.shape[1]))
    return rule


@pytest.mark.parametrize("name", SCORING)
@pytest.mark.parametrize(("d", "k"), [(12, 3), (40, 2), (300, 3)], ids=["D < N", "K = 2", "sketched"])
def test_unknown_images_score_lower(name, d, k, monkeypatch):
    monkeypatch.setattr(feature_space, "DIMENSIONS", 128)
    train, val, seen = images(0, 100, d, k), images(1, 20, d, k), images(2, 30, d, k)
    unknown = images(3, 30, d, k, strength=0.0)
    # As strong as a seen image, but in dimensions that belong to no single class.
    unknown.features[:, : d // 2] += 1.5
    unknown = of(unknown.features, unknown.labels, k)
    rule = fitted(name, train, val)
    known = rule.known_score(seen.features, seen.logits)
    strange = rule.known_score(unknown.features, unknown.logits)
    assert known.dtype == np.float64
    assert (known[:, None] > strange).mean() > 0.9
    np.testing.assert_array_equal(rule.candidate(seen.logits), seen.logits.argmax(1))


@pytest.mark.parametrize("name", rule_names())
def test_saved_rules_answer_alike_and_images_do_not_depend_on_their_batch(name):
    train, query = images(0, 20, 10, 3), images(1, 8, 10, 3)
    rule = fitted(name, train)
    scores = rule.known_score(query.features, query.logits)
    restored = build_rule(name, {key: np.array(value) for key, value in rule.arrays.items()})
    np.testing.assert_array_equal(restored.known_score(query.features, query.logits), scores)
    one_by_one = [rule.known_score(query.features[i : i + 1], query.logits[i : i + 1])[0] for i in range(len(scores))]
    np.testing.assert_allclose(one_by_one, scores, rtol=1e-6, atol=1e-6)
    for value in rule.arrays.values():
        assert value.dtype in (np.float32, np.float64, np.int64), "saved by safetensors"


@pytest.mark.parametrize("name", rule_names())
def test_training_images_are_left_alone(name):
    train = images(0, 20, 10, 3)
    before = [train.features.copy(), train.logits.copy(), train.labels.copy()]
    fitted(name, train)
    for now, then in zip((train.features, train.logits, train.labels), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("name", SCORING)
def test_rules_need_little_memory_beside_the_features(name, monkeypatch):
    """All training images of the paper's size: features alone fill most of a machine."""
    monkeypatch.setattr(feature_space, "DIMENSIONS", 64)
    monkeypatch.setattr(feature_space, "BLOCK_BYTES", 1 << 20)
    train = images(0, 1000, 4099, 3)
    fitted(name, images(0, 3, 4099, 3))  # the sketch itself is kept
    tracemalloc.start()
    fitted(name, train)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < train.features.nbytes / 4


UNEVEN = [0, 1, 3, 4, 6, 7, 8]
DEGENERATE = {
    "constant features": of(np.ones((12, 6)), np.arange(12) % 3, 3),
    "all-zero features": of(np.zeros((12, 6)), np.arange(12) % 3, 3),
    "one image per class": images(0, 1, 6, 3),
    "one image in one class": of(images(0, 4, 6, 3).features[UNEVEN], (np.arange(12) % 3)[UNEVEN], 3),
    "one dimension": images(0, 10, 1, 2),
    "many dimensions, few images": images(0, 2, 500, 2),
    "one class is a copy of one image": of(np.r_[np.ones((5, 4)), np.eye(4)[[1, 3, 1, 2, 3]]], np.repeat([0, 1], 5), 2),
}

COLLAPSED = {"constant features", "all-zero features", "one class is a copy of one image"}


@pytest.mark.parametrize("name", rule_names())
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_training_data_give_finite_scores_or_one_line(name, case):
    train = DEGENERATE[case]
    rng = np.random.default_rng(0)
    query = of(rng.normal(size=(9, train.features.shape[1])) * 3, np.zeros(9, int), train.logits.shape[1])
    # Paper 1's sigma is the only thing that cannot be defined for such data.
    if name == "centroid-sigma" and case in COLLAPSED:
        with pytest.raises(RunError, match="coincide"):
            fitted(name, train)
        return
    rule = fitted(name, train)
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(rule.known_score(query.features, query.logits)).all()
