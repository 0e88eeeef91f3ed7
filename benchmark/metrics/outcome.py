"""What a method said about the test images: the one input of every metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import RunError

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The answers of one run to N images, with the truth.

    An image is *accepted* at a threshold iff ``known_score >= threshold``; an accepted image is attributed to its
    candidate, any other is called unknown. The arrays are copied, checked and made read-only.

    Attributes
    ----------
    truth : numpy.ndarray
        int64 (N,), index of the true seen generator in 0..n_classes-1, or -1 for an image of an unseen one.
    unseen_group : numpy.ndarray
        int64 (N,), index of the unseen generator in 0..n_unseen-1, or -1 for a seen one.
    candidate : numpy.ndarray
        int64 (N,) in 0..n_classes-1, the seen generator that the image goes to if it is accepted.
    known_score : numpy.ndarray
        float64 (N,), finite, higher = more likely from a seen generator.
    n_classes : int
        Number of seen generators, at least 1; each has at least one image.
    n_unseen : int
        Number of unseen generators; each has at least one image. 0 for validation images, where the metrics that
        need unseen images refuse.

    Raises
    ------
    RunError
        Lengths differ, no image, a NaN or infinite score, an index out of range, a generator without images.
    """

    truth: IntArray
    unseen_group: IntArray
    candidate: IntArray
    known_score: FloatArray
    n_classes: int
    n_unseen: int
    _kept: dict[str, Any] = field(default_factory=dict[str, Any], init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("truth", "unseen_group", "candidate"):
            object.__setattr__(self, name, _indices(name, getattr(self, name)))
        object.__setattr__(self, "known_score", finite_scores("known_score", self.known_score))
        if len({len(self.truth), len(self.unseen_group), len(self.candidate), len(self.known_score)}) != 1:
            raise RunError(
                f"an outcome needs arrays of one length, not truth {len(self.truth)}, unseen_group "
                f"{len(self.unseen_group)}, candidate {len(self.candidate)}, known_score {len(self.known_score)}."
            )
        if self.n_classes < 1 or self.n_unseen < 0:
            raise RunError(f"an outcome needs n_classes >= 1 and n_unseen >= 0, not {self.n_classes}, {self.n_unseen}.")
        _check_range("truth", self.truth, -1, self.n_classes)
        _check_range("unseen_group", self.unseen_group, -1, self.n_unseen)
        _check_range("candidate", self.candidate, 0, self.n_classes)
        one = (self.truth >= 0) != (self.unseen_group >= 0)
        if not one.all():
            raise RunError(f"row {np.argmin(one)} must be of a seen class or of an unseen generator, and not of both.")
        _check_present("seen class", self.truth, self.n_classes)
        _check_present("unseen generator", self.unseen_group, self.n_unseen)

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def ranking(self) -> tuple[FloatArray, IntArray]:
        """The distinct scores, ascending (m,), and for each image the index of its score among them (N,)."""
        order = np.argsort(self.known_score)
        ascending = self.known_score[order]
        begins = np.append(True, ascending[1:] != ascending[:-1])
        rank = np.empty(len(order), np.int64)
        rank[order] = np.cumsum(begins) - 1
        return ascending[begins], rank

    def take(self, rows: IntArray) -> Outcome:
        """The outcome of the images `rows`, which may repeat (a resample)."""
        return replace(
            self,
            truth=self.truth[rows],
            unseen_group=self.unseen_group[rows],
            candidate=self.candidate[rows],
            known_score=self.known_score[rows],
        )

    def strata(self) -> list[IntArray]:
        """The rows of each generator: the seen ones by class, then the unseen ones."""
        cell = np.where(self.truth >= 0, self.truth, self.n_classes + self.unseen_group)
        return [np.flatnonzero(cell == k) for k in range(self.n_classes + self.n_unseen)]

    def kept(self, key: str, make: Callable[[Outcome], Any]) -> Any:
        """`make(self)`, computed once for this outcome: sorted views that many metrics share."""
        if key not in self._kept:
            self._kept[key] = make(self)
        return self._kept[key]


def check_same_images(first: Outcome, second: Outcome) -> None:
    """Refuse two outcomes that are not answers to the same images in the same order (RunError)."""
    same = (
        (first.n_classes, first.n_unseen) == (second.n_classes, second.n_unseen)
        and np.array_equal(first.truth, second.truth)
        and np.array_equal(first.unseen_group, second.unseen_group)
    )
    if not same:
        raise RunError("these runs did not answer the same images in the same order; compare runs of one manifest.")


def finite_scores(name: str, values: Any) -> FloatArray:
    """A read-only float64 copy of a vector of at least one finite score; RunError names the first bad row."""
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise RunError(f"{name} must be a vector with at least one score, not of shape {array.shape}.")
    finite = np.isfinite(array)
    if not finite.all():
        row = np.argmin(finite)
        raise RunError(f"{name} of row {row} is {array[row]}; every score must be finite.")
    array.flags.writeable = False
    return array


def _indices(name: str, values: Any) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "iu":
        raise RunError(f"{name} must be a vector of at least one integer, not {array.dtype} of shape {array.shape}.")
    array = array.astype(np.int64, copy=True)
    array.flags.writeable = False
    return array


def _check_range(name: str, values: IntArray, low: int, high: int) -> None:
    if values.min() < low or values.max() >= high:
        row = np.flatnonzero((values < low) | (values >= high))[0]
        raise RunError(f"{name} of row {row} is {values[row]}; it must lie in {low}..{high - 1}.")


def _check_present(kind: str, values: IntArray, count: int) -> None:
    absent = np.flatnonzero(np.bincount(values[values >= 0], minlength=count) == 0)
    if len(absent):
        raise RunError(f"{kind} {absent[0]} has no image here; its rates would be undefined.")
