from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.core.errors import DatasetError
from osbench.generation.catalog import load_suite
from osbench.generation.families.captions import words_of
from osbench.generation.training.characters import (
    CHARACTERS,
    CODE_POINTS,
    Characters,
    caption,
    draw,
    file_name,
    load_characters,
)
from osbench.generation.training.pack import pack
from osbench.generation.training.plan import load_plan
from osbench.generation.training.work_folder import WorkFolder


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of the real package: a square of a colour of its own on nothing for every character, and others."""
    root = tmp_path_factory.mktemp("package")
    assets = root / "package/assets"
    assets.mkdir(parents=True)
    for i, point in enumerate([*CODE_POINTS, 0x1F600]):
        figure = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
        figure.paste((2 * i, 255 - 2 * i, 60, 255), (6, 6, 26, 26))
        figure.save(assets / file_name(point), lossless=True)
    return root


@pytest.fixture(scope="module")
def packed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packed") / "pictures.parquet"
    assert pack(CHARACTERS, package, out) == 100
    return out


def test_a_hundred_captions_that_differ_in_their_words() -> None:
    assert len(CODE_POINTS) == 100
    assert len({frozenset(words_of(caption(point))) for point in CODE_POINTS}) == 100
    assert caption(0x1F436) == "dog face"
    assert file_name(0x1F436) == "1f436.webp"


def test_the_catalog_draws_the_same_captions() -> None:
    for source in load_suite("mini-text").sources:
        assert source.prompts == tuple(sorted(caption(point) for point in CODE_POINTS))
        assert source.prompts_in_turn


def test_a_package_without_a_character_is_told(tmp_path: Path, package: Path) -> None:
    with pytest.raises(DatasetError, match="100 of the characters are not there"):
        pack(CHARACTERS, tmp_path, tmp_path / "pictures.parquet")


def test_figures_come_by_the_order_of_their_names(packed: Path) -> None:
    characters = load_characters(packed, CHARACTERS, 24)
    assert characters.pixels.shape == (100, 24, 24, 4)
    assert list(characters.class_names) == sorted(characters.class_names)
    dog = CODE_POINTS.index(0x1F436)
    shown = characters.pixels[characters.class_names.index("dog face"), 12, 12]
    assert np.abs(shown.astype(int) - [2 * dog, 255 - 2 * dog, 60, 255]).max() <= 1
    assert (characters.pixels[:, 0, 0, 3] == 0).all()


@pytest.mark.parametrize("name", ["nothing.parquet", "empty"])
def test_no_characters(name: str, packed: Path, tmp_path: Path) -> None:
    path = packed if name == "empty" else tmp_path / name
    with pytest.raises(DatasetError, match="'pack' step"):
        load_characters(path, "emoji" if name == "empty" else CHARACTERS, 24)


def test_pictures_are_functions_of_seed_and_number(packed: Path) -> None:
    characters = load_characters(packed, CHARACTERS, 24)
    pixels, labels = characters.crops(16, 230, seed=3)
    assert pixels.shape == (230, 16, 16, 3)
    assert np.array_equal(np.bincount(labels), [3] * 30 + [2] * 70)
    fewer, _ = characters.crops(16, 120, seed=3)
    np.testing.assert_array_equal(fewer, pixels[:120])
    for other in (characters.crops(16, 120, seed=4)[0], characters.crops(16, 120, seed=3, held_out=True)[0]):
        assert all(not np.array_equal(a, b) for a, b in zip(other, fewer, strict=True))


def test_a_picture_holds_its_figure_on_a_ground_of_two_colours() -> None:
    figure = np.zeros((64, 64, 4), np.uint8)
    figure[:, :] = (255, 0, 255, 255)
    figure[:16] = figure[-16:] = figure[:, :16] = figure[:, -16:] = 0
    areas, centres = [], []
    for seed in range(60):
        picture = draw(figure, 48, np.random.default_rng(seed)).astype(int)
        inside = (np.abs(picture - [255, 0, 255]).max(2) < 8).nonzero()
        areas.append(len(inside[0]) / 48**2)
        centres.append([np.mean(axis) / 47 for axis in inside])
        top = picture[0]
        assert np.abs(np.diff(top, axis=0)).max() <= 6  # a smooth ground
        assert (picture.max((0, 1)) > picture.min((0, 1))).any()
    assert 0.5**2 * 0.8**2 * 0.75 < min(areas) < max(areas) < 0.5**2 * 1.05
    assert np.abs(np.array(centres) - 0.5).max() < 0.09
    assert np.std(centres, axis=0).min() > 0.01


def test_a_workshop_cuts_them_with_their_captions(package: Path, tmp_path: Path) -> None:
    plan = load_plan("mini-text")
    small = type(plan)(**{**vars(plan), "resolution": 16, "bank": 200, "held": 100, "picture_height": {CHARACTERS: 32}})
    work_folder = WorkFolder(tmp_path, small)
    work_folder.pack(CHARACTERS, package)
    names = work_folder.class_names(CHARACTERS)
    assert names == tuple(sorted(caption(point) for point in CODE_POINTS))
    assert work_folder.crops(CHARACTERS, "bank").shape == (200, 16, 16, 3)
    assert work_folder.crops(CHARACTERS, "held").shape == (100, 16, 16, 3)
    assert np.array_equal(work_folder.crops(CHARACTERS, "bank-labels"), np.arange(200) % 100)
    for path in tmp_path.glob("*classes.json"):
        path.unlink()
    assert work_folder.class_names(CHARACTERS) == names


def test_as_many_of_each() -> None:
    characters = Characters(np.zeros((4, 8, 8, 4), np.uint8), ("a", "b", "c", "d"))
    assert np.bincount(characters.crops(8, 40)[1]).tolist() == [10] * 4
