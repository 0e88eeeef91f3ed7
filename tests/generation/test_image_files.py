from __future__ import annotations

import contextlib
import io
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.core.errors import DatasetError
from osbench.generation.image_files import MAX_PIXELS, check_8_bit_colour, open_image


def noise(width: int = 40, height: int = 30) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_start(width: int, height: int) -> bytes:
    """A PNG of that size that ends where its pixels begin."""
    header = struct.pack(">II", width, height) + b"\x08\2\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


def decode(path: Path) -> np.ndarray:
    with open_image(path) as picture:
        check_8_bit_colour(path, picture)
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "JPEG", "WEBP"])
def test_six_formats_are_read_whatever_the_file_is_called(tmp_path: Path, kind: str) -> None:
    noise().quantize(16).convert("RGB").save(tmp_path / "x.dat", kind)
    expected = np.asarray(Image.open(tmp_path / "x.dat").convert("RGB"))
    assert (decode(tmp_path / "x.dat") == expected).all()


def zlib_bomb(kind: str) -> bytes:
    """A PNG whose text or colour profile unpacks to 100 MB."""
    buffer = io.BytesIO()
    noise().save(buffer, "PNG")
    bomb = chunk(b"zTXt" if kind == "text" else b"iCCP", b"name\0\0" + zlib.compress(b"\0" * 100_000_000))
    return buffer.getvalue()[:33] + bomb + buffer.getvalue()[33:]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", r"is empty \(0 bytes\)"),
        ("text", r"is not a readable image \(PNG, JPEG, WEBP, TIFF, BMP, GIF\)"),
        ("truncated.png", "it is truncated"),
        ("truncated.jpg", "it is truncated"),
        ("huge", "50000x50000 is more than the 200 megapixels that are read; cut the part"),
        ("folder", r"is a folder; give image files, for example .*/folder/\*\.png"),
        ("pipe", "is a named pipe"),
        ("device", "is a device"),
        ("loop", "cannot be read"),
        ("missing", "No such file"),
        ("postscript", "is not a readable image"),
        ("text bomb", "it is damaged"),
        ("profile bomb", "it is damaged"),
        ("cmyk", "colour mode CMYK is not 8-bit RGB or grey; convert it to RGB"),
    ],
)
def test_why_a_file_cannot_be_read_in_one_line(tmp_path: Path, name: str, reason: str) -> None:
    path = tmp_path / name
    buffer = io.BytesIO()
    if name == "folder":
        path.mkdir()
    elif name == "pipe":
        os.mkfifo(path)
    elif name == "device":
        path.symlink_to("/dev/zero")
    elif name == "loop":
        path.symlink_to(path)
    elif name == "cmyk":
        noise().convert("CMYK").save(path, "JPEG")
    elif name.startswith("truncated"):
        noise().save(buffer, "PNG" if name.endswith("png") else "JPEG")
        path.write_bytes(buffer.getvalue()[:-300])
    elif name != "missing":
        contents = {
            "empty": lambda: b"",
            "text": lambda: b"no image",
            "huge": lambda: png_start(50_000, 50_000),
            "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        }
        path.write_bytes(contents[name]() if name in contents else zlib_bomb(name.split()[0]))
    with pytest.raises(DatasetError, match=reason) as caught:
        decode(path)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_a_picture_above_pillows_own_limit_is_read(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS
    path = tmp_path / "wide.png"
    Image.new("1", (19_900, 10_000), 1).save(path)  # 199 megapixels: an error for Image.open
    with open_image(path) as picture:
        assert picture.width * picture.height <= MAX_PIXELS
        assert picture.crop((9_000, 5_000, 9_032, 5_032)).getextrema() == (255, 255)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
def test_damage_anywhere_is_one_line_or_a_picture(tmp_path: Path, kind: str) -> None:
    """Decoders raise whatever they like; nothing but DatasetError may come out."""
    rng = random.Random(kind)
    buffer = io.BytesIO()
    noise().save(buffer, kind, **({"compression": "tiff_lzw"} if kind == "TIFF" else {}))
    whole, path, refused = buffer.getvalue(), tmp_path / "x", 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(min(len(data), rng.choice((40, 200, len(data)))))] = rng.randrange(256)
        path.write_bytes(data)
        with contextlib.suppress(DatasetError):
            decode(path)
            continue
        refused += 1
    assert refused
