"""``osbench-2``: spectra and co-occurrences of residuals on tiles, as Gaussians per class, calibrated on pictures."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ...benchmark.images import ImageSet
from ...benchmark.method import Context, Method, MethodCard, Scores, register_method
from ...benchmark.options import at_least
from ...core.errors import CheckpointError, UsageError
from ...core.progress import progress_bar
from ..balance import balanced
from ..co_occurrences import co_occurrences
from ..gaussian_views import Views
from ..log_spectra import MINIMUM_SIZE, log_spectra, turned_alike
from ..model_files import SETTINGS, WEIGHTS
from ..threads import thread_count
from ..training_images import check_training_images

BATCH = 256


@register_method("osbench-2")
class Osbench2(Method):
    """Gaussians of two kinds of traces, spectra and co-occurrences, on tiles of a picture.

    Features of a tile are log power spectra in which horizontal and vertical frequencies are one, because up-sampling
    layers treat both directions alike (:func:`turned_alike`), and co-occurrences of residuals (:func:`co_occurrences`),
    each of brightness and of colour. On every block of features a class has a Gaussian on the axes that tell the seen
    classes apart, and one on the axes of largest variance (:class:`.Views`). The deviations of a picture's tiles are
    averaged, and what is usual for a class is measured on whole validation pictures, whose content no Gaussian was
    fitted to if the manifest keeps contents apart.

    Two classes whose traces differ by a quarter turn alone are one class to this method.

    Nothing is trained by gradient descent; the seed only decides which images of the larger classes are left out.
    """

    defaults: ClassVar[dict[str, Any]] = {"axes": 30, "tile": 64}
    limits = {"axes": at_least(1), "tile": at_least(MINIMUM_SIZE)}
    card = MethodCard(
        title="osbench-2: Gaussians of spectra and residual co-occurrences on tiles",
        paper="none: the maintainers' own entry for the task of Fang et al., BMVC 2023",
        url="https://arxiv.org/abs/2308.11557",
        reproduction="full",
        differs="",
        faithful=[
            "same manifest, crops, class balance and threshold rule as every other method; no unseen image is used",
            (
                "chosen on training and validation images alone: each seen generator was left out in turn, by "
                "`python -m osbench.baselines.choice` (docs: concepts/choices), whose table is in RESULTS.md"
            ),
            "residuals and truncation of rich models (Fridrich and Kodovsky, IEEE TIFS 2012), with three pixels",
        ],
        deviations=["no network: a filter bank that is trained by gradient descent was not tried in this entry"],
        licence="Apache-2.0 (own code)",
        published={},
        input_range="0..255, as Y, Cb, Cr and as G, R - G, B - G",
        deterministic=True,  # where the classes are equally large, as the packaged protocols have them
    )

    views: Views
    crop_size: int
    class_names: tuple[str, ...]

    def fit(self, train: ImageSet, val: ImageSet, context: Context) -> None:
        """Fit the views on training pictures, calibrate on validation pictures; seconds to minutes, nothing is kept."""
        check_training_images(train, val, context)
        self.class_names, self.crop_size = context.class_names, train.crop_size
        if self.crop_size < MINIMUM_SIZE:
            raise UsageError(f"{self.name} needs crops of at least {MINIMUM_SIZE} px, these are {self.crop_size} px")
        train = balanced(train, np.random.default_rng(context.seed))
        learned, labels = self._of_set(train, "train"), train.class_index
        held_out, held_labels = self._of_set(val, "val"), val.class_index
        # Where a class has too few validation pictures its training pictures must do, though they lie a little closer.
        if np.bincount(held_labels, minlength=len(self.class_names)).min() < 3:
            held_out, held_labels = learned, labels
        self.views = Views.fit(learned, labels, held_out, held_labels, self.options["axes"])

    def predict(self, images: np.ndarray) -> dict[str, Scores]:
        """Answers for uint8 (N, S, S, 3), S = the size that the method was fitted on."""
        deviations = self.views.deviations(self._asked(images))
        return {"native": Scores(-deviations, -deviations.min(1), deviations.argmin(1)).check()}

    def enroll(self, images: np.ndarray, class_name: str) -> Self:
        """A Gaussian more in every view, calibrated on the images themselves, each left out in turn."""
        joined = copy.copy(self)
        joined.class_names = (*self.class_names, class_name)
        joined.views = self.views.with_class(self._asked(images))
        return joined

    def embed(self, images: np.ndarray) -> np.ndarray:
        """float64 (N, D): the axes of all views."""
        return self.views.embeddings(self._asked(images))

    def _asked(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The features of images; UsageError unless they have the size that the method was fitted on."""
        if images.ndim != 4 or images.shape[1:] != (self.crop_size, self.crop_size, 3):
            raise UsageError(
                f"{self.name} was fitted on crops of {self.crop_size} x {self.crop_size} px, these images are "
                f"{tuple(images.shape[1:])}"
            )
        return self._features(images)

    def _features(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Block -> float64 (N, T, D) of the T tiles of images uint8 (N, S, S, 3)."""
        parts = tiles(images, self.options["tile"])
        flat, workers = parts.reshape(-1, *parts.shape[2:]), thread_count()
        spectra, patterns = turned_alike(log_spectra(flat, workers)), co_occurrences(flat, workers)
        blocks = {
            "luma": spectra[:, :1],
            "chroma": spectra[:, 1:],
            "green": patterns[:, :1],
            "colour": patterns[:, 1:],
        }
        shape = parts.shape[:2]
        return {name: block.reshape(*shape, -1).astype(np.float64) for name, block in blocks.items()}

    def _of_set(self, images: ImageSet, name: str) -> dict[str, np.ndarray]:
        found = []
        with progress_bar(f"{self.name}, features of {name}", len(images), "image") as bar:
            for pixels, _, positions in images.batches(BATCH):
                found.append(self._features(pixels))
                bar.update(len(positions))
        return {block: np.concatenate([part[block] for part in found]) for block in found[0]}

    def save(self, folder: Path) -> None:
        """``model.safetensors`` (views, calibration) and ``method.json`` (options, classes, crop size)."""
        save_file(self.views.to_arrays(), folder / WEIGHTS)
        settings = {"options": self.options, "class_names": self.class_names, "crop_size": self.crop_size}
        (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The method as it was saved. :class:`CheckpointError` if a file is missing or does not fit."""
        try:
            settings, arrays = json.loads((folder / SETTINGS).read_text()), load_file(folder / WEIGHTS)
            method = cls(**settings["options"])
            method.class_names, method.crop_size = tuple(settings["class_names"]), settings["crop_size"]
            method.views = Views.from_arrays(arrays)
        except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
            raise CheckpointError(f"{folder} holds no usable {cls.name} model: {error}") from error
        return method


def tiles(images: np.ndarray, side: int) -> np.ndarray:
    """Tiles (N, T, side, side, 3) that do not overlap, centred; the whole image where it is smaller than two tiles.

    Every tile of a picture counts, none is resampled, and pixels that fill no tile are left out at the border.
    """
    size = images.shape[1]
    count = max(size // side, 1)
    if count == 1:
        return images[:, None]
    margin = (size - count * side) // 2
    corners = [margin + i * side for i in range(count)]
    return np.stack([images[:, y : y + side, x : x + side] for y in corners for x in corners], axis=1)
