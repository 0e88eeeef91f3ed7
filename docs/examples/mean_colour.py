"""Mean colour: the nearest class mean of the average colour."""

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from safetensors.numpy import load_file, save_file

from osbench.benchmark.card import MethodCard
from osbench.benchmark.images import ImageSet
from osbench.benchmark.method import Context, Method, register_method
from osbench.benchmark.scores import Scores


@register_method("mean-colour")
class MeanColour(Method):
    """A floor that no forensic method should fall below: it only knows what is painted."""

    card = MethodCard(
        title="Mean colour",
        paper="none",
        url="",
        faithful=[],
        deviations=["not from a paper"],
    )
    rejections: ClassVar[tuple[str, ...]] = ("distance",)
    defaults: ClassVar[dict[str, Any]] = {}

    means: np.ndarray

    def fit(self, train: ImageSet, val: ImageSet, context: Context) -> None:
        colours = np.concatenate([pixels.mean((1, 2)) for pixels, _, _ in train.batches(256)])
        classes = range(len(context.class_names))
        self.means = np.stack([colours[train.class_index == k].mean(0) for k in classes]).astype(np.float32)

    def predict(self, images: np.ndarray) -> dict[str, Scores]:
        colours = images.mean((1, 2), dtype=np.float32)
        distances = np.linalg.norm(colours[:, None] - self.means, axis=2)
        return {"distance": Scores(-distances, -distances.min(1), distances.argmin(1))}

    def save(self, folder: Path) -> None:
        save_file({"means": self.means}, folder / "means.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        method = cls()
        method.means = load_file(folder / "means.safetensors")["means"]
        return method
