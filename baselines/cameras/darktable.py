"""Measured sensors from the files of an installed darktable: noise profiles, filter arrays and colour matrices.

darktable's ``noiseprofiles.json`` is GPL and rawspeed's ``cameras.xml`` is CC BY-SA, so neither is part of this
package: they are read where the user has them, usually below ``/usr/share/darktable``.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import DatasetError
from ...generation.cameras.demosaic import BAYER_PHASES
from ...generation.cameras.virtual import MAX_ISO, NoiseProfile, Sensor, Triple

_SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_LETTERS = {"RED": "R", "GREEN": "G", "BLUE": "B"}


def measured_sensors(folder: Path) -> list[Sensor]:
    """Every Bayer camera that has a noise profile, a filter array and a colour matrix, sorted by name.

    ``folder``: where ``noiseprofiles.json`` and ``cameras.xml`` (also in ``rawspeed/``) lie. DatasetError if a file is
    missing, is not what its name says, or no camera is in both.
    """
    noise = _noise_profiles(_existing(folder, "noiseprofiles.json"))
    optics = _filters_and_matrices(_existing(folder, "rawspeed/cameras.xml", "cameras.xml"))
    usable = []
    for key in sorted(noise.keys() & optics.keys()):
        (name, profiles), (cfa, matrix) = noise[key], optics[key]
        sensor = _sensor(name, cfa, profiles, matrix)
        if sensor is not None:
            usable.append(sensor)
    if not usable:
        raise DatasetError(f"{folder}: no camera has a noise profile, a Bayer filter array and a colour matrix.")
    return usable


def _existing(folder: Path, *names: str) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DatasetError(f"{folder}: no {names[0]}; name darktable's data folder, usually /usr/share/darktable.")


def _key(maker: str, model: str) -> str:
    """Cameras match by the first word of the maker and the letters and digits of the model."""
    first = maker.split()[0].lower() if maker.split() else ""
    plain = re.sub(r"[^a-z0-9]", "", model.lower().replace("mark", "mk"))
    return f"{first} {plain.removeprefix(first)}"


def _noise_profiles(path: Path) -> dict[str, tuple[str, tuple[NoiseProfile, ...]]]:
    """Key -> (name, profiles up to MAX_ISO with positive a)."""
    found = {}
    try:
        for maker in json.loads(path.read_text(encoding="utf-8"))["noiseprofiles"]:
            for model in maker["models"]:
                profiles = tuple(p for p in map(_profile, model["profiles"]) if p.iso <= MAX_ISO and min(p.a) > 0)
                if profiles:
                    name = model["model"]
                    name = name if name.lower().startswith(maker["maker"].lower()) else f"{maker['maker']} {name}"
                    found[_key(maker["maker"], model["model"])] = (name, profiles)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: not darktable's noise profiles ({type(error).__name__}: {error}).") from error
    return found


def _profile(entry: dict[str, Any]) -> NoiseProfile:
    return NoiseProfile(int(entry["iso"]), _three(entry["a"]), _three(entry["b"]))


def _three(values: Any) -> Triple:
    r, g, b = (float(value) for value in values)
    return r, g, b


def _filters_and_matrices(path: Path) -> dict[str, tuple[str, np.ndarray]]:
    """Key -> (Bayer phase, matrix XYZ -> camera (3, 3))."""
    found = {}
    try:
        for camera in ElementTree.parse(path).getroot().iter("Camera"):
            cfa, matrix = _bayer_phase(camera), _matrix(camera)
            names = camera.find("ID")
            attributes = camera.attrib if names is None else names.attrib
            if cfa in BAYER_PHASES and matrix is not None:
                found.setdefault(_key(attributes["make"], attributes["model"]), (cfa, matrix))
    except (OSError, ElementTree.ParseError, ValueError, KeyError) as error:
        raise DatasetError(f"{path}: not rawspeed's camera list ({type(error).__name__}: {error}).") from error
    return found


def _bayer_phase(camera: ElementTree.Element) -> str | None:
    """ "RGGB" and so on, from either of the two spellings of a 2x2 filter array; None for others."""
    rows = camera.findall("CFA2/ColorRow")
    if len(rows) == 2:
        return "".join(row.text or "" for row in sorted(rows, key=lambda row: int(row.attrib["y"])))
    cells = camera.findall("CFA/Color")
    if len(cells) != 4:
        return None
    ordered = sorted(cells, key=lambda cell: (int(cell.attrib["y"]), int(cell.attrib["x"])))
    return "".join(_LETTERS.get((cell.text or "").strip(), "?") for cell in ordered)


def _matrix(camera: ElementTree.Element) -> np.ndarray | None:
    rows = camera.findall("ColorMatrices/ColorMatrix[@planes='3']/ColorMatrixRow")[:3]
    values = [[float(v) / 1e4 for v in (row.text or "").split()] for row in rows]
    return np.array(values) if len(values) == 3 and all(len(v) == 3 for v in values) else None


def _sensor(name: str, cfa: str, profiles: tuple[NoiseProfile, ...], from_xyz: np.ndarray) -> Sensor | None:
    """Daylight white balance follows from the matrix: what the camera sees of D65 white must come out grey."""
    from_srgb = from_xyz @ _SRGB_TO_XYZ
    white = from_srgb.sum(1)
    if white.min() <= 0 or abs(np.linalg.det(from_srgb / white[:, None])) < 1e-3:
        return None
    balance = white[1] / white
    matrix = from_srgb / white[:, None]
    return Sensor(name, cfa, profiles, (_three(matrix[0]), _three(matrix[1]), _three(matrix[2])), _three(balance))
