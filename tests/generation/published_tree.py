"""A small tree in the layout in which paper 2's data set is published, made of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from osbench.generation.importers.bongini2025 import CORE, EXTENSION

CORE_HERE, EXTENSION_HERE = ("bing", "imagen", "midjourney"), ("AuraFlow",)
REDRAWN = (1, 12, 26)
"""Characters whose originals are drawn again; 12 and 26 are of the test split."""

TESTED = (12, 26)
_BING = ("-chrome-0.png", "-firefox-0.png", "-chrome-0.jpg", "-firefox-0.jpg", "chrome-0.png", "-firefox-0.jpeg")


def ending(source: str, number: int) -> str:
    """How the file of a character ends, as in the authors' code."""
    return _BING[number % len(_BING)] if source == "bing" else ".jpg" if source == "imagen" else ".png"


def save(path: Path, seed: int, side: int = 40) -> None:
    """Noise with a gradient, in the format that the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    ramp = np.linspace(40, 180, side)[None, :, None] + np.zeros((side, 1, 3))
    pixels = np.clip(ramp + rng.normal(0, 25, (side, side, 3)), 0, 255).astype(np.uint8)
    options = {"quality": 88, "comment": b"made by a service"} if path.suffix in {".jpg", ".jpeg"} else {}
    Image.fromarray(pixels).save(path, **options)


def write_tree(root: Path, numbers: range = range(1, 101)) -> Path:
    """Originals of ``numbers`` by three core sources; resyntheses of :data:`REDRAWN`; an extension of one source."""
    assert set(CORE_HERE) <= set(CORE)
    assert set(EXTENSION_HERE) <= set(EXTENSION)
    core, extension, seed = root / "100people/images", root / "expansion_images", 0
    for source in CORE_HERE:
        for number in numbers:
            seed += 1
            save(core / source / f"{number:05d}{ending(source, number)}", seed)
        for by in CORE_HERE:
            for number in REDRAWN:
                seed += 1
                save(core / source / "images" / by / f"{number:05d}{ending(by, number)}", seed)
    everyone = (*CORE_HERE, *EXTENSION_HERE)
    for number in TESTED:
        for source in EXTENSION_HERE:
            seed += 1
            save(extension / "New Tests" / source / f"img_{number - 1}.png", seed)
        for of in everyone:
            for by in everyone:
                if of in EXTENSION_HERE or by in EXTENSION_HERE:
                    seed += 1
                    save(extension / "Regenerations" / of / by / f"img_{number - 1}.png", seed)
    return root
