"""Sources of PNG images with a colour each, and a small real method, for tests of everything after generation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

CROP = 32
PER_SOURCE = 40
# name -> (architecture in the literature, mean colour)
GENERATORS = {
    "progan": ("ProGAN", (200, 60, 60)),
    "stylegan": ("StyleGAN", (120, 120, 30)),
    "stylegan2": ("StyleGAN2", (60, 200, 60)),
    "taming": ("Taming Transformers", (60, 60, 200)),
    "latent_diffusion": ("Stable Diffusion", (130, 40, 130)),
}

# A real method: class centroids of a colour histogram, distance to the nearest one as the known score.
METHOD_FILE = '''
"""Nearest colour centroid: fitted for real, saved as JSON."""

import json

import numpy as np

from osbench.benchmark.method import Method, MethodCard, Scores, register_method


@register_method("nearest-colour")
class NearestColour(Method):
    card = MethodCard(title="Nearest colour", paper="none", url="", faithful=[], deviations=[])
    rejections = ("distance", "never")
    defaults = {"bins": 4, "scale": 1.0, "fail_at": ""}

    def fit(self, train, val, context):
        log = context.folder / "fits.txt"
        log.write_text((log.read_text() if log.exists() else "") + "fit\\n")
        if self.options["fail_at"] == "fit" and log.read_text().count("fit") < 2:
            raise KeyboardInterrupt
        sums = np.zeros((len(context.class_names), 3 * self.options["bins"]))
        counts = np.zeros(len(context.class_names))
        rng = np.random.default_rng(context.seed)
        for pixels, labels, _ in train.batches(16, rng=rng, balanced=True):
            np.add.at(sums, labels, self._features(pixels))
            np.add.at(counts, labels, 1)
        assert (train.openness == "seen").all() and (val.openness == "seen").all()
        self.centroids = sums / counts[:, None]

    def _features(self, pixels):
        bins = self.options["bins"]
        levels = pixels.reshape(len(pixels), -1, 3).astype(int) * bins // 256
        hot = np.stack([(levels == b).mean(axis=1) for b in range(bins)], axis=1)
        return hot.reshape(len(pixels), -1)

    def predict(self, images):
        distance = np.linalg.norm(self._features(images)[:, None] - self.centroids, axis=2) * self.options["scale"]
        candidate = distance.argmin(axis=1)
        known = -distance.min(axis=1)
        if self.options["fail_at"] == "nan":
            known[0] = np.nan
        return {
            "distance": Scores(-distance, known, candidate),
            "never": Scores(-distance, np.zeros(len(images)), candidate),
        }

    def save(self, folder):
        document = {"options": self.options, "centroids": self.centroids.tolist()}
        (folder / "model.json").write_text(json.dumps(document))

    @classmethod
    def load(cls, folder):
        document = json.loads((folder / "model.json").read_text())
        method = cls(**document["options"])
        method.centroids = np.array(document["centroids"])
        return method
'''


def textured_image(colour: tuple[int, int, int], size: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (size, size, 3): noise around a colour that varies a little from image to image."""
    base = np.array(colour) + rng.normal(0, 8, 3)
    return (base + rng.normal(0, 25, (size, size, 3))).clip(0, 255).astype(np.uint8)


def write_sources(
    folder: Path,
    generators: dict[str, tuple[str, tuple[int, int, int]]],
    count: int,
    size: int,
    training_sets: Sequence[str] = ("noise",),
) -> Path:
    """Folders of PNG images and a suite YAML that makes sources of them; returns the YAML's path.

    The first training set of a generator lies in ``folder/<generator>``, each further one is 30 levels brighter.
    """
    sources = []
    for k, (name, (architecture, colour)) in enumerate(generators.items()):
        rng = np.random.default_rng(k)
        for j, training_set in enumerate(training_sets):
            images = name if j == 0 else f"{name}-{training_set}"
            (folder / images).mkdir(parents=True)
            red, green, blue = (level + 30 * j for level in colour)
            for i in range(count):
                Image.fromarray(textured_image((red, green, blue), size, rng)).save(folder / images / f"{i:03}.png")
            sources.append(
                {
                    "generator": name,
                    "training_set": training_set,
                    "architecture": architecture,
                    "licence": "CC0-1.0",
                    "folder": images,
                }
            )
    recipe = {"crop_size": CROP, "shard_rows": 20, "batch_size": 20}
    document = {"name": "tiny", "version": "tiny-v1", "count": count, "recipe": recipe, "sources": sources}
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(document))
    return path
