import numpy as np
import pytest

from osbench.baselines.rejection import Activations, LinearHead, build_rule
from osbench.baselines.rejection.vim import principal_dimensions
from osbench.core.errors import RunError

pytestmark = pytest.mark.numeric


def problem(seed: int, n: int, d: int, k: int) -> tuple[Activations, LinearHead]:
    rng = np.random.default_rng(seed)
    head = LinearHead(rng.normal(size=(k, d)).astype(np.float32), rng.normal(size=k).astype(np.float32))
    features = np.abs(rng.normal(size=(n, d)) * rng.uniform(0.1, 3, d)).astype(np.float32)
    return Activations(features, features @ head.weight.T + head.bias, np.arange(n) % k), head


def literal(train: Activations, head: LinearHead, count: int, f: np.ndarray) -> float:
    """Section 3 of the paper for one image; the probability of the virtual logit as log-odds."""
    w, b = head.weight.astype(float), head.bias.astype(float)
    o = -np.linalg.pinv(w) @ b
    x = train.features.astype(float) - o
    axes = np.linalg.svd(x)[2]
    rest = axes[count:].T
    alpha = train.logits.astype(float).max(1).sum() / np.linalg.norm(x @ rest, axis=1).sum()
    virtual = alpha * np.linalg.norm(rest.T @ (f - o))
    return float(np.log(np.exp(w @ f + b).sum()) - virtual)  # log-odds of p = e^v / (sum e^z + e^v), times -1


@pytest.mark.parametrize(("n", "d"), [(200, 9), (12, 40)])
def test_scores_literally(n, d):
    train, head = problem(0, n, d, 3)
    rule = build_rule("vim")
    rule.fit(train, train, head)
    count = min(d // 2, min(n, d) // 2)
    assert rule.arrays["principal"].shape == (d, count)
    query, _ = problem(1, 20, d, 3)
    logits = query.features @ head.weight.T + head.bias
    expected = [literal(train, head, count, f) for f in query.features.astype(float)]
    np.testing.assert_allclose(rule.known_score(query.features, logits), expected, rtol=1e-4, atol=1e-4)


def test_principal_dimensions():
    assert [principal_dimensions(d) for d in (1, 128, 200, 767, 768, 1499, 1500, 2048)] == [
        *(0, 64, 100, 383),
        *(512, 512, 1000, 1000),
    ]


def test_without_anything_to_match_it_is_the_energy():
    train, head = problem(0, 30, 6, 2)
    query, logits = train.features, train.logits - 1000.0
    energy = build_rule("energy").known_score(query, logits)
    negative = Activations(query, logits, train.labels)
    rule = build_rule("vim")
    rule.fit(negative, negative, head)
    np.testing.assert_array_equal(rule.known_score(query, logits), energy)


def test_a_network_without_a_linear_head_is_one_line():
    train, _ = problem(0, 30, 6, 2)
    with pytest.raises(RunError, match="'vim' needs a network with a linear last layer"):
        build_rule("vim").fit(train, train, None)
