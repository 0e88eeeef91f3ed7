"""Where osbench keeps what belongs to a user and not to a dataset: downloads, converted weights, accepted licences.

``OSBENCH_HOME`` moves all of it; ``OSBENCH_CACHE`` moves what can be fetched again. Otherwise the XDG base directories
are followed.
"""

from __future__ import annotations

import os
from pathlib import Path


def config_folder() -> Path:
    """``$OSBENCH_HOME``, else ``osbench`` in ``$XDG_CONFIG_HOME`` or ``~/.config``. Not created."""
    home = os.environ.get("OSBENCH_HOME")
    return Path(home) if home else _base("XDG_CONFIG_HOME", ".config")


def cache_folder() -> Path:
    """``$OSBENCH_CACHE``, else ``$OSBENCH_HOME/cache``, else ``osbench`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    cache, home = os.environ.get("OSBENCH_CACHE"), os.environ.get("OSBENCH_HOME")
    if cache:
        return Path(cache)
    return Path(home) / "cache" if home else _base("XDG_CACHE_HOME", ".cache")


def _base(variable: str, default: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / default) / "osbench"
