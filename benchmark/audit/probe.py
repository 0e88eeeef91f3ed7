"""A probe: what of an image a trivial attributor looks at, and how much it may find there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import pandas as pd

from ...core.registry import Registry

Relate = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Batch:
    """Some images of a dataset.

    Parameters
    ----------
    rows : pandas.DataFrame
        Their rows in the index, B of them.
    encoded : sequence of bytes
        Their stored frames.
    pixels : numpy.ndarray
        uint8 (B, S, S, 3), their benchmark crops.
    """

    rows: pd.DataFrame
    encoded: Sequence[bytes]
    pixels: np.ndarray

    def numbers(self, column: str) -> np.ndarray:
        """A column of the index as float64 (B,), -1 where an image has no value."""
        return self.rows[column].astype("Float64").fillna(-1.0).to_numpy(np.float64)


@dataclass(frozen=True)
class Gate:
    """What a dataset must keep.

    Parameters
    ----------
    above_chance : float, optional
        By so much may the probe's accuracy exceed chance.
    at_least : float, optional
        So much must it reach across weights.
    """

    above_chance: float | None = None
    at_least: float | None = None


class Probe(ABC):
    """What a trivial attributor looks at.

    Attributes
    ----------
    name : str
        Set by :func:`register_probe`.
    title : str
        What it looks at, for people.
    gate : Gate
        How much it may, or must, find.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    gate: ClassVar[Gate]

    @abstractmethod
    def features(self, batch: Batch) -> np.ndarray:
        """Numbers of every image, finite float32 (B, D), from that image alone."""

    def relate(self, learnt: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, Relate]:
        """What the classifiers learn from, and how the same is had of other images.

        Most probes give their features as they are; one that compares an image with others needs the training images.

        Parameters
        ----------
        learnt : numpy.ndarray
            float32 (N, D), features of training images.
        labels : numpy.ndarray
            int64 (N,), their classes.
        """
        del labels
        return learnt, lambda features: features


_PROBES: Registry[type[Probe]] = Registry("probe", "osbench.probes")

P = TypeVar("P", bound=type[Probe])


def register_probe(name: str) -> Callable[[P], P]:
    """Class decorator: make a probe known under ``name``; UsageError if another class has that name."""

    def decorate(cls: P) -> P:
        _PROBES.add(name, cls)
        cls.name = name
        return cls

    return decorate


def probe_names() -> list[str]:
    """Names of all probes, sorted."""
    return _PROBES.names()


def get_probe(name: str) -> type[Probe]:
    """The probe of that name; UsageError if there is none."""
    return _PROBES.get(name)
