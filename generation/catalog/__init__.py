"""The catalog: which suites exist and who makes their images. One YAML file is one suite (:mod:`.suite_file`).

A new source is an entry in a YAML file and nothing else. Packaged suites take weights from ``generation/zoo``;
a suite elsewhere (``load_suite("my/suite.yaml")``) takes them relative to its own file. Weights that are published by
others are described (:mod:`.published`) and fetched by :mod:`..weights`.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...core.errors import UsageError, unknown_name
from ...core.foreign import printable
from ...core.schema import read_record
from ..picture_set import SHOWN
from ..pixels import FRAMES, JPEG_QUALITIES, MCU_SIZE, ORDERS
from ..record_schema import resynthesized
from .published import HubModel, Licence, WeightFile
from .resyntheses import Originals, Resyntheses
from .suite_file import packaged_suites, read_suite_file
from .texts import read_characters, read_prompts

__all__ = [
    "EXISTING",
    "NO_LICENCE",
    "HubModel",
    "Licence",
    "Recipe",
    "Source",
    "Suite",
    "WeightFile",
    "load_suite",
    "suite_names",
]

EXISTING = ("stripped", "as-published", "canonical")
"""What becomes of pictures that exist already, see :mod:`..folders`."""

NO_LICENCE = "not stated"
"""Licence of images or weights of which nobody says one."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_LARGEST_SIDE = 1 << 16
_MAX_ROWS = 100_000


@dataclass(frozen=True)
class Recipe:
    """How images become stored frames; equal recipes give equal bytes.

    order, frame: see :mod:`..pixels`. qualities: JPEG qualities drawn uniformly, None = PNG. subsampling: of every
    JPEG. crop_size: side of the benchmark crop in pixels. shard_rows: images per shard, a multiple of batch_size.
    batch_size: images per network call; recorded because floating-point results may depend on it. margin: pixels along
    every border that no crop touches. low_pass_swap: frequency in cycles per pixel below which a rendered or retaken
    picture gets the original's content (:mod:`..low_pass_swap`); 0 leaves it as it is. existing: what becomes of
    pictures that exist already, of :data:`EXISTING`.
    """

    order: str = "compress-then-crop"
    frame: str = "window"
    qualities: tuple[int | None, ...] = JPEG_QUALITIES
    subsampling: str = "4:2:0"
    crop_size: int = 256
    shard_rows: int = 500
    batch_size: int = 20
    margin: int = 0
    low_pass_swap: float = 0.0
    existing: str = "stripped"

    def __post_init__(self) -> None:
        for value, kind, known in (
            (self.order, "order", ORDERS),
            (self.frame, "frame", FRAMES),
            (self.subsampling, "JPEG subsampling", MCU_SIZE),
            (self.existing, "treatment of existing pictures", EXISTING),
        ):
            if value not in known:
                raise unknown_name(kind, str(value), known)
        if self.order == "crop-then-compress" and self.frame == "full":
            raise UsageError("order 'crop-then-compress' stores the crop itself; frame 'full' contradicts it.")
        if not self.qualities or any(q is not None and not 1 <= q <= 100 for q in self.qualities):
            raise UsageError(f"JPEG qualities must be 1..100 or null, not {list(self.qualities)}.")
        for name, largest in (("crop_size", _LARGEST_SIDE), ("shard_rows", _MAX_ROWS), ("batch_size", _MAX_ROWS)):
            if not 1 <= getattr(self, name) <= largest:
                raise UsageError(f"{name} is {printable(getattr(self, name), 60)}; expected 1 to {largest:,}.")
        if self.shard_rows % self.batch_size:
            raise UsageError(f"shard_rows {self.shard_rows} is no multiple of batch_size {self.batch_size}.")
        if not 0 <= self.margin <= _LARGEST_SIDE:
            raise UsageError(f"margin is {printable(self.margin, 60)}; expected 0 to {_LARGEST_SIDE:,}.")
        if not 0 <= self.low_pass_swap <= 0.5:
            raise UsageError(f"low_pass_swap is {self.low_pass_swap}; expected 0 to 0.5 cycles per pixel.")

    def document(self) -> dict[str, Any]:
        """JSON-able form, as recorded in ``dataset.json``; what came later is left out where it does nothing."""
        later = {"margin": 0, "low_pass_swap": 0.0, "existing": "stripped"}
        values = {name: value for name, value in asdict(self).items() if name not in later or value != later[name]}
        return {**values, "qualities": list(self.qualities)}


