"""Scenes: seeded, natural enough, reduced before use; splits of scenes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from osbench.baselines.cameras.scenes import (
    MARGIN,
    PhotographScenes,
    ProceduralScenes,
    area_average,
    photograph_scenes,
    split_scenes,
)
from osbench.core.errors import DatasetError


def test_procedural_scenes_follow_from_seed_and_number():
    scenes = ProceduralScenes(3, 64, seed=4)
    first = scenes.picture(1)
    assert first.shape == (64 + MARGIN, 64 + MARGIN, 3)
    assert first.dtype == np.float32
    assert np.array_equal(first, ProceduralScenes(9, 64, seed=4).picture(1))
    assert not np.array_equal(first, scenes.picture(2))
    assert not np.array_equal(first, ProceduralScenes(3, 64, seed=5).picture(1))


def test_procedural_scenes_have_natural_statistics():
    """Within 0..1, not flat; a power spectrum that falls like that of photographs, about f ** -2; and edges: the
    differences of neighbours have heavy tails (a kurtosis far above the 3 of noise)."""
    scenes = ProceduralScenes(8, 96)
    slopes, tails = [], []
    for i in range(8):
        picture = scenes.picture(i)
        assert picture.min() >= 0
        assert picture.max() <= 1
        assert picture.std() > 0.02
        grey = np.log(picture.mean(2) + 1e-3)
        side = len(grey)
        window = np.hanning(side)[:, None] * np.hanning(side)
        power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
        f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
        band = (f > 0.04) & (f < 0.3)
        slopes.append(np.polyfit(np.log(f[band]), np.log(power[band]), 1)[0])
        steps = np.diff(grey, axis=1)
        tails.append(((steps - steps.mean()) ** 4).mean() / steps.var() ** 2)
    assert -3.2 < np.mean(slopes) < -1.4
    assert np.median(tails) > 8


def test_area_average_is_the_mean_of_blocks():
    picture = np.random.default_rng(0).random((12, 8, 3)).astype(np.float32)
    made = area_average(picture, 4)
    np.testing.assert_allclose(made[2, 1], picture[8:12, 4:8].mean((0, 1)), rtol=1e-6)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (130, 260, 3), dtype=np.uint8)).save(tmp_path / f"{i}.jpg", quality=60)
    return tmp_path


def test_photographs_are_reduced_at_least_twice(folder):
    scenes = photograph_scenes(folder, size=50)
    for i in range(4):
        picture = scenes.picture(i)
        assert 50 <= min(picture.shape[:2]) <= 65, "at least halved, and no smaller than a shot needs"
        assert np.array_equal(picture, scenes.picture(i))
        assert picture.min() >= 0
        assert picture.max() <= 1


def test_reducing_removes_the_block_grid(tmp_path):
    """A coarse JPEG of a smooth picture steps at every eighth column; in the scene no column stands out like that."""
    y, x = np.mgrid[:400, :400]
    smooth = 110 + 40 * np.sin(x / 90) + 40 * np.cos(y / 70) + np.random.default_rng(0).normal(0, 2, (400, 400))
    path = tmp_path / "a.jpg"
    Image.fromarray(np.repeat(smooth[..., None], 3, 2).astype(np.uint8)).save(path, quality=12)

    def worst_column(picture):
        steps = np.abs(np.diff(picture.mean(2), axis=1)).mean(0)
        return max(steps[p::8].mean() for p in range(8)) / steps.mean()

    before = worst_column(np.asarray(Image.open(path), float))
    after = worst_column(PhotographScenes((path,), 100, 0, "").picture(0))
    assert before > 2
    assert after - 1 < 0.5 * (before - 1)


def test_small_photographs_are_left_out_with_a_word(folder, caplog):
    Image.new("RGB", (60, 60)).save(folder / "small.png")
    with caplog.at_level("WARNING", logger="osbench"):
        assert len(photograph_scenes(folder, size=50)) == 4
    assert "1 images are smaller than 100 px" in caplog.text


def test_bad_folders_of_scenes(folder):
    with pytest.raises(DatasetError, match="0 photographs of at least 400x400"):
        photograph_scenes(folder, size=200)
    (folder / "3.jpg").write_bytes((folder / "3.jpg").read_bytes()[:2000])
    with pytest.raises(DatasetError, match=r"3\.jpg: is not a complete image"):
        photograph_scenes(folder, size=50).picture(3)
    other = folder / "other"
    other.mkdir()
    (other / "9.jpg").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"9\.jpg: is not a readable image"):
        photograph_scenes(other, size=50)


def test_descriptions_change_with_the_content(folder):
    before = photograph_scenes(folder, size=50).describe()
    assert before == photograph_scenes(folder, size=50).describe()
    Image.new("RGB", (200, 200), "red").save(folder / "0.jpg")
    assert before != photograph_scenes(folder, size=50).describe()


@given(st.sets(st.text(max_size=8), min_size=3, max_size=60))
@settings(deadline=None)
def test_every_split_gets_scenes(keys):
    split = split_scenes(sorted(keys))
    assert split.keys() == keys
    sizes = {name: list(split.values()).count(name) for name in ("train", "val", "test")}
    assert sizes["val"] == sizes["test"] == max(1, round(len(keys) / 10))
    assert sizes["train"] >= 1
    assert split == split_scenes(sorted(keys, reverse=True)), "the order of the files does not matter"
