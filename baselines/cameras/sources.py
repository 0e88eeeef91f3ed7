"""Where crops of camera pictures come from: virtual cameras in front of scenes, or photographs in a folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import DatasetError
from ...generation.cameras.develop import MARGIN, shoot
from ...generation.cameras.virtual import PROXY, VirtualCamera, virtual_cameras
from ...generation.pixels import decode_frame
from .darktable import measured_sensors
from .photographs import Photograph, find_photographs, read_photograph
from .scenes import ProceduralScenes, Scenes, photograph_scenes, split_scenes

TRIES = 8
"""Flat or clipped places carry no trace: of up to this many places the first with texture is taken."""


def virtual_source(
    count: int,
    crop_size: int,
    crops_per_image: int,
    seed: int,
    *,
    scenes: Path | None = None,
    scene_count: int = 60,
    darktable: Path | None = None,
) -> VirtualSource:
    """``count`` virtual cameras in front of the photographs in ``scenes``, or of ``scene_count`` procedural scenes.

    darktable: its data folder, for measured sensors. Errors as :func:`virtual_cameras`, :func:`photograph_scenes` and
    :func:`measured_sensors`.
    """
    cameras = virtual_cameras(count, seed, measured_sensors(darktable) if darktable else ())
    side = scene_side(crop_size)
    pictures: Scenes = photograph_scenes(scenes, side, seed) if scenes else ProceduralScenes(scene_count, side, seed)
    return VirtualSource(tuple(cameras), pictures, crop_size, crops_per_image, seed)


def photograph_source(
    folder: Path, crop_size: int, crops_per_image: int, seed: int, *, labels: str = "auto"
) -> PhotographSource:
    """The photographs of a folder tree; errors and ``labels`` as :func:`find_photographs`."""
    return PhotographSource(tuple(find_photographs(folder, labels=labels)), crop_size, crops_per_image, seed)


def frame_side(crop_size: int) -> int:
    """Side of a virtual camera's picture in pixels: large enough for crops at many places, in whole 16 px blocks."""
    return -(-(2 * crop_size + 16) // 16) * 16


def scene_side(crop_size: int) -> int:
    """Smallest side of a scene that virtual cameras can photograph."""
    return frame_side(crop_size) + 2 * MARGIN


@dataclass(frozen=True)
class VirtualSource:
    """Every camera photographs every scene, so that content says nothing about the camera."""

    cameras: tuple[VirtualCamera, ...]
    scenes: Scenes
    crop_size: int
    crops_per_image: int
    seed: int

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(camera.name for camera in self.cameras)

    def units(self) -> int:
        return len(self.scenes)

    def labels(self, unit: int) -> np.ndarray:
        return np.repeat(np.arange(len(self.cameras)), self.crops_per_image)

    @cached_property
    def _split(self) -> dict[str, str]:
        return split_scenes([str(i) for i in range(len(self.scenes))])

    def split(self, unit: int) -> str:
        return self._split[str(unit)]

    def crops(self, unit: int) -> np.ndarray:
        scene, side = self.scenes.picture(unit), scene_side(self.crop_size)
        parts = []
        for k, camera in enumerate(self.cameras):
            rng = np.random.default_rng([self.seed, unit, k])
            y, x = (int(rng.integers(extent - side + 1)) for extent in scene.shape[:2])
            picture = decode_frame(shoot(camera, scene[y : y + side, x : x + side], rng))
            parts.append(random_crops(picture, self.crop_size, self.crops_per_image, rng))
        return np.concatenate(parts)

    def describe(self) -> dict[str, Any]:
        return {
            "kind": PROXY,
            "cameras": [camera.describe() for camera in self.cameras],
            "scenes": self.scenes.describe(),
            "crop_size": self.crop_size,
            "crops_per_image": self.crops_per_image,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class PhotographSource:
    """Photographs of real cameras."""

    photographs: tuple[Photograph, ...]
    crop_size: int
    crops_per_image: int
    seed: int

    @cached_property
    def _class_names(self) -> tuple[str, ...]:
        return tuple(sorted({photograph.camera for photograph in self.photographs}))

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._class_names

    def units(self) -> int:
        return len(self.photographs)

    def labels(self, unit: int) -> np.ndarray:
        return np.full(self.crops_per_image, self.class_names.index(self.photographs[unit].camera), np.int64)

    def split(self, unit: int) -> str:
        return self.photographs[unit].split

    def crops(self, unit: int) -> np.ndarray:
        photograph = self.photographs[unit]
        picture = read_photograph(photograph.path)
        if min(picture.shape[:2]) < self.crop_size:
            raise DatasetError(
                f"{photograph.path}: {picture.shape[1]}x{picture.shape[0]} is smaller than the {self.crop_size} px "
                "crop. Remove it from the folder."
            )
        # The stream follows the file, not its place in the list: other photographs do not move these crops.
        rng = np.random.default_rng([self.seed, int(photograph.fingerprint[:16], 16)])
        return random_crops(picture, self.crop_size, self.crops_per_image, rng)

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "photographs of real cameras",
            "cameras": list(self.class_names),
            "photographs": len(self.photographs),
            "sha256": _digest(self.photographs),
            "crop_size": self.crop_size,
            "crops_per_image": self.crops_per_image,
            "seed": self.seed,
        }


def _digest(photographs: tuple[Photograph, ...]) -> str:
    lines = sorted(f"{p.fingerprint} {p.camera} {p.split}\n" for p in photographs)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def random_crops(picture: np.ndarray, size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (count, size, size, 3) from random places of (H, W, 3); textured places are preferred."""
    crops = np.empty((count, size, size, 3), np.uint8)
    for i in range(count):
        for _ in range(TRIES):
            y, x = (int(rng.integers(extent - size + 1)) for extent in picture.shape[:2])
            crop = picture[y : y + size, x : x + size]
            if _has_texture(crop):
                break
        crops[i] = crop
    return crops


def _has_texture(crop: np.ndarray) -> bool:
    clipped = ((crop <= 2) | (crop >= 253)).mean()
    return bool(clipped < 0.5 and crop.std((0, 1)).mean() > 2.0)
