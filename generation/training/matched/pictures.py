"""The pictures of `mini-matched`: which photographs and drawings, how they are cut, who may learn from which.

Photographs are those of Debian's ``endless-sky-data`` (720x360) that its ``copyright`` file places in the public
domain, drawings are the figures of npm's ``@lobehub/fluent-emoji-3d`` (MIT) on textured coloured grounds. Both are
divided by picture (photographs) or by figure with all its variants (drawings) between the networks and the suite: no
network sees a picture of the suite.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ....core.errors import DatasetError
from ..pack import emoji, public_domain_photographs
from ..pictures import decode

SIDE = 64
FIGURE_HEIGHT = 160
PHOTOGRAPH_SIDES = 120, 160
"""Smallest and largest square, in pixels of the original photograph, that becomes 64 px by averaging."""

FIGURE_SIDES = 96, 160


LEAST_GRADIENT = 1.5
"""Mean difference of neighbouring levels below which a picture counts as flat."""


@dataclass(frozen=True)
class Share:
    """How many originals a part takes: photographs, and figures."""

    photographs: int
    figures: int


SHARES = {"suite": Share(80, 800), "validation": Share(14, 120)}
"""What is taken, in this order; the networks learn from the rest."""

SUITE_CUTS = 15
"""Cuts of every photograph of the suite; a figure gives one picture."""

SUITE_PARTS = {"train": 0.6, "val": 0.15, "test": 0.25}
"""Shares of the suite's groups that methods train on, validate on and are tested on."""


@dataclass(frozen=True)
class Original:
    """A file of a package: the photograph or drawing that pictures are cut from.

    Attributes
    ----------
    path : Path
        The file.
    kind : str
        ``photograph`` or ``drawing``.
    group : str
        What must not straddle parts: the photograph, or the figure whatever its skin or gender.
    package, licence : str
        Where it comes from, and on what terms.
    """

    path: Path
    kind: str
    group: str
    package: str
    licence: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Cut:
    """One picture, and where it comes from.

    Attributes
    ----------
    original : Original
        What it was cut from.
    box : tuple of int
        Left, top and side in the decoded original.
    mirrored : bool
        Whether left and right were exchanged.
    pixels : np.ndarray
        uint8 (64, 64, 3).
    """

    original: Original
    box: tuple[int, int, int]
    mirrored: bool
    pixels: np.ndarray


def originals(photographs: Path, drawings: Path) -> list[Original]:
    """All originals in the packages unpacked at the two folders, sorted by kind and name."""
    found = [
        Original(p, "photograph", f"photograph-{p.stem}", "endless-sky-data 0.9.8-1.2", "public domain")
        for p in public_domain_photographs(photographs)
    ]
    for path in emoji(drawings):
        # The first code point names the figure; what follows it are skin, gender and joined signs.
        figure = path.stem.split("-")[0]
        found.append(Original(path, "drawing", f"drawing-{figure}", "@lobehub/fluent-emoji-3d 1.1.0", "MIT"))
    return found


def divide(found: list[Original], seed: int = 0) -> dict[str, list[Original]]:
    """Originals of ``suite``, ``validation`` and ``training``; a group lies in one of them.

    One variant of a figure is taken for the suite and for validation, all of them for training. DatasetError if there
    are not enough.
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[Original]] = {name: [] for name in (*SHARES, "training")}
    for kind in ("photograph", "drawing"):
        groups: dict[str, list[Original]] = {}
        for original in found:
            if original.kind == kind:
                groups.setdefault(original.group, []).append(original)
        names = [str(name) for name in rng.permutation(sorted(groups))]
        for part, share in SHARES.items():
            wanted = share.photographs if kind == "photograph" else share.figures
            taken, names = names[:wanted], names[wanted:]
            parts[part] += [groups[name][int(rng.integers(len(groups[name])))] for name in taken]
        if not names:
            raise DatasetError(f"{len(groups)} groups of {kind}s are too few for suite, validation and training.")
        parts["training"] += [original for name in names for original in groups[name]]
    return parts


def cut(original: Original, rng: np.random.Generator, *, mirror: bool = False) -> Cut:
    """A random square of an original that is not flat, reduced to 64 px by area averaging.

    If ten squares are flat, as in a photograph of a clear sky, the last one is taken.
    """
    if original.kind == "photograph":
        pixels, sides = _photograph(original.path), PHOTOGRAPH_SIDES
    else:
        pixels, sides = decode(original.path.read_bytes(), FIGURE_HEIGHT, rng), FIGURE_SIDES
    for _ in range(10):
        found = _square(original, pixels, sides, rng, mirror)
        if np.abs(np.diff(found.pixels.astype(int), axis=0)).mean() >= LEAST_GRADIENT:
            break
    return found


@functools.lru_cache(maxsize=256)
def _photograph(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def _square(
    original: Original, pixels: np.ndarray, sides: tuple[int, int], rng: np.random.Generator, mirror: bool
) -> Cut:
    height, width = pixels.shape[:2]
    side = int(rng.integers(sides[0], min(sides[1], height) + 1))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    square = Image.fromarray(pixels[top : top + side, left : left + side])
    small = np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BOX))
    mirrored = mirror and bool(rng.random() < 0.5)
    return Cut(original, (left, top, side), mirrored, np.ascontiguousarray(small[:, ::-1] if mirrored else small))


def learning_cuts(parts: list[Original], count: int, seed: int) -> np.ndarray:
    """``count`` pictures (count, 64, 64, 3) uint8 to learn from, three in five from photographs; mirrored at random."""
    rng = np.random.default_rng(seed)
    kinds = {kind: [o for o in parts if o.kind == kind] for kind in ("photograph", "drawing")}
    pixels = np.empty((count, SIDE, SIDE, 3), np.uint8)
    for i in range(count):
        chosen = kinds["photograph" if i % 5 < 3 else "drawing"]
        pixels[i] = cut(chosen[int(rng.integers(len(chosen)))], rng, mirror=True).pixels
    return pixels


def suite_cuts(parts: list[Original], seed: int) -> list[Cut]:
    """The pictures of the suite in random order, so that the first N are a fair sample of all."""
    rng = np.random.default_rng(seed)
    cuts = [cut(o, rng) for o in parts for _ in range(SUITE_CUTS if o.kind == "photograph" else 1)]
    return [cuts[i] for i in rng.permutation(len(cuts))]
