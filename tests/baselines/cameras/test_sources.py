"""Crops: pure functions of the source, nothing resampled, no scene in two splits, and traces that can be learned."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from osbench.baselines.cameras.photographs import read_photograph
from osbench.baselines.cameras.sources import (
    frame_side,
    photograph_source,
    random_crops,
    scene_side,
    virtual_source,
)
from osbench.core.errors import DatasetError
from osbench.generation.cameras.demosaic import DEMOSAICKERS
from osbench.generation.folders import list_images


def test_every_camera_photographs_every_scene():
    source = virtual_source(3, 16, 2, 0, scene_count=5)
    assert source.units() == 5
    assert source.class_names == ("virtual-000", "virtual-001", "virtual-002")
    assert source.labels(4).tolist() == [0, 0, 1, 1, 2, 2]
    crops = source.crops(4)
    assert crops.shape == (6, 16, 16, 3)
    assert crops.dtype == np.uint8
    assert np.array_equal(crops, virtual_source(3, 16, 2, 0, scene_count=5).crops(4)), "a pure function"
    assert not np.array_equal(crops, virtual_source(3, 16, 2, 1, scene_count=5).crops(4))


def test_more_cameras_do_not_change_the_first_ones():
    few, many = virtual_source(2, 16, 2, 0, scene_count=3), virtual_source(5, 16, 2, 0, scene_count=3)
    assert np.array_equal(few.crops(1), many.crops(1)[:4])


def test_pictures_are_large_enough_for_the_crops():
    for size in (16, 48, 64, 128, 256):
        assert frame_side(size) >= 2 * size
        assert frame_side(size) % 16 == 0
        assert scene_side(size) > frame_side(size)


def test_splits_of_virtual_sources_are_by_scene():
    source = virtual_source(2, 16, 1, 0, scene_count=20)
    splits = [source.split(unit) for unit in range(20)]
    assert (splits.count("train"), splits.count("val"), splits.count("test")) == (16, 2, 2)


def test_photograph_crops_lie_in_the_photograph(tree):
    source = photograph_source(tree, 16, 4, seed=0)
    assert source.class_names == ("alpha", "beta")
    for unit in (0, 7):
        picture = read_photograph(source.photographs[unit].path)
        windows = np.lib.stride_tricks.sliding_window_view(picture, (16, 16), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
        for crop in source.crops(unit):
            assert (windows == crop).all((2, 3, 4)).any(), "a crop is cut out, never resampled"
    assert source.labels(0).tolist() == [0] * 4
    assert source.labels(7).tolist() == [1] * 4


def test_crops_do_not_move_when_photographs_are_added(tree, write_photograph):
    before = photograph_source(tree, 16, 4, seed=0)
    write_photograph(tree / "alpha" / "!.jpg", seed=500)
    list_images.cache_clear()
    after = photograph_source(tree, 16, 4, seed=0)
    assert after.photographs[1].relative == before.photographs[0].relative
    assert np.array_equal(before.crops(0), after.crops(1))
    assert before.describe() != after.describe()


def test_photographs_smaller_than_the_crop_are_named(tree, write_photograph):
    path = write_photograph(tree / "alpha" / "tiny.jpg", seed=1, size=20)
    source = photograph_source(tree, 32, 1, seed=0)
    unit = [p.path for p in source.photographs].index(path)
    with pytest.raises(DatasetError, match=r"tiny\.jpg: 20x20 is smaller than the 32 px"):
        source.crops(unit)


def test_textured_places_are_preferred():
    picture = np.full((64, 400, 3), 255, np.uint8)
    picture[:, 250:] = np.random.default_rng(0).integers(0, 256, (64, 150, 3))
    crops = random_crops(picture, 32, 40, np.random.default_rng(1))
    assert np.mean([crop.std() > 2 for crop in crops]) > 0.9
    flat = random_crops(np.full((40, 40, 3), 7, np.uint8), 32, 2, np.random.default_rng(1))
    assert (flat == 7).all(), "where there is no texture at all, a crop is a crop"


def residual_features(crops: np.ndarray) -> np.ndarray:
    """Autocovariances of a high-pass residual, per colour and between colours, over its variance; no content."""
    x = crops.astype(np.float64)
    residual = x[:, 1:-1, 1:-1] - (x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]) / 4
    energy = (residual**2).mean((1, 2)) + 0.1
    columns = [np.log(energy)]
    for dy in range(4):
        for dx in range(-3, 4):
            a = residual[:, dy:, max(0, dx) : residual.shape[2] + min(0, dx)]
            b = residual[:, : residual.shape[1] - dy, max(0, -dx) : residual.shape[2] - max(0, dx)]
            columns.append((a * b).mean((1, 2)) / energy)
            columns.append((a * b[..., [1, 2, 0]]).mean((1, 2)) / energy)
    return np.concatenate(columns, axis=1)


def test_traces_can_be_learned():
    """A linear classifier on residual statistics names five cameras on scenes that it never saw; chance is 0.2."""
    source = virtual_source(5, 48, 4, 0, scene_count=25)
    units = range(source.units())
    features = [residual_features(source.crops(unit)) for unit in units]
    held_out = [source.split(unit) != "train" for unit in units]

    def gather(wanted):
        chosen = [unit for unit in units if held_out[unit] is wanted]
        return np.concatenate([features[u] for u in chosen]), np.concatenate([source.labels(u) for u in chosen])

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    accuracy = model.fit(*gather(False)).score(*gather(True))
    assert accuracy > 0.7


def test_measured_sensors_reach_the_cameras(darktable):
    source = virtual_source(4, 16, 1, 0, scene_count=3, darktable=darktable)
    assert {c.sensor.origin for c in source.cameras} == {"Nikon D9000", "PENTAX K-99"}
    assert all(c.demosaicker in DEMOSAICKERS for c in source.cameras)
    assert source.describe()["cameras"][0]["sensor"]["origin"] in {"Nikon D9000", "PENTAX K-99"}
    assert source.crops(0).shape == (4, 16, 16, 3)
