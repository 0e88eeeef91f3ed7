"""Virtual cameras are different from each other, and a pure function of (seed, index)."""

import json
from itertools import pairwise

import numpy as np
import pytest

from osbench.core.errors import UsageError
from osbench.generation.cameras.demosaic import BAYER_PHASES, DEMOSAICKERS
from osbench.generation.cameras.virtual import DENOISERS, PROXY, SUBSAMPLINGS, virtual_camera, virtual_cameras


def test_seventy_cameras_all_differ():
    cameras = virtual_cameras(70, seed=0)
    assert len(cameras) == 70
    assert len({c.sensor for c in cameras}) == 70
    assert len({(c.demosaicker, c.contrast, c.gamma, c.sharpen_radius, c.sharpen_amount) for c in cameras}) == 70
    assert len({(c.luma_table, c.chroma_table, c.subsampling) for c in cameras}) == 70


def test_every_kind_of_part_occurs():
    cameras = virtual_cameras(70, seed=0)
    assert {c.sensor.cfa for c in cameras} == set(BAYER_PHASES)
    assert {c.demosaicker for c in cameras} == set(DEMOSAICKERS)
    assert {c.subsampling for c in cameras} == set(SUBSAMPLINGS)
    assert {c.denoiser for c in cameras} == set(DENOISERS)
    assert {c.bits for c in cameras} == {10, 12, 14}


def test_a_camera_depends_on_seed_and_index_alone():
    assert virtual_camera(3, 41) == virtual_cameras(60, seed=3)[41] == virtual_cameras(42, seed=3)[41]
    assert virtual_camera(3, 41) != virtual_camera(4, 41)


def test_parameters_are_possible():
    for camera in virtual_cameras(200, seed=1):
        json.dumps(camera.describe(), allow_nan=False)
        matrix = np.array(camera.sensor.camera_from_srgb)
        np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-5)
        assert np.abs(np.linalg.inv(matrix)).max() < 10, "the colour matrix can be undone without amplifying noise"
        assert min(camera.sensor.white_balance) >= 1
        assert all(1 <= q <= 255 for q in camera.luma_table + camera.chroma_table)
        assert len(camera.luma_table) == len(camera.chroma_table) == 64
        noise = camera.sensor.noise
        assert all(min(p.a) > 0 and min(p.b) >= 0 for p in noise)
        assert all(x.a[1] < y.a[1] for x, y in pairwise(noise)), "noise grows with ISO"


def test_one_camera_is_refused():
    with pytest.raises(UsageError, match="at least two cameras"):
        virtual_cameras(1, seed=0)


def test_it_calls_itself_a_stand_in():
    assert "stand-in for the Camera Model Identification Database" in PROXY
