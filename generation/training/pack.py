"""Training pictures: from unpacked public packages to one small file, and from that file to a bank of crops.

``landscape`` reads Debian's ``endless-sky-data`` (720x360 photographs); only files that its ``copyright`` file places
in the public domain are taken, and pictures from space or of cities are left out. ``emoji`` reads the npm package
``@lobehub/fluent-emoji-3d`` (MIT) and composites every figure on a textured coloured ground.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import DatasetError
from ..progress import track

LANDSCAPE_HEIGHT = 180
EMOJI_SIDE = 160
HELD_OUT = 0.1

# Other licences, unclear origin, or no landscape at all (assets.md section 6).
_NOT_PUBLIC_DOMAIN = re.compile(r"(-[a-z]+\.jpg$)|^(bwerner|myrabella|dmottl|mfield)\d|^canyon0\d\.jpg$|^lava5\.jpg$")
_NOT_LANDSCAPE = re.compile(r"^(nasa|space|earthrise|station|loc|city)")


@dataclass(frozen=True)
class Pictures:
    """One packed training set: uint8 pictures (N, H, W, 3), their classes, and which are held out from training."""

    name: str
    pixels: np.ndarray
    held_out: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def bank(self, size: int, count: int, seed: int = 0, *, held_out: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """``count`` crops (count, size, size, 3) uint8 and their classes, split by photograph, drawn from ``seed``.

        Each crop takes 55 to 100 % of the picture's height, is mirrored with probability 1/2, and is resized
        with an antialiasing filter (training pictures may be resampled; benchmark images never are).
        """
        rng = np.random.default_rng(seed)
        chosen = np.flatnonzero(self.held_out == held_out)
        height, width = self.pixels.shape[1:3]
        bank = np.empty((count, size, size, 3), np.uint8)
        labels = np.empty(count, np.int64)
        for i in range(count):
            which = rng.choice(chosen)
            picture, labels[i] = self.pixels[which], self.labels[which]
            side = int(rng.integers(int(0.55 * height), height + 1))
            y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            crop = Image.fromarray(picture[y : y + side, x : x + side]).resize((size, size), Image.Resampling.BOX)
            bank[i] = np.asarray(crop)[:, ::-1] if rng.random() < 0.5 else np.asarray(crop)
        return bank, labels


def load_pictures(path: Path) -> Pictures:
    """Read a packed set; DatasetError if the file is not one."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = tuple(str(name) for name in stored["class_names"])
            return Pictures(str(stored["name"]), stored["pixels"], stored["held_out"], stored["labels"], names)
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(f"{path}: not a packed training set ({error}); make one with the 'pack' step.") from error


def pack(name: str, source: Path, out: Path) -> Pictures:
    """Build ``out`` (npz) for the training set ``name`` from the unpacked package at ``source``."""
    readers = {"landscape": _read_landscape, "emoji": _read_emoji}
    if name not in readers:
        raise DatasetError(f"unknown training set '{name}'. Known: {', '.join(readers)}.")
    pixels, kinds = readers[name](source)
    class_names, labels = np.unique(kinds, return_inverse=True)
    held_out = np.zeros(len(pixels), bool)
    held_out[np.random.default_rng(0).choice(len(pixels), max(1, round(HELD_OUT * len(pixels))), replace=False)] = True
    out.parent.mkdir(parents=True, exist_ok=True)
    arrays = {"pixels": pixels, "held_out": held_out, "labels": labels, "class_names": class_names}
    np.savez_compressed(out, name=name, **arrays)
    return Pictures(name, pixels, held_out, labels, tuple(class_names))


def _read_landscape(source: Path) -> tuple[np.ndarray, list[str]]:
    folder = source / "usr/share/games/endless-sky/images/land"
    files = [
        p
        for p in sorted(folder.glob("*.jpg"))
        if not _NOT_PUBLIC_DOMAIN.search(p.name) and not _NOT_LANDSCAPE.search(p.name)
    ]
    if not files:
        raise DatasetError(f"{folder}: no photographs; unpack Debian's endless-sky-data there (dpkg-deb -x).")
    size = (2 * LANDSCAPE_HEIGHT, LANDSCAPE_HEIGHT)
    pixels = [
        np.asarray(Image.open(p).convert("RGB").resize(size, Image.Resampling.BOX))
        for p in track(files, description="reading photographs", total=len(files), unit="photo")
    ]
    return np.stack(pixels), [re.sub(r"\d.*", "", p.name) for p in files]  # "mountain12.jpg" shows a mountain


def _read_emoji(source: Path) -> tuple[np.ndarray, list[str]]:
    files = sorted((source / "package/assets").glob("*.webp"))
    if not files:
        raise DatasetError(f"{source}: no emoji; unpack npm's @lobehub/fluent-emoji-3d there (tar xzf).")
    rng = np.random.default_rng(0)
    pictures = np.empty((len(files), EMOJI_SIDE, EMOJI_SIDE, 3), np.uint8)
    for i, path in enumerate(track(files, description="reading emoji", total=len(files), unit="emoji")):
        figure = Image.open(path).convert("RGBA").resize((EMOJI_SIDE - 24,) * 2, Image.Resampling.LANCZOS)
        ground = Image.fromarray(_ground(rng, EMOJI_SIDE))
        ground.paste(figure, (12, 12), figure)
        pictures[i] = np.asarray(ground)
    return pictures, ["emoji"] * len(files)


def _ground(rng: np.random.Generator, side: int) -> np.ndarray:
    """A coloured gradient with fine grain, so that no crop of an emoji picture is flat."""
    corners = rng.uniform(40, 230, (2, 2, 3))
    v, u = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side), indexing="ij")
    u, v = u[..., None], v[..., None]
    top, bottom = corners[0, 0] * (1 - u) + corners[0, 1] * u, corners[1, 0] * (1 - u) + corners[1, 1] * u
    grain = rng.normal(0, 4, (side, side, 1))
    return np.clip(top * (1 - v) + bottom * v + grain, 0, 255).astype(np.uint8)
