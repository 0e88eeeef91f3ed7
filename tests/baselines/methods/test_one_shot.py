"""One training image of every class: whatever a few-shot protocol asks is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from osbench.benchmark.images import ImageSet
from osbench.benchmark.method import Context, get_method
from osbench.core.errors import RunError

METHODS: dict[str, dict[str, Any]] = {
    "proposed": {},
    "dct-cnn": {},
    "tiny-autoencoders": {"patches_per_class": 4, "real_patches": 48},
}


def of_each_class(images: ImageSet, count: int) -> ImageSet:
    labels = images.class_index
    return images.subset(np.concatenate([np.flatnonzero(labels == k)[:count] for k in np.unique(labels)]))


@pytest.mark.parametrize("name", METHODS)
def test_one_image_of_every_class_is_enough(
    name: str, train_set: ImageSet, val_set: ImageSet, make_context: Callable[..., Context]
) -> None:
    method = get_method(name)(epochs=1, **METHODS[name])
    method.fit(of_each_class(train_set, 1), val_set, make_context(epochs=1))
    answers = method.predict(val_set[:6])
    assert set(answers) == set(method.rejections)
    assert all(np.isfinite(scores.known_score).all() for scores in answers.values())


@pytest.mark.parametrize("name", ["fsm", "osbench-1"])
def test_what_needs_two_images_says_so(
    name: str, train_set: ImageSet, val_set: ImageSet, make_context: Callable[..., Context]
) -> None:
    with pytest.raises(RunError, match=r"has 1 training image\(s\), needs at least 2"):
        get_method(name)().fit(of_each_class(train_set, 1), val_set, make_context())
