"""One shard: the unit of work, a pure function of (recipe, source, shard number)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..core.errors import GenerationError
from ..core.hashing import file_sha256
from ..core.publish import publishing
from .block_code import load_block_code
from .cameras.retake import retake
from .catalog import Recipe, Source
from .dataset import shard_schema, version_for
from .described import character_columns, character_position
from .families import Generator
from .folders import FolderImage, list_images, read_image
from .ledger import LedgerEntry, shard_file
from .low_pass_swap import swap_low_frequencies
from .networks import kept_rows, open_network, repeatable_kernels
from .picture_set import RETAKEN, open_picture_set
from .pixels import Box, EncodedFrame, bytes_sha256, decode_crop, encode_frame, pixel_sha256
from .seeds import REDRAWS, draw, image_id, image_rng, image_seed, redraw_seed

T = TypeVar("T")

_FEW_VALUES = ("generator", "training_set", "jpeg_subsampling", "jpeg_tables_sha256")
_FEW_VALUES += ("character", "role", "description", "split_hint")
"""Columns in which few values come again and again."""

OnImages = Callable[[int], None]
"""Called with a number of images as soon as they are made."""


@dataclass(frozen=True)
class Unit:
    """Everything that one shard depends on.

    dataset: folder to publish into. namespace: the suite's version (for a folder source also its content), the first
    part of every image's identity. source_sha256: of the weights or of the folder's listing. count: images of the
    whole source. described: whether any source of the suite says whom its images show, for then all shards have columns
    for it.
    """

    dataset: Path
    namespace: str
    source: Source
    source_sha256: str
    recipe: Recipe
    count: int
    shard: int
    device: str = "cpu"
    described: bool = False

    @property
    def schema_version(self) -> int:
        """Of the shard's columns."""
        return version_for(self.described)

    @property
    def shards(self) -> int:
        """Shards of the whole source."""
        return -(-self.count // self.recipe.shard_rows)

    @property
    def file(self) -> str:
        """Where it is published, relative to the dataset."""
        return shard_file(self.source.generator, self.source.learned, self.shard, self.shards)

    @property
    def indices(self) -> range:
        """Image indices of this shard."""
        start = self.shard * self.recipe.shard_rows
        return range(start, min(start + self.recipe.shard_rows, self.count))

    @property
    def existing_bytes(self) -> int | None:
        """Size of the files of pictures that exist already; None if the images have to be made."""
        if self.source.folder is None:
            return None
        files = list_images(self.source.folder)[self.indices.start : self.indices.stop]
        return sum(path.stat().st_size for path in files)

    def publish(self, on_images: OnImages) -> LedgerEntry:
        """Make all images of the shard and publish it; see :func:`write_shard`."""
        rows = folder_rows if self.source.folder else generated_rows
        return publish_rows(self, list(rows(self, self.indices, on_images)))

    def fingerprint(self) -> str:
        """SHA-256 of the recipe, source and indices; stored in the shard."""
        parts = [self.schema_version, self.namespace, self.source.recipe(), self.source_sha256, self.recipe.document()]
        text = json.dumps([*parts, self.indices.start, self.indices.stop], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class NativeImage:
    """One image as its generator made it: uint8 (H, W, 3), its index and its conditioning.

    seed: what the generator was given, if not the image's own seed: the first picture was blank.
    """

    index: int
    pixels: np.ndarray
    class_label: int | None
    prompt: str | None = None
    seed: int | None = None


def write_shard(unit: Unit, on_images: OnImages = lambda n: None) -> LedgerEntry:
    """Make all images of a shard and publish it atomically. GenerationError for an image that must not be published."""
    return unit.publish(on_images)


def publish_rows(unit: Unit, rows: list[dict[str, Any]], left_out: Sequence[tuple[int, str, str]] = ()) -> LedgerEntry:
    """Write the rows of a shard, in order, and publish it atomically.

    left_out: index, file and reason of pictures of a published data set that are no images of the shard.
    """
    schema = shard_schema(unit.schema_version)
    table = pa.Table.from_pylist(rows, schema)
    noted = {"unit_sha256": unit.fingerprint()} | ({"left_out": list(left_out)} if left_out else {})
    metadata = {**(schema.metadata or {}), b"osbench": json.dumps(noted).encode()}
    final = unit.dataset / unit.file
    final.parent.mkdir(parents=True, exist_ok=True)
    with publishing(final) as partial:
        _write_parquet(table.replace_schema_metadata(metadata), partial)
        return LedgerEntry(unit.file, table.num_rows, file_sha256(partial))


def _write_parquet(table: pa.Table, path: Path) -> None:
    """Same table, same bytes: every option that Parquet leaves open is fixed here."""
    names = [name for name in table.column_names if name != "image"]
    compression = dict.fromkeys([*names, "image.bytes", "image.path"], "zstd")
    compression["image.bytes"] = "none"  # JPEG and PNG are compressed already
    options: dict[str, Any] = {
        "version": "2.6",
        "data_page_version": "1.0",
        "row_group_size": max(table.num_rows, 1),
        "compression": compression,
        "compression_level": {name: 3 for name, codec in compression.items() if codec == "zstd"},
        "use_dictionary": [name for name in _FEW_VALUES if name in names],
        "write_statistics": True,
        "store_schema": True,
    }
    pq.write_table(table, path, **options)


def generated_rows(unit: Unit, indices: range, on_images: OnImages) -> Iterator[dict[str, Any]]:
    """Rows of the images ``indices``; see :func:`native_batches`."""
    for batch in native_batches(unit, indices):
        yield from encode_rows(unit, batch)
        on_images(len(batch))


def native_batches(unit: Unit, indices: range) -> Iterator[list[NativeImage]]:
    """The images ``indices``, which must start at a multiple of the batch size, in batches.

    A network's batch always holds ``batch_size`` consecutive indices, beyond the end of the source where need be: the
    same image then has the same neighbours, hence the same bits, whatever the count.
    """
    size = unit.recipe.batch_size
    for start in range(indices.start, indices.stop, size):
        batch = sample_batch(unit, range(start, start + size))
        yield [image for image in batch if image.index in indices]


def sample_batch(unit: Unit, indices: range) -> list[NativeImage]:
    """Native images of one batch, checked: right shape, not constant, large enough to crop."""
    source = unit.source
    seeds = [image_seed(unit.namespace, source.generator, source.learned, i) for i in indices]
    if source.shows is not None:
        return _shown_batch(unit, indices)
    network = open_network(source, unit.source_sha256, unit.device)
    labels = _draw_each(seeds, "class", source.class_labels or range(network.c_dim))
    if source.resynthesizes is not None:
        prompts = [source.resynthesizes.drawn(i).description for i in indices]
    elif source.characters:
        prompts = [source.prompts[character_position(source, i)] for i in indices]
    elif source.prompts_in_turn:
        prompts = [source.prompts[i % len(source.prompts)] for i in indices]
    else:
        prompts = _draw_each(seeds, "prompt", source.prompts)
    options = {**source.sampling, **({"prompts": prompts} if prompts else {})}
    if source.pictures is not None:
        options["codes"] = picture_codes(source, indices)

    def sample(seeds: list[int]) -> np.ndarray:
        return sample_checked(network, source, seeds, labels, options)

    images = sample(seeds)
    used = _redraw_blanks(sample, images, seeds) if network.may_blank else seeds
    if source.pictures is not None:
        images = _swapped(unit, images, _pictures(source, indices))
    batch = []
    for k, (index, image) in enumerate(zip(indices, images, strict=True)):
        _check_native(unit, index, image)
        redrawn = used[k] if used[k] != seeds[k] else None
        batch.append(NativeImage(index, image, labels[k] if labels else None, prompts[k] if prompts else None, redrawn))
    return batch


def sample_checked(
    network: Generator,
    source: Source,
    seeds: Sequence[int],
    labels: Sequence[int] | None,
    options: Mapping[str, Any],
) -> np.ndarray:
    """Native images uint8 (N, H, W, 3) of a source for some seeds; GenerationError if they are none.

    Parameters
    ----------
    network : Generator
        The source's network.
    source : Source
        Which rows are picture, and its name for messages.
    seeds, labels : sequence of int
        One for each image; None for a network without classes.
    options : mapping
        Further keyword arguments of the network's ``sample``.
    """
    try:
        # A NaN would become an arbitrary level in silence.
        with np.errstate(invalid="raise"), repeatable_kernels():
            images = network.sample(seeds, labels, **options)
    except FloatingPointError as error:
        raise GenerationError(f"source {source.name}: the network returned NaN; check the weights.") from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[0] != len(seeds) or images.shape[3] != 3:
        raise GenerationError(f"source {source.name}: the network returned {images.dtype} {images.shape}.")
    return images[:, kept_rows(source, images.shape[1])]


def picture_codes(source: Source, indices: Sequence[int]) -> np.ndarray:
    """float32 (N, 16, S / 8, S / 8): the codes of the pictures that images ``indices`` of a source render."""
    assert source.block_code is not None
    return load_block_code(source.block_code).encode(_pictures(source, indices))


def _pictures(source: Source, indices: Sequence[int]) -> np.ndarray:
    """uint8 (N, S, S, 3); a batch that goes beyond the last picture begins again with the first."""
    assert source.pictures is not None
    pictures = open_picture_set(source.pictures)
    return pictures.pixels([index % len(pictures) for index in indices])


def _shown_batch(unit: Unit, indices: range) -> list[NativeImage]:
    """The pictures themselves, for a source without a network."""
    images = _pictures(unit.source, indices)
    if unit.source.shows == RETAKEN:
        seeds = [image_seed(unit.namespace, unit.source.generator, unit.source.learned, i) for i in indices]
        retaken = np.stack([retake(p, image_rng(s, RETAKEN)) for p, s in zip(images, seeds, strict=True)])
        images = _swapped(unit, retaken, images)
    for index, image in zip(indices, images, strict=True):
        _check_native(unit, index, image)
    return [NativeImage(index, image, None) for index, image in zip(indices, images, strict=True)]


def _swapped(unit: Unit, images: np.ndarray, originals: np.ndarray) -> np.ndarray:
    """The images with the low frequencies of the originals, where the recipe says so."""
    cutoff = unit.recipe.low_pass_swap
    return swap_low_frequencies(images, originals, cutoff) if cutoff else images


def _drawing_seed(unit: Unit, index: int, seed: int) -> int:
    """What crop and quality are drawn from: the image's own seed, or for a picture that many render the picture's."""
    if unit.source.pictures is None:
        return seed
    return image_seed(unit.namespace, "picture", open_picture_set(unit.source.pictures).content_ids[index], 0)


def _draw_each(seeds: list[int], stream: str, choices: Sequence[T]) -> list[T] | None:
    """One of the choices for each image, from its own seed; None if there is nothing to choose from."""
    if not choices:
        return None
    return [draw(seed, stream, choices) for seed in seeds]


def _redraw_blanks(sample: Callable[[list[int]], np.ndarray], images: np.ndarray, seeds: list[int]) -> list[int]:
    """Replace constant images, in place, by others from further seeds of the same images; returns the seeds used.

    Always whole batches: an image's neighbours may move its last bits.
    """
    used = list(seeds)
    for attempt in range(1, REDRAWS + 1):
        blank = [k for k, image in enumerate(images) if _is_constant(image)]
        if not blank:
            break
        for k in blank:
            used[k] = redraw_seed(seeds[k], attempt)
        images[blank] = sample(used)[blank]
    return used


def _check_native(unit: Unit, index: int, image: np.ndarray) -> None:
    if _is_constant(image):
        raise GenerationError(f"source {unit.source.name}, image {index}: one constant colour; check the weights.")
    size = unit.recipe.crop_size
    if min(image.shape[:2]) - 2 * unit.recipe.margin < size:
        raise GenerationError(
            f"source {unit.source.name}: a crop of {size} px does not fit {image.shape[1]}x{image.shape[0]} images."
        )


def _is_constant(image: np.ndarray) -> bool:
    return bool((image == image[:1, :1]).all())


def draw_crop(seed: int, width: int, height: int, size: int, margin: int = 0) -> Box:
    """A uniformly placed square of ``size`` pixels inside a width x height image, ``margin`` away from its borders."""
    rng = image_rng(seed, "crop")
    x, y = (int(rng.integers(side - 2 * margin - size + 1)) for side in (width, height))
    return Box(margin + x, margin + y, size, size)


def draw_quality(seed: int, qualities: tuple[int | None, ...]) -> int | None:
    """One of the JPEG qualities, uniformly."""
    return draw(seed, "jpeg", qualities)


def encode_row(unit: Unit, image: NativeImage) -> dict[str, Any]:
    """Compress and crop one generated image as the recipe says."""
    recipe = unit.recipe
    height, width = image.pixels.shape[:2]
    seed = image_seed(unit.namespace, unit.source.generator, unit.source.learned, image.index)
    drawn = _drawing_seed(unit, image.index, seed)
    crop = draw_crop(drawn, width, height, recipe.crop_size, recipe.margin)
    quality = draw_quality(drawn, recipe.qualities)
    frame = encode_frame(
        image.pixels, crop, quality, order=recipe.order, frame=recipe.frame, subsampling=recipe.subsampling
    )
    row = row_of(unit, image.index, image.seed or seed, frame, (width, height))
    row |= character_columns(unit.source, image.index)
    return {**row, "jpeg_quality": quality, "class_label": image.class_label, "prompt": image.prompt}


def encode_rows(unit: Unit, images: Sequence[NativeImage]) -> list[dict[str, Any]]:
    """:func:`encode_row` of each."""
    return [encode_row(unit, image) for image in images]


def folder_rows(unit: Unit, indices: range, on_images: OnImages) -> Iterator[dict[str, Any]]:
    """Rows of a folder source: the pictures as the recipe wants them, only the crop box is always drawn."""
    assert unit.source.folder is not None
    files = list_images(unit.source.folder)
    for index in indices:
        image = read_image(files[index], unit.recipe.crop_size, unit.recipe.existing)
        yield existing_row(unit, index, image) | character_columns(unit.source, index)
        on_images(1)


def existing_row(unit: Unit, index: int, image: FolderImage) -> dict[str, Any]:
    """The row of a picture that exists already, but for what it shows."""
    recipe, size = unit.recipe, (image.width, image.height)
    seed = image_seed(unit.namespace, unit.source.generator, unit.source.learned, index)
    crop = draw_crop(seed, image.width, image.height, recipe.crop_size)
    if recipe.existing == "canonical":
        quality = draw_quality(seed, recipe.qualities)
        order, frame, subsampling = recipe.order, recipe.frame, recipe.subsampling
        encoded = encode_frame(image.pixels, crop, quality, order=order, frame=frame, subsampling=subsampling)
        row = {**row_of(unit, index, seed, encoded, size), "jpeg_quality": quality}
    else:
        row = row_of(unit, index, seed, image.encode(crop, frame=recipe.frame, subsampling=recipe.subsampling), size)
    return {**row, "native_sha256": pixel_sha256(image.pixels)}


def row_of(unit: Unit, index: int, seed: int, frame: EncodedFrame, native_size: tuple[int, int]) -> dict[str, Any]:
    """What every image has, without what it shows; ``native_size``: width and height in pixels."""
    source, size = unit.source, unit.recipe.crop_size
    identity = image_id(unit.namespace, source.generator, source.learned, index)
    pictures = open_picture_set(source.pictures) if source.pictures is not None else None
    suffix = "jpg" if frame.format == "jpeg" else "png"
    crop = decode_crop(frame.bytes, frame.crop_x, frame.crop_y, size)
    return {
        "image_id": identity,
        "image": {"bytes": frame.bytes, "path": f"{identity}.{suffix}"},
        "generator": source.generator,
        "training_set": source.training_set,
        "index": index,
        "seed": seed,
        "prompt": None,
        "class_label": None,
        "native_width": native_size[0],
        "native_height": native_size[1],
        "jpeg_quality": None,
        "jpeg_subsampling": frame.subsampling,
        "jpeg_tables_sha256": frame.tables_sha256,
        "crop_x": frame.crop_x,
        "crop_y": frame.crop_y,
        "crop_size": size,
        "frame_x": frame.frame_x,
        "frame_y": frame.frame_y,
        "bytes_sha256": bytes_sha256(frame.bytes),
        "pixel_sha256": pixel_sha256(crop),
        "native_sha256": None,
        "weights": source.weights_id,
        "content_id": pictures.content_ids[index] if pictures else None,
        "group": pictures.groups[index] if pictures else None,
        "origin": None,
        "origin_sha256": None,
    }
