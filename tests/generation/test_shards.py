from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from osbench.core.errors import GenerationError, OsbenchError, UsageError
from osbench.generation import networks, shards
from osbench.generation.catalog import load_suite
from osbench.generation.dataset import Dataset
from osbench.generation.families import load_safetensors_generator, save_generator
from osbench.generation.generate import generate
from osbench.generation.pixels import Box, decode_crop
from osbench.generation.record import source_sha256
from osbench.generation.shards import Unit, draw_crop, draw_quality, write_shard


def unit(suite_path: Path, out: Path, **changes: object) -> Unit:
    suite = load_suite(suite_path)
    source = suite.sources[0]
    made = Unit(out, suite.version, source, source_sha256(source), suite.recipe, count=10, shard=1)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_shard_is_a_pure_function(tiny_suite: Path, tmp_path: Path) -> None:
    first = write_shard(unit(tiny_suite, tmp_path / "a"))
    networks._open.cache_clear()
    write_shard(unit(tiny_suite, tmp_path / "b", shard=0))
    assert write_shard(unit(tiny_suite, tmp_path / "b")) == first
    assert (tmp_path / "a" / first.file).read_bytes() == (tmp_path / "b" / first.file).read_bytes()


def test_last_shard_is_short_but_its_last_batch_is_full(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    original = shards.sample_batch
    monkeypatch.setattr(shards, "sample_batch", lambda u, i: sizes.append(len(i)) or original(u, i))
    entry = write_shard(unit(tiny_suite, tmp_path, count=9, shard=2))
    assert (entry.rows, sizes) == (1, [2])


def test_an_image_does_not_depend_on_the_count(tiny_suite: Path, tmp_path: Path) -> None:
    few = generate(tiny_suite, tmp_path / "few", count=5).index().set_index("image_id")
    many = generate(tiny_suite, tmp_path / "many", count=8).index().set_index("image_id")
    assert set(few.index) < set(many.index)
    columns = ["bytes_sha256", "pixel_sha256", "crop_x", "jpeg_quality"]
    assert few[columns].equals(many.loc[few.index, columns])


def test_seeds_reach_the_network(tiny_suite: Path, tmp_path: Path) -> None:
    """The stored PNG crops are pixels of the network at the recorded seed."""
    dataset = generate(tiny_suite, tmp_path / "data", sources=["alpha"])
    network = load_safetensors_generator(tiny_suite.parent / "alpha.safetensors")
    checked = 0
    for row in dataset.index().to_dict("records"):
        data = dataset.read_images(row["shard"], [row["row"]])[0]
        if data.startswith(b"\x89PNG"):
            native = network.sample([row["seed"]])[0]
            x, y = row["frame_x"] + row["crop_x"], row["frame_y"] + row["crop_y"]
            crop = decode_crop(data, row["crop_x"], row["crop_y"], 20)
            assert np.array_equal(crop, native[y : y + 20, x : x + 20])
            checked += 1
    assert checked


def test_progress_counts_every_image(tiny_suite: Path, tmp_path: Path) -> None:
    counts: list[int] = []
    write_shard(unit(tiny_suite, tmp_path), counts.append)
    assert counts == [2, 2]


class _Network:
    """Stands in for a trained network and returns what a test wants."""

    family, c_dim, may_blank = "fake", 3, False

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self.labels: list[int] | None = None

    def sample(self, seeds: list[int], class_labels: list[int] | None = None, truncation_psi: float = 1.0):
        self.labels = class_labels
        return self.images


def with_network(monkeypatch: pytest.MonkeyPatch, images: np.ndarray) -> _Network:
    network = _Network(images)
    monkeypatch.setattr(shards, "open_network", lambda *_: network)
    return network


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 32, 32, 3), np.uint8), "one constant colour"),
        (np.full((2, 32, 32, 3), (9, 8, 7), np.uint8), "one constant colour"),
        (np.random.default_rng(0).random((2, 32, 32, 3)), "returned float64"),
        (np.ones((1, 32, 32, 3), np.uint8), "returned uint8"),
        (np.random.default_rng(0).integers(0, 255, (2, 19, 32, 3), np.uint8), "a crop of 20 px does not fit 32x19"),
    ],
    ids=["black", "flat", "float", "too few", "too small"],
)
def test_bad_images_are_never_published(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: np.ndarray, message: str
) -> None:
    with_network(monkeypatch, images)
    with pytest.raises(GenerationError, match=message) as caught:
        write_shard(unit(tiny_suite, tmp_path))
    assert "alpha/noise" in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_gpu_would_use_repeatable_kernels_and_gets_its_own_settings_back(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = with_network(monkeypatch, np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), np.uint8))
    seen = []

    def sample(seeds: list[int], class_labels: list[int] | None = None) -> np.ndarray:
        seen.append((torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark))
        return network.images

    monkeypatch.setattr(network, "sample", sample)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    write_shard(unit(tiny_suite, tmp_path))
    assert set(seen) == {(True, False)}
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (False, True)


