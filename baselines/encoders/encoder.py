"""What an encoder is, and how one is built from its name. Features are cached per image, layer, weights and device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

import numpy as np

from ...core.errors import CheckpointError, UsageError, unknown_name
from ...core.registry import Registry
from ..features import FeatureCache

if TYPE_CHECKING:
    import torch

_PIN = "#sha256:"


class Encoder(ABC):
    """Images to features, with weights that nothing here changes.

    Building one reads nothing: ask :meth:`missing` whether the weights are there.

    Parameters
    ----------
    source : str
        What stands behind the colon of a name (``transformers:FOLDER``): a Hub id, a folder or a file; perhaps with
        ``#sha256:...`` at its end, as :func:`pinned` gives it. Empty: the default weights.

    Attributes
    ----------
    name : str
        Set by :func:`register_encoder`.
    default_source : str
        The weights that an empty ``source`` means.
    preprocessing : str
        What happens to the pixels before the network, in words; part of the identity.
    one_pass : bool
        Whether one pass over an image gives the features of all layers, and the cache keeps them together: to choose
        a layer on validation images costs no more than to use one.
    batch_size : int
        How many images are computed at once.
    """

    name: ClassVar[str]
    default_source: ClassVar[str] = ""
    preprocessing: ClassVar[str]
    one_pass: ClassVar[bool] = False
    batch_size: ClassVar[int] = 32

    def __init__(self, source: str = "") -> None:
        place, _, self._expected = source.partition(_PIN)
        self.source = place or self.default_source
        self.device = "cpu"
        self._caches: dict[tuple[str, ...], FeatureCache] = {}

    # -- what an encoder must say ----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def layers(self) -> tuple[str, ...]:
        """Names of the layers whose features can be had, the earliest first."""

    @property
    @abstractmethod
    def default_layer(self) -> str:
        """The layer that :meth:`encode` takes if none is named."""

    @abstractmethod
    def dim(self, layer: str | None = None) -> int:
        """Length D of a feature row of a layer."""

    @abstractmethod
    def missing(self) -> str | None:
        """What is not on this machine, and which extra or folder brings it, in one line; None if all is there."""

    @abstractmethod
    def _weights_sha256(self) -> str:
        """SHA-256 of all that the features depend on besides the pixels and the code. CheckpointError if missing."""

    @abstractmethod
    def _compute(self, images: np.ndarray, layers: tuple[str, ...]) -> np.ndarray:
        """Features (B, D1 + D2 + ...) of uint8 (B, S, S, 3) in one layer, or in all of them side by side."""

    # -- what all have ---------------------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """How a board calls it: its name, and the weights if they are not the default ones; never a path."""
        if self.source == self.default_source:
            return self.name
        return f"{self.name}:{Path(self.source).name if Path(self.source).exists() else self.source}"

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the weights. CheckpointError if they are missing, or other ones than the name was pinned to."""
        found = self._weights_sha256()
        if self._expected and found != self._expected:
            raise CheckpointError(
                f"encoder {self.name}: {self.source} holds other weights than when this run began; start a new run."
            )
        return found

    @property
    def identity(self) -> str:
        """The weights and the preprocessing: what has the same identity gives the same features, but for rounding."""
        return f"{self.name} {self.sha256} {self.preprocessing}"

    def to(self, device: torch.device) -> Self:
        """Compute on a device from now on; features of another kind of device are cached apart."""
        self.device = str(device)
        self._caches.clear()
        return self

    @property
    def device_type(self) -> str:
        """``cpu`` or ``cuda``: two of a kind round alike."""
        return self.device.partition(":")[0]

    def checked_layer(self, layer: str | None) -> str:
        """The layer itself, the default one for None. UsageError for a name that is none of :attr:`layers`."""
        if layer is not None and layer not in self.layers:
            raise unknown_name(f"layer of encoder {self.name}", layer, self.layers)
        return layer or self.default_layer

    def encode(self, images: np.ndarray, layer: str | None = None) -> np.ndarray:
        """Features of images, from the cache where they were computed before.

        Parameters
        ----------
        images : np.ndarray
            uint8 (N, S, S, 3).
        layer : str, optional
            One of :attr:`layers`.

        Returns
        -------
        np.ndarray
            float32 (N, D).

        Raises
        ------
        UsageError
            For an unknown layer, and for images that are not square or not uint8.
        CheckpointError
            If the weights are missing, damaged, or not those that the name was pinned to.
        """
        check_images(images, self.name)
        layer = self.checked_layer(layer)
        kept = self.layers if self.one_pass else (layer,)
        rows = self._cache(kept).rows(images, lambda at: self._compute(images[at], kept), batch_size=self.batch_size)
        start = sum(self.dim(one) for one in kept[: kept.index(layer)])
        return rows[:, start : start + self.dim(layer)]

    def _cache(self, layers: tuple[str, ...]) -> FeatureCache:
        if layers not in self._caches:
            recipe = {"encoder": self.identity, "layers": layers, "device": self.device_type}
            self._caches[layers] = FeatureCache(self.name, recipe, sum(map(self.dim, layers)))
        return self._caches[layers]


class TextEncoder(Encoder):
    """An encoder of images and texts into one space."""

    @abstractmethod
    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """float32 (N, D), comparable with what :meth:`encode` gives at the default layer."""


_ENCODERS: Registry[type[Encoder]] = Registry("encoder", "osbench.encoders")
E = TypeVar("E", bound=type[Encoder])


def register_encoder(name: str) -> Callable[[E], E]:
    """Class decorator: make an encoder known under ``name``."""

    def register(cls: E) -> E:
        _ENCODERS.add(name, cls)
        cls.name = name
        return cls

    return register


def encoder_names() -> tuple[str, ...]:
    """Names of all encoders, sorted; none is imported for it."""
    return tuple(_ENCODERS.names())


def encoder_class(name: str) -> type[Encoder]:
    """The class of the encoder called ``name``. UsageError for an unknown name."""
    return _ENCODERS.get(name)


def build_encoder(text: str) -> Encoder:
    """The encoder that a text names, on the CPU.

    Parameters
    ----------
    text : str
        ``NAME`` or ``NAME:SOURCE``.

    Raises
    ------
    UsageError
        For an unknown name.

    Examples
    --------
    >>> build_encoder("clip:openai/clip-vit-base-patch32").source
    'openai/clip-vit-base-patch32'
    """
    name, _, source = text.partition(":")
    return encoder_class(name)(source)


def pinned(text: str) -> str:
    """``transformers:FOLDER`` -> ``transformers:FOLDER#sha256:...``: a run's record must change with the weights.

    Hub ids, default weights and what is pinned already stay as they are.
    """
    source = text.partition(":")[2]
    if not source or _PIN in source or not Path(source).exists():
        return text
    return f"{text}{_PIN}{build_encoder(text).sha256}"


def unit_norm(features: np.ndarray) -> np.ndarray:
    """Rows (N, D) of length 1; a row of zeros stays one."""
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def check_images(images: np.ndarray, name: str) -> None:
    """UsageError unless the images are square, in colour and uint8: (N, S, S, 3)."""
    square = images.ndim == 4 and images.shape[3] == 3 and images.shape[1] == images.shape[2]
    if not square or images.dtype != np.uint8:
        raise UsageError(
            f"encoder {name} takes square uint8 images (N, S, S, 3), these are {images.dtype} {tuple(images.shape)}."
        )
