"""Folders in which every generator shows the same scenes: what differs is how it made them larger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from PIL import Image
from scipy.ndimage import gaussian_filter

SIDE, CROP, SCENES = 56, 48, 40
WEIGHTS = ("w0", "w1", "w2")
# name -> (architecture in the literature, how it doubles the size)
UPSAMPLERS = {
    "progan": ("ProGAN", Image.Resampling.NEAREST),
    "stylegan": ("StyleGAN", Image.Resampling.HAMMING),
    "stylegan2": ("StyleGAN2", Image.Resampling.BILINEAR),
    "taming": ("Taming Transformers", Image.Resampling.LANCZOS),
    "latent_diffusion": ("Stable Diffusion", Image.Resampling.BICUBIC),
}


def scene(number: int) -> np.ndarray:
    """uint8 (28, 28, 3): smooth colours and a little grain, of its own seed."""
    rng = np.random.default_rng(number)
    smooth = gaussian_filter(rng.normal(0, 1, (SIDE // 2, SIDE // 2, 3)), (3, 3, 0)) * 300
    return (smooth + rng.uniform(90, 160, 3) + rng.normal(0, 10, smooth.shape)).clip(0, 255).astype(np.uint8)


def write_matched(
    folder: Path, *, weights: tuple[str, ...] = WEIGHTS, scenes: int = SCENES, group: str | None = "stem"
) -> Path:
    """A suite file of the sources of all generators and weights; another weight has another grain."""
    sources = []
    for g, (name, (architecture, resample)) in enumerate(UPSAMPLERS.items()):
        for w, weights_id in enumerate(weights):
            images = folder / f"{name}-{weights_id}"
            images.mkdir(parents=True)
            rng = np.random.default_rng([g, w])
            for number in range(scenes):
                large = Image.fromarray(scene(number)).resize((SIDE, SIDE), resample)
                grain = rng.normal(0, 1.0, (SIDE, SIDE, 3))
                pixels = (np.asarray(large, np.float64) + grain).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(images / f"scene-{number:03}.png")
            source = {"generator": name, "architecture": architecture, "training_set": "scenes", "licence": "CC0-1.0"}
            source |= {"folder": images.name, "weights_id": weights_id}
            sources.append(source | ({"group": group} if group else {}))
    recipe = {"crop_size": CROP, "shard_rows": 40, "batch_size": 40}
    document = {"name": "matched", "version": "matched-v1", "count": scenes, "recipe": recipe, "sources": sources}
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(document))
    return path
