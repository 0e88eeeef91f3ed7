"""Images of a dataset as their network makes them with other noise: drawn anew, constant, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .catalog import Suite
from .dataset import Dataset
from .pixels import decode_crop
from .regenerate import recorded_unit
from .shards import encode_row, sample_batch
from .weights import local_weights

MODES = ("random", "const", "none")


def crops_with_noise(
    dataset: Dataset, record: dict[str, Any], indices: Sequence[int], mode: str, suite: Suite
) -> np.ndarray:
    """Make images of a source again with another ``noise_mode``.

    Parameters
    ----------
    dataset : Dataset
        Where they are from.
    record : dict
        The source's entry in ``dataset.json``.
    indices : sequence of int
        Which images; whole batches are made, so neighbours cost nothing.
    mode : str
        One of :data:`MODES`.
    suite : Suite
        Where the weights are.

    Returns
    -------
    numpy.ndarray
        uint8 (N, S, S, 3), cropped and compressed as in the dataset. UsageError for a mode that the family does not
        have, DatasetError for other weights than those of the dataset.
    """
    source = suite.source(record["name"])
    located = next(iter(local_weights([source], {})), source)
    unit = recorded_unit(dataset, record, located, "cpu")
    unit = replace(unit, source=replace(unit.source, sampling={**unit.source.sampling, "noise_mode": mode}))
    size, made = unit.recipe.batch_size, {}
    for start in sorted({index - index % size for index in indices}):
        for image in sample_batch(unit, range(start, start + size)):
            if image.index in indices:
                row = encode_row(unit, image)
                made[image.index] = decode_crop(row["image"]["bytes"], row["crop_x"], row["crop_y"], row["crop_size"])
    return np.stack([made[index] for index in indices])
