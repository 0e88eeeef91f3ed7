"""Training pictures in memory, and the crops that are cut from them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from ...core.errors import DatasetError
from ...core.progress import track

SMALLEST_CROP = 0.55  # of a picture's height


@dataclass(frozen=True)
class Pictures:
    """uint8 pictures (N, H, W, 3), their classes, and which are held out from training."""

    pixels: np.ndarray
    held_out: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def crops(self, size: int, count: int, seed: int = 0, *, held_out: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """``count`` crops (count, size, size, 3) uint8 and their classes, split by picture, drawn from ``seed``.

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
            side = int(rng.integers(int(SMALLEST_CROP * height), height + 1))
            y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            crop = Image.fromarray(picture[y : y + side, x : x + side]).resize((size, size), Image.Resampling.BOX)
            bank[i] = np.asarray(crop)[:, ::-1] if rng.random() < 0.5 else np.asarray(crop)
        return bank, labels


def load_pictures(path: Path, training_set: str, height: int) -> Pictures:
    """Decode a training set of a packed file at ``height`` pixels; DatasetError if it is not in there.

    Pictures with transparency are composited, each on a textured coloured ground of its own.
    """
    try:
        rows = pq.read_table(path, filters=[("training_set", "==", training_set)]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(
            f"{path}: not a packed file of pictures ({error}); make one with the 'pack' step."
        ) from error
    if not rows:
        raise DatasetError(f"{path}: holds no '{training_set}' pictures; add them with the 'pack' step.")
    rng = np.random.default_rng(0)
    pixels = [
        decode(row["image"]["bytes"], height, rng)
        for row in track(rows, description=f"reading {training_set}", total=len(rows), unit="picture")
    ]
    class_names, labels = np.unique([row["kind"] for row in rows], return_inverse=True)
    held_out = np.array([row["held_out"] for row in rows])
    return Pictures(np.stack(pixels), held_out, labels, tuple(str(name) for name in class_names))


def decode(data: bytes, height: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (height, W, 3); a picture with transparency lies on a ground drawn from ``rng``."""
    picture = Image.open(io.BytesIO(data))
    if picture.mode in ("RGBA", "LA", "P"):
        margin = round(0.075 * height)
        inner = height - 2 * margin
        figure = picture.convert("RGBA").resize((inner, inner), Image.Resampling.LANCZOS)
        ground = Image.fromarray(_ground(rng, height))
        ground.paste(figure, (margin, margin), figure)
        return np.asarray(ground)
    size = (round(picture.width * height / picture.height), height)
    return np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BOX))


def _ground(rng: np.random.Generator, side: int) -> np.ndarray:
    """A coloured gradient with fine grain, so that no crop of an emoji picture is flat."""
    corners = rng.uniform(40, 230, (2, 2, 3))
    v, u = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side), indexing="ij")
    u, v = u[..., None], v[..., None]
    top, bottom = corners[0, 0] * (1 - u) + corners[0, 1] * u, corners[1, 0] * (1 - u) + corners[1, 1] * u
    grain = rng.normal(0, 4, (side, side, 1))
    return np.clip(top * (1 - v) + bottom * v + grain, 0, 255).astype(np.uint8)