@dataclass(frozen=True)
class Source:
    """Who makes images: a generator trained on a training set, or a folder of images.

    architecture: the name that papers and protocols use. licence: id of the weights' (or images') licence.
    native_size: side of the generator's output in pixels (None: read it from the images). sampling: keyword arguments
    of ``Generator.sample``. class_labels: classes to draw from in a conditional generator, empty = all of them.
    prompts: texts to draw from, for a text-to-image generator; prompts_in_turn: image i gets text i modulo their number
    instead, so that every text has as many images. characters: whom text i draws; prompts and prompts_in_turn follow
    from them. test_only: it draws no character but those of the test split. crop_rows: first row kept and first row
    dropped of the generator's output, in its native pixels, where the training images had bars above and below.

    The weights are one of: weights, a file (or the folder of a diffusers pipeline) on this machine; files, published
    ones in the order of preference; hub, published pipelines. folder: images instead of a network. service: address of
    a commercial service; its images are a folder that a user has, and names when the images are wanted.

    pictures, block_code: the file of pictures (:mod:`..picture_set`) that the source shows, and the code by which a
    renderer is told what to show. shows: what of that file, where no network makes it. weights_id: name of one of
    several weights of the same generator and training set; part of the source's identity.

    settings: what the weight file itself does not say, see :func:`..checkpoints.load_generator`. stands_in: what the
    source replaces if the one of the paper is not to be had. speed: images per second on one accelerator, from - to,
    and where the numbers come from (speed_origin). deviation: set at run time where the weights turn out not to be
    the catalogued ones; such images are not part of the benchmark and carry other identities. resynthesizes: set at run
    time, the images of a source that this one makes again.
    """

    generator: str
    training_set: str
    architecture: str
    licence: str
    family: str | None = None
    weights: Path | None = None
    weights_id: str | None = None
    folder: Path | None = None
    pictures: Path | None = None
    block_code: Path | None = None
    shows: str | None = None
    native_size: int | None = None
    sampling: dict[str, Any] = field(default_factory=dict)
    class_labels: tuple[int, ...] = ()
    prompts: tuple[str, ...] = ()
    prompts_in_turn: bool = False
    characters: tuple[str, ...] = ()
    test_only: bool = False
    service: str | None = None
    crop_rows: tuple[int, int] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    files: tuple[WeightFile, ...] = ()
    hub: tuple[HubModel, ...] = ()
    stands_in: str | None = None
    speed: tuple[float, float] | None = None
    speed_origin: str = "estimate"
    deviation: str | None = None
    resynthesizes: Originals | None = None

    def __post_init__(self) -> None:
        for value in (self.generator, self.training_set, self.weights_id or "w"):
            if not _NAME.fullmatch(value):
                raise UsageError(f"'{printable(value)}' cannot name a source: use letters, digits, '_', '-' and '.'.")
        if self.native_size is not None and not 1 <= self.native_size <= _LARGEST_SIDE:
            raise UsageError(f"native_size is {printable(self.native_size, 60)}; expected 1 to {_LARGEST_SIDE:,}.")
        if any(label < 0 for label in self.class_labels):
            raise UsageError(f"class_labels holds {printable(min(self.class_labels), 60)}; classes count from 0.")
        if self.crop_rows is not None and not 0 <= self.crop_rows[0] < self.crop_rows[1]:
            raise UsageError(f"crop_rows {list(self.crop_rows)} keep nothing; expected first row, end row.")
        if self.speed is not None and not 0 < self.speed[0] <= self.speed[1]:
            raise UsageError(f"speed {list(self.speed)} is no range of images per second; expected from, to.")
        shown = self.folder is not None or self.service is not None
        if self.is_network + shown + (self.shows is not None) != 1:
            raise UsageError(f"source {self.name}: give either weights or a folder, or what it shows of pictures.")
        if self.test_only and not self.characters:
            raise UsageError(f"source {self.name}: 'test_only' is about characters, and it has none.")
        if self.shows is not None and (self.shows not in SHOWN or self.pictures is None):
            raise UsageError(f"source {self.name}: shows one of {', '.join(SHOWN)} of the file 'pictures'.")
        if self.prompts_in_turn and not self.prompts:
            raise UsageError(f"source {self.name}: 'prompts_in_turn' needs prompts.")

    @property
    def is_network(self) -> bool:
        """Whether a network makes its images."""
        return self.weights is not None or bool(self.files or self.hub)

    @property
    def learned(self) -> str:
        """What was learned, e.g. ``pictures.w0``: see :func:`..record_schema.learned`."""
        name = self.training_set if self.weights_id is None else f"{self.training_set}.{self.weights_id}"
        return name if self.resynthesizes is None else resynthesized(name, self.resynthesizes.source)

    @property
    def name(self) -> str:
        """``generator/training_set``, with several weights ``generator/training_set.weights``."""
        return f"{self.generator}/{self.learned}"

    @property
    def published(self) -> tuple[WeightFile | HubModel, ...]:
        """Everything that holds its weights, in the order of preference."""
        return (*self.files, *self.hub)

    def recipe(self) -> dict[str, Any]:
        """JSON-able: everything that its images depend on, besides the weights themselves."""
        always = ("generator", "training_set", "architecture", "licence", "family", "native_size", "sampling")
        values = {name: getattr(self, name) for name in always} | {"class_labels": list(self.class_labels)}
        extra = {"prompts": list(self.prompts), "crop_rows": self.crop_rows, "settings": self.settings}
        extra |= {"prompts_in_turn": self.prompts_in_turn, "weights_id": self.weights_id, "shows": self.shows}
        extra |= {"characters": list(self.characters), "test_only": self.test_only}
        extra |= {"resynthesizes": asdict(self.resynthesizes) if self.resynthesizes else None}
        return values | {name: value for name, value in extra.items() if value}


