from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from osbench.benchmark.frames import load_test_frames
from osbench.benchmark.images import ImageSet, load_images
from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.core.errors import DatasetError
from osbench.core.hashing import file_sha256
from osbench.core.publish import partial_path
from osbench.generation.dataset import Dataset
from osbench.generation.ledger import LedgerEntry, append_ledger
from osbench.generation.pixels import pixel_sha256


def numbered_set(labels: list[int], size: int = 2) -> ImageSet:
    """Image i is filled with the value i, so that pixels tell which image they are."""
    n = len(labels)
    names = np.array([f"id{i}" for i in range(n)])
    return ImageSet(
        store=np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, size, size, 3)),
        rows=np.arange(n),
        image_ids=names,
        class_index=np.array(labels, dtype=np.int64),
        generator=np.array([f"g{k}" for k in labels]),
        openness=np.where(np.array(labels) < 0, "unseen", "seen"),
        split_name=np.full(n, "train"),
    )


@pytest.fixture(scope="module")
def images(dataset: Dataset, manifest: Manifest) -> ImageSet:
    return load_images(dataset, manifest, check=True)


def test_every_image_is_the_crop_that_pillow_decodes(dataset: Dataset, manifest: Manifest, images: ImageSet) -> None:
    assert images.store.dtype == np.uint8
    assert isinstance(images.store, np.memmap)
    assert images.image_ids.tolist() == manifest.table["image_id"].tolist()
    index = dataset.index().set_index("image_id")
    pixels = images.pixels
    for i, name in enumerate(images.image_ids):
        row = index.loc[name]
        (data,) = dataset.read_images(row["shard"], [row["row"]])
        x, y, s = row["crop_x"], row["crop_y"], row["crop_size"]
        with Image.open(io.BytesIO(data)) as picture:
            literal = np.asarray(picture.convert("RGB"))[y : y + s, x : x + s]
        assert (pixels[i] == literal).all()
        assert pixel_sha256(pixels[i]) == row["pixel_sha256"]


def test_splits_carry_labels_and_never_mix(manifest: Manifest, images: ImageSet) -> None:
    sizes = {name: len(images.split(name)) for name in ("train", "val", "test")}
    assert sizes == {"train": 96, "val": 12, "test": 20}
    train, test = images.split("train"), images.split("test")
    assert set(train.openness) == {"seen"}
    assert set(test.openness) == {"seen", "unseen"}
    assert [manifest.seen[k] for k in train.class_index] == train.generator.tolist()
    assert set(train.image_ids).isdisjoint(test.image_ids)
    assert train.crop_size == 32
    assert train.store is images.store


def test_a_smaller_crop_is_the_centre_of_the_stored_one(dataset: Dataset, manifest: Manifest, images: ImageSet) -> None:
    small = load_images(dataset, manifest, crop_size=20, check=True)
    assert (small.pixels == images.pixels[:, 6:26, 6:26]).all()


@pytest.mark.parametrize("size", [0, 33, 400])
def test_an_impossible_crop_is_refused(dataset: Dataset, manifest: Manifest, size: int) -> None:
    with pytest.raises(DatasetError, match=f"crop size {size} does not fit: .* stores crops of 32 px"):
        load_images(dataset, manifest, crop_size=size)


