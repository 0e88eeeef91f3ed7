from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.core.errors import DatasetError
from osbench.generation.training.matched import pictures
from osbench.generation.training.matched.pictures import Original, Share, cut, divide, learning_cuts, suite_cuts


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Unpacked packages: 8 photographs, 6 figures with 2 variants each."""
    folder = tmp_path_factory.mktemp("packages")
    land, assets = folder / "usr/share/games/endless-sky/images/land", folder / "package/assets"
    land.mkdir(parents=True)
    assets.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(8):
        pixels = rng.integers(0, 256, (18, 36, 3)).repeat(10, 0).repeat(10, 1).astype(np.uint8)
        Image.fromarray(pixels).save(land / f"mountain{i}.jpg")
    Image.fromarray(pixels).save(land / "mountain9-harro.jpg")  # not in the public domain
    for figure in range(6):
        for skin in ("", "-1f3fb"):
            rgba = rng.integers(0, 256, (32, 32, 4)).astype(np.uint8)
            Image.fromarray(rgba, "RGBA").save(assets / f"1f60{figure}{skin}.webp")
    return folder, folder


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SHARES", {"suite": Share(4, 3), "validation": Share(2, 1)})
    monkeypatch.setattr(pictures, "SUITE_CUTS", 3)


def test_licences_and_groups(packages: tuple[Path, Path]) -> None:
    found = pictures.originals(*packages)
    assert {o.licence for o in found if o.kind == "photograph"} == {"public domain"}
    assert {o.licence for o in found if o.kind == "drawing"} == {"MIT"}
    assert sum(o.kind == "photograph" for o in found) == 8
    assert len({o.group for o in found if o.kind == "drawing"}) == 6, "variants of a figure are one group"


@pytest.mark.usefixtures("shares")
def test_no_group_lies_in_two_parts(packages: tuple[Path, Path]) -> None:
    parts = divide(pictures.originals(*packages))
    groups = {name: {o.group for o in part} for name, part in parts.items()}
    assert not groups["suite"] & groups["validation"]
    assert not (groups["suite"] | groups["validation"]) & groups["training"]
    assert {name: len(part) for name, part in parts.items()} == {"suite": 7, "validation": 3, "training": 2 + 2 * 2}


@pytest.mark.usefixtures("shares")
def test_all_photographs_taken_are_too_few(packages: tuple[Path, Path]) -> None:
    few = [o for o in pictures.originals(*packages) if o.path.name < "mountain4"]
    with pytest.raises(DatasetError, match="too few"):
        divide(few)


@pytest.mark.usefixtures("shares")
def test_cuts(packages: tuple[Path, Path]) -> None:
    parts = divide(pictures.originals(*packages))
    cuts = suite_cuts(parts["suite"], 0)
    assert len(cuts) == 4 * 3 + 3
    again = suite_cuts(parts["suite"], 0)
    assert [c.original for c in cuts] == [c.original for c in again]
    for one, other in zip(cuts, again, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
    bank = learning_cuts(parts["training"], 10, 0)
    assert (bank.shape, bank.dtype) == ((10, 64, 64, 3), np.uint8)
    assert (bank != learning_cuts(parts["training"], 10, 1)).any()


def test_a_cut_is_the_square_it_says(packages: tuple[Path, Path]) -> None:
    photograph = next(o for o in pictures.originals(*packages) if o.kind == "photograph")
    made = cut(photograph, np.random.default_rng(3))
    left, top, side = made.box
    square = Image.open(photograph.path).convert("RGB").crop((left, top, left + side, top + side))
    np.testing.assert_array_equal(made.pixels, np.asarray(square.resize((64, 64), Image.Resampling.BOX)))


def test_flat_squares_are_drawn_again(tmp_path: Path) -> None:
    pixels = np.full((180, 720, 3), 200, np.uint8)
    pixels[:, 400:] = np.random.default_rng(0).integers(0, 256, (18, 32, 3)).repeat(10, 0).repeat(10, 1)
    Image.fromarray(pixels).save(tmp_path / "half.png")
    original = Original(tmp_path / "half.png", "photograph", "g", "p", "l")
    lively = [cut(original, np.random.default_rng(i)).pixels.std() > 5 for i in range(20)]
    assert all(lively)
