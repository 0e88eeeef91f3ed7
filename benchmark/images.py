"""Images for training and testing: decoded once into a memory-mapped uint8 cache.

The cache holds the benchmark crops of a *whole* dataset, so that every protocol, fold, method and seed shares it. Its
name is a hash of the image ids and the hashes of their pixels: another dataset, or a regenerated shard, is another
cache, and nothing ever has to be invalidated.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.disk import shortage
from ..core.errors import DatasetError
from ..core.progress import get_logger, progress_bar
from ..core.publish import publishing
from ..core.user_folders import cache_folder
from ..generation.dataset import Dataset
from ..generation.ledger import LedgerEntry
from ..generation.pixels import decode_crop, pixel_sha256
from .manifest import Manifest

_MAX_THREADS = 16


@dataclass(frozen=True)
class ImageSet:
    """Images with their labels; cheap to cut into pieces, because pieces only hold row numbers.

    Attributes
    ----------
    store : numpy.ndarray
        uint8 (M, S, S, 3), usually a read-only memory map shared by many sets.
    rows : numpy.ndarray
        int64 (N,), where in ``store`` the images of this set lie.
    image_ids, generator, openness, split_name : numpy.ndarray
        str (N,).
    class_index : numpy.ndarray
        int64 (N,), index into the manifest's seen generators, -1 = unseen.
    captions : numpy.ndarray or None
        Texts (N,) that say what the images show (:func:`captions_of`), None for an image without; None instead of the
        array where no image has one.
    """

    store: np.ndarray
    rows: np.ndarray
    image_ids: np.ndarray
    class_index: np.ndarray
    generator: np.ndarray
    openness: np.ndarray
    split_name: np.ndarray
    captions: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def pixels(self) -> np.ndarray:
        """uint8 (N, S, S, 3). A copy in memory unless the set is a contiguous piece: prefer :meth:`batches`."""
        return self[:]

    @property
    def crop_size(self) -> int:
        """Side of the crops in pixels."""
        return self.store.shape[1]

    def __getitem__(self, index: slice | np.ndarray) -> np.ndarray:
        """Pixels uint8 (B, S, S, 3) of the images at ``index`` (positions in this set)."""
        rows = self.rows[index]
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
            return self.store[rows[0] : rows[-1] + 1]
        return np.asarray(self.store[rows])

    def subset(self, selection: np.ndarray) -> ImageSet:
        """The images of a boolean mask (N,) or of integer positions, in that order."""
        return ImageSet(
            self.store,
            self.rows[selection],
            self.image_ids[selection],
            self.class_index[selection],
            self.generator[selection],
            self.openness[selection],
            self.split_name[selection],
            None if self.captions is None else self.captions[selection],
        )

    def split(self, name: str) -> ImageSet:
        """The images of ``"train"``, ``"val"`` or ``"test"``."""
        return self.subset(self.split_name == name)

    def batches(
        self,
        batch_size: int,
        *,
        rng: np.random.Generator | None = None,
        balanced: bool = False,
        drop_last: bool = False,
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """One epoch: (pixels uint8 (B, S, S, 3), class_index int64 (B,), positions int64 (B,)) per batch.

        ``rng`` shuffles. ``balanced`` under-samples every class to the size of the smallest one, drawn anew from
        ``rng`` each epoch (without ``rng``: the first images of each class). ``drop_last`` drops a last batch that
        is smaller than the others.
        """
        order = self._balanced(rng) if balanced else np.arange(len(self))
        if rng is not None:
            order = rng.permutation(order)
        end = len(order) - len(order) % batch_size if drop_last else len(order)
        for start in range(0, end, batch_size):
            positions = order[start : start + batch_size]
            yield self[positions], self.class_index[positions], positions

    def batch_count(self, batch_size: int, *, balanced: bool = False, drop_last: bool = False) -> int:
        """How many batches :meth:`batches` yields."""
        n = len(self)
        if balanced:
            classes, counts = np.unique(self.class_index, return_counts=True)
            n = len(classes) * int(counts.min())
        return n // batch_size if drop_last else -(-n // batch_size)

    def _balanced(self, rng: np.random.Generator | None) -> np.ndarray:
        groups = [np.flatnonzero(self.class_index == c) for c in np.unique(self.class_index)]
        smallest = min(len(group) for group in groups)
        drawn = [rng.permutation(group) if rng is not None else group for group in groups]
        return np.concatenate([group[:smallest] for group in drawn])


def load_images(
    dataset: Dataset,
    manifest: Manifest,
    *,
    crop_size: int | None = None,
    check: bool = False,
    cache: Path | None = None,
) -> ImageSet:
    """The images of a manifest (in its order), decoded once per dataset and crop size.

    A shard is decoded only if its file is the one that the ledger describes.

    Parameters
    ----------
    dataset : Dataset
        Where the images are.
    manifest : Manifest
        Which of them.
    crop_size : int, optional
        Side in pixels, None = as stored. Smaller: the centre of the stored crop; larger: DatasetError.
    check : bool
        Decode again, whatever is cached, and compare every crop with its ``pixel_sha256``.
    cache : Path, optional
        Folder for the decoded pixels; default ``cache/`` in the dataset, or the user's cache folder if the dataset is
        read-only.

    Raises
    ------
    DatasetError
        For a damaged or changed shard, a failed check, or a manifest of another dataset.
    """
    size = dataset.crop_size if crop_size is None else crop_size
    if not 1 <= size <= dataset.crop_size:
        raise DatasetError(
            f"crop size {size} does not fit: {dataset.path} stores crops of {dataset.crop_size} px and nothing is "
            "ever resampled."
        )
    index = dataset.index()
    store = _open_cache(dataset, index, size, check, cache)
    rows = index_positions(manifest.column("image_id"), index, dataset)
    return ImageSet(
        store=store,
        rows=rows,
        image_ids=manifest.column("image_id"),
        class_index=manifest.column("class_index"),
        generator=manifest.column("generator"),
        openness=manifest.column("openness"),
        split_name=manifest.column("split"),
        captions=_captions(index, rows),
    )


def captions_of(index: pd.DataFrame) -> pd.Series:
    """What each image of a dataset's index shows, in words: its ``description``, else its ``prompt``; None if neither.

    Indexed as the index is.
    """
    words = index["description"].fillna(index["prompt"]) if "description" in index else index["prompt"]
    return words.astype(object).where(words.notna(), None)


def _captions(index: pd.DataFrame, rows: np.ndarray) -> np.ndarray | None:
    words = captions_of(index).iloc[rows]
    return None if words.isna().all() else words.to_numpy()


def index_positions(image_ids: np.ndarray, index: pd.DataFrame, dataset: Dataset) -> np.ndarray:
    """Rows int64 (N,) of a dataset's index that hold these images of a manifest; DatasetError if one is not there."""
    positions = pd.Index(index["image_id"]).get_indexer(pd.Index(image_ids))
    if (positions < 0).any():
        missing = image_ids[int(np.argmax(positions < 0))]
        raise DatasetError(f"{dataset.path} has no image {missing} of the manifest; split this dataset again.")
    return positions.astype(np.int64)


