"""Trees in the layout of GenImage: for each generator its own pictures and the photographs beside them.

Zhu et al., "GenImage: A Million-Scale Benchmark for Detecting AI-Generated Image", NeurIPS 2023. The layout is::

    Midjourney/train/ai/0001.png                         made by Midjourney
    Midjourney/val/nature/0002.JPEG                      a photograph
    Midjourney/imagenet_midjourney/train/ai/0001.png     the same, with the folder that the published archives add

Photographs of all generators are one source, ``nature``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from ...core.errors import DatasetError
from ...core.text import printable
from ..catalog import NO_LICENCE
from . import Fault, Importer, Picture, folders_in, member_name, register_importer
from .imagefolder import TRAINING_SET, pictures_below

NATURE = "nature"
_SPLITS = ("train", "val")
_KINDS = ("ai", NATURE)


@register_importer("genimage")
class GenImage(Importer):
    """One source for each generator and one of all photographs; ``train`` and ``val`` are kept as ``split_hint``."""

    title: ClassVar[str] = "GenImage, or another tree of its layout"
    version: ClassVar[str] = "genimage-v1"
    citation: ClassVar[str] = (
        "M. Zhu et al.: GenImage: A Million-Scale Benchmark for Detecting AI-Generated Image. NeurIPS 2023,"
        " arXiv:2306.08571"
    )
    homepage: ClassVar[str] = "https://github.com/GenImage-Dataset/GenImage"
    licence: ClassVar[str] = NO_LICENCE

    def pictures(self, root: Path) -> Iterator[Picture | Fault]:
        generators, faults = folders_in(root, root, "folders of generators")
        yield from faults
        for folder in generators:
            if folder.name == NATURE:
                raise DatasetError(f"{printable(folder, 1000)}: {NATURE} is the name of the photographs' own source.")
            yield from _of_generator(folder, root)


def _of_generator(folder: Path, root: Path) -> Iterator[Picture | Fault]:
    """Pictures of one generator's folder, and the photographs in it."""
    splits, faults = folders_in(folder, root, "the folders train and val")
    if len(splits) == 1 and splits[0].name not in _SPLITS:
        splits, faults = folders_in(splits[0], root, "the folders train and val")
    yield from faults
    for split in splits:
        if split.name not in _SPLITS:
            yield Fault(member_name(split, root), "is neither train nor val")
            continue
        kinds, faults = folders_in(split, root, "the folders ai and nature")
        yield from faults
        for kind in kinds:
            if kind.name not in _KINDS:
                yield Fault(member_name(kind, root), "is neither ai nor nature")
                continue
            generator = NATURE if kind.name == NATURE else folder.name
            yield from pictures_below(kind, root, generator, TRAINING_SET, split.name)
