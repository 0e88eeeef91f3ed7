from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from osbench.generation.jpeg_segments import strip_jpeg_metadata


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def loaded_with_metadata(**options: Any) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "SECRET-CAMERA"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return jpeg(exif=exif, icc_profile=profile, comment="SECRET-COMMENT", dpi=(300, 300), **options)


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": "4:4:4"}, {"optimize": True}, {"restart_marker_blocks": 2}],
    ids=str,
)
def test_metadata_goes_and_pixels_stay(options: dict[str, Any]) -> None:
    data = loaded_with_metadata(quality=88, **options)
    stripped = strip_jpeg_metadata(data)
    assert b"SECRET" in data
    assert b"SECRET" not in stripped
    assert b"ICC_PROFILE" not in stripped
    assert np.array_equal(decoded(stripped), decoded(data))
    assert {"exif", "icc_profile", "comment"}.isdisjoint(Image.open(io.BytesIO(stripped)).info)


def test_entropy_coded_data_is_kept_as_it_is() -> None:
    data = loaded_with_metadata(quality=70)
    scan = data[data.index(b"\xff\xda") :]
    assert strip_jpeg_metadata(data).endswith(scan)


def test_files_of_equal_pixels_become_equal() -> None:
    assert strip_jpeg_metadata(loaded_with_metadata(quality=80)) == strip_jpeg_metadata(jpeg(quality=80))


def test_stripping_twice_changes_nothing() -> None:
    once = strip_jpeg_metadata(loaded_with_metadata())
    assert strip_jpeg_metadata(once) == once


def test_what_follows_the_end_marker_goes() -> None:
    data = jpeg()
    assert strip_jpeg_metadata(data + b"SECRET second picture") == strip_jpeg_metadata(data)


@pytest.mark.parametrize("transform", [0, 1])
def test_colours_of_an_adobe_file_stay(transform: int) -> None:
    """Without JFIF the Adobe marker decides whether the components are RGB or YCbCr."""
    data = jpeg()
    end_of_jfif = 4 + int.from_bytes(data[4:6], "big")
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x80\x00\x00\x00" + bytes([transform])
    file = data[:2] + adobe + data[end_of_jfif:]
    assert np.array_equal(decoded(strip_jpeg_metadata(file)), decoded(file))
    assert np.array_equal(decoded(file), decoded(data)) == (transform == 1)


def test_grey_files_stay_grey() -> None:
    data = jpeg("L", comment="x")
    assert np.array_equal(decoded(strip_jpeg_metadata(data)), decoded(data))


@given(st.integers(0, len(jpeg()) - 3))
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(ValueError):
        strip_jpeg_metadata(jpeg()[:length])


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_harmless(data: bytes) -> None:
    for garbage in (data, b"\xff\xd8" + data):
        try:
            strip_jpeg_metadata(garbage)
        except ValueError:
            continue
        assert garbage[:2] == b"\xff\xd8"
