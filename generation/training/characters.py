"""The captioned pictures of ``mini-text``: 100 figures, each with its Unicode name, on grounds of two colours.

A figure's file is named by its code point, and Unicode names that: ``1f436.webp`` is "dog face". Every picture is a
function of (seed, number) alone: which figure, how it is turned, scaled and shifted, what the ground looks like. The
ground is not in the caption.
"""

from __future__ import annotations

import io
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from ...core.errors import DatasetError

CHARACTERS = "characters"
"""Name of the training set."""

TURN = 12.0  # degrees, at most, each way
SMALLEST = 0.8  # of the picture's side
SHIFT = 0.06  # of the picture's side, at most, each way

#: Figures that a person tells apart at 64 px, from animals, plants, food, people and things.
CODE_POINTS = tuple(
    ord(character)
    for character in (
        "🐭🐮🐯🐰🐱🐲🐴🐵🐶🐷🐸🐺🐼🦁🦊🦄🦓🐧🐨🐙🐌🐞🐝🐠🐢"
        "🐳🦀🦋🦉🐣🦩🐔🍎🍌🍍🍓🍉🍒🍇🍋🥕🥦🥑🍔🍕🌭🍟🍩🍪🍭"
        "🍦🎂🧁🍳🧀🌽🍄🥐🌵🌻🌷🍀🌲🌴🍁👻👽👾💀🤖🤡🎅🎃💩⛄"
        "😎💂🚀🚌🚗⛵⚽🏀🎸🎺🎈🎁👑🎩💎💣⏰📷📺🔒🏠🏰🧸🍺💡"
    )
)


def caption(code_point: int) -> str:
    """The Unicode name of a code point, in lower case."""
    return unicodedata.name(chr(code_point)).lower()


def file_name(code_point: int) -> str:
    """What npm's ``@lobehub/fluent-emoji-3d`` calls the picture of a code point."""
    return f"{code_point:x}.webp"


@dataclass(frozen=True)
class Characters:
    """Figures (N, H, H, 4) uint8 with transparency, and their captions."""

    pixels: np.ndarray
    class_names: tuple[str, ...]

    def crops(self, size: int, count: int, seed: int = 0, *, held_out: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """``count`` pictures (count, size, size, 3) uint8 and the numbers of their figures (count,) int64.

        Picture ``i`` shows figure ``i % N``: as many of each. ``held_out``: of other random numbers; no figure is kept
        from training, since its name would then be a word without a picture.
        """
        labels = np.arange(count) % len(self.pixels)
        bank = np.empty((count, size, size, 3), np.uint8)
        for i, label in enumerate(labels):
            bank[i] = draw(self.pixels[label], size, np.random.default_rng([seed, int(held_out), i]))
        return bank, labels


def draw(figure: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A figure (H, H, 4) uint8, turned, scaled and shifted at random on a ground of two colours: (size, size, 3)."""
    turned = Image.fromarray(figure).rotate(rng.uniform(-TURN, TURN), Image.Resampling.BICUBIC)
    side = round(size * rng.uniform(SMALLEST, 1))
    small = turned.resize((side, side), Image.Resampling.LANCZOS)
    shift = rng.uniform(-SHIFT, SHIFT, 2) * size
    left, top = (round((size - side) / 2 + float(s)) for s in shift)
    ground = Image.fromarray(_ground(rng, size))
    ground.paste(small, (left, top), small)
    return np.asarray(ground)


def _ground(rng: np.random.Generator, side: int) -> np.ndarray:
    """A straight gradient from one colour to another, in any direction."""
    first, second = rng.uniform(30, 235, (2, 3))
    angle = rng.uniform(0, 2 * np.pi)
    v, u = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side), indexing="ij")
    share = 0.5 + (u * np.cos(angle) + v * np.sin(angle))[..., None] / (2 * np.sqrt(2))
    return (first * (1 - share) + second * share).round().astype(np.uint8)


def load_characters(path: Path, training_set: str, height: int) -> Characters:
    """Decode the figures of a packed file at ``height`` pixels, in the order of their names.

    DatasetError if the file holds none or cannot be read.
    """
    try:
        rows = pq.read_table(path, filters=[("training_set", "==", training_set)]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(
            f"{path}: not a packed file of pictures ({error}); make one with the 'pack' step."
        ) from error
    if not rows:
        raise DatasetError(f"{path}: holds no '{training_set}' pictures; add them with the 'pack' step.")
    rows = sorted(rows, key=lambda row: row["kind"])
    figures = [Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGBA") for row in rows]
    small = [np.asarray(figure.resize((height, height), Image.Resampling.LANCZOS)) for figure in figures]
    return Characters(np.stack(small), tuple(row["kind"] for row in rows))
