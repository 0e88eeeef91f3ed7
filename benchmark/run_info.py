"""``run.json``: how a run was made. Its type is its schema (``osbench schema run``).

A run may come from anybody: every text has a length, every name can stand in a path or a table, and nothing in it is
ever imported, opened or run.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from ..core.documents import Limits, from_json, json_schema, to_json
from ..core.errors import RunError
from ..core.foreign import read_json
from ..core.text import printable
from .card import MethodCard
from .manifest import Manifest

RUN_SCHEMA_VERSION = 2
RUN_FILE = "run.json"

#: A run.json is a few kilobytes; a submitted one of a gigabyte is refused before it is read.
MAX_RUN_JSON_BYTES = 1 << 20

_NAME = r"(?!.*\.py$)[A-Za-z0-9][A-Za-z0-9_.-]{0,79}"

MethodName = Annotated[str, Limits(pattern=_NAME, words="the registered name of a method")]
"""The registered name of a method. The path of a file is none, so that no run can name code."""

RuleName = Annotated[str, Limits(pattern=_NAME, words="letters, digits, '_', '-' and '.'")]
"""The name of a rejection rule: a part of a column's name."""

Label = Annotated[str, Limits(longest=200, shortest=1)]
Sha256 = Annotated[str, Limits(pattern="[0-9a-f]{64}", words="a SHA-256")]
Count = Annotated[int, Limits(least=0, most=2**53)]
Text = Annotated[str, Limits(longest=500)]

Seconds = Annotated[dict[str, Annotated[float, Limits(least=0, most=1e9)]], Limits(longest=200)]
"""What costs time -> seconds."""

Option = bool | int | float | Annotated[str, Limits(longest=2000)] | None
Options = Annotated[dict[str, Option], Limits(longest=200)]


def is_method_name(name: str) -> bool:
    """Whether a method may have this name; the path of a file is none."""
    return re.fullmatch(_NAME, name) is not None


@dataclass(frozen=True)
class Config:
    """The settings of a fit.

    Parameters
    ----------
    given : dict
        Hyper-parameters that were given instead of the defaults.
    defaults : dict
        All hyper-parameters of the method with their defaults.
    options : dict
        What the two resolve to.
    crop_size : int
        Side in pixels of the crops that the method saw.
    method_sha256 : str, optional
        Of the file of a method that was not installed.
    """

    given: Options
    defaults: Options
    options: Options
    crop_size: Annotated[int, Limits(least=1, most=65535)]
    method_sha256: Sha256 | None = None

    @property
    def key(self) -> str:
        """A short hash of what was resolved: fits of different keys are never averaged."""
        document = [self.options, self.crop_size, self.method_sha256]
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:8]

    def hash_on(self, manifest_id: str) -> str:
        """A short hash of everything that makes two runs of one method and seed different."""
        return hashlib.sha256(f"{self.key} {manifest_id}".encode()).hexdigest()[:8]


@dataclass(frozen=True)
class ManifestInfo:
    """The manifest that was answered.

    Parameters
    ----------
    manifest_id : str
        Its SHA-256.
    protocol, fold, suite : str
        Their names.
    seen, unseen : tuple of str
        Generators; ``candidate`` i of the predictions means ``seen[i]``.
    crop_size : int
        Side in pixels of the crops in the dataset.
    counts : dict
        Images by source and split.
    """

    manifest_id: Sha256
    protocol: Label
    fold: Label
    suite: Label
    seen: Annotated[tuple[Label, ...], Limits(shortest=1, longest=10_000, unique=True)]
    unseen: Annotated[tuple[Label, ...], Limits(longest=10_000, unique=True)]
    crop_size: Annotated[int, Limits(least=1, most=65535)]
    counts: dict[str, dict[str, Count]]

    @classmethod
    def of(cls, manifest: Manifest) -> ManifestInfo:
        """What a run says of its manifest."""
        return cls(
            manifest_id=manifest.manifest_id,
            protocol=manifest.protocol,
            fold=manifest.fold,
            suite=manifest.suite,
            seen=manifest.seen,
            unseen=manifest.unseen,
            crop_size=manifest.crop_size,
            counts=manifest.counts(),
        )


@dataclass(frozen=True)
class Enrolled:
    """A source that joined a run after its fit, from a few images.

    Parameters
    ----------
    name : str
        Of the source.
    images : int
        How many there were.
    images_sha256 : str
        Over their pixels, in the order in which they were given.
    run : str
        ``method/run`` of the run that it joined, as its folders were called.
    run_sha256 : str
        Of that run's ``run.json``.
    created : str
        When, ISO 8601.
    """

    name: Label
    images: Annotated[int, Limits(least=1, most=2**31)]
    images_sha256: Sha256
    run: Label
    run_sha256: Sha256
    created: Annotated[str, Limits(longest=40)]


@dataclass(frozen=True)
class Git:
    """The revision of the source tree, and whether it had changes."""

    revision: Text
    dirty: bool