def test_classes_are_drawn_per_image_and_recorded(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = with_network(monkeypatch, np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), np.uint8))
    one = unit(tiny_suite, tmp_path)
    batch = shards.sample_batch(one, range(4, 6))
    assert network.labels == [image.class_label for image in batch]
    assert network.labels is not None
    assert set(network.labels) <= {0, 1, 2}
    chosen = replace(one, source=replace(one.source, class_labels=(2,)))
    assert [image.class_label for image in shards.sample_batch(chosen, range(4, 6))] == [2, 2]
    assert shards.encode_row(one, batch[0])["class_label"] == batch[0].class_label


def test_blank_pictures_of_a_pipeline_are_drawn_again(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Image 0 is blank at its own seed and at its first further one, whatever its neighbour does."""
    network = with_network(monkeypatch, np.empty(0))
    network.may_blank = True
    one = unit(tiny_suite, tmp_path)
    calls: list[list[int]] = []

    def sample(seeds: list[int], class_labels: list[int] | None = None, truncation_psi: float = 1.0) -> np.ndarray:
        calls.append(list(seeds))
        images = np.stack([np.random.default_rng(s % 2**32).integers(0, 256, (32, 32, 3), np.uint8) for s in seeds])
        images[0] *= len(calls) > 2
        return images

    monkeypatch.setattr(network, "sample", sample)
    first, second = shards.sample_batch(one, range(2))
    assert [len(call) for call in calls] == [2, 2, 2]
    assert calls[0][1] == calls[1][1] == calls[2][1]
    assert len({call[0] for call in calls}) == 3
    assert first.seed == calls[2][0]
    assert second.seed is None
    row = shards.encode_row(one, first)
    assert row["seed"] == first.seed
    plain = shards.encode_row(one, replace(first, seed=None))
    assert {key for key in row if row[key] != plain[key]} == {"seed"}, "identity, crop and quality stay"
    monkeypatch.setattr(shards, "REDRAWS", 1)
    calls.clear()
    with pytest.raises(GenerationError, match="image 0: one constant colour"):
        shards.sample_batch(one, range(2))


def test_sampling_settings_that_the_family_lacks(tiny_suite: Path, tmp_path: Path) -> None:
    one = unit(tiny_suite, tmp_path)
    with pytest.raises(UsageError, match="unknown key of source alpha/noise: sampling 'top_k'"):
        write_shard(replace(one, source=replace(one.source, sampling={"top_k": 3})))


def test_nan_is_an_error_not_an_arbitrary_level(tiny_suite: Path, tmp_path: Path) -> None:
    network = load_safetensors_generator(tiny_suite.parent / "alpha.safetensors")
    network.get_parameter("synthesis.to_big.bias")[0] = float("nan")
    save_generator(network, tmp_path / "nan.safetensors")
    one = unit(tiny_suite, tmp_path)
    with pytest.raises(GenerationError, match="alpha/noise: the network returned NaN"):
        write_shard(replace(one, source=replace(one.source, weights=tmp_path / "nan.safetensors")))


def test_weights_that_are_no_weights(tiny_suite: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"hello")
    one = unit(tiny_suite, tmp_path)
    with pytest.raises(OsbenchError, match=r"bad\.safetensors"):
        write_shard(replace(one, source=replace(one.source, weights=bad)))


def test_crops_and_qualities_are_uniform() -> None:
    boxes = [draw_crop(seed, 24, 22, 20) for seed in range(4000)]
    assert {(b.width, b.height) for b in boxes} == {(20, 20)}
    assert {b.x for b in boxes} == set(range(5))
    assert {b.y for b in boxes} == set(range(3))
    assert draw_crop(1, 20, 20, 20) == Box(0, 0, 20, 20)
    qualities = [draw_quality(seed, (75, 80, 85, 90, 95, None)) for seed in range(6000)]
    for quality in (75, 80, 85, 90, 95, None):
        assert abs(qualities.count(quality) - 1000) < 5 * (6000 * (1 / 6) * (5 / 6)) ** 0.5


def test_folder_and_weights_paths_do_not_enter_the_bytes(tiny_suite: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.safetensors"
    one = unit(tiny_suite, tmp_path / "a")
    assert one.source.weights is not None
    moved.write_bytes(one.source.weights.read_bytes())
    two = replace(one, dataset=tmp_path / "b", source=replace(one.source, weights=moved))
    assert write_shard(one).sha256 == write_shard(two).sha256


def test_schema_of_a_shard(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = generate(tiny_suite, tmp_path / "d", sources=["beta"], count=1)
    (row,) = Dataset.open(dataset.path).read_rows(dataset.shards()[0].file)
    assert row["image"]["path"].startswith(row["image_id"])
    assert row["prompt"] is None
    assert (row["native_width"], row["crop_size"]) == (32, 20)
