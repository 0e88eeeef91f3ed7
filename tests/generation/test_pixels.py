"""The window JPEG against the literal way: compress the whole image, decode it with Pillow, cut the crop out."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from osbench.core.errors import DatasetError, UsageError
from osbench.generation import pixels
from osbench.generation.pixels import (
    Box,
    decode_crop,
    decode_frame,
    encode_frame,
    encode_full,
    encode_window,
    frame_size,
    window_box,
)

SUBSAMPLINGS = ("4:2:0", "4:2:2", "4:4:4")


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with noise and hard edges: every JPEG stage has something to do."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([128 + 90 * np.sin(x / 9 + c) * np.cos(y / (7 + c)) for c in range(3)], -1)
    edges = 60 * ((x // 13 + y // 11) % 2)[..., None]
    return np.clip(smooth + edges + rng.normal(0, 25, (height, width, 3)), 0, 255).astype(np.uint8)


def literal_crop(image: np.ndarray, crop: Box, quality: int | None, subsampling: str) -> np.ndarray:
    if quality is None:
        decoded = image
    else:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
        decoded = np.asarray(Image.open(io.BytesIO(buffer.getvalue())))
    return decoded[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]


def pillow_decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def assert_window_equals_whole(image: np.ndarray, crop: Box, quality: int | None, subsampling: str) -> None:
    frame = encode_window(image, crop, quality, subsampling)
    decoded = decode_crop(frame.bytes, frame.crop_x, frame.crop_y, crop.width)
    assert np.array_equal(decoded, literal_crop(image, crop, quality, subsampling))
    by_pillow = pillow_decode(frame.bytes)
    assert np.array_equal(decoded, by_pillow[frame.crop_y :, frame.crop_x :][: crop.height, : crop.width])
    assert (frame.frame_x + frame.crop_x, frame.frame_y + frame.crop_y) == (crop.x, crop.y)


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("quality", pixels.JPEG_QUALITIES)
@pytest.mark.parametrize(("height", "width"), [(160, 176), (157, 171)])
def test_window_equals_whole_image_at_corners_borders_and_inside(
    quality: int | None, subsampling: str, height: int, width: int
) -> None:
    image, size = picture(height, width), 40
    for x in (0, 1, 15, 16, 17, 61, width - size - 1, width - size):
        for y in (0, 7, 8, 16, 50, height - size):
            assert_window_equals_whole(image, Box(x, y, size, size), quality, subsampling)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_window_equals_whole_image_anywhere(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 120)), data.draw(st.integers(1, 120))
    size = data.draw(st.integers(1, min(height, width)))
    crop = Box(data.draw(st.integers(0, width - size)), data.draw(st.integers(0, height - size)), size, size)
    quality = data.draw(st.one_of(st.none(), st.integers(1, 100)))
    assert_window_equals_whole(picture(height, width, size), crop, quality, data.draw(st.sampled_from(SUBSAMPLINGS)))


def test_a_window_without_its_margin_would_not_be_exact() -> None:
    """The margin is needed: cut the window at the MCUs that the crop touches, and chroma at the rim changes."""
    image, crop = picture(160, 160), Box(48, 48, 32, 32)
    bare = image[48:80, 48:80]
    frame = encode_full(bare, Box(0, 0, 32, 32), 85, "4:2:0")
    assert not np.array_equal(decode_crop(frame.bytes, 0, 0, 32), literal_crop(image, crop, 85, "4:2:0"))


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_window_is_aligned_and_has_one_mcu_of_margin(subsampling: str) -> None:
    mcu_width, mcu_height = pixels.MCU_SIZE[subsampling]
    window = window_box(1024, 1024, Box(500, 301, 256, 256), subsampling)
    assert window.x % mcu_width == window.y % mcu_height == 0
    assert mcu_width <= 500 - window.x < 2 * mcu_width
    assert mcu_height <= 301 - window.y < 2 * mcu_height
    assert mcu_width <= window.x + window.width - 756 < 2 * mcu_width


def test_simplejpeg_decodes_to_the_bits_of_pillow() -> None:
    for subsampling in SUBSAMPLINGS:
        for quality in (30, 75, 100):
            data = encode_full(picture(61, 83), Box(0, 0, 8, 8), quality, subsampling).bytes
            assert np.array_equal(pixels.decode_frame(data), pillow_decode(data))


def test_the_encoder_is_pillow_and_no_other() -> None:
    """Another encoder makes other pixels at the same quality, which is why it is pinned."""
    image = picture(64, 64)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=85, subsampling="4:2:0")
    ours = encode_full(image, Box(0, 0, 64, 64), 85).bytes
    other = simplejpeg.encode_jpeg(image, 85, "RGB", "420", fastdct=False)
    assert ours == buffer.getvalue()
    assert ours != other


def test_frames_carry_no_metadata() -> None:
    for quality in pixels.JPEG_QUALITIES:
        data = encode_window(picture(64, 64), Box(3, 4, 32, 32), quality).bytes
        info = Image.open(io.BytesIO(data)).info
        assert set(info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_frame_describes_its_jpeg() -> None:
    image, crop = picture(64, 64), Box(3, 4, 32, 32)
    frames = [encode_window(image, crop, q, s) for q in (75, 90) for s in SUBSAMPLINGS]
    assert [frame.tables_sha256 for frame in frames] == [pixels.jpeg_tables_sha256(frame.bytes) for frame in frames]
    assert len({frame.tables_sha256 for frame in frames}) == 2
    png = encode_window(image, crop, None)
    assert (png.format, png.subsampling, png.tables_sha256) == ("png", None, None)
    jpeg = encode_window(image, crop, 75, "4:2:2")
    assert (jpeg.format, jpeg.subsampling) == ("jpeg", "4:2:2")


def test_recipe_orders_and_frames() -> None:
    image, crop = picture(100, 90), Box(21, 34, 32, 32)
    whole = encode_frame(image, crop, 90, order="compress-then-crop", frame="full", subsampling="4:2:0")
    window = encode_frame(image, crop, 90, order="compress-then-crop", frame="window", subsampling="4:2:0")
    cropped = encode_frame(image, crop, 90, order="crop-then-compress", frame="window", subsampling="4:2:0")
    expected = literal_crop(image, crop, 90, "4:2:0")
    for frame in (whole, window):
        assert np.array_equal(decode_crop(frame.bytes, frame.crop_x, frame.crop_y, 32), expected)
    assert pixels.decode_frame(whole.bytes).shape == (100, 90, 3)
    assert (cropped.frame_x, cropped.frame_y, cropped.crop_x, cropped.crop_y) == (21, 34, 0, 0)
    phase_zero = literal_crop(image[34:66, 21:53], Box(0, 0, 32, 32), 90, "4:2:0")
    assert np.array_equal(decode_crop(cropped.bytes, 0, 0, 32), phase_zero)


@pytest.mark.parametrize(
    ("image", "crop", "subsampling"),
    [
        (picture(32, 32), Box(0, 0, 33, 33), "4:2:0"),
        (picture(32, 32), Box(-1, 0, 8, 8), "4:2:0"),
        (picture(32, 32), Box(25, 0, 8, 8), "4:2:0"),
        (picture(32, 32), Box(0, 0, 0, 0), "4:2:0"),
        (picture(32, 32), Box(0, 0, 8, 8), "4:1:0"),
        (picture(32, 32).astype(np.float32), Box(0, 0, 8, 8), "4:2:0"),
        (picture(32, 32)[..., 0], Box(0, 0, 8, 8), "4:2:0"),
    ],
)
def test_bad_requests_are_usage_errors(image: np.ndarray, crop: Box, subsampling: str) -> None:
    for quality in (75, None):
        with pytest.raises(UsageError):
            encode_window(image, crop, quality, subsampling)


def test_damaged_bytes_and_wrong_boxes_are_dataset_errors() -> None:
    jpeg = encode_full(picture(40, 40), Box(0, 0, 8, 8), 90).bytes
    png = encode_full(picture(40, 40), Box(0, 0, 8, 8), None).bytes
    for data in (b"", b"hello", jpeg[:20], png[:60], png[:-30]):
        with pytest.raises(DatasetError):
            decode_crop(data, 0, 0, 8)
    for x, y, size in ((33, 0, 8), (-1, 0, 8), (0, 0, 41)):
        with pytest.raises(DatasetError):
            decode_crop(jpeg, x, y, size)


def huge_jpeg(side: int) -> bytes:
    """A small JPEG whose header says side x side pixels."""
    data = encode_full(picture(40, 40), Box(0, 0, 8, 8), 90).bytes
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", side, side) + data[place + 4 :]


def huge_png(side: int) -> bytes:
    data = encode_full(picture(40, 40), Box(0, 0, 8, 8), None).bytes
    header = b"IHDR" + struct.pack(">II", side, side) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


@pytest.mark.parametrize("frame", [huge_jpeg(65_500), huge_jpeg(10_001), huge_png(50_000), huge_png(10_001)])
def test_a_frame_that_wants_gigabytes_is_refused_by_its_header(frame: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for decoder, name in ((pixels.simplejpeg, "decode_jpeg"), (pixels, "open_picture")):
        monkeypatch.setattr(decoder, name, lambda *_, **__: pytest.fail("decoded"))
    for decode in (decode_frame, frame_size, lambda data: decode_crop(data, 0, 0, 8)):
        with pytest.raises(DatasetError, match="is more than 100 megapixels") as caught:
            decode(frame)
        assert "\n" not in str(caught.value)


def test_what_a_decoder_raises_is_a_dataset_error() -> None:
    whole = encode_full(picture(40, 40), Box(0, 0, 8, 8), None).bytes
    bomb = zlib.compress(b"\0" * 100_000_000)
    chunk = b"iCCP" + b"name\0\0" + bomb
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    jpeg = encode_full(picture(40, 40), Box(0, 0, 8, 8), 90).bytes
    for data in (whole[:33] + chunk + whole[33:], huge_png(9_000), jpeg[:-2] + b"\xff\xda" * 300):
        with pytest.raises(DatasetError, match="cannot be decoded") as caught:
            decode_crop(data, 0, 0, 8)
        assert "\n" not in str(caught.value)


def test_hashes_see_one_level() -> None:
    image = picture(8, 8)
    changed = image.copy()
    changed[3, 3, 1] ^= 1
    assert pixels.pixel_sha256(image) != pixels.pixel_sha256(changed)
    assert pixels.pixel_sha256(image[::-1][::-1]) == pixels.pixel_sha256(image)
