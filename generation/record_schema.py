"""What ``dataset.json`` must look like, checked before anything else reads it: a data set may be anybody's.

A key that only an older or newer osbench writes is allowed; a key of the wrong type, or a number that would make
osbench do senseless work (a thousand million shards), is refused in one line that names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from ..core.errors import DatasetError, UsageError
from ..core.foreign import read_json
from ..core.schema import FurtherKeys, Limits, read_record
from ..core.text import printable
from .characters import ORIGINAL, RESYNTHESIS
from .ledger import MAX_SHARDS

MAX_RECORD_BYTES = 16 << 20
MOST_SHARDS = 100_000
"""Of a whole dataset."""

_MAX_SIDE = 65_535

_LEFT_OUT: Any = None
"""The value of a key that a document need not have; null, which nobody writes, is refused."""

_Text = Annotated[str, Limits(longest=10_000)]
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_Name = Annotated[str, Limits(pattern=_NAME, words="a name of letters, digits, '_', '-' and '.'")]
_SourceName = Annotated[str, Limits(pattern=f"{_NAME}/{_NAME}", words="generator/training_set")]
_Sha256 = Annotated[str, Limits(pattern=r"[0-9a-f]{64}", words="a SHA-256")]
_Images = Annotated[int, Limits(least=1, most=10**9)]
_Side = Annotated[int, Limits(least=1, most=_MAX_SIDE)]
_Large = Annotated[int, Limits(least=0, most=10**15)]
_Quality = Annotated[int, Limits(least=1, most=100)]


@dataclass(frozen=True)
class _Recipe:
    order: _Text
    frame: _Text
    qualities: tuple[_Quality | None, ...]
    subsampling: _Text
    crop_size: _Side
    shard_rows: Annotated[int, Limits(least=1, most=100_000)]
    batch_size: Annotated[int, Limits(least=1, most=1_000_000)]
    margin: Annotated[int, Limits(least=0, most=_MAX_SIDE)] = _LEFT_OUT
    low_pass_swap: Annotated[float, Limits(least=0, most=0.5)] = _LEFT_OUT
    existing: _Text = _LEFT_OUT


@dataclass(frozen=True)
class _Weights(FurtherKeys):
    file: _Text
    bytes: _Large
    sha256: _Sha256


@dataclass(frozen=True)
class _Sampling(FurtherKeys):
    class_labels: tuple[int, ...]


@dataclass(frozen=True)
class _Folder(FurtherKeys):
    files: _Images
    sha256: _Sha256
    groups: _Text = _LEFT_OUT


@dataclass(frozen=True)
class _Imported(FurtherKeys):
    reader: _Name
    citation: _Text
    homepage: _Text


@dataclass(frozen=True)
class _Resynthesizes(FurtherKeys):
    source: _SourceName
    draws: Annotated[int, Limits(least=1, most=1000)]


@dataclass(frozen=True)
class _Pictures(FurtherKeys):
    file: _Text
    count: _Images
    sha256: _Sha256
    shows: _Text = _LEFT_OUT


@dataclass(frozen=True)
class _Prompts(FurtherKeys):
    count: _Images
    sha256: _Sha256


@dataclass(frozen=True)
class _Source(FurtherKeys):
    name: _Text
    generator: _Name
    training_set: _Name
    architecture: _Text
    licence: _Text
    namespace: _Text
    count: _Images
    shards: Annotated[int, Limits(least=1, most=MAX_SHARDS)]
    weights_id: _Name = _LEFT_OUT
    pictures: _Pictures = _LEFT_OUT
    folder: _Folder = _LEFT_OUT
    imported: _Imported = _LEFT_OUT
    resynthesizes: _Resynthesizes = _LEFT_OUT
    weights: _Weights = _LEFT_OUT
    family: _Text = _LEFT_OUT
    native_size: _Side = _LEFT_OUT
    parameters: _Large = _LEFT_OUT
    sampling: _Sampling = _LEFT_OUT
    uint8_rule: dict[str, Any] = _LEFT_OUT
    prompts: _Prompts = _LEFT_OUT

    def __post_init__(self) -> None:
        given = {key: value for key, value in vars(self).items() if value is not None}
        if "resynthesizes" in given:
            given["resynthesizes"] = vars(self.resynthesizes)
        if self.name != f"{self.generator}/{learned(given)}":
            raise UsageError("name must be generator/training_set, with several weights one more '.weights_id'.")
        shows = "pictures" in given and self.pictures.shows is not None
        if ("weights" in given) + ("folder" in given) + shows != 1:
            raise UsageError("it must have either weights or folder, or pictures that it shows.")
        network = ("family", "native_size", "parameters", "sampling", "uint8_rule")
        lacking = [key for key in network if "weights" in given and key not in given]
        if lacking:
            raise UsageError(f"{lacking[0]} is missing.")


@dataclass(frozen=True)
class _Dataset(FurtherKeys):
    schema_version: int
    suite: _Text
    suite_version: _Text
    title: _Text
    recipe: _Recipe
    device: _Text
    versions: dict[str, _Text]
    sources: tuple[_Source, ...]

    def __post_init__(self) -> None:
        for number, source in enumerate(self.sources):
            if source.shards != -(-source.count // self.recipe.shard_rows):
                raise UsageError(f"sources[{number}].shards must be count / shard_rows, rounded up.")
        if len({source.name for source in self.sources}) < len(self.sources):
            raise UsageError("two sources have one name.")
        if sum(source.shards for source in self.sources) > MOST_SHARDS:
            raise UsageError(f"more than {MOST_SHARDS:,} shards.")


def learned(source: dict[str, Any]) -> str:
    """What the generator of a source learned: the training set, and which of several weights.

    Resyntheses are kept apart by whose originals they repeat.
    """
    name = source["training_set"] + (f".{source['weights_id']}" if "weights_id" in source else "")
    return resynthesized(name, source["resynthesizes"]["source"]) if "resynthesizes" in source else name


def resynthesized(learned: str, original: str) -> str:
    """The second part of the name of a source that makes the images of another one again.

    >>> resynthesized("characters", "pixel_diffusion/characters")
    'characters.of.pixel_diffusion.characters'
    """
    return f"{learned}.of.{original.replace('/', '.')}"


def resynthesizing_source(name: str) -> str:
    """The source that makes the images of another one again, from the name of the pair."""
    return name.partition(".of.")[0]


def role_of(source: dict[str, Any]) -> str:
    """The role of all images of a source."""
    return RESYNTHESIS if "resynthesizes" in source else ORIGINAL


def read_dataset_record(path: Path, versions: range) -> dict[str, Any]:
    """The checked content of ``dataset.json``.

    Parameters
    ----------
    path : Path
        The file.
    versions : range
        Schema versions that are understood.

    Returns
    -------
    dict[str, Any]
        The document as it is, with the keys of other versions.

    Raises
    ------
    DatasetError
        In one line, for a file that cannot be read, is nested too deep, lacks a key or holds a wrong value.
    """
    where = printable(path, 1000)
    record = read_json(path, DatasetError, MAX_RECORD_BYTES)
    version = record.get("schema_version") if isinstance(record, dict) else None
    if type(version) is int and version not in versions:
        raise DatasetError(
            f"{where}: schema version {version}, but this osbench reads {versions[0]} to {versions[-1]}."
            " Use the osbench that made it, or generate it again."
        )
    try:
        read_record(_Dataset, record, where, error=DatasetError)
    except DatasetError as error:
        raise DatasetError(f"{error} The dataset is damaged: generate it again into a new folder.") from error
    return record
