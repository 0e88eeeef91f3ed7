"""Where the crops of a picture lie, and what is read there from files of every kind."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from osbench.benchmark import crops as module
from osbench.benchmark.crops import crop_corners, read_crops
from osbench.core.errors import DatasetError


@given(st.integers(8, 64), st.integers(0, 900), st.integers(0, 900), st.integers(1, 40))
def test_crops_lie_in_the_picture_and_never_overlap(size: int, more: int, taller: int, most: int) -> None:
    width, height = size + more, size + taller
    corners = crop_corners(width, height, size, most)
    assert 1 <= len(corners) <= most
    assert len(corners) >= min(most, (width // size) * (height // size)) / 2
    for i, (x, y) in enumerate(corners):
        assert 0 <= x <= width - size
        assert 0 <= y <= height - size
        assert all(abs(x - a) >= size or abs(y - b) >= size for a, b in corners[:i])


def test_one_crop_is_the_centre() -> None:
    for width, height in ((32, 32), (33, 60), (101, 40)):
        assert crop_corners(width, height, 32, 1) == (((width - 32) // 2, (height - 32) // 2),)


def picture(width: int = 150, height: int = 100) -> Image.Image:
    rng = np.random.default_rng(0)
    ramp = np.add.outer(np.arange(height), np.arange(width))[..., None] + rng.integers(0, 20, (height, width, 3))
    return Image.fromarray(ramp.astype(np.uint8))


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.webp", "x.tif", "x.bmp"])
def test_pixels_are_those_of_the_file(name: str, tmp_path: Path) -> None:
    picture().save(tmp_path / name)
    pixels = np.asarray(Image.open(tmp_path / name).convert("RGB"))
    found = read_crops(tmp_path / name, 32, 16)
    assert len(found.corners) == len(found.pixels) == 12
    for own, (x, y) in zip(found.pixels, found.corners, strict=True):
        assert (own == pixels[y : y + 32, x : x + 32]).all()
    assert (found.width, found.height, found.notes, found.preview) == (150, 100, (), b"")


def test_what_is_converted_is_said(tmp_path: Path) -> None:
    plain = picture()
    plain.convert("CMYK").save(tmp_path / "cmyk.jpg")
    grey = np.asarray(plain.convert("L")).astype(np.uint16)
    Image.fromarray(grey * 256 + 9).save(tmp_path / "deep.png")
    plain.convert("RGBA").save(tmp_path / "alpha.png")
    plain.quantize(16).save(tmp_path / "palette.png")
    plain.convert("L").save(tmp_path / "grey.png")
    plain.save(tmp_path / "many.gif", save_all=True, append_images=[plain.rotate(90)])
    said = {path.name: read_crops(path, 32, 1).notes for path in tmp_path.iterdir()}
    assert said["cmyk.jpg"] == ("converted from CMYK to RGB without a colour profile",)
    assert said["deep.png"] == ("grey of 16 bits, of which the upper 8 are used",)
    assert said["alpha.png"] == ("its transparency is ignored",)
    assert said["palette.png"] == ("its palette was replaced by RGB",)
    assert said["grey.png"] == ("grey",)
    assert "the first of several pictures in the file" in said["many.gif"]
    (crop,) = read_crops(tmp_path / "deep.png", 32, 1).pixels
    assert (crop == (grey[34:66, 59:91] & 255)[..., None]).all()


def test_colour_of_16_bits_is_read_and_said(tmp_path: Path) -> None:
    """Pillow writes none, so the file is made by hand."""
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    values = np.arange(40 * 40 * 3, dtype=np.uint16).reshape(40, 40, 3) * 13
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", 40, 40, 16, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    found = read_crops(tmp_path / "x.png", 40, 1)
    assert found.notes == ("16 bits per colour, of which the upper 8 are used",)
    assert (found.pixels[0] == values >> 8).all()


def test_colours_that_cannot_be_converted_are_one_line(tmp_path: Path) -> None:
    Image.new("F", (50, 50)).save(tmp_path / "x.tif")
    with pytest.raises(DatasetError, match=r"x\.tif: colour mode F cannot be converted to 8-bit RGB"):
        read_crops(tmp_path / "x.tif", 32)
    picture(31, 40).save(tmp_path / "small.png")
    with pytest.raises(DatasetError, match="31x40 is smaller than the 32 px crop"):
        read_crops(tmp_path / "small.png", 32)


def test_a_large_png_in_strips_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(1500, 1100).save(tmp_path / "x.png")
    whole = read_crops(tmp_path / "x.png", 64, 12, preview=True)
    monkeypatch.setattr(module, "_LARGE_PIXELS", 1000)
    strips = read_crops(tmp_path / "x.png", 64, 12, preview=True)
    assert strips.corners == whole.corners
    assert (strips.pixels == whole.pixels).all()
    shown = [np.asarray(Image.open(io.BytesIO(one.preview))).astype(int) for one in (whole, strips)]
    assert shown[0].shape == shown[1].shape
    assert np.abs(shown[0] - shown[1]).mean() < 1


@pytest.mark.slow
def test_200_megapixels_are_read_within_300_megabytes(tmp_path: Path) -> None:
    code = f"""
import resource, sys
from pathlib import Path
from osbench.benchmark.crops import read_crops
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = read_crops(Path({str(tmp_path / "x.png")!r}), 64, 16, preview=True)
print(len(found.pixels), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    Image.new("RGB", (16_000, 12_400), (90, 120, 60)).save(tmp_path / "x.png", compress_level=1)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    crops, kilobytes = map(int, done.stdout.split())
    assert crops == 15
    assert kilobytes < 300_000