def test_decoded_once_then_only_mapped(own_dataset: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    manifest = build_manifest(own_dataset, "fang2023")
    first = load_images(own_dataset, manifest)
    (cached,) = (own_dataset.path / "cache").iterdir()
    monkeypatch.setattr(Dataset, "read_images", lambda *_: pytest.fail("decoded again"))
    again = load_images(own_dataset, manifest)
    assert (again.pixels == first.pixels).all()
    # Another protocol and fold share it.
    load_images(own_dataset, build_manifest(own_dataset, "rotate-one", "progan"))
    assert list((own_dataset.path / "cache").iterdir()) == [cached]


def test_a_truncated_cache_is_made_again(own_dataset: Dataset) -> None:
    manifest = build_manifest(own_dataset, "fang2023")
    first = np.array(load_images(own_dataset, manifest).pixels)
    (cached,) = (own_dataset.path / "cache").iterdir()
    cached.write_bytes(cached.read_bytes()[:1000])
    assert (load_images(own_dataset, manifest).pixels == first).all()


def test_what_a_killed_process_left_is_removed(own_dataset: Dataset) -> None:
    cache = own_dataset.path / "cache"
    cache.mkdir()
    partial_path(cache / "old.npy").write_bytes(b"x")
    load_images(own_dataset, build_manifest(own_dataset, "fang2023"))
    assert [path.suffix for path in cache.iterdir()] == [".npy"]


def test_cache_elsewhere_leaves_the_dataset_alone(own_dataset: Dataset, tmp_path: Path) -> None:
    before = sorted(own_dataset.path.rglob("*"))
    load_images(own_dataset, build_manifest(own_dataset, "fang2023"), cache=tmp_path / "elsewhere")
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1
    assert sorted(own_dataset.path.rglob("*")) == before


def rewrite_shard(dataset: Dataset, change: dict[str, object]) -> str:
    """Change columns of row 0 of the first shard, and its hash in the ledger; returns the shard's name."""
    shard = str(dataset.index()["shard"].iloc[0])
    path = dataset.path / shard
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0] |= change
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    append_ledger(dataset.path, LedgerEntry(shard, len(rows), file_sha256(path)))
    return shard


def test_a_shard_that_changed_is_not_decoded(own_dataset: Dataset) -> None:
    """One byte of one picture, which still decodes."""
    manifest = build_manifest(own_dataset, "fang2023")
    shard = str(own_dataset.index()["shard"].iloc[0])
    data = bytearray((own_dataset.path / shard).read_bytes())
    data[data.index(b"IDAT") + 100] ^= 1
    (own_dataset.path / shard).write_bytes(data)
    for load in (load_images, lambda data, rows: load_test_frames(data, rows, 32)):
        with pytest.raises(DatasetError, match=f"{shard}: SHA-256 differs from the ledger") as caught:
            load(own_dataset, manifest)
        assert "\n" not in str(caught.value)
    assert not list((own_dataset.path / "cache").iterdir())


def test_check_finds_pixels_that_changed(own_dataset: Dataset) -> None:
    manifest = build_manifest(own_dataset, "fang2023")
    load_images(own_dataset, manifest, check=True)
    row = own_dataset.index().iloc[0]
    (data,) = own_dataset.read_images(row["shard"], [0])
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.array(picture.convert("RGB"))
    pixels[row["crop_y"], row["crop_x"]] ^= 1
    changed = io.BytesIO()
    Image.fromarray(pixels).save(changed, "PNG")
    shard = rewrite_shard(own_dataset, {"image": {"bytes": changed.getvalue(), "path": "x.png"}})
    with pytest.raises(DatasetError, match=f"{shard}, row 0: pixels differ from pixel_sha256") as caught:
        load_images(own_dataset, manifest, check=True)
    assert "\n" not in str(caught.value)


def test_a_shard_with_broken_image_bytes_is_named(own_dataset: Dataset) -> None:
    shard = rewrite_shard(own_dataset, {"image": {"bytes": b"\xff\xd8 no jpeg", "path": "x.jpg"}})
    with pytest.raises(DatasetError, match=f"{shard}, row 0: ") as caught:
        load_images(own_dataset, build_manifest(own_dataset, "fang2023"))
    assert "\n" not in str(caught.value)
    assert not list((own_dataset.path / "cache").iterdir())


def test_a_truncated_shard_is_a_one_line_error(own_dataset: Dataset) -> None:
    manifest = build_manifest(own_dataset, "fang2023")
    path = own_dataset.path / own_dataset.index()["shard"].iloc[0]
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DatasetError, match="is not a Parquet file, or it is cut off") as caught:
        load_images(own_dataset, manifest)
    assert "\n" not in str(caught.value)


def test_a_manifest_of_another_dataset_is_refused(dataset: Dataset, manifest: Manifest) -> None:
    table = manifest.table.assign(image_id=["f" * 32, *manifest.table["image_id"].tolist()[1:]])
    stranger = Manifest(**{**vars(manifest), "table": table})
    with pytest.raises(DatasetError, match="has no image ffff"):
        load_images(dataset, stranger)


