"""The numbers in which renderers are made equal: luma PSNR, chroma PSNR and sharpness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Figures:
    """How near rendered pictures are to the originals.

    Attributes
    ----------
    luma, chroma : float
        PSNR in dB of the mean squared error over all pictures; chroma over Cb and Cr together.
    sharpness : float
        Mean absolute luma difference of neighbouring pixels, as a share of the originals'.
    """

    luma: float
    chroma: float
    sharpness: float


def figures(rendered: np.ndarray, originals: np.ndarray) -> Figures:
    """Measure uint8 pictures (N, H, W, 3) against the ones they render."""
    luma, *colours = _planes(rendered)
    true_luma, *true_colours = _planes(originals)
    chroma = [((a - b) ** 2).mean() for a, b in zip(colours, true_colours, strict=True)]
    return Figures(
        luma=_psnr(((luma - true_luma) ** 2).mean()),
        chroma=_psnr(float(np.mean(chroma))),
        sharpness=float(_gradient(luma) / _gradient(true_luma)),
    )


def _planes(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rgb = np.asarray(pixels, np.float64)
    luma = rgb @ _LUMA
    return luma, (rgb[..., 2] - luma) / 1.772, (rgb[..., 0] - luma) / 1.402


def _psnr(squared_error: float) -> float:
    return float(10 * np.log10(255**2 / max(squared_error, 1e-12)))


def _gradient(luma: np.ndarray) -> float:
    return (np.abs(np.diff(luma, axis=1)).mean() + np.abs(np.diff(luma, axis=2)).mean()) / 2