@dataclass(frozen=True)
class Suite:
    """A named, versioned set of sources with one recipe.

    count: images per source unless told otherwise; of a folder all are taken. licences: what the file says about the
    sources' licences, by id. without_weights: what to do where the suite's own weights are not there. extends:
    the suite that this one changes. resyntheses: which originals are made again by every source, None if none.
    imported: whether it is a published data set, whose pictures exist already.
    """

    name: str
    version: str
    title: str
    count: int
    recipe: Recipe
    sources: tuple[Source, ...]
    licences: dict[str, Licence] = field(default_factory=dict)
    without_weights: str = "say where with --weights SOURCE=FILE, or leave them out with --source"
    extends: Suite | None = None
    resyntheses: Resyntheses | None = None
    imported: bool = False

    def __post_init__(self) -> None:
        if self.resyntheses is not None and not self.has_characters:
            raise UsageError(f"suite {self.name}: has resyntheses, but no source has characters.")
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"'{printable(self.name)}' cannot name a suite: use letters, digits, '_', '-' and '.'.")
        if self.count < 1:
            raise UsageError(f"count is {printable(self.count, 60)}; expected at least 1.")

    @property
    def crop_size(self) -> int:
        return self.recipe.crop_size

    @property
    def batch_size(self) -> int:
        return self.recipe.batch_size

    @property
    def has_characters(self) -> bool:
        """Whether its images show characters, and say which ones."""
        return any(source.characters for source in self.sources)

    @property
    def described(self) -> bool:
        """Whether its images say whom they show, or which published file they are."""
        return self.has_characters or self.imported

    def source(self, name: str) -> Source:
        """The source called ``generator/training_set``; UsageError with a suggestion otherwise."""
        for source in self.sources:
            if source.name == name:
                return source
        raise unknown_name("source", name, [s.name for s in self.sources])


