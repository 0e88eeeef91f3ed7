"""83 attributes of virtual cameras and of treated crops."""

import numpy as np
import pytest

from osbench.baselines.exif_attributes import (
    BLUR_RADII,
    CAMERA_ATTRIBUTES,
    COUNT,
    ENLARGEMENTS,
    JPEG_QUALITIES,
    UNKNOWN,
    camera_codes,
    draw_treatments,
    treat,
    unknown_cameras,
)
from osbench.generation.cameras.virtual import virtual_cameras


def test_there_are_80_and_3():
    cameras = virtual_cameras(12, 0)
    codes = camera_codes(cameras)
    assert codes.shape == (12, CAMERA_ATTRIBUTES)
    assert COUNT == 83
    assert (codes >= 0).all()


def test_equal_codes_mean_equal_parameters():
    cameras = virtual_cameras(20, 3)
    codes = camera_codes(cameras)
    assert len(np.unique(codes[:, 0])) == 20
    for column, value in [(1, lambda c: c.sensor.cfa), (3, lambda c: c.demosaicker), (5, lambda c: c.subsampling)]:
        for i, a in enumerate(cameras):
            for j, b in enumerate(cameras):
                assert (codes[i, column] == codes[j, column]) == (value(a) == value(b))


def test_many_attributes_are_shared_by_some_cameras_and_not_by_others():
    codes = camera_codes(virtual_cameras(70, 0))
    counts = [len(np.unique(column)) for column in codes.T]
    assert sum(1 < n < 70 for n in counts) > 60


def test_generators_have_one_attribute():
    codes = unknown_cameras(3)
    assert codes[:, 0].tolist() == [0, 1, 2]
    assert (codes[:, 1:] == UNKNOWN).all()


def test_treatments_are_shared_by_a_known_share_of_the_pairs():
    codes = draw_treatments(np.random.default_rng(0), 4000).reshape(4000, 2, 3)
    untreated = (codes == 0).all((1, 2))
    assert 0.48 < untreated.mean() < 0.53
    alike = (codes[:, 0] == codes[:, 1]).all(1)
    assert 0.48 < alike[~untreated].mean() < 0.53


@pytest.mark.parametrize("jpeg", range(len(JPEG_QUALITIES)))
@pytest.mark.parametrize("blur", range(len(BLUR_RADII)))
@pytest.mark.parametrize("enlargement", range(len(ENLARGEMENTS)))
def test_every_treatment_leaves_a_crop_of_the_same_size(jpeg, blur, enlargement):
    crop = np.random.default_rng(0).integers(0, 256, (33, 33, 3), np.uint8)
    treated = treat(crop, np.array([jpeg, blur, enlargement]))
    assert treated.shape == crop.shape
    assert treated.dtype == np.uint8
    assert np.array_equal(treated, crop) == (jpeg == blur == enlargement == 0)


def test_blur_smooths_and_enlarging_keeps_the_centre():
    crop = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    assert treat(crop, np.array([0, 3, 0])).std() < crop.std() / 2
    ramp = np.repeat(np.linspace(0, 250, 32).astype(np.uint8)[None, :, None], 32, 0).repeat(3, 2)
    wide = treat(ramp, np.array([0, 0, 3]))[16, :, 0].astype(int)
    assert wide[0] == pytest.approx(250 / 4, abs=6)
    assert wide[-1] == pytest.approx(250 * 3 / 4, abs=6)