def _open_cache(dataset: Dataset, index: pd.DataFrame, size: int, check: bool, folder: Path | None) -> np.ndarray:
    path = (folder or _cache_folder(dataset)) / f"{_content_key(index, size)}.npy"
    shape = (len(index), size, size, 3)
    store = None if check else _existing(path, shape)
    if store is None:
        _build_cache(dataset, index, size, check, path)
        store = _existing(path, shape)
    if store is None:
        raise DatasetError(f"the image cache {path} vanished or changed while it was read; run again.")
    return store


def _content_key(index: pd.DataFrame, size: int) -> str:
    digest = hashlib.sha256(f"crops-v1 {size}\n".encode())
    for image, pixels in zip(index["image_id"], index["pixel_sha256"], strict=True):
        digest.update(f"{image} {pixels}\n".encode())
    return digest.hexdigest()[:32]


def _cache_folder(dataset: Dataset) -> Path:
    if os.access(dataset.path, os.W_OK):
        return dataset.path / "cache"
    return cache_folder()


def _existing(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    try:
        store = np.load(path, mmap_mode="r", allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError):
        return None
    return store if store.shape == shape and store.dtype == np.uint8 else None


def _build_cache(dataset: Dataset, index: pd.DataFrame, size: int, check: bool, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lacking = shortage(path.parent, len(index) * size * size * 3)
    if lacking:
        raise DatasetError(f"decoded images need {lacking}: free disk space.")
    get_logger().info("decoding %d images of %s into %s (once)", len(index), dataset.path, path)
    with publishing(path) as partial:
        store = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=(len(index), size, size, 3))
        _decode_into(store, dataset, index, size, check)
        store.flush()
        del store


def _decode_into(store: np.ndarray, dataset: Dataset, index: pd.DataFrame, size: int, check: bool) -> None:
    # groupby keeps the positions of the rows in the index, which are the rows of the cache.
    shards = list(index.assign(at=np.arange(len(index))).groupby("shard", sort=True))
    ledger = {entry.file: entry for entry in dataset.shards()}
    threads = min(len(shards) or 1, os.cpu_count() or 1, _MAX_THREADS)
    with progress_bar("decode images", len(index), "img") as bar, ThreadPoolExecutor(threads) as pool:
        jobs = [
            pool.submit(_decode_shard, store, dataset, ledger[str(shard)], rows, size, check) for shard, rows in shards
        ]
        try:
            for job in as_completed(jobs):
                bar.update(job.result())
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _decode_shard(
    store: np.ndarray, dataset: Dataset, entry: LedgerEntry, rows: pd.DataFrame, size: int, check: bool
) -> int:
    """Decode the crops of one shard into their rows of ``store``; returns how many."""
    dataset.check_shard(entry)
    shard = entry.file
    encoded = dataset.read_images(shard, rows["row"].tolist())
    margin = (dataset.crop_size - size) // 2
    boxes = rows[["at", "row", "crop_x", "crop_y", "crop_size", "pixel_sha256"]].itertuples(index=False, name=None)
    for data, (at, row, x, y, stored, expected) in zip(encoded, boxes, strict=True):
        where = f"{dataset.path / shard}, row {row}"
        try:
            crop = decode_crop(data, x, y, stored)
        except DatasetError as error:
            raise DatasetError(f"{where}: {error}") from error
        if check and pixel_sha256(crop) != expected:
            raise DatasetError(f"{where}: pixels differ from pixel_sha256. Run 'osbench verify'.")
        store[at] = crop[margin : margin + size, margin : margin + size]
    return len(rows)
