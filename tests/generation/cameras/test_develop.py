"""The pipeline: exact determinism, noise of the right variance, tables as asked, neutral colours stay neutral."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL.JpegImagePlugin import JpegImageFile
from scipy.ndimage import gaussian_filter

from osbench.generation.cameras.demosaic import BAYER_PHASES, cfa_places
from osbench.generation.cameras.develop import MARGIN, add_noise, develop, expose, shoot, tone
from osbench.generation.cameras.jpeg_tables import scaled_table, smooth_table
from osbench.generation.cameras.virtual import NoiseProfile, virtual_camera, virtual_cameras
from osbench.generation.pixels import decode_frame

SUBSAMPLING = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2)}


def quiet(camera):
    """The same camera without noise."""
    noise = (NoiseProfile(100, (1e-12, 1e-12, 1e-12), (0.0, 0.0, 0.0)),)
    return replace(camera, bits=14, sensor=replace(camera.sensor, noise=noise))


@pytest.mark.parametrize("index", range(8))
def test_the_same_shot_twice_is_the_same_file(light, index):
    camera = virtual_camera(0, index)
    first = shoot(camera, light, np.random.default_rng(5))
    assert first == shoot(camera, light.copy(), np.random.default_rng(5))
    assert first != shoot(camera, light, np.random.default_rng(6)), "another shot has other noise"


def test_shots_leave_out_the_margin(light):
    picture = decode_frame(shoot(virtual_camera(0, 0), light, np.random.default_rng(0)))
    assert picture.shape == (light.shape[0] - 2 * MARGIN, light.shape[1] - 2 * MARGIN, 3)


def test_what_lies_beyond_the_border_does_not_matter(light):
    """No filter reaches through the margin, so that a frame of a larger picture would look the same."""
    camera = quiet(virtual_camera(0, 3))
    edited = light.copy()
    edited[0], edited[:, -1] = 0.0, 1.0
    inside = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    a, b = (develop(camera, scene, np.random.default_rng(0))[inside] for scene in (light, edited))
    assert np.abs(a - b).max() < 1e-3


@pytest.mark.parametrize("cfa", BAYER_PHASES)
def test_noise_variance_is_a_x_plus_b(cfa):
    profile = NoiseProfile(800, (2e-3, 1e-3, 4e-3), (1e-5, 5e-5, 2e-4))
    for x in (0.02, 0.2, 0.8):
        noisy = add_noise(np.full((400, 400), x, np.float32), cfa, profile, np.random.default_rng(1)).astype(float)
        for channel, place in cfa_places(cfa):
            expected = profile.a[channel] * x + profile.b[channel]
            # 40,000 samples: the estimated variance has a standard error of 0.7 %.
            assert noisy[place].var() == pytest.approx(expected, rel=0.05)
            assert noisy[place].mean() == pytest.approx(x, abs=6 * np.sqrt(expected / 40_000))


def test_negative_offsets_count_as_none():
    profile = NoiseProfile(100, (1e-4, 1e-4, 1e-4), (-1e-3, -1e-3, -1e-3))
    noisy = add_noise(np.full((200, 200), 0.5, np.float32), "RGGB", profile, np.random.default_rng(0))
    assert noisy.var() == pytest.approx(0.5e-4, rel=0.1)


@pytest.mark.parametrize("index", range(12))
def test_jpeg_tables_and_sampling_are_those_of_the_camera(light, index):
    camera = virtual_camera(0, index)
    with JpegImageFile(io.BytesIO(shoot(camera, light, np.random.default_rng(0)))) as picture:
        assert tuple(picture.quantization[0]) == camera.luma_table
        assert tuple(picture.quantization[1]) == camera.chroma_table
        assert picture.layer[0][1:3] == SUBSAMPLING[camera.subsampling]


def test_tables_stay_within_what_jpeg_allows():
    base = smooth_table(16, 90, 1.2, 0.2)
    assert base[0, 0] == 16
    assert (np.diff(base, axis=0) > 0).all()
    assert (np.diff(base, axis=1) > 0).all()
    assert set(scaled_table(base, 1e-6)) == {1}
    assert set(scaled_table(base, 1e6)) == {255}
    assert scaled_table(base, 0.37)[9] == round(base[1, 1] * 0.37)


@pytest.mark.parametrize("index", range(10))
def test_grey_stays_grey(index):
    """White balance and colour matrix cancel: an even grey surface has no colour, at every camera."""
    camera = quiet(virtual_camera(0, index))
    picture = develop(camera, np.full((64, 64, 3), 0.18, np.float32), np.random.default_rng(0))
    assert np.ptp(picture, axis=2).max() < 0.01
    assert np.ptp(picture) < 0.02


def test_a_faithful_camera_shows_the_scene(light):
    """Without noise, tone curve, sharpening and noise reduction the picture is the scene in sRGB."""
    camera = quiet(virtual_camera(0, 0))
    camera = replace(
        camera,
        demosaicker="a-posteriori",
        contrast=0.0,
        gamma=1.0,
        saturation=1.0,
        denoiser="none",
        denoise_strength=0.0,
        sharpen_amount=0.0,
    )
    rng = np.random.default_rng(0)
    scene = 0.6 * gaussian_filter(light, (2, 2, 0))  # no detail that a demosaicker could miss
    picture = develop(camera, scene, rng)
    replay = np.random.default_rng(0)
    replay.integers(len(camera.sensor.noise))
    wanted = tone(camera, np.clip(scene * 2.0 ** replay.uniform(-0.5, 0.5), 0, 1))
    assert 10 * np.log10(1 / np.mean((picture - wanted) ** 2)) > 40


def test_tone_curves_rise_from_black_to_white():
    ramp = np.linspace(0, 1, 500, dtype=np.float32)
    for camera in virtual_cameras(40, seed=2):
        y = tone(camera, ramp)
        assert y[0] == pytest.approx(0, abs=1e-6)
        assert y[-1] == pytest.approx(1, abs=1e-6)
        assert (np.diff(y) >= 0).all()


def test_exposure_picks_the_colour_behind_each_filter():
    camera = virtual_camera(0, 0)
    sensor = replace(camera.sensor, camera_from_srgb=((1, 0, 0), (0, 1, 0), (0, 0, 1)), white_balance=(2.0, 1.0, 4.0))
    raw = expose(replace(sensor, cfa="RGGB"), np.full((4, 4, 3), 0.8))
    np.testing.assert_allclose(raw[:2, :2], [[0.4, 0.8], [0.8, 0.2]])
