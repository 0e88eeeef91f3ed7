"""Real photographs in a folder tree, ``camera_model/**/*.jpg``: which camera took each, and which scene it shows.

Camera: EXIF maker and model, which also brings two devices of one model together. A file without EXIF belongs to the
camera of the other files in its top-level folder if they agree, else to that folder's name.

Scene: pictures of one scene must not be split, or a network passes the test by content. In this order:
*time*: shots of one camera, each at most two minutes after the one before, are one scene;
*folder*: for files without time, the path below the camera's folder, if a camera has at least three of them (the same
path below several cameras is the same scene);
*file*: each file is a scene of its own. Files with the same content are always one scene.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.errors import DatasetError, UsageError
from ...core.progress import get_logger, track
from ...generation.folders import list_images
from ...generation.image_files import check_8_bit_colour, open_image
from .exif import ExifRecord, read_exif
from .scenes import split_scenes

JPEG_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif"}
SCENE_GAP_SECONDS = 120
LABEL_RULES = ("auto", "exif", "folder")
_ENDS = 65536
_REMEDY = " Remove it from the folder."


@dataclass(frozen=True)
class Photograph:
    """One JPEG file as it left the camera. relative: its path below the tree, with slashes; fingerprint: SHA-256 of
    its size and its first and last 64 KiB."""

    path: Path
    relative: str
    camera: str
    scene: str
    split: str
    fingerprint: str


@dataclass(frozen=True)
class _File:
    path: Path
    relative: str
    exif: ExifRecord
    fingerprint: str

    @property
    def folder(self) -> str:
        """The top-level folder, "" for a file in the root."""
        return self.relative.rpartition("/")[0].split("/")[0]

    @property
    def below(self) -> str:
        """The folders between the top-level one and the file."""
        return self.relative.rpartition("/")[0].partition("/")[2]


def find_photographs(folder: Path, *, labels: str = "auto") -> list[Photograph]:
    """All JPEG photographs below ``folder`` with camera, scene and split, sorted by relative path.

    labels: "auto" as above; "exif" leaves out files without EXIF; "folder" takes the top-level folder's name. Files
    that are no JPEG are left out with a line in the log: they did not come out of a camera like this.

    DatasetError, naming the file or camera, for a file that is no JPEG inside, a file that belongs to no camera, one
    picture under two cameras, fewer than two cameras, or a camera with fewer than three scenes.
    """
    if labels not in LABEL_RULES:
        raise UsageError(f"labels come from {', '.join(LABEL_RULES)}, not from '{labels}'.")
    paths = list_images(folder)
    jpegs = [path for path in paths if path.suffix.lower() in JPEG_SUFFIXES]
    if len(jpegs) < len(paths):
        get_logger().warning("%s: %d files are no .jpg and left out", folder, len(paths) - len(jpegs))
    files = [
        _inspect(path, folder)
        for path in track(jpegs, description="read photographs' headers", total=len(jpegs), unit="file")
    ]
    cameras = _cameras(files, labels)
    if len(set(cameras.values())) < 2:
        found = ", ".join(sorted(set(cameras.values()))) or "none"
        raise DatasetError(
            f"{folder}: photographs of fewer than two cameras (found: {found}); arrange them as camera_model/*.jpg."
        )
    files = [file for file in files if file.relative in cameras]
    scenes = _scenes(files, cameras)
    splits = _splits(files, cameras, scenes)
    return [
        Photograph(f.path, f.relative, cameras[f.relative], scenes[f.relative], splits[f.relative], f.fingerprint)
        for f in files
    ]


def read_photograph(path: Path) -> np.ndarray:
    """The decoded file, uint8 (H, W, 3), neither rotated nor resampled. DatasetError naming a damaged file."""
    with open_image(path, ("JPEG",), remedy=_REMEDY) as picture:
        check_8_bit_colour(path, picture, _REMEDY)
        return np.asarray(picture.convert("RGB"))


def _inspect(path: Path, root: Path) -> _File:
    with open_image(path, ("JPEG",), remedy=_REMEDY) as picture:
        exif = read_exif(picture)
    return _File(path, path.relative_to(root).as_posix(), exif, _fingerprint(path))


def _fingerprint(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        digest.update(f"{size} ".encode())
        for start in (0, max(0, size - _ENDS)):
            handle.seek(start)
            digest.update(handle.read(_ENDS))
    return digest.hexdigest()


def _cameras(files: Sequence[_File], labels: str) -> dict[str, str]:
    """Relative path -> camera; files that the rule leaves out are missing."""
    by_exif = {file.relative: file.exif.camera for file in files if file.exif.camera and labels != "folder"}
    in_folder = defaultdict(set)
    for file in files:
        in_folder[file.folder].add(by_exif.get(file.relative))
    cameras = {}
    for file in files:
        camera = by_exif.get(file.relative)
        if camera is None and labels != "exif":
            others = in_folder[file.folder] - {None}
            camera = others.pop() if len(others) == 1 and file.folder else file.folder
            if not camera:
                raise DatasetError(
                    f"{file.path}: no camera in EXIF and no camera's folder around it; move or remove it."
                )
        if camera is not None:
            cameras[file.relative] = camera
    if len(cameras) < len(files):
        get_logger().warning("%d photographs without EXIF are left out", len(files) - len(cameras))
    return cameras


def _scenes(files: Sequence[_File], cameras: dict[str, str]) -> dict[str, str]:
    """Relative path -> scene, after joining scenes that share a file."""
    scenes = _by_time([f for f in files if f.exif.time is not None], cameras)
    rest = [f for f in files if f.exif.time is None]
    folders = defaultdict(set)
    for file in rest:
        folders[cameras[file.relative]].add(file.below)
    for file in rest:
        several = len(folders[cameras[file.relative]]) >= 3
        scenes[file.relative] = f"folder {file.below}" if several else f"file {file.fingerprint}"
    return _join_copies(files, cameras, scenes)


def _by_time(files: Iterable[_File], cameras: dict[str, str]) -> dict[str, str]:
    scenes: dict[str, str] = {}
    previous: tuple[str, float] | None = None
    scene = ""
    for file in sorted(files, key=lambda f: (cameras[f.relative], f.exif.time, f.relative)):
        assert file.exif.time is not None
        camera, seconds = cameras[file.relative], file.exif.time.timestamp()
        if previous is None or previous[0] != camera or seconds - previous[1] > SCENE_GAP_SECONDS:
            scene = f"time {camera} {file.exif.time.isoformat()}"
        scenes[file.relative], previous = scene, (camera, seconds)
    return scenes


def _join_copies(files: Sequence[_File], cameras: dict[str, str], scenes: dict[str, str]) -> dict[str, str]:
    first: dict[str, _File] = {}
    parent: dict[str, str] = {}

    def root(scene: str) -> str:
        while scene in parent:
            scene = parent[scene]
        return scene

    for file in files:
        copy = first.setdefault(file.fingerprint, file)
        if cameras[copy.relative] != cameras[file.relative]:
            raise DatasetError(
                f"{file.path}: the same picture as {copy.path}, but of another camera ({cameras[file.relative]}, "
                f"{cameras[copy.relative]}); remove one."
            )
        a, b = root(scenes[copy.relative]), root(scenes[file.relative])
        if a != b:
            parent[b] = a
    return {relative: root(scene) for relative, scene in scenes.items()}


def _splits(files: Sequence[_File], cameras: dict[str, str], scenes: dict[str, str]) -> dict[str, str]:
    """Scenes that several cameras share are split for all of them at once, the others camera by camera."""
    owners = defaultdict(set)
    for file in files:
        owners[scenes[file.relative]].add(cameras[file.relative])
    groups = defaultdict(list)
    for scene, seen_by in owners.items():
        groups[next(iter(seen_by)) if len(seen_by) == 1 else None].append(scene)
    split = {scene: name for group in groups.values() for scene, name in split_scenes(group).items()}
    present = Counter((cameras[f.relative], split[scenes[f.relative]]) for f in files)
    for camera in sorted(set(cameras.values())):
        missing = [name for name in ("train", "val", "test") if not present[camera, name]]
        if missing:
            raise DatasetError(
                f"camera '{camera}' has too few scenes: none is left for {', '.join(missing)}; it needs at least three "
                "(more photographs, taken at different times or in different folders)."
            )
    return {file.relative: split[scenes[file.relative]] for file in files}
