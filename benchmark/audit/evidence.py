"""The features of all probes, computed once for every image that an audit looks at."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ...core.errors import DatasetError
from ...core.progress import progress_bar
from ...core.text import printable
from ...generation.dataset import Dataset
from ...generation.pixels import decode_crop
from ..manifest import Manifest
from .probe import Batch, Probe

MOST_TRAINING = 400
"""Training images of a class that classifiers learn from."""

MOST_ASKED = 300
"""Validation, and test, images of a source that are asked about, where no run is written."""


@dataclass(frozen=True)
class Evidence:
    """Features of images.

    Parameters
    ----------
    position : pandas.Index
        Image ids, N of them.
    features : mapping of str to numpy.ndarray
        Probe -> float32 (N, D).
    """

    position: pd.Index
    features: Mapping[str, np.ndarray]

    def of(self, probe: str, ids: np.ndarray) -> np.ndarray:
        """The features of some images, float32 (len(ids), D)."""
        return self.features[probe][self.position.get_indexer(pd.Index(ids))]


def looked_at(manifest: Manifest, *, every: bool) -> Manifest:
    """A manifest of those images only that an audit looks at.

    Parameters
    ----------
    manifest : Manifest
        A fold.
    every : bool
        All validation and test images, not only the first :data:`MOST_ASKED` of every source.

    Returns
    -------
    Manifest
        With the same id, and of the same classes. Which images stay depends on their ids alone.
    """
    split, sources = manifest.column("split").tolist(), manifest.sources().tolist()
    classes = manifest.column("class_index").tolist()
    order = np.argsort(np.array([hashlib.sha256(name.encode()).hexdigest() for name in manifest.column("image_id")]))
    taken: dict[tuple[str, str], int] = {}
    kept = np.zeros(len(order), bool)
    for i in order.tolist():
        training = split[i] == "train"
        of = (split[i], str(classes[i]) if training else sources[i])
        most = MOST_TRAINING if training else len(order) if every else MOST_ASKED
        taken[of] = taken.get(of, 0) + 1
        kept[i] = taken[of] <= most
    table = pd.DataFrame(manifest.table.loc[kept]).reset_index(drop=True)
    return replace(manifest, table=table)


def read_evidence(
    dataset: Dataset, index: pd.DataFrame, manifests: Sequence[Manifest], probes: Mapping[str, Probe]
) -> Evidence:
    """The features of every image of some manifests.

    Parameters
    ----------
    dataset : Dataset
        The images.
    index : pandas.DataFrame
        Its index.
    manifests : sequence of Manifest
        Which images.
    probes : mapping of str to Probe
        Name -> probe.

    Raises
    ------
    DatasetError
        A frame that is missing, damaged or smaller than its crop, crops of two sizes.
    """
    wanted = np.unique(np.concatenate([manifest.column("image_id") for manifest in manifests]))
    rows = pd.DataFrame(index[np.isin(np.asarray(index["image_id"], str), wanted)])
    odd = pd.DataFrame(index[index["crop_size"] != dataset.crop_size])
    if len(odd):
        first = odd.iloc[0]
        raise DatasetError(
            f"{printable(dataset.path)}: image {first['image_id']} has a crop of {first['crop_size']} px, the dataset "
            f"says {dataset.crop_size}: run `osbench verify`, then generate it again."
        )
    ids: list[str] = []
    found: dict[str, list[np.ndarray]] = {name: [] for name in probes}
    ledger = {entry.file: entry for entry in dataset.shards()}
    with progress_bar("audit: look at images", len(rows), "img") as bar:
        for shard, members in rows.groupby("shard", sort=True):
            part = pd.DataFrame(members)
            dataset.check_shard(ledger[str(shard)])
            batch = _batch(dataset, str(shard), part)
            for name, probe in probes.items():
                found[name].append(_features(probe, batch))
            ids += part["image_id"].tolist()
            bar.update(len(part))
    return Evidence(pd.Index(ids), {name: np.concatenate(parts) for name, parts in found.items()})


def _batch(dataset: Dataset, shard: str, rows: pd.DataFrame) -> Batch:
    encoded = dataset.read_images(shard, rows["row"].tolist())
    crops: list[np.ndarray] = []
    places = rows[["row", "crop_x", "crop_y", "crop_size"]].itertuples(index=False, name=None)
    for data, (row, x, y, size) in zip(encoded, places, strict=True):
        try:
            crops.append(decode_crop(data, x, y, size))
        except DatasetError as error:
            raise DatasetError(f"{printable(dataset.path / shard)}, row {row}: {error}") from error
    return Batch(rows, encoded, np.stack(crops))


def _features(probe: Probe, batch: Batch) -> np.ndarray:
    found = probe.features(batch)
    if found.shape[0] != len(batch.encoded) or found.ndim != 2 or not np.isfinite(found).all():
        raise DatasetError(f"probe {probe.name} gives no finite numbers for every image: mend its features.")
    return found.astype(np.float32)
