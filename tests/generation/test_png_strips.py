"""A PNG that is read in strips has the pixels that Pillow reads from the whole file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.core.errors import DatasetError
from osbench.generation import png_strips as module
from osbench.generation.png_strips import can_be_read_in_strips, png_strips


def drawn(mode: str, width: int, height: int) -> Image.Image:
    """Gradients with noise, so that an encoder uses every filter."""
    rng = np.random.default_rng(3)
    ramp = np.add.outer(np.arange(height) * 2, np.arange(width) * 3)
    pixels = (ramp[..., None] + rng.integers(0, 9, (height, width, 4)) + np.arange(4) * 40).astype(np.uint8)
    picture = Image.fromarray(pixels, "RGBA")
    return picture.convert("RGB").quantize(40) if mode == "P" else picture.convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P"])
@pytest.mark.parametrize("multiple", [1, 4])
def test_strips_are_the_rows_of_the_picture(
    mode: str, multiple: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STRIP_BYTES", 3000)
    monkeypatch.setattr(module, "_CHUNK_BYTES", 64)
    picture = drawn(mode, 70, 53)
    picture.save(tmp_path / "x.png")
    assert can_be_read_in_strips(tmp_path / "x.png")
    strips = list(png_strips(tmp_path / "x.png", multiple))
    assert len(strips) > 1
    assert all(top % multiple == 0 for top, _ in strips)
    rows = np.concatenate([np.asarray(strip.convert("RGBA")) for _, strip in strips])
    assert (rows == np.asarray(picture.convert("RGBA"))).all()


def test_other_pngs_are_left_to_pillow(tmp_path: Path) -> None:
    Image.new("I;16", (40, 40)).save(tmp_path / "deep.png")
    Image.new("1", (40, 40)).save(tmp_path / "bits.png")
    Image.new("RGB", (40, 40)).save(tmp_path / "x.bmp")
    (tmp_path / "short.png").write_bytes(b"\x89PNG")
    for name in ("deep.png", "bits.png", "x.bmp", "short.png"):
        assert not can_be_read_in_strips(tmp_path / name)


def test_a_file_that_ends_too_early_is_one_line(tmp_path: Path) -> None:
    drawn("RGB", 300, 300).save(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(DatasetError, match="it is truncated"):
        list(png_strips(tmp_path / "x.png"))
