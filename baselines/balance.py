"""Classes of equal size, by leaving pictures of the larger ones out."""

from __future__ import annotations

import numpy as np

from ..benchmark.images import ImageSet


def balanced(images: ImageSet, rng: np.random.Generator) -> ImageSet:
    """As many images of every class as the smallest has, drawn by ``rng``, in the order of the set."""
    counts = np.bincount(images.class_index)
    drawn = [rng.permutation(np.flatnonzero(images.class_index == k))[: counts.min()] for k in range(len(counts))]
    return images.subset(np.sort(np.concatenate(drawn)))