@dataclass(frozen=True)
class Hardware:
    """The device that did the work, and the machine around it; memory in GB."""

    device: Text
    device_name: Text
    processor: Text
    cores: Count | None
    memory_gb: float | None
    system: Text


@dataclass(frozen=True)
class RunInfo:
    """How a run was made.

    Parameters
    ----------
    method : str
        Registered name of the method.
    seed : int
        Of the fit.
    rules : tuple of str
        Rejection rules that the run has answers of.
    card : MethodCard
        What the method says about itself.
    config : Config
        Its settings.
    manifest : ManifestInfo
        What was answered.
    code_sha256 : str
        Of the code that fitted the model (:mod:`.method_code`).
    versions : dict
        Library -> version.
    git : Git, optional
        Of the source tree, if it is one.
    hardware : Hardware
        Where it was fitted.
    precision : str
        Of the arithmetic, e.g. ``float32``.
    wall_time_s : float
        Seconds of fitting and answering, interrupted attempts included.
    created : str
        ISO 8601.
    training_free : bool
        Whether training images make no difference to the method with these settings.
    label : str
        What the entry is called on a board; empty for the method's own name. No part of a run's identity.
    normalised_distances : tuple of str
        Rules whose known score is the negative of a distance divided by the standard deviation of its class.
    enrolled : tuple of Enrolled
        Sources that joined after the fit, in this order behind ``manifest.seen``. The answers of such a run are those
        of the run that they joined; only its model knows them.
    seconds_per_image : dict
        Part of the method -> seconds that it took for each image when it was made, whether kept from before or not.
    """

    method: MethodName
    seed: Annotated[int, Limits(least=0, most=2**63 - 1)]
    rules: Annotated[tuple[RuleName, ...], Limits(shortest=1, longest=200, unique=True)]
    card: MethodCard
    config: Config
    manifest: ManifestInfo
    code_sha256: Sha256
    versions: Annotated[dict[str, Text], Limits(longest=200)]
    git: Git | None
    hardware: Hardware
    precision: Text
    wall_time_s: Annotated[float, Limits(least=0, most=1e12)]
    created: Annotated[str, Limits(longest=40)]
    normalised_distances: Annotated[tuple[RuleName, ...], Limits(longest=200, unique=True)] = ()
    training_free: bool = False
    schema_version: Literal[2] = RUN_SCHEMA_VERSION
    label: Annotated[str, Limits(longest=200)] = ""
    enrolled: Annotated[tuple[Enrolled, ...], Limits(longest=1000)] = ()
    seconds_per_image: Seconds = field(default_factory=dict[str, float])

    def to_json(self) -> dict[str, Any]:
        """The document of ``run.json``."""
        return to_json(self)

    @classmethod
    def from_json(cls, document: Any, where: str = RUN_FILE) -> RunInfo:
        """The checked document; RunError in one line that begins with ``where`` and names the first wrong key."""
        given: object = document
        is_object = isinstance(given, dict)
        version = cast(dict[str, Any], given).get("schema_version") if is_object else RUN_SCHEMA_VERSION
        if version != RUN_SCHEMA_VERSION:
            raise RunError(_other_version(document, version, where))
        info = from_json(cls, document, where, RunError)
        both = set(info.manifest.seen) & set(info.manifest.unseen)
        if both:
            raise RunError(f"{where}: manifest.seen and manifest.unseen both name {min(both)}.")
        names = [*info.manifest.seen, *(one.name for one in info.enrolled)]
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise RunError(f"{where}: enrolled names {printable(twice)}, which is a source already.")
        try:
            datetime.fromisoformat(info.created)
        except ValueError as error:
            raise RunError(f"{where}: created is {info.created!r}, which is no ISO 8601 time.") from error
        return info


def _other_version(document: dict[str, Any], version: object, where: str) -> str:
    if version != 1 or isinstance(version, bool):
        return f"{where}: run schema version {printable(repr(version), 20)}, this osbench reads {RUN_SCHEMA_VERSION}."
    method = document.get("method")
    name = method if isinstance(method, str) and is_method_name(method) else "NAME"
    return (
        f"{where}: a run of schema 1 (one rejection rule); this osbench reads schema {RUN_SCHEMA_VERSION} (a fit with "
        f"all its rules). Make it again: osbench evaluate --method {name} --data DATA --out RUNS, with the seeds and "
        "options of this file."
    )


def read_run_info(path: Path) -> RunInfo:
    """The checked content of a ``run.json`` from anybody; RunError in one line otherwise."""
    if not path.exists() and not path.is_symlink():
        raise RunError(f"{printable(path.parent)} is not a run: it has no {path.name}.")
    return RunInfo.from_json(read_json(path, RunError, MAX_RUN_JSON_BYTES), printable(path))


def run_schema() -> dict[str, Any]:
    """The JSON Schema of ``run.json``."""
    return json_schema(RunInfo)
