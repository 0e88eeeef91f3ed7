"""Does a row of a shard say what follows from its source and index? Its labels, its identity, its hashes."""

from __future__ import annotations

from typing import Any

from ..core.errors import DatasetError
from ..core.text import printable
from .pixels import bytes_sha256, decode_crop, decode_frame, frame_size, pixel_sha256
from .record_schema import learned, role_of
from .seeds import REDRAWS, draw, image_id, image_seed, redraw_seed

_LABELS = ("generator", "training_set")
_MAY_BE_NULL = {
    "prompt",
    "class_label",
    "jpeg_quality",
    "jpeg_subsampling",
    "jpeg_tables_sha256",
    "native_sha256",
    "weights",
    "content_id",
    "group",
    "character",
    "role",
    "of_image_id",
    "description",
    "split_hint",
    "origin",
    "origin_sha256",
}


def row_problem(row: dict[str, Any], source: dict[str, Any], crop_size: int, *, pixels: bool) -> str | None:
    """What is wrong with a row, or None.

    Which prompt an image was given cannot be checked: ``dataset.json`` keeps the hash of the whole list only.

    Parameters
    ----------
    row : dict
        All columns of one image.
    source : dict
        The source's entry in ``dataset.json``.
    crop_size : int
        Side of the benchmark crop in pixels.
    pixels : bool
        Decode the image and compare the hashes of its pixels too.
    """
    if any(value is None for name, value in row.items() if name not in _MAY_BE_NULL) or not row["image"]["bytes"]:
        return "a value is missing"
    return _label_problem(row, source, crop_size) or _hash_problem(row, crop_size, pixels)


def _label_problem(row: dict[str, Any], source: dict[str, Any], crop_size: int) -> str | None:
    for name, expected in (*((name, source[name]) for name in _LABELS), ("weights", source.get("weights_id"))):
        if row.get(name) != expected:
            return f"its {name} is {printable(row[name], 60)}, but it lies in source {source['name']}"
    for name in ("content_id", "group"):
        if (row.get(name) is not None) != ("pictures" in source):
            return f"has a {name}, but its source shows no pictures" if row[name] else f"lacks a {name}"
    key = (source["namespace"], source["generator"], learned(source), row["index"])
    if row["image_id"] != image_id(*key) or row["crop_size"] != crop_size:
        return "its identity does not follow from suite, source and index"
    own = image_seed(*key)
    redrawn = "prompts" in source and row["seed"] in {redraw_seed(own, k) for k in range(1, REDRAWS + 1)}
    if row["seed"] != own and not redrawn:
        return "its seed does not follow from suite, source and index"
    classes = source.get("sampling", {}).get("class_labels", [])
    if "folder" in source and "imported" not in source and row["class_label"] is not None:
        return "has a class, but lies in a source that is a folder of images"
    if classes and row["class_label"] != draw(own, "class", classes):
        return f"its class {row['class_label']} does not follow from its source and seed"
    if row.get("role", role_of(source)) != role_of(source):
        return f"its role is {printable(row['role'], 60)}, but it lies in source {source['name']}"
    if (row.get("of_image_id") is not None) != ("resynthesizes" in source):
        return "draws another image again, but its source does not" if row["of_image_id"] else "lacks an of_image_id"
    if "imported" in source:
        return None if row["origin"] and row["origin_sha256"] else "does not say which published file it is"
    if (row["prompt"] is not None) != ("prompts" in source):
        return "has a prompt, but its source has none" if row["prompt"] else "lacks the prompt that its source has"
    return None


def _hash_problem(row: dict[str, Any], crop_size: int, pixels: bool) -> str | None:
    data, native = row["image"]["bytes"], row.get("native_sha256")
    if bytes_sha256(data) != row["bytes_sha256"]:
        return "stored bytes differ from bytes_sha256"
    if not pixels:
        return None
    try:
        if pixel_sha256(decode_crop(data, row["crop_x"], row["crop_y"], crop_size)) != row["pixel_sha256"]:
            return "decoded crop differs from pixel_sha256"
        # A picture that was compressed here has other pixels now.
        whole = frame_size(data) == (row["native_height"], row["native_width"]) and row["jpeg_quality"] is None
        if native is not None and whole and pixel_sha256(decode_frame(data)) != native:
            return "decoded frame differs from native_sha256"
    except DatasetError as error:
        return str(error)
    return None