def test_a_full_disk_is_noticed_before_writing(own_dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(DatasetError, match="free disk space"):
        load_images(own_dataset, build_manifest(own_dataset, "fang2023"))


LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=60)


@settings(max_examples=60)
@given(LABELS, st.integers(1, 20), st.integers(0, 2**32 - 1), st.booleans())
def test_shuffled_batches_are_one_pass_over_the_set(labels: list[int], size: int, seed: int, drop_last: bool) -> None:
    images = numbered_set(labels)
    batches = list(images.batches(size, rng=np.random.default_rng(seed), drop_last=drop_last))
    assert len(batches) == images.batch_count(size, drop_last=drop_last)
    positions = [int(p) for _, _, batch in batches for p in batch]
    assert len(set(positions)) == len(positions)
    assert len(positions) == (len(labels) - len(labels) % size if drop_last else len(labels))
    for pixels, classes, rows in batches:
        assert pixels.shape == (len(rows), 2, 2, 3)
        assert (pixels[:, 0, 0, 0] == rows).all()
        assert [labels[row] for row in rows] == classes.tolist()
    again = list(images.batches(size, rng=np.random.default_rng(seed), drop_last=drop_last))
    assert [b[2].tolist() for b in again] == [b[2].tolist() for b in batches]


@settings(max_examples=60)
@given(LABELS, st.integers(1, 20), st.one_of(st.none(), st.integers(0, 2**32 - 1)))
def test_balanced_batches_show_each_class_as_often_as_the_smallest(
    labels: list[int], size: int, seed: int | None
) -> None:
    images = numbered_set(labels)
    rng = None if seed is None else np.random.default_rng(seed)
    batches = list(images.batches(size, rng=rng, balanced=True))
    assert len(batches) == images.batch_count(size, balanced=True)
    shown = np.concatenate([classes for _, classes, _ in batches])
    smallest = min(labels.count(k) for k in set(labels))
    assert {k: int((shown == k).sum()) for k in set(labels)} == dict.fromkeys(set(labels), smallest)
    rows = np.concatenate([rows for _, _, rows in batches])
    assert len(set(rows.tolist())) == len(rows)


def test_under_sampling_draws_anew_each_epoch() -> None:
    images = numbered_set([0] * 50 + [1] * 5)
    rng = np.random.default_rng(0)
    epochs = [{int(r) for _, c, rows in images.batches(8, rng=rng, balanced=True) for r in rows} for _ in range(2)]
    assert epochs[0] != epochs[1]


@given(LABELS, st.data())
def test_subsets_of_subsets(labels: list[int], data: st.DataObject) -> None:
    images = numbered_set(labels)
    order = np.array(data.draw(st.permutations(range(len(labels)))))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(labels), max_size=len(labels))))
    picked = images.subset(order).subset(mask)
    assert picked.pixels[:, 0, 0, 0].tolist() == order[mask].tolist()
    assert picked.image_ids.tolist() == [f"id{i}" for i in order[mask]]
    assert picked.class_index.tolist() == [labels[i] for i in order[mask]]


def test_captions_are_the_prompts(dataset: Dataset, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_images(dataset, manifest).captions is None
    index = dataset.index()
    expected = {name: None if i % 3 == 0 else f"text of {name}" for i, name in enumerate(index["image_id"])}
    index["prompt"] = ["a prompt" if text is None or i % 2 else text for i, text in enumerate(expected.values())]
    index["description"] = [text if i % 2 else None for i, text in enumerate(expected.values())]
    expected = {name: text or "a prompt" for name, text in expected.items()}
    index.loc[0, ["prompt", "description"]] = None
    nobody = str(index["image_id"][0])
    monkeypatch.setattr(Dataset, "index", lambda self: index)
    images = load_images(dataset, manifest)
    assert images.captions is not None
    for name, caption in zip(images.image_ids, images.captions, strict=True):
        assert caption == (None if name == nobody else expected[name])
    some = images.subset(np.array([5, 2]))
    assert some.captions is not None
    assert some.captions.tolist() == [images.captions[5], images.captions[2]]
    frames = load_test_frames(dataset, manifest, dataset.crop_size)
    assert [frame.caption for frame in frames] == images.split("test").captions.tolist()  # type: ignore[union-attr]
