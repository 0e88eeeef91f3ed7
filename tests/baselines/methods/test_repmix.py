"""RepMix: what is mixed and weighed how, both preprocessings, the compound loss; that it learns is a slow test."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from osbench.baselines.methods.repmix import RepMix, RepMixHead, RepMixModel
from osbench.baselines.training import seeded_torch
from osbench.core.errors import UsageError


def small_model(concentration: float, real: int | None = None) -> RepMixModel:
    """The real model with a network of one convolution, which keeps the arithmetic visible."""

    class OneConvolution(torch.nn.Module):
        pool = "avg"

        def __init__(self):
            super().__init__()
            self.convolution = torch.nn.Conv2d(3, 5, 3)

        def maps(self, images):
            return F.relu(self.convolution(images))

        def forward(self, images):
            return self.maps(images).mean((2, 3))

    return RepMixModel(OneConvolution(), RepMixHead(5, 3, real), concentration)  # type: ignore[arg-type]


@pytest.mark.parametrize("real", [None, 1])
def test_the_loss_is_the_weighted_cross_entropy_of_the_mixture(real):
    """The slow way, image by image, with the same random draws."""
    torch.manual_seed(0)
    model, x, y = small_model(0.4, real), torch.randn(6, 3, 8, 8), torch.tensor([0, 1, 2, 0, 1, 1])
    with seeded_torch(3):
        loss = model.loss(x, y)
    with seeded_torch(3):
        partner = torch.randperm(6)
        shares = torch.distributions.Dirichlet(torch.full((2,), 0.4)).sample((6,))
    head, expected, detection, weights = model.head, 0.0, [0.0, 0.0], [0.0, 0.0]
    for i in range(6):
        maps = [model.network.maps(x[j : j + 1]) for j in (i, int(partner[i]))]  # type: ignore[operator]
        embedding = head.embed((shares[i, 0] * maps[0] + shares[i, 1] * maps[1]).mean((2, 3)))  # type: ignore[operator]
        log_p = head.logits(embedding).log_softmax(1)[0]  # type: ignore[operator]
        for part, j in enumerate((i, int(partner[i]))):
            expected -= shares[i, part] * log_p[y[j]] / 6
            if real is not None:
                is_real = int(y[j] == real)
                weight = 1.0 if is_real else 0.5
                log_d = head.detection(embedding).log_softmax(1)[0]  # type: ignore[operator]
                detection[part] -= shares[i, part] * weight * log_d[is_real]
                weights[part] += weight
    if real is not None:
        expected += detection[0] / weights[0] + detection[1] / weights[1]
    torch.testing.assert_close(loss, expected)


def test_compound_logits_are_weighed_by_the_detection():
    torch.manual_seed(1)
    head, x = RepMixHead(4, 3, real=2), torch.randn(5, 4)
    embeddings = head.embed(x)
    assert head.detection is not None
    p = head.detection(embeddings).softmax(1)
    expected = head.linear(embeddings) * torch.stack([p[:, 0], p[:, 0], p[:, 1]], dim=1)
    torch.testing.assert_close(head.logits(embeddings), expected)


def test_the_mix_layer_is_skipped_at_test_time():
    torch.manual_seed(0)
    model, x = small_model(0.4), torch.randn(4, 3, 8, 8)
    model.eval()
    alone = torch.cat([model(x[i : i + 1])[1] for i in range(4)])
    torch.testing.assert_close(model(x)[1], alone)


def test_the_compound_loss_needs_a_real_class():
    def detection(compound: str, *names: str):
        method = RepMix(compound=compound)
        method.class_names = names
        return method.build(len(names), 32).head.detection

    assert detection("auto", "progan", "stylegan") is None
    assert detection("auto", "progan", "Real") is not None
    assert detection("off", "progan", "real") is None
    with pytest.raises(UsageError, match="called 'real'"):
        detection("on", "progan", "stylegan")


def test_wrong_options_are_usage_errors():
    with pytest.raises(UsageError, match="preprocessing"):
        RepMix(preprocessing="resize")
    with pytest.raises(UsageError, match="compound"):
        RepMix(compound="maybe")
    with pytest.raises(UsageError, match="less than 32 px"):
        RepMix(preprocessing="original", resize_to=32)
    RepMix(resize_to=32)


def test_original_preprocessing_trains_on_crops_and_tests_on_the_whole_image(test_set):
    method = RepMix(preprocessing="original", resize_to=64, corruption_rate=0.0)
    method.input_range, method.device = (-1.0, 1.0), torch.device("cpu")
    pixels = test_set.pixels
    seen = method._augment(pixels, np.random.default_rng(0))
    assert seen.shape == (len(pixels), 56, 56, 3)
    assert method.convert(seen).shape == method.convert(pixels).shape == (len(pixels), 3, 56, 56)
    # A resized flat image is flat, and the mean of any image stays.
    np.testing.assert_allclose(method.convert(pixels).mean((1, 2, 3)), pixels.mean((1, 2, 3)) / 127.5 - 1, atol=0.02)


def test_crops_are_never_resampled(test_set):
    method = RepMix(corruption_rate=0.0)
    method.input_range, method.device = (0.0, 255.0), torch.device("cpu")
    np.testing.assert_array_equal(method._augment(test_set.pixels, np.random.default_rng(0)), test_set.pixels)
    np.testing.assert_array_equal(method.convert(test_set.pixels).permute(0, 2, 3, 1), test_set.pixels)


@pytest.mark.slow
def test_original_preprocessing_from_end_to_end(train_set, val_set, test_set, make_context):
    method = RepMix(preprocessing="original", resize_to=40, batch_size=8)
    few = train_set.subset(np.r_[0:8, 48:56, 96:104])
    method.fit(few, val_set, make_context(epochs=1))
    assert all(len(scores) == len(test_set) for scores in method.predict(test_set.pixels).values())
