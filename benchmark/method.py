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
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np

from ..core.errors import UsageError, unknown_name
from ..core.registry import Registry
from ..core.yaml import yaml_value
from .card import MethodCard
from .images import ImageSet
from .options import Limit, checked_option, limits_of
from .run_info import is_method_name
from .scores import Scores

if TYPE_CHECKING:  # it takes seconds to load, and not every method needs it
    import torch


@dataclass
class Context:
    """What the harness tells a method while it is fitted.

    Attributes
    ----------
    seed : int
        Feeds every random draw of the method.
    folder : Path
        Private to this fit; checkpoints and cached features go here, and a fit that is started again with the
        same folder continues from them.
    class_names : tuple[str, ...]
        The seen generators; ``class_index`` i of the images means ``class_names[i]``.
    epochs : int or None
        Number of epochs asked for, None = the method's own default.
    options : dict[str, Any]
        The method's resolved hyper-parameters (also ``method.options``).
    suite : str
        The suite that the images are of; empty if there is none.
    sources : tuple[str, ...]
        Names ``generator/training_set`` of the suite's sources that the training images are of.
    """

    seed: int
    device: torch.device
    folder: Path
    class_names: tuple[str, ...]
    crop_size: int
    epochs: int | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    suite: str = ""
    sources: tuple[str, ...] = ()


class Method(ABC):
    """An attribution method: learns from images of seen generators, then answers for any image.

    Attributes
    ----------
    name : str
        Set by :func:`register_method`.
    rejections : tuple[str, ...]
        Names of the rejection rules that ``predict`` answers for; a run has all of them.
    normalised_distances : tuple[str, ...]
        Those of them whose known_score is minus a distance divided by the standard deviation of its class.
    defaults : dict[str, Any]
        Every hyper-parameter with its default value.
    limits : Mapping[str, Limit]
        What its value may be, for hyper-parameters that not every value of the default's type makes sense of
        (:mod:`.options`). The limits of base classes hold too.
    reads_captions : bool
        Whether ``predict(images, captions=...)`` takes the images' captions as well: a text for each image, None for
        one without. They are handed over where the dataset has them, and are not there for a single photograph.
    """

    name: ClassVar[str]
    card: ClassVar[MethodCard]
    rejections: ClassVar[tuple[str, ...]] = ("native",)
    normalised_distances: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[dict[str, Any]] = {}
    limits: ClassVar[Mapping[str, Limit]] = {}
    reads_captions: ClassVar[bool] = False

    options: dict[str, Any]

    precision: str = "float32"
    """Of the arithmetic that it was trained in; a run records it."""

    training_free: bool = False
    """Whether training images make no difference to it: one fit stands for any number of them. A run records it."""

    @property
    def seconds_per_image(self) -> dict[str, float]:
        """What the dear parts of an answer cost: name of the part -> seconds per image; a run records it."""
        return {}

    def __init__(self, **options: Any) -> None:
        """Keep ``defaults`` overridden by ``options`` in ``self.options``.

        UsageError for an unknown option, and for a value of another type or out of its limit.
        """
        self.options = {**self.defaults, **self.checked(options)}

    @classmethod
    def checked(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """The given options, by name; UsageError as on construction."""
        limits = limits_of(cls)
        for key in options:
            if key not in cls.defaults:
                raise unknown_name(f"option of method {cls.name}", key, cls.defaults)
        return {k: checked_option(cls.name, k, v, cls.defaults[k], limits.get(k)) for k, v in options.items()}

    def missing(self) -> str | None:
        """What this method needs and this machine lacks (weights, a package) and how to get it; None if it can run.

        Asked before many methods are run unattended: one that cannot run is left out then, and named.
        """
        return None

    @property
    def label(self) -> str:
        """What a board calls it with these options, where its name would say something else; empty otherwise."""
        return ""

    def described(self) -> MethodCard:
        """The card, with what these options change; a run carries it."""
        return self.card

    @abstractmethod
    def fit(self, train: ImageSet, val: ImageSet, context: Context) -> None:
        """Learn from seen images alone; checkpoint into ``context.folder`` and resume from what lies there."""

    @abstractmethod
    def predict(self, images: np.ndarray) -> dict[str, Scores]:
        """Answer for uint8 (N, S, S, 3): one :class:`Scores` per name in ``rejections``, from one forward pass.

        A method with ``reads_captions`` takes a second argument, ``captions: Sequence[str | None] | None = None``.
        All rules share their ``class_scores``; ``known_score`` and ``candidate`` are each rule's own.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the fitted method into an existing empty folder: safetensors and JSON, no pickle."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Method:
        """The method that :meth:`save` wrote."""

    def enroll(self, images: np.ndarray, class_name: str) -> Self:
        """This method with one more class, learned from a few images without training; it stays as it is itself.

        Parameters
        ----------
        images : numpy.ndarray
            uint8 (n, S, S, 3), n >= 1, of one source.
        class_name : str
            The source; ``class_scores`` of the result have one more column, the last one.

        Raises
        ------
        UsageError
            From a method that has neither references nor features: this is optional.
        """
        raise UsageError(f"{self.name} cannot take another source without training: fit it again with that source.")

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Rows (N, D) for uint8 (N, S, S, 3), close to each other where images are alike to this method.

        UsageError from a method that has none: this is optional.
        """
        raise UsageError(f"{self.name} has no embedding of images that they could be grouped by.")

    def to(self, device: torch.device) -> Method:
        """Move networks to a device before ``predict``; methods without networks need not override it."""
        return self


_METHODS: Registry[type[Method]] = Registry("method", "osbench.methods")
_FILES: dict[Path, str] = {}
_FILE_SHA256: dict[Path, str] = {}

M = TypeVar("M", bound=type[Method])


def register_method(name: str) -> Callable[[M], M]:
    """Class decorator: make a method known under ``name``; UsageError if another class has that name.

    Runs lie in a folder of that name: letters, digits, '_', '-' and '.', a letter or digit first.
    """
    if not is_method_name(name):
        raise UsageError(f"'{name}' cannot name a method: use at most 80 letters, digits, '_', '-' and '.', not '.py'.")

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
    return registered_method(name)


def registered_method(name: str) -> type[Method]:
    """The method class of a registered name; UsageError if there is none. Never opens the file that a name may be."""
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
    """``["bins=16"]`` -> ``{"bins": 16}``; values are read as YAML, and checked as on construction."""
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"option '{pair}' is not of the form key=value.")
        if key not in cls.defaults:
            raise unknown_name(f"option of method {cls.name}", key, cls.defaults)
        options[key] = _read(text, cls.defaults[key])
    return cls.checked(options)


