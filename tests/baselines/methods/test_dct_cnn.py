from types import SimpleNamespace

import numpy as np
import pytest
import torch

from osbench.baselines.log_dct import log_dct
from osbench.baselines.methods.dct_cnn import DctCnn, DctNetwork


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


@pytest.mark.parametrize("why", ["disk", "limit"])
def test_coefficients_without_room_are_computed_on_the_fly(
    why, train_set, val_set, test_set, make_context, monkeypatch, caplog
):
    """144 and 48 images need 1.8 and 0.6 MB: each set would have room, both together have not."""
    stored, fresh = DctCnn(batch_size=16), DctCnn(batch_size=16, cache_limit_gb=0.002 if why == "limit" else 16.0)
    stored.fit(train_set, val_set, make_context("a", epochs=1))
    if why == "disk":
        monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=2_000_000))
    with caplog.at_level("INFO", "osbench"):
        fresh.fit(train_set, val_set, make_context("b", epochs=1))
    assert "dct-cnn computes log-DCT coefficients in every epoch: they need 2 MB" in caplog.text
    assert ("cache_limit_gb is 0.002" in caplog.text) == (why == "limit")
    assert len(list(make_context("a").folder.glob("*.npy"))) == 2
    assert not list(make_context("b").folder.glob("*.npy"))
    a, b = (m.predict(test_set.pixels)["msp"] for m in (stored, fresh))
    np.testing.assert_allclose(a.known_score, b.known_score, rtol=1e-4)


def test_what_is_stored_needs_no_free_space(train_set, val_set, make_context, monkeypatch, caplog):
    DctCnn(batch_size=16).fit(train_set, val_set, make_context(epochs=1))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=0))
    with caplog.at_level("INFO", "osbench"):
        DctCnn(batch_size=16).fit(train_set, val_set, make_context(epochs=1))
    assert "in every epoch" not in caplog.text
