"""The bank of crops: same whoever makes it, continued where it stopped."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from osbench.baselines.cameras.bank import build_bank
from osbench.baselines.cameras.sources import VirtualSource, photograph_source, virtual_source
from osbench.core.errors import DatasetError


@dataclass(frozen=True)
class Counting(VirtualSource):
    """A source that notes which units were made, and fails at one of them."""

    fail_at: int | None = None
    made: list[int] = field(default_factory=list)

    def crops(self, unit: int) -> np.ndarray:
        if unit == self.fail_at:
            raise KeyboardInterrupt
        self.made.append(unit)
        return super().crops(unit)


def counting(source: VirtualSource, fail_at: int | None = None) -> Counting:
    fields = source.cameras, source.scenes, source.crop_size, source.crops_per_image, source.seed
    return Counting(*fields, fail_at=fail_at)


@pytest.fixture(scope="module")
def source():
    return virtual_source(3, 16, 2, 0, scene_count=6)


def test_rows_are_in_the_order_of_units(source, tmp_path):
    images = build_bank(source, tmp_path)
    assert len(images) == 6 * 3 * 2
    for unit in range(6):
        rows = slice(unit * 6, unit * 6 + 6)
        assert np.array_equal(images[rows], source.crops(unit))
        assert set(images.split_name[rows]) == {source.split(unit)}
        assert images.class_index[rows].tolist() == [0, 0, 1, 1, 2, 2]
    assert set(images.openness) == {"seen"}
    assert sum(len(images.split(name)) for name in ("train", "val", "test")) == len(images)


def test_an_interrupted_bank_is_continued(source, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        build_bank(counting(source, fail_at=4), tmp_path / "a")
    rest = counting(source)
    images = build_bank(rest, tmp_path / "a")
    assert rest.made == [4, 5]
    assert np.array_equal(images.pixels, build_bank(source, tmp_path / "b").pixels)
    finished = counting(source)
    build_bank(finished, tmp_path / "a")
    assert finished.made == []


@pytest.mark.slow
def test_workers_change_nothing(source, tmp_path):
    one, two = build_bank(source, tmp_path / "1"), build_bank(source, tmp_path / "2", workers=2)
    assert np.array_equal(one.pixels, two.pixels)


def test_a_damaged_photograph_is_named(tree, tmp_path):
    path = tree / "beta" / "5.jpg"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DatasetError, match=r"5\.jpg: is not a complete image") as error:
        build_bank(photograph_source(tree, 16, 2, 0), tmp_path / "bank")
    assert "\n" not in str(error.value)


def test_a_small_disk_is_told_before_anything_is_made(source, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(DatasetError, match=r"the crops need 0 MB .* fewer crops"):
        build_bank(source, tmp_path / "bank")


def test_another_crop_size_is_another_source(source):
    assert replace(source, crop_size=20).describe() != source.describe()