def suite_names() -> list[str]:
    """Names of the packaged suites, sorted."""
    return list(packaged_suites())


def load_suite(name_or_path: str | Path) -> Suite:
    """A packaged suite by name, or any suite by the path of its YAML file. UsageError if unknown or malformed."""
    text = str(name_or_path)
    if text not in packaged_suites() and Path(text).suffix not in {".yaml", ".yml"}:
        raise unknown_name("suite", text, suite_names())
    return _read_suite(packaged_suites().get(text, Path(text)))


def _read_suite(path: Path) -> Suite:
    below = {name: kind.__dataclass_fields__ for name, kind in (("recipe", Recipe), ("defaults", Source))}
    where, document = printable(path), read_suite_file(path, below)
    extended = _read_suite(Path(document["extends"])) if "extends" in document else None
    sources = document.pop("sources")
    stated = read_record(_SuiteEntry, {k: v for k, v in document.items() if k not in {"extends", "defaults"}}, where)
    entries = [_read_source(entry, where, f"sources[{i}]") for i, entry in enumerate(sources)]
    if stated.count is None and any(source.folder is None for source in entries):
        raise UsageError(f"{where}: count is missing; expected a whole number.")
    try:
        suite = Suite(
            name=stated.name,
            version=stated.version,
            title=stated.title or stated.name,
            count=1 if stated.count is None else stated.count,
            recipe=stated.recipe,
            sources=tuple(entries),
            licences={
                key: read_record(Licence, {"id": key, **entry}, where, f"licences.{printable(key, 60)}")
                for key, entry in stated.licences.items()
            },
            without_weights=stated.without_weights,
            extends=extended,
            resyntheses=stated.resyntheses,
        )
    except UsageError as error:
        raise error if str(error).startswith(where) else UsageError(f"{where}: {error}") from error
    names = [s.name for s in suite.sources]
    if len(set(names)) != len(names) or not names:
        raise UsageError(f"{where}: a suite needs at least one source, and each name once.")
    _check_files(path, suite)
    return suite


@dataclass(frozen=True)
class _SuiteEntry:
    """A merged suite file without its sources."""

    name: str
    version: str
    count: int | None = None
    recipe: Recipe = field(default_factory=Recipe)
    title: str | None = None
    licences: dict[str, dict[str, Any]] = field(default_factory=dict)
    without_weights: str = Suite.without_weights
    resyntheses: Resyntheses | None = None


def _check_files(path: Path, suite: Suite) -> None:
    """One name in the cache is one file: sources may share it, but then mean the same."""
    known: dict[str, WeightFile] = {}
    for source in suite.sources:
        for file in source.files:
            if known.setdefault(file.file, file) != file:
                raise UsageError(f"{printable(path)}: two different weight files are called {file.file}.")
        if source.published and source.licence not in suite.licences:
            raise UsageError(f"{printable(path)}: nothing is said about the licence {source.licence} of {source.name}.")


def _read_source(entry: dict[str, Any], where: str, prefix: str) -> Source:
    values = dict(entry)
    if values.get("folder") is not None or values.get("service") is not None:
        values = {"training_set": "folder", "architecture": entry.get("generator"), "licence": NO_LICENCE} | values
    if isinstance(values.get("prompts"), Path):
        values["prompts"] = read_prompts(values["prompts"])
    if isinstance(values.get("characters"), Path):
        if values.get("prompts") is not None:
            raise UsageError(f"{where}: {prefix}: give either prompts or characters, whose texts are the prompts.")
        values["characters"], values["prompts"] = read_characters(values["characters"])
        values["prompts_in_turn"] = True
    for key in ("class_labels", "prompts", "characters", "sampling", "settings", "files", "hub"):
        if key in values and values[key] is None:  # nothing, where the defaults say something
            del values[key]
    return read_record(Source, values, where, prefix, without=("deviation", "resynthesizes"))
