"""A folder of folders: each is one generator, everything below it is its pictures.

Two layouts are told apart by their names alone::

    midjourney/0001.png                one folder for each generator
    train/midjourney/0001.png          folders of splits around them: train, val (or valid, validation), test
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from ...core.errors import DatasetError
from ...core.text import printable
from ..catalog import NO_LICENCE
from . import Fault, Importer, Picture, entries, folders_in, member_name, register_importer

SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
TRAINING_SET = "undisclosed"
_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


@register_importer("imagefolder")
class ImageFolder(Importer):
    """Any data set with one folder for each generator; the publisher's split, if there is one, is ``split_hint``."""

    title: ClassVar[str] = "Pictures in one folder for each generator"
    version: ClassVar[str] = "imagefolder-v1"
    citation: ClassVar[str] = "Not stated"
    homepage: ClassVar[str] = "the publisher's page"
    licence: ClassVar[str] = NO_LICENCE
    largest_crop: ClassVar[int] = 1024

    def pictures(self, root: Path) -> Iterator[Picture | Fault]:
        folders, faults = folders_in(root, root, "folders of generators")
        yield from faults
        splits = [path for path in folders if path.name in SPLITS]
        if splits and len(splits) < len(folders):
            other = next(path for path in folders if path.name not in SPLITS)
            raise DatasetError(
                f"{printable(root, 1000)}: {splits[0].name} is a split and {printable(other.name, 80)} a generator;"
                " give a folder of splits or a folder of generators."
            )
        for split in splits:
            generators, faults = folders_in(split, root, "folders of generators")
            yield from faults
            for folder in generators:
                yield from pictures_below(folder, root, folder.name, TRAINING_SET, SPLITS[split.name])
        for folder in folders if not splits else ():
            yield from pictures_below(folder, root, folder.name, TRAINING_SET, None)


def pictures_below(
    folder: Path, root: Path, generator: str, training_set: str, split: str | None
) -> Iterator[Picture | Fault]:
    """All pictures of one source in a folder and its sub-folders, by name; another file is a Fault."""
    folders, files, faults = entries(folder, root)
    yield from faults
    for path in files:
        member = member_name(path, root)
        if path.suffix.lower() in _ENDINGS:
            yield Picture(member, generator, training_set, path.stat().st_size, split_hint=split)
        else:
            yield Fault(member, "is not named like a picture")
    for inner in folders:
        yield from pictures_below(inner, root, generator, training_set, split)
