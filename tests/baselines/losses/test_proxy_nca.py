import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.baselines.losses.proxy_nca import PRESETS, ProxyNCA, ProxyPreset

pytestmark = pytest.mark.numeric


def literal_loss(h: torch.Tensor, proxies: torch.Tensor, labels: torch.Tensor, preset: ProxyPreset) -> float:
    """Eqs. 2 and 3, term by term in float64."""
    h, proxies = h.double(), proxies.double()
    if preset.normalize:
        proxies = torch.stack([p / math.sqrt(sum(v * v for v in p.tolist())) for p in proxies])
    total = 0.0
    for x, y in zip(h, labels.tolist(), strict=True):
        terms = []
        for p in proxies:
            square = sum((a - b) ** 2 for a, b in zip(x.tolist(), p.tolist(), strict=True))
            terms.append(math.exp(-preset.scale * (square if preset.squared else math.sqrt(square))))
        total += -math.log(terms[y] / sum(terms))
    return total / len(h)


@pytest.mark.parametrize("name", PRESETS)
@given(seed=st.integers(0, 2**31), classes=st.integers(2, 6), size=st.integers(2, 12))
@settings(max_examples=15, deadline=None)
def test_equals_the_equations(name, seed, classes, size):
    torch.manual_seed(seed)
    head = ProxyNCA(classes, size, PRESETS[name]).double()
    h = head.embed(torch.randn(5, size, dtype=torch.float64))
    labels = torch.randint(classes, (5,))
    expected = literal_loss(h, head.proxies.detach(), labels, PRESETS[name])
    assert head.loss(h, labels).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_no_row_is_dropped_by_underflow():
    """Far rows have probability 0 in float32; their loss is the distance gap all the same, and it has a gradient."""
    head = ProxyNCA(2, 4, ProxyPreset(squared=True, normalize=False, scale=1.0))
    with torch.no_grad():
        head.proxies.copy_(torch.tensor([[0.0, 0, 0, 0], [40.0, 0, 0, 0]]))
    h = torch.tensor([[40.0, 0, 0, 0], [0.0, 0, 0, 0]], requires_grad=True)
    loss = head.loss(h, torch.tensor([0, 0]))
    assert loss.item() == pytest.approx(1600 / 2)
    loss.backward()
    assert h.grad is not None
    assert h.grad[0].abs().max() > 1


def test_an_embedding_on_its_proxy_has_a_finite_gradient():
    head = ProxyNCA(2, 3, PRESETS["paper-literal"])
    h = head.proxies.detach()[:1].clone().requires_grad_()
    head.loss(h, torch.tensor([0])).backward()
    assert h.grad is not None
    assert torch.isfinite(h.grad).all()


def test_normalising_presets_live_on_the_unit_sphere():
    h = torch.randn(4, 9) * 50
    assert torch.allclose(ProxyNCA(3, 9, PRESETS["osbench"]).embed(h).norm(dim=1), torch.ones(4))
    assert torch.equal(ProxyNCA(3, 9, PRESETS["paper-literal"]).embed(h), h)


def test_parity_with_pytorch_metric_learning():
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    torch.manual_seed(0)
    head = ProxyNCA(5, 16, PRESETS["osbench"])
    theirs = losses.ProxyNCALoss(5, 16, softmax_scale=9)
    theirs.proxies.data.copy_(head.proxies.data)
    h, labels = torch.randn(32, 16), torch.randint(5, (32,))
    assert head.loss(head.embed(h), labels).item() == pytest.approx(theirs(h, labels).item(), abs=1e-5)
