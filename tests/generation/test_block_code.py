from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from osbench.core.errors import CheckpointError
from osbench.generation.block_code import BlockCode, fit_block_code, load_block_code


def pictures(count: int = 6, side: int = 16, seed: int = 0) -> np.ndarray:
    """Smooth random pictures, uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, side // 4, side // 4, 3)).repeat(4, 1).repeat(4, 2)
    return (coarse // 2 + rng.integers(0, 100, (count, side, side, 3))).clip(0, 255).astype(np.uint8)


def test_a_code_number_is_a_projection_of_its_block() -> None:
    """Against the sum written out for one block and one axis."""
    pixels = pictures()
    code = fit_block_code(pixels, components=5)
    codes = code.encode(pixels)
    picture, row, column, axis = 3, 1, 0, 2
    total = 0.0
    for y in range(8):
        for x in range(8):
            for c in range(3):
                value = pixels[picture, 8 * row + y, 8 * column + x, c] / 127.5 - 1
                place = (y * 8 + x) * 3 + c
                total += (value - float(code.mean[place])) * float(code.basis[place, axis])
    assert codes.shape == (6, 5, 2, 2)
    assert codes[picture, axis, row, column] == pytest.approx(total / code.scale[axis], rel=1e-3, abs=1e-3)


def test_all_components_give_the_picture_back() -> None:
    pixels = pictures()
    code = fit_block_code(np.concatenate([pixels, pictures(60, seed=1)]), components=192)
    back = np.rint(code.decode(code.encode(pixels)) * 127.5 + 127.5)
    assert np.abs(back - pixels).max() <= 1


def test_more_components_are_nearer() -> None:
    pixels = pictures(40)
    errors = []
    for components in (2, 8, 32):
        code = fit_block_code(pixels, components)
        errors.append(np.square(code.decode(code.encode(pixels)) - (pixels / 127.5 - 1)).mean())
    assert errors[0] > errors[1] > errors[2]


def test_codes_have_unit_power_and_fit_into_float16() -> None:
    pixels = pictures(40)
    codes = fit_block_code(pixels, 16).encode(pixels)
    assert np.square(codes).mean() == pytest.approx(1, rel=0.01)
    np.testing.assert_array_equal(codes, codes.astype(np.float16).astype(np.float32))


def test_a_file_holds_it(tmp_path: Path) -> None:
    code = fit_block_code(pictures(), 4)
    code.save(tmp_path / "code.safetensors")
    read = load_block_code(tmp_path / "code.safetensors")
    for name in ("mean", "basis", "scale"):
        np.testing.assert_array_equal(getattr(read, name), getattr(code, name))


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no code")
    with pytest.raises(CheckpointError, match="not a readable block code"):
        load_block_code(tmp_path / "text")
    code = fit_block_code(pictures(), 4)
    BlockCode(code.mean[:10], code.basis, code.scale).save(tmp_path / "short")
    with pytest.raises(CheckpointError, match="not a code of 8x8 blocks"):
        load_block_code(tmp_path / "short")
