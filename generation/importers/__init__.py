"""How published data sets are laid out: one file is one reader, a class under ``@register_importer("its_name")``.

A reader says which pictures there are, in a fixed order, and opens one of them; everything else (decoding, cropping,
compressing, shards, resuming) is done by :mod:`..importing`, alike for all of them.
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, ClassVar, TypeVar

from ...core.errors import DatasetError
from ...core.foreign import check_regular
from ...core.registry import Registry
from ...core.text import printable
from ..image_files import MAX_FILE_BYTES

I = TypeVar("I", bound="type[Importer]")  # noqa: E741


@dataclass(frozen=True)
class Picture:
    """One picture of a published data set, as its layout describes it.

    Attributes
    ----------
    member : str
        Where it is, with forward slashes: a file relative to the data set's folder, or whatever else
        :meth:`Importer.open` understands (``train.3.tar#00017.png``).
    generator, training_set : str
        Who made it, and what that one had learned: the source it belongs to.
    bytes : int
        Size of its file.
    original : str, optional
        The member that it draws again, for a resynthesis.
    character, description, prompt, split_hint : str, optional
        Whom it shows; a text that describes it; what its generator was told; the split that the publisher proposes.
    class_label : int, optional
        Class that its generator was given.
    """

    member: str
    generator: str
    training_set: str
    bytes: int
    original: str | None = None
    character: str | None = None
    description: str | None = None
    prompt: str | None = None
    split_hint: str | None = None
    class_label: int | None = None


@dataclass(frozen=True)
class Fault:
    """Something that lies in a data set and is left out: which member, and why, in one line."""

    member: str
    reason: str


class Importer(ABC):
    """A reader of one published layout.

    Attributes
    ----------
    name : str
        Registered name.
    title, version : str
        Of the data set; the version is part of every image's identity.
    citation, homepage : str
        Recorded with every source.
    licence : str
        What its publisher states, or :data:`..catalog.NO_LICENCE`.
    largest_crop : int
        Side in pixels of the crop where every picture is large enough and nobody asks for another.
    architectures : dict of str to str
        Generator -> the name that papers use; a generator's own name without it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[str]
    citation: ClassVar[str]
    homepage: ClassVar[str]
    licence: ClassVar[str]
    largest_crop: ClassVar[int] = 256
    architectures: ClassVar[dict[str, str]] = {}

    @abstractmethod
    def pictures(self, root: Path) -> Iterator[Picture | Fault]:
        """What is in a data set, originals before their resyntheses, always in the same order.

        Parameters
        ----------
        root : Path
            The data set's folder.

        Yields
        ------
        Picture or Fault
            DatasetError if the folder is not laid out like this data set at all, or in a way with two meanings.
        """

    def open(self, root: Path, member: str) -> BinaryIO:
        """The file of a picture, opened; DatasetError in one line if it is not there or not to be trusted."""
        return member_file(root, member).open("rb")


def member_file(root: Path, member: str) -> Path:
    """The regular file that a member names.

    DatasetError for a path that leaves the folder, for a link anywhere on the way, for anything but a regular file, and
    for more bytes than a picture may have.
    """
    parts = PurePosixPath(member).parts
    if not parts or member.startswith("/") or ".." in parts or "\\" in member or "\0" in member:
        raise DatasetError(f"{printable(member, 200)}: leaves the folder of the data set; it is not read.")
    path = root
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise DatasetError(f"{printable(member, 200)}: is a link; only the data set's own files are read.")
    check_regular(path, DatasetError, MAX_FILE_BYTES)
    return path


def entries(folder: Path, root: Path) -> tuple[list[Path], list[Path], list[Fault]]:
    """The folders and the files directly in a folder, by name, and what is neither; hidden ones do not count.

    DatasetError if it cannot be listed.
    """
    folders, files, faults = [], [], []
    try:
        with os.scandir(folder) as found:
            listed = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise DatasetError(f"{printable(folder, 1000)}: cannot be listed ({error.strerror}).") from error
    for entry in listed:
        if entry.name.startswith("."):
            continue
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            folders.append(Path(entry.path))
        elif stat.S_ISREG(mode):
            files.append(Path(entry.path))
        else:
            kind = "a link" if stat.S_ISLNK(mode) else "a special file"
            member = member_name(Path(entry.path), root)
            faults.append(Fault(member, f"is {kind}; only the data set's own files are read"))
    return folders, files, faults


def folders_in(folder: Path, root: Path, expected: str) -> tuple[list[Path], list[Fault]]:
    """The folders directly in a folder where nothing else is ``expected``; all else is a Fault."""
    folders, files, faults = entries(folder, root)
    strangers = [Fault(member_name(path, root), f"is a file where {expected} are expected") for path in files]
    return folders, faults + strangers


def member_name(path: Path, root: Path) -> str:
    """How a file of a data set is called: its place below the root, with forward slashes."""
    return path.relative_to(root).as_posix()


_IMPORTERS: Registry[type[Importer]] = Registry("importer", "osbench.importers")


def register_importer(name: str) -> Callable[[I], I]:
    """Class decorator: make a reader known under ``name``."""

    def register(cls: I) -> I:
        _IMPORTERS.add(name, cls)
        cls.name = name
        return cls

    return register


def importer_class(name: str) -> type[Importer]:
    """The class registered for a reader's name; UsageError with a suggestion otherwise."""
    return _IMPORTERS.get(name)


def importer_names() -> list[str]:
    """Names of all readers, sorted; none is imported for it."""
    return _IMPORTERS.names()
