import numpy as np
import torch
from osbench.baselines.dct_cnn import DctCnn, DctNetwork
from osbench.baselines.log_dct import log_dct


def test_dense_layer_has_the_published_size():
    """At 256 px RGB the dense layer has 131,072 inputs per class: 0.66 M weights for five classes."""
    assert DctNetwork(256).embedding_dim == 131_072


def test_coefficients_are_standardised_by_the_training_images(train_set, val_set, make_context):
    method = DctCnn(batch_size=16)
    method.fit(train_set, val_set, make_context(epochs=1))
    coefficients = log_dct(train_set.pixels).astype(np.float64)
    network = method.model.network
    torch.testing.assert_close(network.mean, torch.from_numpy(coefficients.mean(0)).float(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(network.std, torch.from_numpy(coefficients.std(0)).float(), atol=1e-5, rtol=1e-4)


def test_features_beyond_the_cache_limit_are_computed_on_the_fly(train_set, val_set, test_set, make_context):
    stored, fresh = DctCnn(batch_size=16), DctCnn(batch_size=16, cache_limit_gb=0.0)
    stored.fit(train_set, val_set, make_context("a", epochs=1))
    fresh.fit(train_set, val_set, make_context("b", epochs=1))
    assert not list((make_context("b").folder).glob("*.npy"))
    a, b = (m.predict(test_set.pixels)["msp"] for m in (stored, fresh))
    np.testing.assert_allclose(a.known_score, b.known_score, rtol=1e-4)
