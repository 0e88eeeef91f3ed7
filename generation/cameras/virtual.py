"""Virtual cameras: a stand-in for the Camera Model Identification Database of paper 1, and labelled as one.

A virtual camera is a list of numbers, a pure function of (seed, index). Where the user has darktable's files, filter
array, noise and colour matrix of a camera are measured ones (``darktable.py``); everything else is *assigned* by a
seeded rule within the ranges that real cameras have, and says nothing about a real model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...core.errors import UsageError
from .demosaic import BAYER_PHASES, DEMOSAICKERS
from .jpeg_tables import CHROMA_ANNEX_K, LUMA_ANNEX_K, scaled_table, smooth_table

PROXY = "virtual cameras: a stand-in for the Camera Model Identification Database"
"""Goes onto everything that was trained on virtual cameras."""

ASSIGNED = "assigned"
DENOISERS = ("none", "gaussian", "median", "wiener")
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
MAX_ISO = 6400
"""Measured profiles beyond this are left out: their noise hides all other traces."""

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class NoiseProfile:
    """Poisson-Gaussian noise at one ISO: variance a * x + b per colour, x in 0..1 of the linear raw value."""

    iso: int
    a: Triple
    b: Triple


@dataclass(frozen=True)
class Sensor:
    """The part of a camera that can be measured.

    camera_from_srgb: (3, 3) from linear sRGB to white-balanced camera colours, every row sums to 1.
    white_balance: multipliers that make a grey surface grey, green 1. origin: "assigned" or the real camera's name.
    """

    origin: str
    cfa: str
    noise: tuple[NoiseProfile, ...]
    camera_from_srgb: tuple[Triple, Triple, Triple]
    white_balance: Triple


@dataclass(frozen=True)
class VirtualCamera:
    """All parameters of one virtual camera model.

    bits: of the raw converter. contrast, gamma, saturation: of the tone curve on top of sRGB's. denoiser and strength:
    noise reduction, strength 0..1. sharpen_radius: px; sharpen_amount: gain; sharpen_core: luma differences (0..1)
    below this are left alone. luma_table, chroma_table: 64 quantisation steps in natural order.
    """

    name: str
    sensor: Sensor
    bits: int
    demosaicker: str
    contrast: float
    gamma: float
    saturation: float
    denoiser: str
    denoise_strength: float
    sharpen_radius: float
    sharpen_amount: float
    sharpen_core: float
    subsampling: str
    luma_table: tuple[int, ...]
    chroma_table: tuple[int, ...]

    def describe(self) -> dict[str, Any]:
        """All parameters as a JSON document; of a measured sensor only its name and a hash, for its numbers belong to
        darktable and must not travel in the header of a weight file."""
        document = asdict(self)
        if self.sensor.origin != ASSIGNED:
            numbers = hashlib.sha256(json.dumps(document["sensor"]).encode()).hexdigest()
            document["sensor"] = {"origin": self.sensor.origin, "sha256": numbers}
        return document


def virtual_camera(seed: int, index: int, measured: Sequence[Sensor] = ()) -> VirtualCamera:
    """Camera ``index`` of the family ``seed``: the same parameters whatever other cameras exist.

    measured: sensors to take instead of assigned ones; camera i takes number i of a permutation drawn from ``seed``.
    """
    rng = np.random.default_rng([seed, index])
    sensor = _assigned_sensor(rng)  # drawn in any case: the rest must not depend on what the user has
    if measured:
        sensor = measured[np.random.default_rng(seed).permutation(len(measured))[index % len(measured)]]
    luma, chroma = _tables(rng)
    denoiser = str(rng.choice(DENOISERS))
    return VirtualCamera(
        name=f"virtual-{index:03d}",
        sensor=sensor,
        bits=int(rng.choice((10, 12, 14))),
        demosaicker=str(rng.choice(list(DEMOSAICKERS))),
        contrast=_uniform(rng, 0.0, 0.7),
        gamma=_uniform(rng, 0.88, 1.14),
        saturation=_uniform(rng, 0.9, 1.4),
        denoiser=denoiser,
        denoise_strength=0.0 if denoiser == "none" else _uniform(rng, 0.25, 1.0),
        sharpen_radius=_uniform(rng, 0.5, 1.6),
        sharpen_amount=_uniform(rng, 0.0, 1.4),
        sharpen_core=_uniform(rng, 0.0, 0.015),
        subsampling=str(rng.choice(SUBSAMPLINGS)),
        luma_table=luma,
        chroma_table=chroma,
    )


def virtual_cameras(count: int, seed: int, measured: Sequence[Sensor] = ()) -> list[VirtualCamera]:
    """Cameras 0 to count - 1. UsageError for fewer than two: there would be nothing to tell apart."""
    if count < 2:
        raise UsageError(f"camera identification needs at least two cameras, {count} asked for.")
    return [virtual_camera(seed, index, measured) for index in range(count)]


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    # Four decimals: plenty to differ, and a header that people can read.
    return round(float(rng.uniform(low, high)), 4)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _assigned_sensor(rng: np.random.Generator) -> Sensor:
    """Ranges as in darktable's profiles: a of 2e-6 to 4e-5 at ISO 100, about proportional to ISO."""
    shot, read = _log_uniform(rng, 2e-6, 4e-5), _log_uniform(rng, 1e-8, 4e-7)
    colours = rng.uniform(0.7, 1.4, (2, 3))
    noise = tuple(
        NoiseProfile(iso, _triple(shot * colours[0] * gain), _triple(read * colours[1] * gain**1.6))
        for iso in (100, 200, 400, 800, 1600)
        for gain in (iso / 100,)
    )
    mix = rng.uniform([[0, 0.1, 0], [0.08, 0, 0.05], [0, 0.1, 0]], [[0, 0.35, 0.1], [0.25, 0, 0.25], [0.08, 0.35, 0]])
    matrix = mix + np.diag(1 - mix.sum(1))
    return Sensor(
        origin=ASSIGNED,
        cfa=str(rng.choice(BAYER_PHASES)),
        noise=noise,
        camera_from_srgb=(_triple(matrix[0]), _triple(matrix[1]), _triple(matrix[2])),
        white_balance=(_uniform(rng, 1.4, 2.6), 1.0, _uniform(rng, 1.2, 2.2)),
    )


def _triple(values: np.ndarray) -> Triple:
    r, g, b = (float(f"{value:.6g}") for value in values)
    return r, g, b


def _tables(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    luma, chroma = LUMA_ANNEX_K, CHROMA_ANNEX_K
    own = smooth_table(*rng.uniform((8, 60, 0.7, -0.3), (20, 130, 2.0, 0.3)))
    own_chroma = smooth_table(*rng.uniform((12, 70, 0.5, -0.2), (24, 150, 1.5, 0.2)))
    if rng.random() < 0.6:
        luma, chroma = own, own_chroma
    return scaled_table(luma, _log_uniform(rng, 0.06, 0.45)), scaled_table(chroma, _log_uniform(rng, 0.06, 0.5))
