"""Bayer mosaics and seven ways to undo them, all vectorised: the strongest trace of a camera model.

Every demosaicker takes raw values float (H, W) and gives float32 (H, W, 3), and leaves the measured samples as they
are. All but ``nearest`` reproduce linear ramps exactly; all reproduce constants.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import correlate, correlate1d, median_filter

from ...core.errors import unknown_name

BAYER_PHASES = ("RGGB", "GRBG", "GBRG", "BGGR")
"""The colours of the top left 2x2 pixels, row by row."""

_PAD = 6  # even, so that the phase survives; wider than any kernel
_SHIFT = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}

# Where red, the green of red rows, the green of blue rows, and blue lie in an RGGB mosaic.
_R, _GR, _GB, _B = (np.s_[y::2, x::2] for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)))


def mosaic(image: np.ndarray, cfa: str) -> np.ndarray:
    """What a sensor behind the filter array ``cfa`` sees of an image (H, W, 3): (H, W), one colour per pixel."""
    raw = np.empty(image.shape[:2], image.dtype)
    for channel, place in cfa_places(cfa):
        raw[place] = image[place][..., channel]
    return raw


def cfa_places(cfa: str) -> list[tuple[int, tuple[slice, slice]]]:
    """(channel, slices) of the four pixels of a Bayer cell; UsageError for an unknown phase."""
    if cfa not in _SHIFT:
        raise unknown_name("Bayer phase", cfa, BAYER_PHASES)
    return [("RGB".index(colour), np.s_[i // 2 :: 2, i % 2 :: 2]) for i, colour in enumerate(cfa)]


def demosaic(raw: np.ndarray, cfa: str, name: str) -> np.ndarray:
    """Raw (H, W) -> float32 (H, W, 3) with the demosaicker ``name``; UsageError for unknown names."""
    if name not in DEMOSAICKERS:
        raise unknown_name("demosaicker", name, DEMOSAICKERS)
    if cfa not in _SHIFT:
        raise unknown_name("Bayer phase", cfa, BAYER_PHASES)
    height, width = raw.shape
    dy, dx = _SHIFT[cfa]
    # Mirroring about a sample keeps the parity of rows and columns, so every phase becomes RGGB.
    before, after = _PAD + dy, _PAD + dx
    padded = np.pad(
        raw.astype(np.float32),
        ((before, _PAD + (height + before) % 2), (after, _PAD + (width + after) % 2)),
        mode="reflect",
    )
    return DEMOSAICKERS[name](padded)[before : before + height, after : after + width]


def _planes(raw: np.ndarray) -> np.ndarray:
    """The measured samples in their channel, zero elsewhere: (H, W, 3)."""
    planes = np.zeros((*raw.shape, 3), np.float32)
    for channel, place in ((0, _R), (1, _GR), (1, _GB), (2, _B)):
        planes[place][..., channel] = raw[place]
    return planes


_TENT = (0.5, 1.0, 0.5)


def _spread(sparse: np.ndarray) -> np.ndarray:
    """Bilinear interpolation of a plane that holds one sample per 2x2 cell."""
    return correlate1d(correlate1d(sparse, _TENT, 0, mode="mirror"), _TENT, 1, mode="mirror")


def _bilinear_green(raw: np.ndarray) -> np.ndarray:
    vertical, horizontal = (correlate1d(raw, (0.25, 0, 0.25), axis, mode="mirror") for axis in (0, 1))
    neighbours = vertical + horizontal
    green = raw.copy()
    green[_R], green[_B] = neighbours[_R], neighbours[_B]
    return green


def _with_green(raw: np.ndarray, green: np.ndarray) -> np.ndarray:
    """Red and blue by bilinear interpolation of the colour differences R - G and B - G."""
    image = np.empty((*raw.shape, 3), np.float32)
    image[..., 1] = green
    for channel, place in ((0, _R), (2, _B)):
        difference = np.zeros_like(raw)
        difference[place] = raw[place] - green[place]
        image[..., channel] = green + _spread(difference)
    return image


def _nearest(raw: np.ndarray) -> np.ndarray:
    """Each missing colour from the same 2x2 cell, green from the same row."""
    image = np.empty((*raw.shape, 3), np.float32)
    for channel, place in ((0, _R), (2, _B)):
        image[..., channel] = raw[place].repeat(2, 0).repeat(2, 1)
    image[0::2, :, 1] = raw[_GR].repeat(2, 1)
    image[1::2, :, 1] = raw[_GB].repeat(2, 1)
    return image


def _bilinear(raw: np.ndarray) -> np.ndarray:
    """The mean of the nearest samples of each colour."""
    planes = _planes(raw)
    return np.stack([_spread(planes[..., 0]), _bilinear_green(raw), _spread(planes[..., 2])], axis=-1)


def _colour_difference(raw: np.ndarray) -> np.ndarray:
    """Bilinear green, then colour differences (the additive form of Cok's constant hue)."""
    return _with_green(raw, _bilinear_green(raw))


def _median_difference(raw: np.ndarray) -> np.ndarray:
    """Freeman: bilinear, then 3x3 medians of the colour differences where a colour was not measured."""
    image = _bilinear(raw)
    smooth = {c: median_filter(image[..., c] - image[..., 1], 3, mode="mirror") for c in (0, 2)}
    green = image[..., 1].copy()
    green[_R], green[_B] = raw[_R] - smooth[0][_R], raw[_B] - smooth[2][_B]
    for channel, own in ((0, _R), (2, _B)):
        image[..., channel] = green + smooth[channel]
        image[own][..., channel] = raw[own]
    image[..., 1] = green
    return image


_AT_GREEN = np.array(
    [[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]], np.float32
)
_GREEN = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]], np.float32)
_OPPOSITE = np.array(
    [[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]], np.float32
)


