import numpy as np
import pytest
from scipy import fftpack

from osbench.baselines.log_dct import log_dct
from osbench.baselines.methods.dct_cnn import stored_log_dct

pytestmark = pytest.mark.numeric


def published(image: np.ndarray, eps: float) -> np.ndarray:
    """The public way: float64, one image, one axis at a time. (S, S, 3)."""
    coefficients = fftpack.dct(image.astype(np.float64), type=2, norm="ortho", axis=0)
    coefficients = fftpack.dct(coefficients, type=2, norm="ortho", axis=1)
    return np.log(np.abs(coefficients) + eps)


def test_equals_the_published_transform_where_float32_can_tell():
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3), dtype=np.uint8)
    ours = log_dct(images)
    assert ours.dtype == np.float32
    assert ours.shape == (4, 3, 48, 48)
    theirs = np.stack([published(i, 1e-6) for i in images]).transpose(0, 3, 1, 2)
    clear = theirs > 0  # |D| > 1
    assert clear.mean() > 0.9
    np.testing.assert_allclose(ours[clear], theirs[clear], atol=1e-3)


def test_chunks_and_threads_change_nothing():
    images = np.random.default_rng(2).integers(0, 256, (70, 64, 64, 3), dtype=np.uint8)
    whole = log_dct(images)
    np.testing.assert_array_equal(whole, log_dct(images, workers=3))
    np.testing.assert_array_equal(whole, np.concatenate([log_dct(images[i : i + 1]) for i in range(70)]))


def test_flat_images_stay_finite():
    assert np.isfinite(log_dct(np.full((1, 32, 32, 3), 128, np.uint8))).all()


def test_mirrored_images_have_the_same_features():
    """Why horizontal flips are no augmentation here."""
    images = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    clear = log_dct(images) > 0
    np.testing.assert_allclose(log_dct(images[:, :, ::-1])[clear], log_dct(images)[clear], atol=1e-3)


def test_features_are_stored_once(train_set, tmp_path):
    path = tmp_path / "features.npy"
    first = stored_log_dct(train_set, path, 1e-6)
    written = path.stat().st_mtime_ns
    again = stored_log_dct(train_set, path, 1e-6)
    assert path.stat().st_mtime_ns == written
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, log_dct(train_set.pixels, 1e-6))