def _read(text: str, default: object) -> Any:
    if isinstance(default, str):
        return text
    try:
        value = yaml_value(text)
        # YAML reads 1e-4 as a string; float("1e-4") is what the user means.
        if isinstance(default, float) and not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError):
        return text
    return value


def _refuse_broken(path: Path, name: str) -> None:
    """UsageError if the method of a file breaks the contract; it is forgotten then."""
    from .contract import contract_faults  # imported here: that module imports this one

    faults = contract_faults(_METHODS.get(name))
    if faults:
        _METHODS.forget(name)
        more = f" (and {len(faults) - 1} more: osbench check-method)" if len(faults) > 1 else ""
        raise UsageError(f"{path}: method '{name}' breaks the contract: {faults[0]}{more}.")


def _first_line(error: Exception) -> str:
    if isinstance(error, ImportError | SyntaxError):
        return str(error)
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


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
    except UsageError:
        del sys.modules[module_name]
        raise
    except Exception as error:
        del sys.modules[module_name]
        raise UsageError(f"{path} cannot be imported: {_first_line(error)}.") from error
    found = [name for name, cls in _METHODS.registered().items() if cls.__module__ == module_name]
    if len(found) != 1:
        raise UsageError(f"{path} registers {len(found)} methods; it needs exactly one class under @register_method.")
    _refuse_broken(path, found[0])
    _FILES[path] = found[0]
    _FILE_SHA256[path] = hashlib.sha256(path.read_bytes()).hexdigest()
    return _METHODS.get(found[0])
