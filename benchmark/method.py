"""The interface that every attribution method fulfils, and the registry of methods.

A method is one class in one file::

    @register_method("nearest-colour")
    class NearestColour(Method):
        card = MethodCard(title="...", paper="...", ...)
        rejections = ("distance",)
        defaults = {"bins": 8}
        ...

It becomes known by its place (``baselines/methods``), by an entry point of the group ``osbench.methods``, or by its
file: ``osbench evaluate --method path/to/file.py``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import torch
import yaml

from ..core.errors import RunError, UsageError, unknown_name
from ..core.registry import Registry
from .images import ImageSet


@dataclass(frozen=True)
class MethodCard:
    """What a reader must know about a method before trusting its numbers.

    Attributes
    ----------
    faithful, deviations: what follows the paper, and what does not.
    published: numbers printed in the paper, metric name -> value; never mixed with ours.
    input_range: what the network sees for pixel values 0..255, e.g. ``"0..1"``.
    """

    title: str
    paper: str
    url: str
    faithful: list[str] = field(default_factory=list)
    deviations: list[str] = field(default_factory=list)
    licence: str = "Apache-2.0"
    published: dict[str, float] = field(default_factory=dict)
    input_range: str = "0..1"


@dataclass
class Scores:
    """The answer to N images, over K seen generators.

    Attributes
    ----------
    class_scores: float32 (N, K), higher = more alike that seen generator.
    known_score: float32 (N,), higher = more likely from any seen generator.
    candidate: int64 (N,), the seen generator the image goes to if it is accepted; 0..K-1.
    """

    class_scores: np.ndarray
    known_score: np.ndarray
    candidate: np.ndarray

    def __post_init__(self) -> None:
        self.class_scores = np.asarray(self.class_scores, np.float32)
        self.known_score = np.asarray(self.known_score, np.float32)
        self.candidate = np.asarray(self.candidate, np.int64)

    def __len__(self) -> int:
        return len(self.known_score)

    def check(self) -> Self:
        """RunError, naming the first bad row, unless shapes agree, values are finite and candidates exist."""
        n = len(self)
        if self.class_scores.ndim != 2 or self.class_scores.shape[0] != n or self.candidate.shape != (n,):
            raise RunError(
                f"scores of different lengths: class_scores {self.class_scores.shape}, known_score "
                f"{self.known_score.shape}, candidate {self.candidate.shape}."
            )
        finite = np.isfinite(self.class_scores).all(axis=1) & np.isfinite(self.known_score)
        if not finite.all():
            raise RunError(f"scores of row {int(np.argmin(finite))} are not finite; the method diverged.")
        known = (self.candidate >= 0) & (self.candidate < self.class_scores.shape[1])
        if not known.all():
            row = int(np.argmin(known))
            raise RunError(
                f"candidate {self.candidate[row]} of row {row} is none of the {self.class_scores.shape[1]} seen "
                "generators."
            )
        return self

    @classmethod
    def concatenate(cls, parts: Sequence[Scores]) -> Scores:
        """One Scores from the batches of a pass, in order."""
        return cls(
            np.concatenate([p.class_scores for p in parts]),
            np.concatenate([p.known_score for p in parts]),
            np.concatenate([p.candidate for p in parts]),
        )


@dataclass
class Context:
    """What a method is told about its surroundings while it is fitted.

    Attributes
    ----------
    seed: feeds every random draw of the method.
    folder: private to this fit; checkpoints and cached features go here, and a fit that is started again with the
        same folder continues from them.
    class_names: the seen generators; ``class_index`` i of the images means ``class_names[i]``.
    epochs: number of epochs asked for, None = the method's own default.
    options: the method's resolved hyper-parameters (also ``method.options``).
    """

    seed: int
    device: torch.device
    folder: Path
    class_names: tuple[str, ...]
    crop_size: int
    epochs: int | None = None
    options: dict[str, Any] = field(default_factory=dict)


class Method(ABC):
    """An attribution method: learns from images of seen generators, then answers for any image.

    Class attributes
    ----------------
    name: set by :func:`register_method`.
    rejections: names of the rejection rules that ``predict`` answers for; each becomes its own run.
    defaults: every hyper-parameter with its default value.
    """

    name: ClassVar[str]
    card: ClassVar[MethodCard]
    rejections: ClassVar[tuple[str, ...]] = ("native",)
    defaults: ClassVar[dict[str, Any]] = {}

    options: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        """Keep ``defaults`` overridden by ``options`` in ``self.options``; UsageError for an unknown option."""
        for key in options:
            if key not in self.defaults:
                raise unknown_name(f"option of method {self.name}", key, self.defaults)
        self.options = {**self.defaults, **options}

    def missing(self) -> str | None:
        """What this method needs and this machine lacks (weights, a package) and how to get it; None if it can run.

        Asked before many methods are run unattended: one that cannot run is left out then, and named.
        """
        return None

    @abstractmethod
    def fit(self, train: ImageSet, val: ImageSet, context: Context) -> None:
        """Learn from seen images alone; checkpoint into ``context.folder`` and resume from what lies there."""

    @abstractmethod
    def predict(self, images: np.ndarray) -> dict[str, Scores]:
        """Answer for uint8 (N, S, S, 3): one :class:`Scores` per name in ``rejections``, from one forward pass."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the fitted method into an existing empty folder: safetensors and JSON, no pickle."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Method:
        """The method that :meth:`save` wrote."""

    def to(self, device: torch.device) -> Method:
        """Move networks to a device before ``predict``; methods without networks need not override it."""
        return self


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_METHODS: Registry[type[Method]] = Registry("method", "osbench.methods")
_FILES: dict[Path, str] = {}
_FILE_SHA256: dict[Path, str] = {}

