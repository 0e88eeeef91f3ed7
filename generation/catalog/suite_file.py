"""A suite file as one plain document: what it extends is filled in, every source is written out.

::

    extends: mini                        # a packaged suite, or the path of a file beside this one
    name: mini-pairs                     # a name and a version of its own: images are identified by the version
    version: mini-pairs-v1
    defaults: {training_set: [landscape, emoji]}

Mappings (``recipe``, ``resyntheses``, ``defaults``, ``licences``) are merged with those of the extended suite; anything
else, the list of sources too, takes the place of what was there. A source with several training sets (or
``weights_id``) is one source of each, and ``{generator}``, ``{training_set}`` and ``{weights_id}`` stand for the names
in the path of its weights.
Weights lie beside the file that names them; those that do not, of a suite that extends a packaged one, are looked for
in the packaged zoo.

Pictures that exist already are sources too, and may be the only ones; ``recipe`` and ``count`` may then be left out::

    name: ours
    version: ours-v1
    recipe: {crop_size: 200}
    sources:
      - {generator: midjourney, folder: pictures/midjourney, licence: CC-BY-4.0}
      - {generator: flux, folder: pictures/flux, licence: CC-BY-4.0}
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.errors import UsageError
from ...core.foreign import printable
from ...core.schema import read_record
from ...core.yaml import read_yaml

Document = dict[str, Any]

_OWN = ("name", "version")
_MAX_EXTENDED = 8
CATALOG = Path(__file__).resolve().parent
ZOO = CATALOG.parent / "zoo"


@dataclass(frozen=True)
class SuiteText:
    """The form of a suite file, every key of which may be left to what it extends.

    What the recipe, the licences, the defaults and the sources hold is checked once they are merged.
    """

    name: str = ""
    version: str = ""
    title: str = ""
    count: int = 0
    recipe: dict[str, Any] = field(default_factory=dict)
    licences: dict[str, dict[str, Any]] = field(default_factory=dict)
    without_weights: str = ""
    resyntheses: dict[str, Any] | None = None
    extends: str | None = None
    defaults: dict[str, Any] = field(default_factory=dict)
    sources: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class _Written:
    """A path as a file writes it, and the folder that it is relative to."""

    folder: Path
    text: str

    def path(self, names: dict[str, str]) -> Path:
        text = self.text
        for placeholder, name in names.items():
            text = text.replace(placeholder, name)
        return self.folder / text


@dataclass(frozen=True)
class _Paths:
    """The paths that a source, or the defaults of all sources, may name."""

    weights: str | None = None
    folder: str | None = None
    pictures: str | None = None
    block_code: str | None = None
    prompts: str | None = None
    characters: str | None = None


def packaged_suites() -> dict[str, Path]:
    """Name -> file of the packaged suites, sorted."""
    return {path.stem: path for path in sorted(CATALOG.glob("*.yaml"))}


def read_suite_file(path: Path, below: Mapping[str, Collection[str]]) -> Document:
    """The merged document of a suite file; its ``sources`` contain the defaults, with absolute paths.

    Parameters
    ----------
    path : Path
        The YAML file.
    below : mapping of str to collection of str
        The names that belong below ``recipe`` and ``defaults``, to tell somebody who wrote one a level too high.

    Returns
    -------
    dict of str to Any
        UsageError if the file, or one that it extends, is missing or no suite file, extends itself, or lacks a name or
        version of its own.
    """
    document, files = _extended(path.resolve(), (), below)
    zoo = ZOO if any(file.parent == CATALOG for file in files) else None
    document["sources"] = [
        source
        for entry in document.get("sources", ())
        for source in _spelled_out({**document.get("defaults", {}), **entry}, zoo)
    ]
    return document


def _extended(
    path: Path, extending: tuple[Path, ...], below: Mapping[str, Collection[str]]
) -> tuple[Document, tuple[Path, ...]]:
    """The document with what it extends filled in, and the files that it was read from."""
    name = printable(path)
    if path in extending:
        raise UsageError(f"{name}: this suite extends itself.")
    if len(extending) > _MAX_EXTENDED:
        raise UsageError(f"{name}: extended by more than {_MAX_EXTENDED} suites, one by the other; that is too many.")
    if not os.path.exists(path):
        raise UsageError(f"{name}: no such suite file. Packaged suites: {', '.join(packaged_suites())}.")
    document = _checked(read_yaml(path, UsageError), path, below)
    if "extends" not in document:
        return document, (path,)
    missing = [key for key in _OWN if key not in document]
    if missing:
        raise UsageError(f"{name}: a suite that extends another needs a {' and a '.join(missing)} of its own.")
    base, files = _extended(Path(document["extends"]), (*extending, path), below)
    return _merged(base, document), (path, *files)


def _checked(document: Any, path: Path, below: Mapping[str, Collection[str]]) -> Document:
    """The document if it has the form of a suite file, its paths relative to the file that they are written in."""
    where = printable(path)
    if isinstance(document, dict):
        for key in document:
            inside = [name for name, known in below.items() if key in known]
            if key not in SuiteText.__dataclass_fields__ and inside:
                raise UsageError(f"{where}: '{key}' belongs below '{inside[0]}'.")
    read_record(SuiteText, document, where)
    out: Document = dict(document)
    if out.get("extends") is None:
        out.pop("extends", None)
    else:
        out["extends"] = str(packaged_suites().get(out["extends"], (path.parent / out["extends"]).resolve()))
    if "defaults" in out:
        out["defaults"] = _with_paths(out["defaults"], path, "defaults")
    if "sources" in out:
        out["sources"] = [_with_paths(entry, path, f"sources[{i}]") for i, entry in enumerate(out["sources"])]
    return out


def _with_paths(entry: Document, path: Path, prefix: str) -> Document:
    """Paths mean the file that they are written in, also where another file extends it."""
    stated = {key: entry[key] for key in _Paths.__dataclass_fields__ if key in entry}
    read_record(_Paths, stated, printable(path), prefix)
    folder = ZOO if path.parent == CATALOG else path.parent
    found = {
        key: _Written(path.parent if key in {"prompts", "characters"} else folder, text)
        for key, text in stated.items()
        if text is not None
    }
    return {**entry, **found}


def _merged(base: Document, changes: Document) -> Document:
    both = {key for key, value in changes.items() if isinstance(value, dict) and isinstance(base.get(key), dict)}
    return {**base, **changes, **{key: _merged(base[key], changes[key]) for key in both}}


def _spelled_out(entry: Document, zoo: Path | None) -> Iterator[Document]:
    several = {key: entry[key] for key in ("training_set", "weights_id") if isinstance(entry.get(key), list)}
    for choice in itertools.product(*several.values()):
        source = {**entry, **dict(zip(several, choice, strict=True))}
        names = {f"{{{key}}}": str(source.get(key)) for key in ("generator", "training_set", "weights_id")}
        for key, written in entry.items():
            if isinstance(written, _Written):
                source[key] = written.path(names if key == "weights" else {})
        written = entry.get("weights")
        if zoo is not None and isinstance(written, _Written) and not os.path.exists(source["weights"]):
            packaged = _Written(zoo, written.text).path(names)
            source["weights"] = packaged if os.path.exists(packaged) else source["weights"]
        yield source
