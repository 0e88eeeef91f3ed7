"""Where the manifests of a dataset lie, and the protocols that are stored with them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..core.errors import UsageError
from ..core.progress import get_logger
from ..core.user_folders import cache_folder
from ..generation.dataset import Dataset
from .protocols import Protocol, load_protocol, store_protocol


def manifest_path(folder: Path, fold: str) -> Path:
    """Where the manifest of a fold lies in a folder of manifests: ``rotate-stylegan+taming.parquet``."""
    return folder / f"{fold.replace('/', '-')}.parquet"


def manifest_folder(dataset: Dataset) -> Path:
    """``manifests/`` in the dataset; for a dataset that is read-only, a folder in the user's cache."""
    folder = _writable(dataset)
    if folder != _inside(dataset):
        get_logger().info("%s is read-only: manifests go to %s", dataset.path, folder)
    return folder


def find_protocol(dataset: Dataset, protocol: Protocol | str | Path) -> Protocol:
    """The protocol of a name or a file, for a dataset.

    Parameters
    ----------
    dataset : Dataset
        Whose stored protocols are known by their names.
    protocol : Protocol, str or Path
        A protocol, the name of a packaged or stored one, or the path of a YAML file.

    Returns
    -------
    Protocol
        UsageError as :func:`.protocols.load_protocol` raises it.
    """
    return load_protocol(protocol, [_writable(dataset), _inside(dataset)])


def keep_protocol(dataset: Dataset, protocol: Protocol) -> None:
    """Store a protocol with the manifests of a dataset, unless it is known there already."""
    try:
        known = find_protocol(dataset, protocol.name) == protocol
    except UsageError:
        known = False
    if not known:
        store_protocol(protocol, _writable(dataset))


def _inside(dataset: Dataset) -> Path:
    return dataset.path / "manifests"


def _writable(dataset: Dataset) -> Path:
    folder = _inside(dataset)
    if os.access(folder if folder.exists() else dataset.path, os.W_OK):
        return folder
    place = dataset.path.resolve()
    key = hashlib.sha256(str(place).encode()).hexdigest()[:12]
    return cache_folder() / "manifests" / f"{place.name}-{key}"