M = TypeVar("M", bound=type[Method])


def register_method(name: str) -> Callable[[M], M]:
    """Class decorator: make a method known under ``name``; UsageError if another class has that name.

    Runs lie in a folder of that name: letters, digits, '_', '-' and '.', a letter or digit first.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{name}' cannot name a method: use letters, digits, '_', '-' and '.'.")

    def decorate(cls: M) -> M:
        _METHODS.add(name, cls)
        cls.name = name
        return cls

    return decorate


def method_names() -> list[str]:
    """Names of all methods, sorted; none is imported for it."""
    return _METHODS.names()


def get_method(name: str) -> type[Method]:
    """The method class of a registered name, an entry point, or ``path/to/file.py``.

    UsageError if there is no such method, or the file does not register exactly one.
    """
    if name.endswith(".py"):
        return _method_of_file(Path(name))
    return _METHODS.get(name)


def source_sha256(cls: type[Method]) -> str | None:
    """SHA-256 of the file of a method that was loaded by its path, None for an installed one.

    Part of such a run's identity: somebody who edits the file must not be shown the old run again.
    """
    for path, name in _FILES.items():
        if _METHODS.get(name) is cls:
            return _FILE_SHA256[path]
    return None


def parse_options(cls: type[Method], pairs: Sequence[str]) -> dict[str, Any]:
    """``["bins=16"]`` -> ``{"bins": 16}``; values are read as YAML and must have the type of the default."""
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"option '{pair}' is not of the form key=value.")
        if key not in cls.defaults:
            raise unknown_name(f"option of method {cls.name}", key, cls.defaults)
        options[key] = _typed(key, text, cls.defaults[key])
    return options


def _typed(key: str, text: str, default: object) -> Any:
    if isinstance(default, str):
        return text
    try:
        value = yaml.safe_load(text)
        # YAML reads 1e-4 as a string; float("1e-4") is what the user means.
        if isinstance(default, float) and not isinstance(value, bool):
            return float(value)
    except (yaml.YAMLError, TypeError, ValueError):
        value = text
    if default is not None and type(value) is not type(default):
        raise UsageError(f"option {key}={text}: expected {type(default).__name__}, like the default {default!r}.")
    return value


def _method_of_file(path: Path) -> type[Method]:
    path = path.resolve()
    if path in _FILES:
        return _METHODS.get(_FILES[path])
    if not path.is_file():
        raise UsageError(f"no method file {path}.")
    module_name = f"osbench_method_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not an importable Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (ImportError, SyntaxError) as error:
        del sys.modules[module_name]
        raise UsageError(f"{path} cannot be imported: {error}.") from error
    found = [name for name, cls in _METHODS.registered().items() if cls.__module__ == module_name]
    if len(found) != 1:
        raise UsageError(f"{path} registers {len(found)} methods; it needs exactly one class under @register_method.")
    _FILES[path] = found[0]
    _FILE_SHA256[path] = hashlib.sha256(path.read_bytes()).hexdigest()
    return _METHODS.get(found[0])
