"""What a manifest promises, checked before it is written and whenever one is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import DatasetError, LeakError
from ..core.text import printable
from .leaks import refuse_repeated_ids
from .splitting import SPLITS

if TYPE_CHECKING:
    from .manifest import Manifest

COLUMNS = ("image_id", "shard", "row", "generator", "training_set", "openness", "split", "class_index")
GROUPED = (*COLUMNS, "group")
"""Columns of a manifest whose protocol splits by groups."""


def class_index(generator: np.ndarray, seen: Sequence[str]) -> np.ndarray:
    """Index int64 (N,) of generators, str (N,), among the seen ones; -1 for any other."""
    index = {name: i for i, name in enumerate(seen)}
    return np.array([index.get(name, -1) for name in generator], dtype=np.int64)


def check_manifest(manifest: Manifest) -> None:
    """LeakError or DatasetError unless the manifest keeps every promise."""
    if tuple(manifest.table.columns) not in (COLUMNS, GROUPED):
        raise DatasetError(f"manifest columns are {', '.join(manifest.table.columns)}; expected {', '.join(COLUMNS)}.")
    if not manifest.unseen and not manifest.shots:
        raise DatasetError("nobody is unseen in the manifest: only one with few shots may be a closed set.")
    ids, generator, split = (manifest.column(name) for name in ("image_id", "generator", "split"))
    refuse_repeated_ids(ids)
    if (ids[:-1] > ids[1:]).any():
        raise DatasetError("the manifest's rows are not sorted by image_id.")
    if not np.isin(split, SPLITS).all() or not np.isin(manifest.column("openness"), ("seen", "unseen")).all():
        raise DatasetError("the manifest has a split or openness that does not exist.")
    unseen = np.isin(generator, manifest.unseen)
    if ((manifest.column("openness") == "unseen") != unseen).any() or set(manifest.seen) & set(manifest.unseen):
        raise LeakError("the manifest calls a generator both seen and unseen.")
    leaked = np.flatnonzero(unseen & (split != "test"))
    if len(leaked):
        first = leaked[0]
        raise LeakError(
            f"{len(leaked)} images of unseen generators lie outside test, first {ids[first]} of {generator[first]} in "
            f"{split[first]}."
        )
    if (class_index(generator, manifest.seen) != manifest.column("class_index")).any():
        raise LeakError("the manifest's class_index does not agree with its seen generators.")
    _refuse_missing_classes(manifest, set(zip(generator.tolist(), split.tolist(), strict=True)))
    if manifest.held_out:
        _refuse_mixed_content(manifest, ids, generator, split)
    if manifest.shots:
        _refuse_other_shots(manifest)
    if "group" in manifest.table:
        _refuse_torn_groups(manifest, ids, split)


def _refuse_other_shots(manifest: Manifest) -> None:
    for generator, count in manifest.rows("train")["generator"].value_counts().items():
        if count != manifest.shots:
            raise DatasetError(f"generator {generator} has {count} training images in a manifest of {manifest.shots}.")


def _refuse_torn_groups(manifest: Manifest, ids: np.ndarray, split: np.ndarray) -> None:
    """No group is in two splits, whoever made its images."""
    first: dict[str, int] = {}
    for i, group in enumerate(manifest.column("group").tolist()):
        j = first.setdefault(group, i)
        if split[i] != split[j]:
            raise LeakError(
                f"group {printable(group, 60)} is torn: {ids[j]} is in {split[j]} and {ids[i]} in {split[i]}."
            )


def _refuse_missing_classes(manifest: Manifest, present: set[tuple[str, str]]) -> None:
    wanted = {(g, s) for g in manifest.seen for s in SPLITS} | {(g, "test") for g in manifest.unseen}
    for generator, split in sorted(wanted - present):
        raise DatasetError(f"generator {generator} has no {split} image in the manifest: generate more images.")
    for generator, _ in sorted(present - wanted):
        raise DatasetError(f"the manifest has images of {generator}, which it calls neither seen nor unseen.")


def _refuse_mixed_content(manifest: Manifest, ids: np.ndarray, generator: np.ndarray, split: np.ndarray) -> None:
    """The held-out training set is in test only, and whoever has it is tested on nothing else."""
    held_out = manifest.column("training_set") == manifest.held_out
    leaked = np.flatnonzero(held_out & (split != "test"))
    if len(leaked):
        raise LeakError(
            f"{len(leaked)} images of the held-out training set {manifest.held_out} lie outside test, first "
            f"{ids[leaked[0]]} of {generator[leaked[0]]} in {split[leaked[0]]}."
        )
    if not np.isin(generator[held_out], manifest.seen).any():
        raise DatasetError(f"no seen generator has an image of the held-out training set {manifest.held_out}.")
    mixed = np.flatnonzero((split == "test") & ~held_out & np.isin(generator, generator[held_out]))
    if len(mixed):
        raise DatasetError(
            f"{generator[mixed[0]]} is tested on the held-out training set {manifest.held_out} and on another one, "
            f"first {ids[mixed[0]]}."
        )
