from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from osbench.core.errors import DatasetError
from osbench.generation.training.bank import Bank, to_tensor
from osbench.generation.training.hardware import Hardware
from osbench.generation.training.teacher import Codes, Teacher, _terms, load_codes, train_teacher, whiten

pytestmark = pytest.mark.numeric


@given(st.integers(2, 40), st.integers(1, 5), st.integers(0, 1000))
def test_whitened_codes_have_the_moments_of_the_prior(n: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = whiten(rng.normal(3, 2, (n, d)), rng.uniform(0.1, 2, (n, d)))
    mean, std = codes.mean.astype(np.float64), codes.std.astype(np.float64)
    np.testing.assert_allclose(mean.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(mean.var(0) + (std**2).mean(0), 1, rtol=1e-4)


def test_draws_come_from_each_rows_posterior() -> None:
    codes = Codes(np.array([[0.0, 5.0], [1.0, -5.0]], np.float32), np.array([[1.0, 0.1], [0.5, 2.0]], np.float32))
    z = codes.draw(np.repeat([1, 0], 20_000), np.random.default_rng(0)).numpy()
    assert z.dtype == np.float32
    np.testing.assert_allclose(z[:20_000].mean(0), [1, -5], atol=0.05)
    np.testing.assert_allclose(z[:20_000].std(0), [0.5, 2], rtol=0.03)
    np.testing.assert_allclose(z[20_000:].std(0), [1, 0.1], rtol=0.03)


def test_terms_by_literal_formula() -> None:
    rng = np.random.default_rng(0)
    x, y, mean, log_var = (rng.normal(size=s) for s in ((2, 3, 4, 4), (2, 3, 4, 4), (2, 5), (2, 5)))
    log_sigma, kl = _terms(*(torch.from_numpy(a) for a in (x, y, mean, log_var)))
    assert log_sigma.item() == pytest.approx(np.log(np.sqrt(((x - y) ** 2).mean())))
    divergences = [
        sum((np.exp(v) + m * m - 1 - v) / 2 for m, v in zip(mean[i], log_var[i], strict=True)) for i in (0, 1)
    ]
    assert kl.item() == pytest.approx(np.mean(divergences))


@pytest.mark.parametrize("size", [32, 64, 128])
def test_sizes(size: int) -> None:
    teacher = Teacher(size, 6, width=8)
    picture, mean, log_var = teacher(torch.zeros(2, 3, size, size))
    assert picture.shape == (2, 3, size, size)
    assert mean.shape == log_var.shape == (2, 6)


def test_training_writes_whitened_codes_of_the_whole_bank(crops: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    ticks = iter(range(1000))
    out = tmp_path / "codes.npz"
    bank = Bank(crops[0], Hardware())
    codes = train_teacher(bank, 6, 0.5, out, width=8, clock=lambda: float(next(ticks)))
    stored = load_codes(out)
    assert np.array_equal(stored.mean, codes.mean)
    assert np.array_equal(stored.std, codes.std)
    assert codes.mean.shape == codes.std.shape == (len(crops[0]), 6)
    np.testing.assert_allclose(codes.mean.var(0) + (codes.std**2).mean(0), 1, rtol=1e-3)
    ticks = iter(range(1000))
    again = train_teacher(bank, 6, 0.5, out, width=8, clock=lambda: float(next(ticks)))
    assert np.array_equal(again.mean, codes.mean)


def test_no_codes(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_text("nothing")
    for name in ("x.npz", "missing.npz"):
        with pytest.raises(DatasetError, match="'teach' step"):
            load_codes(tmp_path / name)


def test_bank_scales_pixels() -> None:
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    for channels_last in (False, True):
        bank = Bank(pixels, Hardware(channels_last=channels_last))
        images = bank.images(np.array([1, 0, 1]))
        np.testing.assert_allclose(images.numpy(), pixels[[1, 0, 1]].transpose(0, 3, 1, 2) / 127.5 - 1, atol=1e-6)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        assert images.is_contiguous(memory_format=layout)
    assert torch.equal(to_tensor(pixels), bank.images(np.array([0, 1])))
    assert [rows.tolist() for rows in bank.batches(1)] == [[0], [1]]
