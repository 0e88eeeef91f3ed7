"""What laundering does to pixels: against slow literal steps, and never a pixel that the frame does not hold."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from osbench.benchmark.frames import load_test_frames
from osbench.benchmark.images import load_images
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.robustness.treatments import (
    CLEAN,
    JPEG_GRID,
    Cell,
    Grid,
    cell_of,
    fits,
    launder,
    parse_grid,
    place,
)
from osbench.core.errors import UsageError
from osbench.generation.dataset import Dataset
from osbench.generation.pixels import Box

CROP = Box(9, 5, 24, 24)


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    """uint8 (40, 44, 3) with edges and noise."""
    rng = np.random.default_rng(3)
    picture = rng.normal(120, 40, (40, 44, 3))
    picture[12:26, 15:30] += 90
    return picture.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("crop_size", [32, 20])
def test_the_clean_cell_is_the_benchmark_crop_to_the_bit(dataset: Dataset, manifest: Manifest, crop_size: int) -> None:
    images = load_images(dataset, manifest, crop_size=crop_size).split("test")
    frames = load_test_frames(dataset, manifest, crop_size)
    assert [frame.image_id for frame in frames] == images.image_ids.tolist()
    for frame, expected in zip(frames, images.pixels, strict=True):
        assert (frame.height, frame.width) == frame.decode().shape[:2]
        np.testing.assert_array_equal(launder(frame.decode(), frame.crop, CLEAN), expected)


def test_a_phase_moves_the_crop_by_whole_pixels_of_the_frame(frame: np.ndarray) -> None:
    for phase in range(JPEG_GRID):
        y = CROP.y + phase
        x = CROP.x + phase if CROP.x + phase + 24 <= 44 else CROP.x + phase - JPEG_GRID
        np.testing.assert_array_equal(launder(frame, CROP, Cell(phase=phase)), frame[y : y + 24, x : x + 24])
    corner = Box(20, 16, 24, 24)  # nothing to its right and below: only the other way is possible
    np.testing.assert_array_equal(launder(frame, corner, Cell(phase=3)), frame[11:35, 15:39])


def _literal_blur(frame: np.ndarray, sigma: float) -> np.ndarray:
    """Every pixel a weighted mean of the pixels around it, those beyond the border repeated."""
    reach = int(4 * sigma + 0.5)
    weights = [math.exp(-(k**2) / (2 * sigma**2)) for k in range(-reach, reach + 1)]
    height, width = frame.shape[:2]
    out = np.zeros(frame.shape)
    for y in range(height):
        for x in range(width):
            for i, row in enumerate(weights):
                for j, column in enumerate(weights):
                    near = frame[min(max(y + i - reach, 0), height - 1), min(max(x + j - reach, 0), width - 1)]
                    out[y, x] += row * column * near
    return np.rint(out / sum(weights) ** 2).astype(np.uint8)


def _literal(frame: np.ndarray, crop: Box, cell: Cell) -> np.ndarray:
    """The steps before compression in the order that is promised: blur, resize, crop."""
    picture = Image.fromarray(_literal_blur(frame, cell.blur))
    picture = picture.resize((round(44 * cell.resize), round(40 * cell.resize)), Image.Resampling.LANCZOS)
    x = math.floor((crop.x + 12) * picture.width / 44 - 12 + 0.5) + cell.phase
    y = math.floor((crop.y + 12) * picture.height / 40 - 12 + 0.5) + cell.phase
    return np.asarray(picture.crop((x, y, x + 24, y + 24)))


def _difference(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def test_the_order_is_blur_resize_crop_compress(frame: np.ndarray) -> None:
    cell = Cell(phase=4, resize=1.25, blur=0.8)
    laundered = launder(frame, CROP, cell)
    assert _difference(laundered, _literal(frame, CROP, cell)) <= 2  # the blur may round half a level otherwise
    resized = Image.fromarray(frame).resize((55, 50), Image.Resampling.LANCZOS)
    other = _literal_blur(np.asarray(resized), 0.8)  # blur after resize
    x, y = place(44, CROP.x, 24, cell), place(40, CROP.y, 24, cell)
    assert x is not None
    assert y is not None
    assert _difference(laundered, other[y : y + 24, x : x + 24]) > 5


def test_compression_comes_last_with_its_grid_at_the_corner_of_the_crop(frame: np.ndarray) -> None:
    cell = Cell(quality=70, phase=3, resize=1.25, blur=0.5)
    buffer = io.BytesIO()
    before = launder(frame, CROP, Cell(phase=3, resize=1.25, blur=0.5))
    Image.fromarray(before).save(buffer, "JPEG", quality=70, subsampling="4:2:0")
    np.testing.assert_array_equal(launder(frame, CROP, cell), np.asarray(Image.open(buffer)))


def test_no_pixel_is_invented() -> None:
    for side in (24, 28, 33, 64):
        for start in range(side - 24 + 1):
            for cell in Grid(phase=tuple(range(JPEG_GRID)), resize=(1.0, 0.5, 0.75, 1.25)).cells():
                at = place(side, start, 24, cell)
                still = place(side, start, 24, Cell(resize=cell.resize))
                if at is None:
                    assert still is None or round(side * cell.resize) - 24 < JPEG_GRID
                    continue
                assert still is not None
                assert 0 <= at <= round(side * cell.resize) - 24
                assert (at - still) % JPEG_GRID == cell.phase


def test_a_frame_without_room_says_so(frame: np.ndarray) -> None:
    small, crop = frame[:24, :24], Box(0, 0, 24, 24)
    np.testing.assert_array_equal(launder(small, crop, CLEAN), small)
    for cell in (Cell(phase=1), Cell(resize=0.75)):
        assert not fits(24, 24, crop, cell)
        with pytest.raises(UsageError, match="24x24 frame is too small for a 24 px crop under"):
            launder(small, crop, cell)


def test_the_default_grid_begins_clean_and_names_are_read_back() -> None:
    cells = Grid().cells()
    assert cells[0] == CLEAN
    assert len(set(cells)) == 72
    assert CLEAN.name == "quality-none_phase-0_resize-1_blur-0"
    assert [cell_of(cell.name) for cell in cells] == cells


@pytest.mark.parametrize("name", ["", "notes", "quality-75", f"{CLEAN.name}.0", CLEAN.name.replace("-1_", "-1.0_")])
def test_other_names_are_no_cells(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        cell_of(name)
    assert "\n" not in str(caught.value)


def test_a_grid_of_ones_own_always_holds_the_clean_values() -> None:
    grid = parse_grid("quality=70,none; blur=1.5")
    assert grid == Grid(quality=(None, 70), phase=(0,), resize=(1.0,), blur=(0.0, 1.5))
    assert parse_grid("").cells() == [CLEAN]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("qualty=70", "Did you mean 'quality'"),
        ("quality", "'' is no quality .* give none or 1 to 100"),
        ("quality=0", "'0' is no quality"),
        ("phase=8", "give 0 to 7"),
        ("resize=nan", "give 0.1 to 4"),
        ("blur=-1", "give 0 to 20"),
        ("blur=0.12345678", "at most 6 digits"),
    ],
)
def test_a_grid_that_makes_no_sense_is_a_one_line_error(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_grid(text)
    assert "\n" not in str(caught.value)
