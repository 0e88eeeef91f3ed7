"""Mosaics and demosaickers: measured samples stay, constants and ramps come back, all phases alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.core.errors import UsageError
from osbench.generation.cameras.demosaic import BAYER_PHASES, DEMOSAICKERS, demosaic, mosaic

pytestmark = pytest.mark.numeric

LINEAR = sorted(set(DEMOSAICKERS) - {"nearest"})


@pytest.mark.parametrize("cfa", BAYER_PHASES)
def test_mosaic_keeps_one_colour_per_pixel(cfa):
    image = np.random.default_rng(0).random((6, 8, 3))
    raw = mosaic(image, cfa)
    for y in range(6):
        for x in range(8):
            assert raw[y, x] == image[y, x, "RGB".index(cfa[2 * (y % 2) + x % 2])]


@pytest.mark.parametrize("name", sorted(DEMOSAICKERS))
@given(
    colour=st.tuples(*[st.floats(0, 1, width=32)] * 3),
    cfa=st.sampled_from(BAYER_PHASES),
    height=st.integers(12, 21),
    width=st.integers(12, 21),
)
@settings(max_examples=15, deadline=None)
def test_constants_come_back_everywhere(name, colour, cfa, height, width):
    image = np.broadcast_to(np.array(colour, np.float32), (height, width, 3))
    np.testing.assert_allclose(demosaic(mosaic(image, cfa), cfa, name), image, atol=1e-6)


@pytest.mark.parametrize("name", LINEAR)
@given(slopes=st.lists(st.floats(-0.02, 0.02), min_size=6, max_size=6), cfa=st.sampled_from(BAYER_PHASES))
@settings(max_examples=15, deadline=None)
def test_ramps_come_back_in_the_interior(name, slopes, cfa):
    y, x = np.mgrid[:30, :28]
    sy, sx = np.array(slopes).reshape(2, 3)
    image = (0.5 + sy * y[..., None] + sx * x[..., None]).astype(np.float32)
    made = demosaic(mosaic(image, cfa), cfa, name)
    np.testing.assert_allclose(made[6:-6, 6:-6], image[6:-6, 6:-6], atol=2e-6)


def test_nearest_is_not_exact_on_ramps():
    image = np.repeat(np.linspace(0, 1, 24, dtype=np.float32)[None, :, None], 24, 0).repeat(3, 2)
    assert np.abs(demosaic(mosaic(image, "RGGB"), "RGGB", "nearest") - image)[6:-6, 6:-6].max() > 0.02


@pytest.mark.parametrize("name", sorted(DEMOSAICKERS))
@pytest.mark.parametrize("cfa", BAYER_PHASES)
def test_measured_samples_are_not_touched(name, cfa, light):
    raw = mosaic(light[:41, :38], cfa)  # odd sides too
    np.testing.assert_allclose(mosaic(demosaic(raw, cfa, name), cfa), raw, atol=1e-6)


@pytest.mark.parametrize("name", sorted(DEMOSAICKERS))
def test_every_phase_is_the_same_algorithm(name, light):
    """GRBG is RGGB seen one pixel further right, and so on: away from the border the results agree."""
    image = light[:60, :60]
    whole = demosaic(mosaic(image, "RGGB"), "RGGB", name)
    for cfa, (dy, dx) in {"GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}.items():
        part = demosaic(mosaic(image[dy:, dx:], cfa), cfa, name)
        np.testing.assert_allclose(part[8:-8, 8:-8], whole[dy:, dx:][8:-8, 8:-8], atol=1e-6)


def test_bilinear_and_malvar_by_hand():
    """One pixel each, written out from the definitions."""
    raw = np.random.default_rng(1).random((16, 16)).astype(np.float32)
    y, x = 8, 8  # red in RGGB
    cross = raw[y - 1, x] + raw[y + 1, x] + raw[y, x - 1] + raw[y, x + 1]
    diagonal = raw[y - 1, x - 1] + raw[y - 1, x + 1] + raw[y + 1, x - 1] + raw[y + 1, x + 1]
    far = raw[y - 2, x] + raw[y + 2, x] + raw[y, x - 2] + raw[y, x + 2]
    np.testing.assert_allclose(demosaic(raw, "RGGB", "bilinear")[y, x], [raw[y, x], cross / 4, diagonal / 4], rtol=1e-5)
    green = cross / 4 + (4 * raw[y, x] - far) / 8
    blue = diagonal / 4 + 0.75 * (raw[y, x] - far / 4)
    np.testing.assert_allclose(
        demosaic(raw, "RGGB", "malvar2004")[y, x], [raw[y, x], green, blue], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", ["hamilton-adams", "a-posteriori"])
def test_edges_are_not_crossed(name):
    """Along a straight edge the directional ones interpolate along it: no error, where bilinear has a zipper."""
    image = np.zeros((40, 40, 3), np.float32)
    image[:, 20:] = 1.0
    for picture in (image, image.transpose(1, 0, 2)):
        assert np.abs(demosaic(mosaic(picture, "RGGB"), "RGGB", name) - picture)[8:-8, 8:-8][..., 1].max() < 1e-6
        assert np.abs(demosaic(mosaic(picture, "RGGB"), "RGGB", "bilinear") - picture)[..., 1].max() > 0.2


def test_all_demosaickers_differ(light):
    raw = mosaic(light, "RGGB")
    made = [demosaic(raw, "RGGB", name) for name in DEMOSAICKERS]
    for i, a in enumerate(made):
        for b in made[:i]:
            assert np.abs(a - b).max() > 1e-3


def test_unknown_names():
    with pytest.raises(UsageError, match="demosaicker"):
        demosaic(np.zeros((16, 16)), "RGGB", "bilinera")
    with pytest.raises(UsageError, match="Bayer phase"):
        demosaic(np.zeros((16, 16)), "RGBG", "bilinear")
    with pytest.raises(UsageError, match="Bayer phase"):
        mosaic(np.zeros((16, 16, 3)), "XTRANS")