def _malvar2004(raw: np.ndarray) -> np.ndarray:
    """Malvar, He and Cutler (ICASSP 2004): bilinear plus a gradient correction, four linear 5x5 filters."""
    along, across, green, opposite = (
        correlate(raw, kernel / 8, mode="mirror") for kernel in (_AT_GREEN, _AT_GREEN.T, _GREEN, _OPPOSITE)
    )
    image = np.repeat(raw[..., None], 3, axis=2)
    image[_R][..., 1], image[_B][..., 1] = green[_R], green[_B]
    image[_B][..., 0], image[_R][..., 2] = opposite[_B], opposite[_R]
    image[_GR][..., 0], image[_GB][..., 0] = along[_GR], across[_GB]  # red neighbours lie left and right in red rows
    image[_GR][..., 2], image[_GB][..., 2] = across[_GR], along[_GB]
    return image


def _directional_greens(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Green along columns and along rows with the second-derivative correction; measured greens are not replaced."""
    kernel = (-0.25, 0.5, 0.5, 0.5, -0.25)
    return correlate1d(raw, kernel, 0, mode="mirror"), correlate1d(raw, kernel, 1, mode="mirror")


def _hamilton_adams(raw: np.ndarray) -> np.ndarray:
    """Hamilton and Adams (US patent 5,629,734, 1997): green along the direction of the smaller gradient."""
    vertical, horizontal = _directional_greens(raw)
    steep_v, steep_h = (
        np.abs(correlate1d(raw, (0, 1, 0, -1, 0), axis, mode="mirror"))
        + np.abs(correlate1d(raw, (-1, 0, 2, 0, -1), axis, mode="mirror"))
        for axis in (0, 1)
    )
    chosen = np.where(steep_h < steep_v, horizontal, np.where(steep_v < steep_h, vertical, (vertical + horizontal) / 2))
    green = raw.copy()
    green[_R], green[_B] = chosen[_R], chosen[_B]
    return _with_green(raw, green)


def _a_posteriori(raw: np.ndarray) -> np.ndarray:
    """After Menon, Andriani and Calvagno (IEEE TIP 2007): interpolate green both ways, keep the direction along which
    the colour differences vary less in the neighbourhood."""
    vertical, horizontal = _directional_greens(raw)
    green = raw.copy()
    for place in (_R, _B):
        roughness = []
        for axis, estimate in ((0, vertical), (1, horizontal)):
            difference = raw[place] - estimate[place]
            steps = np.abs(correlate1d(difference, (0, 1, -1), axis, mode="mirror"))
            roughness.append(correlate1d(correlate1d(steps, (1, 1, 1), 0), (1, 1, 1), 1))
        green[place] = np.where(roughness[1] < roughness[0], horizontal[place], vertical[place])
    return _with_green(raw, green)


DEMOSAICKERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "nearest": _nearest,
    "bilinear": _bilinear,
    "colour-difference": _colour_difference,
    "median-difference": _median_difference,
    "malvar2004": _malvar2004,
    "hamilton-adams": _hamilton_adams,
    "a-posteriori": _a_posteriori,
}
