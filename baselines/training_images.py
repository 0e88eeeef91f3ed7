"""What every method asks of its training images before it begins."""

from __future__ import annotations

import numpy as np

from ..benchmark.images import ImageSet
from ..benchmark.method import Context
from ..core.errors import RunError


def check_training_images(train: ImageSet, val: ImageSet, context: Context, *, least: int = 1) -> None:
    """:class:`RunError` unless there are two classes, ``least`` training images of each, and no unseen image."""
    for name, images in (("training", train), ("validation", val)):
        if len(images) and images.class_index.min() < 0:
            raise RunError(f"the {name} images contain unseen generators: refused, split the dataset again")
        if not len(images):
            raise RunError(f"there is no {name} image")
    if len(context.class_names) < 2:
        raise RunError(f"attribution needs at least two seen classes, there is {len(context.class_names)}")
    counts = np.bincount(train.class_index, minlength=len(context.class_names))
    if counts.min() < least:
        k = int(counts.argmin())
        raise RunError(f"class '{context.class_names[k]}' has {counts[k]} training image(s), needs at least {least}")
