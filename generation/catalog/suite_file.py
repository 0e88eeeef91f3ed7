"""A suite file as one plain document: what it extends is filled in, every source is written out.

::

    extends: mini                        # a packaged suite, or the path of a file beside this one
    name: mini-pairs                     # a name and a version of its own: images are identified by the version
    version: mini-pairs-v1
    defaults: {training_set: [landscape, emoji]}

Mappings (``recipe``, ``defaults``, ``licences``) are merged with those of the extended suite; anything else, the list
of sources too, takes the place of what was there. A source with several training sets (or ``weights_id``) is one source
of each, and ``{generator}``, ``{training_set}`` and ``{weights_id}`` stand for the names in the path of its weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ...core.errors import UsageError

Document = dict[str, Any]

_PATHS = ("weights", "folder", "pictures", "block_code")
_OWN = ("name", "version")
CATALOG = Path(__file__).resolve().parent
ZOO = CATALOG.parent / "zoo"


def packaged_suites() -> dict[str, Path]:
    """Name -> file of the packaged suites, sorted."""
    return {path.stem: path for path in sorted(CATALOG.glob("*.yaml"))}


def read_suite_file(path: Path) -> Document:
    """The document of a suite file; its ``sources`` contain the defaults, with absolute paths.

    UsageError if the file, or one that it extends, is missing, extends itself, or lacks a name or version of its own;
    errors of PyYAML, and the KeyError, TypeError, ValueError and AttributeError of documents that are no suite.
    """
    document = _extended(path.resolve(), ())
    document["sources"] = [
        source for entry in document["sources"] for source in _spelled_out({**document.get("defaults", {}), **entry})
    ]
    return document


def _extended(path: Path, below: tuple[Path, ...]) -> Document:
    if path in below:
        raise UsageError(f"{path}: this suite extends itself.")
    if not path.is_file():
        raise UsageError(f"{path}: no such suite file. Packaged suites: {', '.join(packaged_suites())}.")
    document = _with_absolute_paths(yaml.safe_load(path.read_text("utf-8")), path)
    if document.get("extends") is None:
        return document
    missing = [key for key in _OWN if key not in document]
    if missing:
        raise UsageError(f"{path}: a suite that extends another needs a {' and a '.join(missing)} of its own.")
    return _merged(_extended(Path(document["extends"]), (*below, path)), document)


def _with_absolute_paths(document: Document, path: Path) -> Document:
    """Paths mean the file that they are written in, also where another file extends it."""
    weights_folder = ZOO if path.parent == CATALOG else path.parent

    def absolute(entry: Document) -> Document:
        found = {key: str(weights_folder / str(entry[key])) for key in _PATHS if entry.get(key) is not None}
        if entry.get("prompts"):
            found["prompts"] = str(path.parent / str(entry["prompts"]))
        return {**entry, **found}

    out = dict(document)
    if out.get("extends") is not None:
        parent = str(out["extends"])
        out["extends"] = str(packaged_suites().get(parent, (path.parent / parent).resolve()))
    if "defaults" in out:
        out["defaults"] = absolute(out["defaults"])
    if "sources" in out:
        out["sources"] = [absolute(entry) for entry in out["sources"]]
    return out


def _merged(base: Document, changes: Document) -> Document:
    both = {key for key, value in changes.items() if isinstance(value, dict) and isinstance(base.get(key), dict)}
    return {**base, **changes, **{key: _merged(base[key], changes[key]) for key in both}}


def _spelled_out(entry: Document) -> Iterator[Document]:
    several = {key: entry[key] for key in ("training_set", "weights_id") if isinstance(entry.get(key), list)}
    for choice in itertools.product(*several.values()):
        source = {**entry, **dict(zip(several, choice, strict=True))}
        if source.get("weights") is not None:
            for key in ("generator", "training_set", "weights_id"):
                source["weights"] = source["weights"].replace(f"{{{key}}}", str(source.get(key)))
        yield source
