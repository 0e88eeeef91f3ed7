"""What a manifest promises, checked before it is written and whenever one is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import DatasetError, LeakError
from .leaks import refuse_repeated_ids, refuse_torn_groups
from .manifest_columns import class_index, columns_of
from .splitting import SPLITS

if TYPE_CHECKING:
    from .manifest import Manifest


def check_manifest(manifest: Manifest) -> None:
    """LeakError or DatasetError unless the manifest keeps every promise."""
    present = tuple(manifest.table.columns)
    if present != columns_of(present):
        raise DatasetError(f"manifest columns are {', '.join(present)}; expected {', '.join(columns_of(present))}.")
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
        _refuse_mixed(manifest, ids, generator, split)
    if manifest.shots:
        _refuse_other_shots(manifest)
    refuse_torn_groups(ids, manifest.column("group"), split)


def _refuse_other_shots(manifest: Manifest) -> None:
    for generator, count in manifest.rows("train")["generator"].value_counts().items():
        if count != manifest.shots:
            raise DatasetError(f"generator {generator} has {count} training images in a manifest of {manifest.shots}.")


def _refuse_missing_classes(manifest: Manifest, present: set[tuple[str, str]]) -> None:
    wanted = {(g, s) for g in manifest.seen for s in SPLITS} | {(g, "test") for g in manifest.unseen}
    for generator, split in sorted(wanted - present):
        raise DatasetError(f"generator {generator} has no {split} image in the manifest: generate more images.")
    for generator, _ in sorted(present - wanted):
        raise DatasetError(f"the manifest has images of {generator}, which it calls neither seen nor unseen.")


def _refuse_mixed(manifest: Manifest, ids: np.ndarray, generator: np.ndarray, split: np.ndarray) -> None:
    """What is held out is in test only, and whoever has it is tested on nothing else."""
    what = f"held-out {manifest.hold_out.replace('_', ' ')} {manifest.held_out}"
    held_out = manifest.column(manifest.hold_out) == manifest.held_out
    leaked = np.flatnonzero(held_out & (split != "test"))
    if len(leaked):
        raise LeakError(
            f"{len(leaked)} images of the {what} lie outside test, first {ids[leaked[0]]} of {generator[leaked[0]]} in "
            f"{split[leaked[0]]}."
        )
    if not np.isin(generator[held_out], manifest.seen).any():
        raise DatasetError(f"no seen generator has an image of the {what}.")
    mixed = np.flatnonzero((split == "test") & ~held_out & np.isin(generator, generator[held_out]))
    if len(mixed):
        others = "another one" if manifest.hold_out == "training_set" else "others"
        raise DatasetError(f"{generator[mixed[0]]} is tested on the {what} and on {others}, first {ids[mixed[0]]}.")
