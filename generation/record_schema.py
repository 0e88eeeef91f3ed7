"""What ``dataset.json`` must look like, checked before anything else reads it: a data set may be anybody's.

A key that only an older or newer osbench writes is allowed; a key of the wrong type, or a number that would make
osbench do senseless work (a thousand million shards), is refused in one line that names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import DatasetError
from ..core.foreign import read_json
from ..core.text import printable
from .characters import ORIGINAL, RESYNTHESIS
from .ledger import MAX_SHARDS

MAX_RECORD_BYTES = 16 << 20
MOST_SHARDS = 100_000
"""Of a whole dataset."""

_MAX_SIDE = 65_535
_MAX_IMAGES = 10**9
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SOURCE_NAME = re.compile(rf"{_NAME.pattern}/{_NAME.pattern}")


@dataclass(frozen=True)
class _Kind:
    """What a value must be: in words for the message, and a test."""

    words: str
    holds: Callable[[Any], bool]


def _integer(low: int, high: int) -> _Kind:
    return _Kind(
        f"an integer from {low:,} to {high:,}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high,
    )


_TEXT = _Kind("a text of one line", lambda v: isinstance(v, str) and printable(v, 10_000) == v)
_NAME_KIND = _Kind(
    "a name of letters, digits, '_', '-' and '.'", lambda v: isinstance(v, str) and bool(_NAME.fullmatch(v))
)
_SHA256 = _Kind("a SHA-256", lambda v: isinstance(v, str) and bool(re.fullmatch(r"[0-9a-f]{64}", v)))
_MAPPING = _Kind("a mapping", lambda v: isinstance(v, dict))
_LIST = _Kind("a list", lambda v: isinstance(v, list))
_INTEGERS = _Kind("a list of integers", lambda v: isinstance(v, list) and all(type(item) is int for item in v))
_QUALITIES = _Kind(
    "a list of JPEG qualities, 1 to 100 or null",
    lambda v: isinstance(v, list) and all(item is None or (type(item) is int and 1 <= item <= 100) for item in v),
)
_TEXTS = _Kind("a mapping of texts", lambda v: isinstance(v, dict) and all(_TEXT.holds(item) for item in v.values()))

_DATASET = {
    "suite": _TEXT,
    "suite_version": _TEXT,
    "title": _TEXT,
    "recipe": _MAPPING,
    "device": _TEXT,
    "versions": _TEXTS,
    "sources": _LIST,
}
_RECIPE = {
    "order": _TEXT,
    "frame": _TEXT,
    "qualities": _QUALITIES,
    "subsampling": _TEXT,
    "crop_size": _integer(1, _MAX_SIDE),
    "shard_rows": _integer(1, 100_000),
    "batch_size": _integer(1, 1_000_000),
}
_RECIPE_LATER = {
    "margin": _integer(0, _MAX_SIDE),
    "low_pass_swap": _Kind("a number from 0 to 0.5", lambda v: type(v) in (int, float) and 0 <= v <= 0.5),
    "existing": _TEXT,
}
"""Left out where they change nothing."""

_SOURCE = {
    "name": _TEXT,
    "generator": _NAME_KIND,
    "training_set": _NAME_KIND,
    "architecture": _TEXT,
    "licence": _TEXT,
    "namespace": _TEXT,
    "count": _integer(1, _MAX_IMAGES),
    "shards": _integer(1, MAX_SHARDS),
}
_NETWORK = {
    "family": _TEXT,
    "native_size": _integer(1, _MAX_SIDE),
    "parameters": _integer(0, 10**15),
    "weights": _MAPPING,
    "sampling": _MAPPING,
    "uint8_rule": _MAPPING,
}
_WEIGHTS = {"file": _TEXT, "bytes": _integer(0, 10**15), "sha256": _SHA256}
_SAMPLING = {"class_labels": _INTEGERS}
_FOLDER = {"files": _integer(1, _MAX_IMAGES), "sha256": _SHA256}
_PICTURES = {"file": _TEXT, "count": _integer(1, _MAX_IMAGES), "sha256": _SHA256}
_PROMPTS = {"count": _integer(1, _MAX_IMAGES), "sha256": _SHA256}
_IMPORTED = {"reader": _NAME_KIND, "citation": _TEXT, "homepage": _TEXT}
_RESYNTHESIZES = {
    "source": _Kind("generator/training_set", lambda v: isinstance(v, str) and bool(_SOURCE_NAME.fullmatch(v))),
    "draws": _integer(1, 1000),
}


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


def read_record(path: Path, versions: range) -> dict[str, Any]:
    """The checked content of ``dataset.json``.

    Parameters
    ----------
    path : Path
        The file.
    versions : range
        Schema versions that are understood.

    Raises
    ------
    DatasetError
        In one line, for a file that cannot be read, is nested too deep, lacks a key or holds a wrong value.
    """
    where = printable(path, 1000)
    record = read_json(path, DatasetError, MAX_RECORD_BYTES)
    if not isinstance(record, dict):
        raise _damaged(where, "it is no mapping")
    version = record.get("schema_version")
    if type(version) is not int:
        raise _damaged(where, "schema_version must be an integer")
    if version not in versions:
        raise DatasetError(
            f"{where}: schema version {version}, but this osbench reads {versions[0]} to {versions[-1]}."
            " Use the osbench that made it, or generate it again."
        )
    _check(record, _DATASET, "", where)
    _check(record["recipe"], _RECIPE, "recipe: ", where)
    later = {key: kind for key, kind in _RECIPE_LATER.items() if key in record["recipe"]}
    _check(record["recipe"], later, "recipe: ", where)
    unknown = record["recipe"].keys() - _RECIPE.keys() - later.keys()
    if unknown:
        raise _damaged(where, f"recipe: unknown key {printable(min(unknown), 60)}")
    for number, source in enumerate(record["sources"]):
        _check_source(source, f"source {number}: ", record["recipe"]["shard_rows"], where)
    names = [source["name"] for source in record["sources"]]
    if len(set(names)) < len(names):
        raise _damaged(where, "two sources have one name")
    if sum(source["shards"] for source in record["sources"]) > MOST_SHARDS:
        raise _damaged(where, f"more than {MOST_SHARDS:,} shards")
    return record


def _check_source(source: Any, at: str, shard_rows: int, where: str) -> None:
    if not isinstance(source, dict):
        raise _damaged(where, f"{at}must be a mapping")
    _check(source, _SOURCE, at, where)
    if "weights_id" in source:
        _check(source, {"weights_id": _NAME_KIND}, at, where)
    if "resynthesizes" in source:
        _check(source, {"resynthesizes": _MAPPING}, at, where)
        _check(source["resynthesizes"], _RESYNTHESIZES, f"{at}resynthesizes: ", where)
    if source["name"] != f"{source['generator']}/{learned(source)}":
        raise _damaged(where, f"{at}name must be generator/training_set, with several weights one more '.weights_id'")
    if source["shards"] != -(-source["count"] // shard_rows):
        raise _damaged(where, f"{at}shards must be count / shard_rows, rounded up")
    if "pictures" in source:
        _check(source, {"pictures": _MAPPING}, at, where)
        _check(source["pictures"], _PICTURES, f"{at}pictures: ", where)
    shows = "shows" in source.get("pictures", {})
    if ("weights" in source) + ("folder" in source) + shows != 1:
        raise _damaged(where, f"{at}must have either weights or folder, or pictures that it shows")
    if shows:
        _check(source["pictures"], {"shows": _TEXT}, f"{at}pictures: ", where)
        return
    if "folder" in source:
        _check(source, {"folder": _MAPPING}, at, where)
        _check(source["folder"], _FOLDER, f"{at}folder: ", where)
        if "imported" in source:
            _check(source, {"imported": _MAPPING}, at, where)
            _check(source["imported"], _IMPORTED, f"{at}imported: ", where)
        return
    _check(source, _NETWORK, at, where)
    _check(source["weights"], _WEIGHTS, f"{at}weights: ", where)
    _check(source["sampling"], _SAMPLING, f"{at}sampling: ", where)
    if "prompts" in source:
        _check(source, {"prompts": _MAPPING}, at, where)
        _check(source["prompts"], _PROMPTS, f"{at}prompts: ", where)


def _check(document: dict[str, Any], kinds: dict[str, _Kind], at: str, where: str) -> None:
    for key, kind in kinds.items():
        if key not in document:
            raise _damaged(where, f"{at}{key} is missing")
        if not kind.holds(document[key]):
            raise _damaged(where, f"{at}{key} must be {kind.words}, not {printable(repr(document[key])[:80], 60)}")


def _damaged(where: str, reason: str) -> DatasetError:
    return DatasetError(f"{where}: damaged, {reason}. Generate the dataset again into a new folder.")
