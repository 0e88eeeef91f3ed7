"""What to make: a suite's recipe with the user's choices applied, the sources and how many images of each.

Folders of images without a suite are a suite of their own, :data:`FOLDERS`: no generator of osbench is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.defaults import SUITE
from ..core.errors import DatasetError, UsageError, unknown_name
from ..core.progress import get_logger
from .catalog import NO_LICENCE, Recipe, Source, Suite, load_suite
from .described import images_of
from .families import family_class
from .folders import check_image, list_images, smallest_picture
from .ledger import MAX_SHARDS
from .networks import check_sampling
from .picture_set import open_picture_set
from .record import source_namespace
from .shards import Unit

FOLDERS = "folders"
"""Name of the suite that consists of the user's folders."""

_FOLDERS_VERSION = "folders-v1"
_LARGEST_CROP, _CROP_STEP = 256, 8


@dataclass(frozen=True)
class Request:
    """What to make: a suite (its recipe and count already adjusted) and the chosen sources with their counts."""

    suite: Suite
    counts: dict[str, int]

    @property
    def sources(self) -> list[Source]:
        """The chosen sources, in the order of the suite."""
        return [source for source in self.suite.sources if source.name in self.counts]


def make_request(
    suite: str | Path | None = None,
    *,
    sources: Sequence[str] | None = None,
    count: int | None = None,
    folders: Mapping[str, str | Path] | None = None,
    folder_licence: str | None = None,
    order: str | None = None,
    frame: str | None = None,
    crop_size: int | None = None,
) -> Request:
    """Check a request and resolve its names; nothing is written.

    Parameters
    ----------
    suite : str or Path, optional
        A packaged suite, or the path of a suite file. Without it the folders alone, or :data:`.defaults.SUITE` where
        there is no folder.
    sources : sequence of str, optional
        Names of sources, or of generators with all their sources; all without it.
    count : int, optional
        Images per source; without it what the suite says, and all images of a folder.
    folders : mapping of str to path, optional
        Name -> folder of images; a name may be ``generator/training_set``.
    folder_licence : str, optional
        Licence of the images in the folders.
    order, frame : str, optional
        See :mod:`.pixels`.
    crop_size : int, optional
        Side of the crop in pixels, where there is no suite to say it. Without it the largest multiple of 8 that fits
        every picture, up to 256.

    Raises
    ------
    UsageError
        Unknown names, or values that contradict each other.
    DatasetError
        A folder that is missing, empty, or holds a file that cannot be a benchmark image.
    """
    if count is not None and count < 1:
        raise UsageError(f"--count must be at least 1, not {count}.")
    given = {name: Path(path) for name, path in (folders or {}).items()}
    licence = folder_licence or NO_LICENCE
    if suite is None and given:
        if sources:
            raise UsageError("--source chooses sources of a suite: say which one with --suite.")
        own = [_folder_source(name, path, licence) for name, path in given.items()]
        loaded = _suite_of_folders(own, crop_size)
    elif crop_size is not None:
        raise UsageError("--crop-size is for folders without --suite; a suite says its own.")
    else:
        loaded = _with_folders_of_services(load_suite(SUITE if suite is None else suite), given, folder_licence)
        filled = [source for source in loaded.sources if source.service and source.folder]
        names = {name for source in filled for name in (source.name, source.generator)}
        others = [_folder_source(name, path, licence) for name, path in given.items() if name not in names]
        loaded, own = replace(loaded, sources=(*loaded.sources, *others)), [*filled, *others]
    recipe = replace(loaded.recipe, order=order or loaded.recipe.order, frame=frame or loaded.recipe.frame)
    loaded = replace(loaded, recipe=recipe)
    names = [source.name for source in loaded.sources]
    if len(set(names)) < len(names):
        raise UsageError(
            f"a folder source has the name of another source. Names taken: {', '.join(sorted(set(names)))}."
        )
    chosen = _choose(loaded, [*sources, *(source.name for source in own)] if sources else None)
    chosen = _without_absent_services(loaded, chosen, bool(sources))
    _check_pictures(loaded, chosen, count or loaded.count)
    for source in chosen:
        if source.family is not None:  # before anything is downloaded; others are checked once their file is read
            check_sampling(source, family_class(source.family))
    numbers = {source.name: _count_images(source, loaded, count) for source in chosen}
    counts = {name: images for name, images in numbers.items() if images}  # few draw no test character
    shards = sum(-(-images // recipe.shard_rows) for images in counts.values())
    if shards > MAX_SHARDS:
        raise UsageError(
            f"{sum(counts.values()):,} images are {shards:,} shards; at most {MAX_SHARDS:,}: lower the count."
        )
    return Request(loaded, counts)


def _folder_source(name: str, folder: Path, licence: str) -> Source:
    generator, _, training_set = name.partition("/")
    return Source(generator, training_set or "folder", architecture=generator, licence=licence, folder=folder)


def _with_folders_of_services(suite: Suite, folders: Mapping[str, Path], licence: str | None) -> Suite:
    """The suite with the folders that are given for its commercial services, by source or generator."""
    sources = []
    for source in suite.sources:
        name = next((name for name in (source.name, source.generator) if name in folders), None)
        if source.service is not None and name is not None:
            source = replace(source, folder=folders[name], licence=licence or source.licence)
        sources.append(source)
    return replace(suite, sources=tuple(sources))


def _without_absent_services(suite: Suite, chosen: Sequence[Source], asked: bool) -> list[Source]:
    """The sources but for services whose pictures nobody gave; UsageError if one was asked for or none is left."""
    absent = [source for source in chosen if source.service is not None and source.folder is None]
    left = [source for source in chosen if source not in absent]
    if not absent:
        return left
    names = ", ".join(source.generator for source in absent)
    remedy = f"Its pictures are yours to bring: --from-folder {absent[0].generator}=FOLDER."
    if asked or not left:
        first = absent[0]
        raise UsageError(f"source {first.name}: made by a commercial service ({first.service}). {remedy}")
    get_logger().info("suite %s: left out, no --from-folder NAME=FOLDER for it: %s", suite.name, names)
    return left


def _suite_of_folders(own: Sequence[Source], crop_size: int | None) -> Suite:
    recipe = Recipe(crop_size=_fitting_crop(own) if crop_size is None else crop_size)
    return Suite(FOLDERS, _FOLDERS_VERSION, "Folders of images", 1, recipe, tuple(own))


def _fitting_crop(own: Sequence[Source]) -> int:
    """The largest multiple of 8 that fits every picture, up to 256."""
    side, picture = min(smallest_picture(source.folder) for source in own if source.folder is not None)
    crop = min(side, _LARGEST_CROP) // _CROP_STEP * _CROP_STEP
    if not crop:
        raise DatasetError(
            f"{picture}: {side} px is too small for a crop of at least {_CROP_STEP} px. Remove it from the folder."
        )
    get_logger().info(
        "crops of %d px: the largest multiple of %d, up to %d, that fits every picture (%s has %d px); --crop-size"
        " says another",
        crop,
        _CROP_STEP,
        _LARGEST_CROP,
        picture,
        side,
    )
    return crop


def _choose(suite: Suite, names: Sequence[str] | None) -> list[Source]:
    if not names:
        return list(suite.sources)
    chosen = []
    for name in names:
        found = [source for source in suite.sources if name in {source.name, source.generator}]
        if not found:
            known = {n for source in suite.sources for n in (source.name, source.generator)}
            raise unknown_name("source", name, known)
        chosen += found
    return chosen


def _check_pictures(suite: Suite, sources: Sequence[Source], count: int) -> None:
    """UsageError unless all sources that show pictures show the same ones, and there are ``count`` of them."""
    showing = [source for source in sources if source.pictures is not None]
    sets = {source.name: open_picture_set(source.pictures) for source in showing if source.pictures is not None}
    for source in showing:
        shown, first = sets[source.name], sets[showing[0].name]
        if len(shown) < count:
            raise UsageError(
                f"suite {suite.name} has {len(shown)} pictures, {count} are asked for. Take --count {len(shown)}."
            )
        missing = set(first.content_ids[:count]) ^ set(shown.content_ids[:count])
        if missing:
            raise UsageError(
                f"sources {showing[0].name} and {source.name} do not show the same pictures (first difference: "
                f"{min(missing)}). Give all sources of suite {suite.name} one file 'pictures'."
            )


def _count_images(source: Source, suite: Suite, count: int | None) -> int:
    if source.folder is not None:
        files = list_images(source.folder)
        for path in files:
            check_image(path, suite.crop_size)
        return min(count or len(files), len(files))
    if source.native_size is not None and source.native_size - 2 * suite.recipe.margin < suite.crop_size:
        raise UsageError(
            f"source {source.name}: a crop of {suite.crop_size} px does not fit {source.native_size} px images."
        )
    return images_of(source, count or suite.count)


def units(
    request: Request, folder: Path, hashes: Mapping[str, str], device: str, only: str | None = None
) -> list[Unit]:
    """All shards of a request (of one source with ``only``), source by source."""
    result = []
    for source in request.sources:
        if only not in {None, source.name}:
            continue
        sha256 = hashes[source.name]
        first = Unit(
            dataset=folder,
            namespace=source_namespace(request.suite, source, sha256),
            source=source,
            source_sha256=sha256,
            recipe=request.suite.recipe,
            count=request.counts[source.name],
            shard=0,
            device=device,
            described=request.suite.described,
        )
        result += [replace(first, shard=k) for k in range(first.shards)]
    return result
