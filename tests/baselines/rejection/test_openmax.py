import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import exponweib

from osbench.baselines.rejection import Activations, build_rule
from osbench.baselines.rejection.openmax import fit_weibull, weibull_cdf
from osbench.core.errors import RunError

pytestmark = pytest.mark.numeric


def blobs(seed: int, per_class: int, n_classes: int) -> Activations:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_classes), per_class)
    logits = 6.0 * np.eye(n_classes)[labels] + rng.normal(0, 1.5, (len(labels), n_classes))
    return Activations(np.zeros((len(labels), 2), np.float32), logits.astype(np.float32), labels)


@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-2, 1.0, 50.0]), n=st.integers(3, 60))
@settings(max_examples=15, deadline=None)
def test_the_fit_has_the_likelihood_of_scipys_or_more(seed, scale, n):
    d = np.random.default_rng(seed).weibull(1.7, n) * scale
    start, shape, location = fit_weibull(d)
    tail = np.sort(d)[-20:]
    assert start == tail[0]
    shifted = tail - start + 10_000
    _, c, _, lam = exponweib.fit(shifted, f0=1, floc=0)

    def likelihood(c, lam):
        return exponweib.logpdf(shifted, 1, c, 0, lam).sum()

    ours = likelihood(shape, 10_000 * np.exp(location))
    assert ours >= likelihood(c, lam) - 1e-3
    around = [likelihood(shape * f, 10_000 * np.exp(location)) for f in (0.95, 1.05)]
    assert ours >= max(around)


def test_the_distribution_function_is_the_weibull_one():
    rng = np.random.default_rng(1)
    d = rng.gamma(3.0, 2.0, 200)
    start, shape, location = fit_weibull(d)
    query = rng.gamma(3.0, 3.0, (50, 1))
    expected = exponweib.cdf(query - start + 10_000, 1, shape, 0, 10_000 * np.exp(location))
    np.testing.assert_allclose(weibull_cdf(query, np.array([[start, shape, location]])), expected, atol=1e-9)


@pytest.mark.parametrize("tail", [[3.0], [3.0, 3.0, 3.0], [0.0] * 30])
def test_a_tail_without_spread_is_a_step(tail):
    weibull = np.array([fit_weibull(np.array(tail))])
    below, above = weibull_cdf(np.array([[tail[0] - 0.01], [tail[0] + 0.01]]), weibull)[:, 0]
    assert (below, above) == (0.0, 1.0)


def literal_known_score(train: Activations, z: np.ndarray) -> float:
    """Algorithms 1 and 2 of the paper for one image, word by word; probability of any seen class as log-odds."""
    n_classes = len(z)
    means, models = [], []
    for j in range(n_classes):
        correct = np.array([v for v, y in zip(train.logits, train.labels, strict=True) if y == j and v.argmax() == j])
        means.append(correct.astype(float).mean(0))
        models.append(fit_weibull(np.array([np.linalg.norm(v - means[j]) for v in correct.astype(float)])))
    alpha = min(3, n_classes)
    revised, unknown = z.copy(), 0.0
    for i, k in enumerate(np.argsort(-z)[:alpha], start=1):
        start, shape, location = models[k]
        x = np.linalg.norm(z - means[k]) - start + 10_000
        w = 1 - (alpha - i + 1) / alpha * exponweib.cdf(x, 1, shape, 0, 10_000 * np.exp(location))
        revised[k] = z[k] * w
        unknown += z[k] * (1 - w)
    p = np.exp(np.r_[unknown, revised])
    return float(np.log((p.sum() - p[0]) / p[0]))


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_scores_literally(n_classes):
    train = blobs(0, 40, n_classes)
    rule = build_rule("openmax")
    rule.fit(train, train, None)
    logits = np.random.default_rng(1).normal(2, 4, (30, n_classes)).astype(np.float32)
    expected = [literal_known_score(train, z) for z in logits.astype(float)]
    np.testing.assert_allclose(rule.known_score(np.zeros((30, 2)), logits), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(rule.candidate(logits), logits.argmax(1))


def test_a_class_that_is_never_right_is_described_by_all_its_images():
    train = blobs(0, 30, 3)
    train.logits[train.labels == 2, 2] = -20
    rule = build_rule("openmax")
    rule.fit(train, train, None)
    np.testing.assert_allclose(rule.arrays["means"][2], train.logits[train.labels == 2].mean(0), rtol=1e-5)


def test_a_class_without_images_is_one_line():
    train = blobs(0, 10, 3)
    fewer = Activations(train.features[:20], train.logits[:20], train.labels[:20])
    with pytest.raises(RunError, match="class 2 has no training image"):
        build_rule("openmax").fit(fewer, fewer, None)
