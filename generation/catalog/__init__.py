"""The catalog: which suites exist and who makes their images. One YAML file is one suite.

A new source is an entry in a YAML file and nothing else. Packaged suites take weights from ``generation/zoo``;
a suite elsewhere (``load_suite("my/suite.yaml")``) takes them relative to its own file.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from ..errors import UsageError, unknown_name
from ..pixels import FRAMES, JPEG_QUALITIES, MCU_SIZE, ORDERS

_FOLDER = Path(__file__).parent
_ZOO = _FOLDER.parent / "zoo"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Recipe:
    """How images become stored frames; equal recipes give equal bytes.

    order, frame: see :mod:`..pixels`. qualities: JPEG qualities drawn uniformly, None = PNG. subsampling: of every
    JPEG. crop_size: side of the benchmark crop in pixels. shard_rows: images per shard, a multiple of batch_size.
    batch_size: images per network call; recorded because floating-point results may depend on it.
    """

    order: str = "compress-then-crop"
    frame: str = "window"
    qualities: tuple[int | None, ...] = JPEG_QUALITIES
    subsampling: str = "4:2:0"
    crop_size: int = 256
    shard_rows: int = 500
    batch_size: int = 20

    def __post_init__(self) -> None:
        for value, kind, known in (
            (self.order, "order", ORDERS),
            (self.frame, "frame", FRAMES),
            (self.subsampling, "JPEG subsampling", MCU_SIZE),
        ):
            if value not in known:
                raise unknown_name(kind, str(value), known)
        if self.order == "crop-then-compress" and self.frame == "full":
            raise UsageError("order 'crop-then-compress' stores the crop itself; frame 'full' contradicts it.")
        if not self.qualities or any(q is not None and not 1 <= q <= 100 for q in self.qualities):
            raise UsageError(f"JPEG qualities must be 1..100 or null, not {list(self.qualities)}.")
        if min(self.crop_size, self.shard_rows, self.batch_size) < 1 or self.shard_rows % self.batch_size:
            raise UsageError(
                "crop_size, shard_rows and batch_size must be positive, shard_rows a multiple of batch_size."
            )

    def document(self) -> dict[str, Any]:
        """JSON-able form, as recorded in ``dataset.json``."""
        return {**asdict(self), "qualities": list(self.qualities)}


@dataclass(frozen=True)
class Source:
    """Who makes images: a generator trained on a training set, or a folder of images.

    architecture: the name that papers and protocols use. weights: safetensors file of a registered family.
    folder: images instead of a network. native_size: side of the generator's output in pixels (None: read it from
    the images). sampling: keyword arguments of ``Generator.sample``. class_labels: classes to draw from in a
    conditional generator, empty = all of them.
    """

    generator: str
    training_set: str
    architecture: str
    licence: str
    family: str | None = None
    weights: Path | None = None
    folder: Path | None = None
    native_size: int | None = None
    sampling: dict[str, Any] = field(default_factory=dict)
    class_labels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for value in (self.generator, self.training_set):
            if not _NAME.fullmatch(value):
                raise UsageError(f"'{value}' cannot name a source: use letters, digits, '_', '-' and '.'.")
        if (self.weights is None) == (self.folder is None):
            raise UsageError(f"source {self.name}: give either weights or a folder.")

    @property
    def name(self) -> str:
        """``generator/training_set``."""
        return f"{self.generator}/{self.training_set}"


@dataclass(frozen=True)
class Suite:
    """A named, versioned set of sources with one recipe. ``count``: images per source unless told otherwise."""

    name: str
    version: str
    title: str
    count: int
    recipe: Recipe
    sources: tuple[Source, ...]

    @property
    def crop_size(self) -> int:
        return self.recipe.crop_size

    @property
    def batch_size(self) -> int:
        return self.recipe.batch_size

    def source(self, name: str) -> Source:
        """The source called ``generator/training_set``; UsageError with a suggestion otherwise."""
        for source in self.sources:
            if source.name == name:
                return source
        raise unknown_name("source", name, [s.name for s in self.sources])


def suite_names() -> list[str]:
    """Names of the packaged suites, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_suite(name_or_path: str | Path) -> Suite:
    """A packaged suite by name, or any suite by the path of its YAML file. UsageError if unknown or malformed."""
    text = str(name_or_path)
    if text in suite_names():
        return _read_suite(_FOLDER / f"{text}.yaml", _ZOO)
    path = Path(text)
    if path.suffix not in {".yaml", ".yml"}:
        raise unknown_name("suite", text, suite_names())
    if not path.is_file():
        raise UsageError(f"{path}: no such suite file. Packaged suites: {', '.join(suite_names())}.")
    return _read_suite(path, path.parent)


def _read_suite(path: Path, weights_folder: Path) -> Suite:
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
        recipe = dict(document["recipe"])
        recipe["qualities"] = tuple(recipe.get("qualities", JPEG_QUALITIES))
        suite = Suite(
            name=str(document["name"]),
            version=str(document["version"]),
            title=str(document.get("title", document["name"])),
            count=int(document["count"]),
            recipe=Recipe(**recipe),
            sources=tuple(
                _read_source({**document.get("defaults", {}), **entry}, weights_folder) for entry in document["sources"]
            ),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, UnicodeDecodeError) as error:
        reason = f"missing {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise UsageError(f"{path}: not a valid suite file: {reason}.") from error
    names = [s.name for s in suite.sources]
    if len(set(names)) != len(names) or not names:
        raise UsageError(f"{path}: a suite needs at least one source, and each name once.")
    return suite


def _read_source(entry: dict[str, Any], weights_folder: Path) -> Source:
    unknown = set(entry) - {f.name for f in fields(Source)}
    if unknown:
        raise UsageError(f"source {entry.get('generator', '?')}: unknown key {', '.join(sorted(unknown))}.")
    values = dict(entry)
    for key in ("weights", "folder"):
        if values.get(key) is not None:
            values[key] = weights_folder / str(values[key])
    values["class_labels"] = tuple(values.get("class_labels", ()))
    return Source(**values)
