"""What every method asks of its training images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from osbench.baselines.training_images import check_training_images
from osbench.benchmark.images import ImageSet
from osbench.benchmark.method import Context
from osbench.core.errors import RunError


def images(*labels: int) -> ImageSet:
    n = len(labels)
    text = np.array(["x"] * n, dtype=str)
    store = np.zeros((max(n, 1), 8, 8, 3), np.uint8)
    return ImageSet(store, np.arange(n), text, np.array(labels, np.int64), text, text, text)


def context(*names: str) -> Context:
    return Context(0, torch.device("cpu"), Path(), names, 8)


def test_two_classes_with_images_are_enough() -> None:
    check_training_images(images(0, 1), images(0), context("a", "b"))


@pytest.mark.parametrize(
    ("train", "val", "names", "least", "said"),
    [
        ((0, 1), (-1,), ("a", "b"), 1, "the validation images contain unseen generators"),
        ((0, -1), (0,), ("a", "b"), 1, "the training images contain unseen generators"),
        ((), (0,), ("a", "b"), 1, "there is no training image"),
        ((0, 0), (0,), ("a",), 1, "at least two seen classes, there is 1"),
        ((0, 0, 1), (0,), ("a", "b"), 2, r"class 'b' has 1 training image\(s\), needs at least 2"),
    ],
)
def test_what_cannot_be_learned_from(
    train: tuple[int, ...], val: tuple[int, ...], names: tuple[str, ...], least: int, said: str
) -> None:
    with pytest.raises(RunError, match=said):
        check_training_images(images(*train), images(*val), context(*names), least=least)
