"""Make a dataset of a published one: its reader (:mod:`.importers`) lists the pictures, each shard reads its own.

The unit of work is a shard, a function of the files alone, so that a killed import resumes like a killed ``generate``.
A picture that turns out to be no picture is left out of its shard, which notes the file and the reason; the images
after it keep their indices, and nothing else stops.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core.defaults import DATA
from ..core.errors import DatasetError, OsbenchError, UsageError
from ..core.progress import get_logger, track
from ..core.text import printable
from .catalog import NO_LICENCE, Recipe, Source, Suite
from .catalog.resyntheses import Originals
from .characters import ORIGINAL, RESYNTHESIS
from .dataset import Dataset
from .engines import get_engine
from .folders import check_benchmark_image, read_picture
from .generate import make_dataset
from .image_files import MAX_FILE_BYTES, opened_picture
from .importers import Fault, Importer, Picture, importer_class
from .ledger import LedgerEntry
from .pixels import MAX_FRAME_PIXELS, bytes_sha256
from .published import check_folder
from .record import dataset_record
from .record_schema import resynthesized
from .seeds import image_id
from .shards import OnImages, Unit, existing_row, publish_rows

_SHARD_ROWS = 100
_CROP_STEP = 8


@dataclass(frozen=True)
class ImportUnit(Unit):
    """One shard of a published data set: its own pictures, who reads them, and the ids of what they draw again."""

    importer: str = ""
    root: Path = Path()
    pictures: tuple[Picture, ...] = ()
    originals: tuple[str | None, ...] = ()

    @property
    def existing_bytes(self) -> int:
        return sum(picture.bytes for picture in self.pictures)

    def publish(self, on_images: OnImages) -> LedgerEntry:
        reader = importer_class(self.importer)()
        rows: list[dict[str, Any]] = []
        left_out: list[tuple[int, str, str]] = []
        for index, picture, original in zip(self.indices, self.pictures, self.originals, strict=True):
            try:
                rows.append(self._row(reader, index, picture, original))
            except OsbenchError as error:
                left_out.append((index, picture.member, str(error)))
            on_images(1)
        return publish_rows(self, rows, left_out)

    def _row(self, reader: Importer, index: int, picture: Picture, original: str | None) -> dict[str, Any]:
        with reader.open(self.root, picture.member) as handle:
            data = handle.read(MAX_FILE_BYTES + 1)
        if not 0 < len(data) <= MAX_FILE_BYTES:
            size = f"more than {MAX_FILE_BYTES:,} bytes" if data else "empty (0 bytes)"
            raise DatasetError(f"{printable(picture.member, 200)}: is {size}.")
        image = read_picture(data, printable(picture.member, 200), self.recipe.crop_size, self.recipe.existing)
        return {
            **existing_row(self, index, image),
            "character": picture.character,
            "role": RESYNTHESIS if picture.original else ORIGINAL,
            "of_image_id": original,
            "description": picture.description,
            "prompt": picture.prompt,
            "class_label": picture.class_label,
            "split_hint": picture.split_hint,
            "origin": picture.member,
            "origin_sha256": bytes_sha256(data),
        }


@dataclass
class _Pictures:
    """The pictures of one source of a published data set. ``of``: the key of the source that they draw again."""

    generator: str
    training_set: str
    of: tuple[str, str] | None
    members: list[Picture] = field(default_factory=list)

    @property
    def name(self) -> str:
        own = f"{self.generator}/{self.training_set}"
        return own if self.of is None else f"{self.generator}/{resynthesized(self.training_set, '/'.join(self.of))}"

    def sha256(self) -> str:
        """Of the files' names and sizes: another listing is another source."""
        lines = (f"{picture.member} {picture.bytes}\n" for picture in self.members)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class Listing:
    """What a reader found. ``faults``: what is left out already, one line each."""

    importer: type[Importer]
    root: Path
    sources: tuple[_Pictures, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class SurveyRow:
    """One source of a published data set, before anything is made.

    Attributes
    ----------
    source, role : str
        Name, and what its pictures are.
    pictures, bytes : int
        How many, and the size of their files.
    formats, sizes : dict of str to int
        File format, and width x height in pixels, of how many pictures each.
    licence : str
        As recorded.
    """

    source: str
    role: str
    pictures: int
    bytes: int
    formats: dict[str, int]
    sizes: dict[str, int]
    licence: str


def list_pictures(importer: str, root: str | Path) -> Listing:
    """Everything that a reader finds in a data set's folder, by source.

    UsageError for an unknown reader; DatasetError for a folder that is missing, is not laid out like the data set,
    holds no picture of it, or has two sources of one name.
    """
    reader, folder = importer_class(importer), Path(root)
    if not folder.is_dir():
        raise DatasetError(f"{printable(folder, 1000)}: no such folder.")
    sources: dict[tuple[str, str, tuple[str, str] | None], _Pictures] = {}
    source_of: dict[str, tuple[str, str]] = {}
    faults: list[Fault] = []
    for found in reader().pictures(folder):
        if isinstance(found, Fault):
            faults.append(found)
            continue
        key = (found.generator, found.training_set)
        of = source_of.get(found.original) if found.original else None
        if found.original and of is None:
            faults.append(Fault(found.member, f"draws {found.original} again, which is not in the data set"))
            continue
        if found.original is None:
            source_of[found.member] = key
        sources.setdefault((*key, of), _Pictures(*key, of)).members.append(found)
    if not sources:
        raise DatasetError(f"{printable(folder, 1000)}: holds no picture of {reader.title}.")
    _refuse_twins([one.name for one in sources.values()])
    return Listing(reader, folder, tuple(sources.values()), tuple(faults))


def _refuse_twins(names: Sequence[str]) -> None:
    """Names that differ in case only are one folder on some disks, and one source to a reader of a table."""
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(name.casefold(), name)
        if other != name:
            raise DatasetError(f"two sources have one name, {printable(other, 80)} and {printable(name, 80)}.")


def survey(listing: Listing, licence: str | None = None) -> tuple[list[SurveyRow], list[Fault]]:
    """Formats and sizes by the pictures' headers, and all faults; nothing is decoded or written.

    Parameters
    ----------
    listing : Listing
        What a reader found.
    licence : str, optional
        Licence to record instead of the publisher's.

    Returns
    -------
    tuple of list of SurveyRow and list of Fault
        One row a source; the faults include pictures whose header cannot be read.
    """
    rows, faults = [], list(listing.faults)
    for source in track(listing.sources, description="look at pictures", unit="source"):
        formats: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for picture in source.members:
            found = _header(listing, picture, 1)
            if isinstance(found, Fault):
                faults.append(found)
            else:
                formats[found[0]] += 1
                sizes[f"{found[1]}x{found[2]}"] += 1
        size = sum(picture.bytes for picture in source.members)
        role = ORIGINAL if source.of is None else RESYNTHESIS
        stated = licence or listing.importer.licence
        rows.append(SurveyRow(source.name, role, len(source.members), size, dict(formats), dict(sizes), stated))
    return rows, faults


def _header(listing: Listing, picture: Picture, crop_size: int) -> tuple[str, int, int] | Fault:
    """Format, width and height of a picture."""
    name = printable(picture.member, 200)
    try:
        with (
            listing.importer().open(listing.root, picture.member) as handle,
            opened_picture(handle, name, max_pixels=MAX_FRAME_PIXELS) as opened,
        ):
            check_benchmark_image(opened, name, crop_size)
            return str(opened.format), *opened.size
    except OsbenchError as error:
        return Fault(picture.member, str(error))


def import_dataset(
    importer: str,
    root: str | Path,
    out: str | Path = DATA,
    *,
    canonical: bool = True,
    crop_size: int | None = None,
    licence: str | None = None,
    workers: int = 1,
    engine: str = "local",
    on_made: OnImages = lambda n: None,
) -> tuple[Dataset, list[Fault]]:
    """Make, or finish, a dataset of a published one.

    Parameters
    ----------
    importer : str
        Name of a reader.
    root : str or Path
        The published data set's folder.
    out : str or Path
        The dataset; a killed call continues where it stopped.
    canonical : bool
        Compress and crop all pictures like those that osbench makes, so that neither file format nor quality tells
        their source. False: keep every JPEG and PNG byte for byte.
    crop_size : int, optional
        Side of the crop in pixels; smaller pictures are left out. Without it the largest multiple of 8 that fits every
        picture, up to what the reader proposes.
    licence : str, optional
        What the publisher's page says, where the reader does not know it.
    workers : int
        Processes; they change no byte of the result.
    engine : str
        What schedules the shards.
    on_made : callable
        Called once with the number of images that had to be read.

    Returns
    -------
    tuple of Dataset and list of Fault
        The dataset, and everything of the published one that is not in it, with the reason.

    Raises
    ------
    UsageError
        For an unknown reader or a request without sense.
    DatasetError
        For a folder that is not this data set, or an ``out`` that is another dataset; nothing is written then.
    """
    if workers < 1:
        raise UsageError(f"--workers must be at least 1, not {workers}.")
    folder, schedule, listing = Path(out), get_engine(engine), list_pictures(importer, root)
    check_folder(folder)
    recipe = Recipe(
        crop_size=_fitting_crop(listing) if crop_size is None else crop_size,
        frame="window" if canonical else "full",
        existing="canonical" if canonical else "as-published",
        shard_rows=_SHARD_ROWS,
    )
    reader = listing.importer
    sources = [_source(listing, pictures, licence or reader.licence) for pictures in listing.sources]
    if NO_LICENCE in {source.licence for source in sources}:
        get_logger().warning("no licence stated: read %s and give --licence; nobody may pass it on.", reader.homepage)
    suite = Suite(reader.name, reader.version, reader.title, 1, recipe, tuple(sources), imported=True)
    records = [_record(suite, s, p, reader) for s, p in zip(suite.sources, listing.sources, strict=True)]
    record = dataset_record(suite, "cpu", records)
    wanted = _units(listing, suite, folder)
    dataset = make_dataset(folder, record, wanted, workers, schedule, on_made, "import")
    unread = [Fault(member, reason) for member, reason in dataset.left_out().items()]
    return dataset, [*listing.faults, *unread]


def _fitting_crop(listing: Listing) -> int:
    """The largest multiple of 8 that fits every readable picture, up to what the reader proposes."""
    smallest, name = listing.importer.largest_crop, ""
    for source in track(listing.sources, description="look at pictures", unit="source"):
        for picture in source.members:
            found = _header(listing, picture, _CROP_STEP)
            if not isinstance(found, Fault) and min(found[1:]) < smallest:
                smallest, name = min(found[1:]), picture.member
    crop = smallest // _CROP_STEP * _CROP_STEP
    if name:
        get_logger().info("crops of %d px: %s has %d px; --crop-size says another", crop, name, smallest)
    return crop


def _namespace(listing: Listing, pictures: _Pictures) -> str:
    """First part of the identity of a source's images: other files are other images."""
    return f"{listing.importer.version}+{pictures.sha256()[:16]}"


def _source(listing: Listing, pictures: _Pictures, licence: str) -> Source:
    """The source in the form that shards and records know."""
    generator = pictures.generator
    source = Source(
        generator=generator,
        training_set=pictures.training_set,
        architecture=listing.importer.architectures.get(generator, generator),
        licence=licence,
        folder=listing.root,
    )
    if pictures.of is None:
        return source
    of = next(one for one in listing.sources if one.of is None and (one.generator, one.training_set) == pictures.of)
    originals = Originals(of.name, *pictures.of, _namespace(listing, of), len(of.members), (), (), (), (), draws=1)
    return replace(source, resynthesizes=originals)


def _record(suite: Suite, source: Source, pictures: _Pictures, reader: type[Importer]) -> dict[str, Any]:
    """The entry of one source in ``dataset.json``."""
    sha256 = pictures.sha256()
    record: dict[str, Any] = {
        "name": source.name,
        "generator": source.generator,
        "training_set": source.training_set,
        "architecture": source.architecture,
        "licence": source.licence,
        "namespace": f"{suite.version}+{sha256[:16]}",
        "count": len(pictures.members),
        "shards": -(-len(pictures.members) // suite.recipe.shard_rows),
        "folder": {"files": len(pictures.members), "sha256": sha256},
        "imported": {"reader": reader.name, "citation": reader.citation, "homepage": reader.homepage},
    }
    if source.resynthesizes is not None:
        record["resynthesizes"] = {"source": source.resynthesizes.source, "draws": 1}
    return record


def _units(listing: Listing, suite: Suite, folder: Path) -> list[Unit]:
    ids: dict[str, str] = {}
    for pictures in listing.sources:
        if pictures.of is None:
            key = (_namespace(listing, pictures), pictures.generator, pictures.training_set)
            ids |= {picture.member: image_id(*key, index) for index, picture in enumerate(pictures.members)}
    result: list[Unit] = []
    for source, pictures in zip(suite.sources, listing.sources, strict=True):
        whole = ImportUnit(
            dataset=folder,
            namespace=_namespace(listing, pictures),
            source=source,
            source_sha256=pictures.sha256(),
            recipe=suite.recipe,
            count=len(pictures.members),
            shard=0,
            described=True,
            importer=listing.importer.name,
            root=listing.root,
        )
        for shard in range(whole.shards):
            unit = replace(whole, shard=shard)
            members = pictures.members[unit.indices.start : unit.indices.stop]
            originals = tuple(ids[one.original] if one.original else None for one in members)
            result.append(replace(unit, pictures=tuple(members), originals=originals))
    return result
