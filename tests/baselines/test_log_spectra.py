"""Log spectra against a slow transcription, their symmetries, and any size."""

import numpy as np
import pytest

from osbench.baselines.log_spectra import WINDOWS, log_spectra, turned_alike

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)


def slow(image: np.ndarray, w: int, step: int) -> np.ndarray:
    """The definition, frequency by frequency, for the luma of one image."""
    y = image.astype(float) @ [0.299, 0.587, 0.114]
    hann = np.sin(np.pi * np.arange(1, w + 1) / (w + 1)) ** 2
    logs = []
    for top in range(0, len(y) - w + 1, step):
        for left in range(0, len(y) - w + 1, step):
            window = y[top : top + w, left : left + w]
            spectrum = np.fft.fft2((window - window.mean()) * np.outer(hann, hann))
            logs.append(np.log(np.abs(spectrum) ** 2 + 1))
    mean = np.mean(logs, axis=0)
    n = w // 2 + 1
    return np.array([[(mean[u, v] + mean[-u, v]) / 2 for v in range(n)] for u in range(n)])


def test_equals_the_definition(images):
    luma, start = log_spectra(images)[:, 0], 0
    for w in WINDOWS:
        n = (w // 2 + 1) ** 2
        for spectrum, image in zip(luma[:, start : start + n], images, strict=True):
            np.testing.assert_allclose(spectrum, slow(image, w, w // 4).ravel(), atol=2e-3)
        start += n
    assert luma.shape[1] == start


def test_mirror_images_have_the_same_spectra(images):
    expected = log_spectra(images)
    np.testing.assert_allclose(log_spectra(images[:, :, ::-1]), expected, atol=2e-3)
    np.testing.assert_allclose(log_spectra(images[:, ::-1]), expected, atol=2e-3)


def test_a_lattice_of_period_two_is_a_peak_at_the_highest_frequency():
    rng = np.random.default_rng(0)
    flat = rng.normal(128, 3, (1, 64, 64, 3))
    lattice = flat + 6 * (-1.0) ** np.arange(64)[:, None, None]  # from row to row
    a, b = (log_spectra(x.clip(0, 255).round().astype(np.uint8))[0, 0, :25].reshape(5, 5) for x in (flat, lattice))
    assert np.unravel_index((b - a).argmax(), (5, 5)) == (4, 0)


def test_flat_images_and_threads(images):
    flat = np.full((1, 32, 32, 3), 200, np.uint8)
    np.testing.assert_allclose(log_spectra(flat), 0.0, atol=1e-6)
    many = np.concatenate([images] * 50)
    np.testing.assert_array_equal(log_spectra(many, workers=3), log_spectra(many))


@pytest.mark.parametrize("size", [32, 33, 47, 130])
def test_any_size_from_32_px(size):
    image = np.random.default_rng(1).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    spectra = log_spectra(image)
    assert spectra.shape == (2, 3, 275)
    assert np.isfinite(spectra).all()
    step = 8 if size >= 128 else 4
    np.testing.assert_allclose(spectra[0, 0, 25:106], slow(image[0], 16, step).ravel(), atol=2e-3)


def test_turned_pictures_have_the_same_spectra_turned_alike() -> None:
    images = np.random.default_rng(3).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    turned = np.ascontiguousarray(images.swapaxes(1, 2))
    expected, found = (turned_alike(log_spectra(pixels)) for pixels in (images, turned))
    assert expected.shape == (2, 3, 151)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert not np.allclose(log_spectra(images), log_spectra(turned), atol=1e-2)
