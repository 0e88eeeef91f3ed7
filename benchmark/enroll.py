"""A source that joins a fitted run later, from a few of its images: references are added, nothing is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..core.documents import to_json
from ..core.errors import DatasetError, UsageError
from ..core.hashing import file_sha256
from ..core.progress import get_logger
from ..core.publish import publishing_folder
from ..core.text import is_plain, printable
from .attribute import NotAttributed, picture_or_error
from .method import Method
from .models import load_model
from .run_info import RUN_FILE, Enrolled
from .runs import MODEL_FOLDER, Run, store_manifest, write_run_files
from .score import UNKNOWN

_LONGEST_NAME = 80


@dataclass(frozen=True)
class Enrollment:
    """What :func:`enroll` made.

    Parameters
    ----------
    run : Run
        The new run.
    enrolled : Enrolled
        The source that joined.
    left_out : tuple of NotAttributed
        Files that are no usable image, or one that was given before, and why.
    """

    run: Run
    enrolled: Enrolled
    left_out: tuple[NotAttributed, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-able form: the folder of the run, its sources, who joined, and what was left out."""
        return {
            "run": str(self.run.folder),
            "sources": list(self.run.class_names),
            "rules": list(self.run.rules),
            "enrolled": to_json(self.enrolled),
            "left_out": to_json(self.left_out),
        }


def enroll(name: str, images: Sequence[Path], run: Run, out: Path, *, method_file: str | None = None) -> Enrollment:
    """Add a source to a fitted run and write the result as a run of its own.

    The threshold stays: the new run carries the answers for seen validation images that the old one gave, and a rule
    chooses from them as before. So its predictions are those *before* the source joined, and no board takes it.
    Rejection rules that cannot describe a class by a few images are left out.

    Parameters
    ----------
    name : str
        What the source is called; no source of the run has that name.
    images : sequence of Path
        Files of one size. The centre crop of the run's crop size is taken, nothing is resampled. A file that cannot be
        read is left out, and so is a picture that comes twice.
    run : Run
        A run with its model; it is not changed.
    out : Path
        The folder of the new run; nothing lies there yet.
    method_file : str, optional
        The user's own file where the method is defined, if it is not registered.

    Raises
    ------
    UsageError
        For a name that is taken, an ``out`` that exists, and a method that needs training for another source.
    DatasetError
        If no image is left, or their sizes differ.
    """
    check_name(name, run)
    if out.exists():
        raise UsageError(f"{printable(out)} exists already: give another --out.")
    manifest = run.manifest()
    answers = run.predictions(manifest)
    method = load_model(run, method_file)
    pixels, left_out = _read(images, run.info.config.crop_size)
    if len(pixels) == 1:
        get_logger().warning("'%s' has one image: how much its images differ is taken from the other sources", name)
    joined = method.enroll(pixels, name)
    record = Enrolled(
        name=name,
        images=len(pixels),
        images_sha256=hashlib.sha256(pixels.tobytes()).hexdigest(),
        run=printable(f"{run.folder.resolve().parent.name}/{run.folder.resolve().name}"),
        run_sha256=file_sha256(run.folder / RUN_FILE),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    info = replace(
        run.info,
        rules=tuple(rule for rule in run.rules if rule in joined.rejections),
        normalised_distances=tuple(rule for rule in run.info.normalised_distances if rule in joined.rejections),
        enrolled=(*run.info.enrolled, record),
    )
    with publishing_folder(out) as partial:
        _save(joined, partial / MODEL_FOLDER)
        store_manifest(partial, manifest)
        write_run_files(partial, info, answers.of_rules(info.rules))
    return Enrollment(Run(out, info), record, left_out)


def check_name(name: str, run: Run) -> None:
    """UsageError unless a source of that name can join a run."""
    if not name.strip() or len(name) > _LONGEST_NAME or not all(map(is_plain, name)):
        raise UsageError(f"'{printable(name, 40)}' cannot name a source: use 1 to {_LONGEST_NAME} printed characters.")
    if name == UNKNOWN:
        raise UsageError(f"'{name}' is what rejected images are called: give the source another name.")
    if name in run.class_names:
        raise UsageError(
            f"'{name}' is a source of this run already ({', '.join(run.class_names)}): give the new one another name."
        )


def _read(images: Sequence[Path], size: int) -> tuple[np.ndarray, tuple[NotAttributed, ...]]:
    """Crops uint8 (n, size, size, 3), n >= 1, and the files without one."""
    crops: dict[bytes, np.ndarray] = {}
    sizes: dict[tuple[int, int], Path] = {}
    left_out: list[NotAttributed] = []
    for path in images:
        picture = picture_or_error(path, size)
        if isinstance(picture, NotAttributed):
            left_out.append(picture)
        elif picture.pixels.tobytes() in crops:
            left_out.append(NotAttributed(str(path), f"{printable(path)}: the same picture as one before."))
        else:
            crops[picture.pixels.tobytes()] = picture.pixels
            sizes.setdefault(picture.size, path)
    if not crops:
        reason = f" ({left_out[0].error})" if left_out else ""
        raise DatasetError(f"no image to enroll is left of {len(images)}{reason}")
    if len(sizes) > 1:
        (first, a), (second, b) = list(sizes.items())[:2]
        raise DatasetError(
            f"images of two sizes: {printable(a)} is {first[0]}x{first[1]}, {printable(b)} is {second[0]}x{second[1]}; "
            "one of them was resampled, which changes its traces: give images of one size, as the source makes them."
        )
    return np.stack(list(crops.values())), tuple(left_out)


def _save(method: Method, folder: Path) -> None:
    folder.mkdir()
    method.save(folder)
