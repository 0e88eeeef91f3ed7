"""The data set of paper 2: 100 characters by ten sources, four more for the test characters, and all resyntheses.

Bongini, Molinari, Costanzo, Tondi, Barni, "Training-free Source Attribution of AI-generated Images via Resynthesis",
WIFS 2025. The layout is that of the authors' code, which reads (``100people/`` may be left out)::

    100people/images/midjourney/00042.png                        original: character 42, drawn by midjourney
    100people/images/midjourney/images/imagen/00042.jpg          resynthesis of it by imagen
    expansion_images/New Tests/AuraFlow/img_11.png               original of the extension: characters count from 0
    expansion_images/Regenerations/AuraFlow/imagen/img_11.png    resynthesis of it by imagen

Bing's files end in ``-chrome-0.png`` and five other ways, Firefly's in ``-0.png`` or ``-0.jpg``. Where one character
has several files, the first that the authors' code would open counts.

How the authors store the descriptions of their originals could not be checked. A file ``descriptions.csv`` in the
data set's folder is read where somebody made one: columns ``source``, ``number`` (1 to 100), ``description``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from ...core.errors import DatasetError
from ...core.foreign import read_foreign
from ...core.text import printable
from ..catalog import NO_LICENCE
from ..characters import split_of_characters
from . import Fault, Importer, Picture, entries, folders_in, member_name, register_importer

CORE = {
    "bing": "Bing Image Creator",
    "firefly": "Adobe Firefly",
    "flux-dev": "FLUX.1-dev",
    "freepik": "Freepik",
    "imagen": "Imagen 3",
    "leonardoai": "Leonardo AI",
    "midjourney": "Midjourney",
    "nightcafe": "NightCafe",
    "stabilityai": "Stable Diffusion 3",
    "starryai": "Starry AI",
}
EXTENSION = {"AuraFlow": "AuraFlow", "Pixart": "PixArt", "Playground": "Playground", "Tencent_Hunyuan": "Hunyuan-DiT"}
"""Test-only sources."""

TRAINING_SET = "undisclosed"
_ENDINGS = {
    "bing": (
        "-chrome-0.png",
        "-firefox-0.png",
        "-chrome-0.jpg",
        "-firefox-0.jpg",
        "chrome-0.png",
        "-firefox-0.jpeg",
    ),
    "firefly": ("-0.png", "-0.jpg"),
    "imagen": (".jpg",),
    "nightcafe": (".jpg",),
}
"""What follows the number in a file's name, in the order in which the authors' code tries; ``.png`` for the others."""

CHARACTERS = tuple(f"{number:05d}" for number in range(1, 101))
"""The list of names is not public knowledge; a character is called as its files are."""

_PICTURE = re.compile(r"(\d{5})(?!\d).*\.(png|jpe?g|webp)", re.IGNORECASE)
_EXTENSION_PICTURE = re.compile(r"img_(\d{1,3})\.(png|jpe?g|webp)", re.IGNORECASE)
_MAX_DESCRIPTIONS = 64 << 20
_LONGEST_DESCRIPTION = 10_000


@register_importer("bongini2025")
class Bongini2025(Importer):
    """The published originals and resyntheses, with the published split of the characters as ``split_hint``."""

    title: ClassVar[str] = "Bongini et al. 2025, as published"
    version: ClassVar[str] = "bongini2025-published-v1"
    citation: ClassVar[str] = (
        "P. Bongini, V. Molinari, A. Costanzo, B. Tondi, M. Barni: Training-free Source Attribution of AI-generated"
        " Images via Resynthesis. IEEE WIFS 2025, arXiv:2510.24278"
    )
    homepage: ClassVar[str] = "https://www.kaggle.com/datasets/pietrob92/resynthesis-dataset"
    licence: ClassVar[str] = NO_LICENCE
    largest_crop: ClassVar[int] = 1024
    architectures: ClassVar[dict[str, str]] = {**CORE, **EXTENSION}

    def pictures(self, root: Path) -> Iterator[Picture | Fault]:
        core = next((place for place in (root / "100people/images", root / "images") if place.is_dir()), None)
        if core is None or core.is_symlink():
            raise DatasetError(
                f"{printable(root, 1000)}: no folder 100people/images or images in it. Give the folder into which the"
                " published archive was unpacked."
            )
        reading = _Reading(root, _descriptions(root))
        yield from reading.core(core)
        yield from reading.extension(root / "expansion_images")


class _Reading:
    """One walk through the tree; originals are remembered for their resyntheses."""

    def __init__(self, root: Path, descriptions: dict[tuple[str, int], str]) -> None:
        self.root = root
        self.descriptions = descriptions
        self.originals: dict[tuple[str, int], Picture] = {}
        self.split = split_of_characters(CHARACTERS)

    def core(self, folder: Path) -> Iterator[Picture | Fault]:
        sources, strangers = self.known_folders(folder, CORE)
        yield from strangers
        for source, place in sources.items():
            yield from self.originals_in(place, source, _PICTURE, first=1, inside=("images",))
        for source, place in sources.items():
            again = place / "images"
            if again.is_dir():
                yield from self.resyntheses_in(again, source, CORE, _PICTURE, first=1)

    def extension(self, folder: Path) -> Iterator[Picture | Fault]:
        if not folder.exists() and not folder.is_symlink():
            return
        if folder.is_symlink() or not folder.is_dir():
            yield Fault(self.member(folder), "is no folder of the data set; only its own files are read")
            return
        tests, again = folder / "New Tests", folder / "Regenerations"
        if tests.is_dir():
            sources, strangers = self.known_folders(tests, EXTENSION)
            yield from strangers
            for source, place in sources.items():
                yield from self.originals_in(place, source, _EXTENSION_PICTURE, first=0)
        if again.is_dir():
            everyone = {**CORE, **EXTENSION}
            sources, strangers = self.known_folders(again, everyone)
            yield from strangers
            for source, place in sources.items():
                yield from self.resyntheses_in(place, source, everyone, _EXTENSION_PICTURE, first=0)

    def known_folders(self, folder: Path, known: dict[str, str]) -> tuple[dict[str, Path], list[Fault]]:
        """Source -> its folder, in the order of ``known``; DatasetError if two folders are one source."""
        folders, faults = folders_in(folder, self.root, "folders of sources")
        names = {name.casefold(): name for name in known}
        found: dict[str, Path] = {}
        for path in folders:
            name = names.get(path.name.casefold())
            if name is None:
                faults.append(Fault(self.member(path), f"is none of the sources {', '.join(known)}"))
            elif name in found:
                raise DatasetError(
                    f"{printable(self.member(path), 200)}: a second folder of source {name}, beside"
                    f" {printable(found[name].name, 80)}. Keep one of them."
                )
            else:
                found[name] = path
        return {name: found[name] for name in known if name in found}, faults

    def originals_in(
        self, folder: Path, source: str, pattern: re.Pattern[str], first: int, inside: Sequence[str] = ()
    ) -> Iterator[Picture | Fault]:
        """Originals of a source; ``first``: how the files count the first character, ``inside``: known folders."""
        for number, found in self.numbered(folder, source, pattern, first, inside):
            if isinstance(found, Path):
                picture = self.picture(found, source, number)
                self.originals[source, number] = picture
                yield picture
            else:
                yield found

    def resyntheses_in(
        self, folder: Path, of: str, known: dict[str, str], pattern: re.Pattern[str], first: int
    ) -> Iterator[Picture | Fault]:
        """Resyntheses of the originals of one source, by all sources."""
        sources, strangers = self.known_folders(folder, known)
        yield from strangers
        for by, place in sources.items():
            for number, found in self.numbered(place, by, pattern, first, ()):
                if not isinstance(found, Path):
                    yield found
                elif (of, number) in self.originals:
                    yield self.picture(found, by, number, self.originals[of, number])
                else:
                    yield Fault(
                        self.member(found), f"draws character {number} of {of} again, whose original is missing"
                    )

    def numbered(
        self, folder: Path, source: str, pattern: re.Pattern[str], first: int, inside: Sequence[str]
    ) -> Iterator[tuple[int, Path | Fault]]:
        """The one file of every character, in the order of their numbers, and what else is there, number 0."""
        folders, files, faults = entries(folder, self.root)
        faults += [
            Fault(self.member(p), "is a folder that is not in the layout") for p in folders if p.name not in inside
        ]
        by_number: dict[int, list[Path]] = {}
        for path in files:
            matched = pattern.fullmatch(path.name)
            number = int(matched[1]) - first + 1 if matched else 0
            if not 1 <= number <= len(CHARACTERS):
                faults.append(Fault(self.member(path), "is not named like a picture of the data set"))
            elif first == 0 and self.split[CHARACTERS[number - 1]] != "test":
                faults.append(Fault(self.member(path), f"shows character {number}, who is not of the test split"))
            else:
                by_number.setdefault(number, []).append(path)
        for number in sorted(by_number):
            chosen, *others = sorted(by_number[number], key=lambda path: _rank(path.name, source))
            yield number, chosen
            faults += [
                Fault(
                    self.member(path), f"is another picture of character {number}; {chosen.name} is the one that counts"
                )
                for path in others
            ]
        yield from ((0, fault) for fault in faults)

    def picture(self, path: Path, source: str, number: int, original: Picture | None = None) -> Picture:
        of = (original.generator if original else source, number)
        return Picture(
            member=self.member(path),
            generator=source,
            training_set=TRAINING_SET,
            bytes=path.stat().st_size,
            original=original.member if original else None,
            character=CHARACTERS[number - 1],
            description=self.descriptions.get(of),
            prompt=self.descriptions.get(of) if original else None,
            split_hint=self.split[CHARACTERS[number - 1]],
        )

    def member(self, path: Path) -> str:
        return member_name(path, self.root)


def _rank(name: str, source: str) -> tuple[int, str]:
    """When the authors' code tries a file's ending; other endings come after all of theirs, by name."""
    tried = _ENDINGS.get(source, (".png",))
    ending = name[5:]
    return (tried.index(ending) if ending in tried else len(tried), name)


def _descriptions(root: Path) -> dict[tuple[str, int], str]:
    """(Source, number of the character) -> description of the original, from ``descriptions.csv`` if there is one."""
    path = root / "descriptions.csv"
    if not path.exists():
        return {}
    where = printable(path, 1000)
    try:
        rows = list(
            csv.DictReader(io.StringIO(read_foreign(path, DatasetError, _MAX_DESCRIPTIONS).decode("utf-8-sig")))
        )
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{where}: is not a table in UTF-8 ({printable(error)}).") from error
    found: dict[tuple[str, int], str] = {}
    for line, row in enumerate(rows, start=2):
        source, number, text = (row.get(key) or "" for key in ("source", "number", "description"))
        if source not in {**CORE, **EXTENSION} or not number.isdecimal() or not 1 <= int(number) <= len(CHARACTERS):
            raise DatasetError(f"{where}: line {line} needs a source of the data set and a number from 1 to 100.")
        if not text.strip() or len(text) > _LONGEST_DESCRIPTION:
            raise DatasetError(
                f"{where}: line {line} needs a description of at most {_LONGEST_DESCRIPTION:,} characters."
            )
        if (source, int(number)) in found:
            raise DatasetError(f"{where}: line {line} describes picture {number} of {source} a second time.")
        found[source, int(number)] = " ".join(text.split())
    return found
