"""The fixed code that tells a renderer what picture to make: 16 principal components of every 8x8 block.

Nothing in it is learned by a network, so that no family can be nearer to it than another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..core.errors import CheckpointError
from ..core.foreign import check_regular
from ..core.text import printable

BLOCK = 8
_MOST_BYTES = 1 << 20
_NAMES = ("mean", "basis", "scale")


@dataclass(frozen=True)
class BlockCode:
    """A linear code of 8x8 blocks of RGB pixels in [-1, 1].

    Attributes
    ----------
    mean : np.ndarray
        float32 (192,), the mean block, laid out as (row, column, channel).
    basis : np.ndarray
        float32 (192, K), orthonormal columns, the main axis first.
    scale : np.ndarray
        float32 (K,), by which coordinates are divided: the fourth root of the variance, times a common factor.
    """

    mean: np.ndarray
    basis: np.ndarray
    scale: np.ndarray

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Code of pictures.

        Computed in float64 and rounded to float16, so that every machine gets the same numbers.

        Parameters
        ----------
        pixels : np.ndarray
            uint8 (N, S, S, 3), S a multiple of 8.

        Returns
        -------
        np.ndarray
            float32 (N, K, S / 8, S / 8), every number one of float16's.
        """
        blocks = _blocks(np.asarray(pixels, np.float64) / 127.5 - 1)
        coordinates = (blocks - self.mean.astype(np.float64)) @ (self.basis.astype(np.float64) / self.scale)
        return np.ascontiguousarray(coordinates.transpose(0, 3, 1, 2).astype(np.float16).astype(np.float32))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The linear reconstruction: float32 (N, K, S / 8, S / 8) to float64 (N, S, S, 3) in about [-1, 1]."""
        coordinates = np.asarray(codes, np.float64).transpose(0, 2, 3, 1) * self.scale
        blocks = coordinates @ self.basis.T.astype(np.float64) + self.mean
        count, rows, columns, _ = blocks.shape
        tiles = blocks.reshape(count, rows, columns, BLOCK, BLOCK, 3).transpose(0, 1, 3, 2, 4, 5)
        return tiles.reshape(count, rows * BLOCK, columns * BLOCK, 3)

    def save(self, path: Path) -> None:
        """Write the three arrays as safetensors."""
        save_file({name: np.ascontiguousarray(getattr(self, name)) for name in _NAMES}, path)


def fit_block_code(pixels: np.ndarray, components: int = 16) -> BlockCode:
    """Principal components of all 8x8 blocks of uint8 pictures (N, S, S, 3).

    Coordinates are divided by the fourth root of their variance: equal steps for all would drown the fine components,
    full whitening would make them as loud as the mean colour.
    """
    blocks = _blocks(np.asarray(pixels, np.float64) / 127.5 - 1).reshape(-1, 3 * BLOCK**2)
    mean = blocks.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov((blocks - mean).T))
    variances, axes = variances[::-1][:components], axes[:, ::-1][:, :components]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(components)])
    scale = variances**0.25
    scale = scale * np.sqrt((variances / scale**2).mean())  # mean square of a code number is 1
    return BlockCode(mean.astype(np.float32), axes.astype(np.float32), scale.astype(np.float32))


def load_block_code(path: Path) -> BlockCode:
    """Read a file of :meth:`BlockCode.save`; CheckpointError if it is none."""
    check_regular(path, CheckpointError, _MOST_BYTES)
    try:
        with safe_open(str(path), framework="numpy") as file:
            code = BlockCode(*(file.get_tensor(name) for name in _NAMES))
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{printable(path)}: not a readable block code ({printable(error, 120)}).") from error
    size, components = 3 * BLOCK**2, len(code.scale)
    if code.mean.shape != (size,) or code.basis.shape != (size, components):
        raise CheckpointError(
            f"{printable(path)}: not a code of {BLOCK}x{BLOCK} blocks: {code.mean.shape}, {code.basis.shape}."
        )
    return code


def _blocks(pixels: np.ndarray) -> np.ndarray:
    """(N, S, S, 3) -> (N, S / 8, S / 8, 192)."""
    count, height, width, channels = pixels.shape
    tiles = pixels.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK, channels)
    return tiles.transpose(0, 1, 3, 2, 4, 5).reshape(count, height // BLOCK, width // BLOCK, -1)
