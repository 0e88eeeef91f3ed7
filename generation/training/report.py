"""Sample grids and training curves, written while a model trains and for the zoo's card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CURVE_NAMES = ("swd", "swd_reconstruction")


def grid(samples: np.ndarray, columns: int = 8) -> Image.Image:
    """uint8 pictures (N, S, S, 3) in full rows of ``columns``; what does not fill a row is left out."""
    rows, side = len(samples) // columns, samples.shape[1]
    tiles = samples[: rows * columns].reshape(rows, columns, side, side, 3).transpose(0, 2, 1, 3, 4)
    return Image.fromarray(np.ascontiguousarray(tiles.reshape(rows * side, columns * side, 3)))


def save_grid(samples: np.ndarray, columns: int, path: Path) -> None:
    """A grid for a card, as WebP: a seventh of the bytes of PNG, since a zoo of pictures has 60 MB in all."""
    grid(samples, columns).save(path, "WEBP", quality=80, method=6)


def points(curve: list[dict[str, float]], name: str) -> list[tuple[float, float]]:
    """(minutes, distance) of the reports in which ``name`` was measured."""
    return [(p["seconds"] / 60, p[name]) for p in curve if name in p]


DISTANCE = "sliced Wasserstein distance to held-out crops"


def curves_svg(series: dict[str, list[tuple[float, float]]], title: str = DISTANCE) -> str:
    """A figure over training minutes, by default the sliced Wasserstein distance, one line per entry.

    The vertical axis ends at the largest distance after the first half minute: untrained networks are far off.
    """
    everything = [point for line in series.values() for point in line]
    minutes = max((x for x, _ in everything), default=0.0) or 1.0
    top = max((y for x, y in everything if x > 0.5), default=0.0) or max((y for _, y in everything), default=0.0) or 1.0
    drawn = []
    for i, (name, line) in enumerate(series.items()):
        colour = f"hsl({360 * i / max(1, len(series)):.0f} 65% 45%)"
        path = " ".join(f"{50 + 500 * x / minutes:.1f},{270 - 240 * min(y, top) / top:.1f}" for x, y in line)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn.append(f'<text x="565" y="{40 + 18 * i}" fill="{colour}">{name}</text>')
    height = max(310, 60 + 18 * len(series))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="780" height="{height}" fill="white"/>'
        '<path d="M50 30V270H550" fill="none" stroke="#888"/>'
        f'<text x="50" y="290">0</text><text x="480" y="290">{minutes:.3g} minutes</text>'
        f'<text x="8" y="35">{top:.0f}</text><text x="20" y="272">0</text>'
        f'<text x="50" y="18">{title}</text>' + "".join(drawn) + "</svg>\n"
    )
