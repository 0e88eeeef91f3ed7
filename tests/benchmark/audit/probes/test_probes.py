"""Each probe: what it sees, what it must not see, and what becomes of odd images."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.fft import dctn

from osbench.benchmark.audit import Batch, get_probe, probe_names
from osbench.benchmark.audit.planes import luma_chroma
from osbench.benchmark.audit.probes.trace import _symmetric_cells

COUNT = 6


def encoded(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, **({"format": "PNG"} | options))  # type: ignore[arg-type]
    return buffer.getvalue()


def batch_of(pixels: np.ndarray, data: list[bytes] | None = None, **columns: object) -> Batch:
    n, size = len(pixels), pixels.shape[1]
    rows = pd.DataFrame(
        {
            "jpeg_quality": pd.array([None] * n, "Int32"),
            "class_label": pd.array([None] * n, "Int32"),
            "native_width": size,
            "native_height": size,
            "crop_x": 0,
            "crop_y": 0,
            "frame_x": 0,
            "frame_y": 0,
            "prompt": [None] * n,
        }
    )
    chosen = rows.assign(**columns)  # type: ignore[arg-type]
    return Batch(chosen, data or [encoded(image) for image in pixels], pixels)


def noise(count: int = COUNT, size: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def features(name: str, batch: Batch) -> np.ndarray:
    return get_probe(name)().features(batch)


@pytest.mark.parametrize("name", probe_names())
@pytest.mark.parametrize("size", [8, 20, 48, 65])
def test_finite_numbers_for_images_of_any_size(name: str, size: int) -> None:
    flat = np.full((1, size, size, 3), 255, np.uint8)
    found = features(name, batch_of(np.concatenate([noise(3, size), flat])))
    assert found.shape[0] == 4
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", probe_names())
def test_an_image_does_not_depend_on_its_neighbours(name: str) -> None:
    pixels = noise()
    together = features(name, batch_of(pixels))
    alone = np.concatenate([features(name, batch_of(pixels[i : i + 1])) for i in range(COUNT)])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["metadata", "file-structure"])
def test_pixels_do_not_count(name: str) -> None:
    a, b = (features(name, batch_of(noise(seed=seed))) for seed in (0, 1))
    np.testing.assert_array_equal(a, b)


def test_colours_do_not_depend_on_where_they_are() -> None:
    pixels = noise()
    order = np.random.default_rng(2).permutation(48 * 48)
    moved = pixels.reshape(COUNT, -1, 3)[:, order].reshape(pixels.shape)
    np.testing.assert_allclose(features("colour", batch_of(moved)), features("colour", batch_of(pixels)), atol=1e-5)
    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 0] = 255
    found = features("colour", batch_of(red))[0]
    assert found[48] == 1  # (3, 0, 0) of 4 x 4 x 4
    assert found[64:].tolist() == [1, 0, 0, 0, 0, 0]


def test_layout_is_the_mean_of_sixteen_parts() -> None:
    pixels = np.zeros((1, 48, 48, 3), np.uint8)
    pixels[0, 12:24, 36:] = 255
    found = features("layout", batch_of(pixels)).reshape(4, 4, 3)
    assert found[1, 3].tolist() == [1, 1, 1]
    assert found.sum() == 3


def test_low_frequencies_are_the_first_coefficients() -> None:
    pixels = noise()
    found = features("low-frequencies", batch_of(pixels))
    every = np.asarray(dctn(luma_chroma(pixels).astype(np.float64), norm="ortho", axes=(2, 3)))
    expected = every[..., :6, :6] / 48
    np.testing.assert_allclose(found[:, : 3 * 36], expected.reshape(COUNT, -1), atol=1e-3)
    y, x = np.mgrid[:48, :48]
    checks = np.repeat((((y + x) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)[None]
    grey = np.full_like(checks, 127)
    fine, flat = (features("low-frequencies", batch_of(images)) for images in (checks, grey))
    np.testing.assert_allclose(fine[:, 1:108], flat[:, 1:108], atol=0.5)


def test_sizes_and_qualities_of_files() -> None:
    pixels = noise()
    data = [encoded(image, format="JPEG", quality=50 + i) for i, image in enumerate(pixels)]
    found = features("file-size", batch_of(pixels, data, jpeg_quality=range(50, 56)))
    assert found[:, 0].tolist() == [len(one) for one in data]
    assert found[:, -1].tolist() == list(range(50, 56))


def test_structure_tells_encoders_apart() -> None:
    pixels = noise(1)
    (plain,), (optimised,), (progressive,), (png,) = (
        features("file-structure", batch_of(pixels, [encoded(pixels[0], **options)]))
        for options in (
            {"format": "JPEG", "quality": 90},
            {"format": "JPEG", "quality": 90, "optimize": True},
            {"format": "JPEG", "quality": 90, "progressive": True},
            {},
        )
    )
    assert len({tuple(row.tolist()) for row in (plain, optimised, progressive, png)}) == 4


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00\x00", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\x89PNG" + b"\x00" * 40]
)
def test_broken_files_have_a_structure_too(data: bytes) -> None:
    found = features("file-structure", Batch(pd.DataFrame(index=[0]), [data], noise(1)))
    assert found.shape == (1, 18)
    assert np.isfinite(found).all()


def test_a_constant_plane_is_found_wherever_the_crop_lies() -> None:
    """Class 0 has one plane of noise in all its native images, class 1 has another noise in each."""
    rng = np.random.default_rng(3)
    plane = rng.normal(0, 6, (64, 64, 1))
    n = 120
    labels = np.arange(n) % 2
    corners = rng.integers(0, 16, (n, 2))
    pixels = np.empty((n, 48, 48, 3), np.uint8)
    for i, (y, x) in enumerate(corners):
        own = plane if labels[i] == 0 else rng.normal(0, 6, (64, 64, 1))
        image = rng.uniform(60, 190, 3) + own + rng.normal(0, 3, (64, 64, 3))
        pixels[i] = image.clip(0, 255).astype(np.uint8)[y : y + 48, x : x + 48]
    batch = batch_of(pixels, [b""] * n, native_width=64, native_height=64, crop_x=corners[:, 1], crop_y=corners[:, 0])
    probe = get_probe("fixed-pattern")()
    found = probe.features(batch)
    learnt, relate = probe.relate(found[:80], labels[:80])
    others = relate(found[80:])
    assert learnt.shape == (80, 2)
    # In standard deviations of the correlations elsewhere.
    assert others[labels[80:] == 0, 0].min() > 10
    assert np.abs(others[labels[80:] == 1, 0]).max() < 5
    # A training image is not compared with itself: no class of independent noise finds itself.
    assert np.abs(learnt[labels[:80] == 1, 1]).max() < 5


def test_the_strength_of_noise_is_no_fixed_pattern() -> None:
    """What all makers show at one place, under weak noise of one maker and strong noise of the other."""
    rng = np.random.default_rng(0)
    n, labels = 300, np.arange(300) % 2
    shared = rng.normal(0, 3, (48, 48, 1))
    strength = np.where(labels == 0, 2.0, 12.0)[:, None, None, None]
    pixels = (128 + shared + rng.normal(0, 1, (n, 48, 48, 3)) * strength).clip(0, 255).astype(np.uint8)
    probe = get_probe("fixed-pattern")()
    _, relate = probe.relate(probe.features(batch_of(pixels, [b""] * n))[:200], labels[:200])
    found = relate(probe.features(batch_of(pixels, [b""] * n))[200:])
    # The mean of the stronger noise is the noisier one; either maker's images find the other's nearer as often.
    nearer = found[:, 0] > found[:, 1]
    assert nearer[labels[200:] == 0].mean() - nearer[labels[200:] == 1].mean() < 0.15


def test_traces_are_alike_in_a_mirror_and_in_the_negative() -> None:
    pixels = noise()
    plain = features("trace", batch_of(pixels))
    for changed in (pixels[:, :, ::-1], pixels[:, ::-1], 255 - pixels):
        np.testing.assert_allclose(features("trace", batch_of(np.ascontiguousarray(changed))), plain, atol=0.02)


def test_cells_of_triples_are_shared_as_they_should() -> None:
    cells, number = _symmetric_cells()
    assert cells.max() + 1 == number
    by_triple = cells.reshape(5, 5, 5)
    np.testing.assert_array_equal(by_triple, by_triple.transpose(2, 1, 0))
    np.testing.assert_array_equal(by_triple, by_triple[::-1, ::-1, ::-1])
    # 125 triples under two commuting mirrors: (125 + 25 + 1 + 5) / 4 orbits (Burnside).
    assert number == 39


def test_metadata_knows_classes_and_prompts() -> None:
    pixels = noise(2)
    found = features("metadata", batch_of(pixels, class_label=pd.array([3, None], "Int32"), prompt=["a cat", None]))
    assert found[:, 1].tolist() == [3, -1]
    assert found[:, -1].tolist() == [5, -1]
