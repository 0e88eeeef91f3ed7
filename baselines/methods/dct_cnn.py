"""``dct-cnn``: a shallow CNN on log-DCT coefficients (Frank et al., ICML 2020)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...benchmark.images import ImageSet
from ...benchmark.method import Context, MethodCard, register_method
from ...benchmark.options import above, at_least
from ...core.disk import shortage
from ...core.progress import get_logger, progress_bar
from ..classifier import Classifier, SoftmaxHead
from ..inputs import Inputs, StoredInputs
from ..log_dct import log_dct
from ..trained import TRAINING_DEFAULTS, AttributionModel
from ..training import Recipe


class DctNetwork(nn.Module):
    """Four 3x3 convolutions (3, 8, 16, 32 filters) with ReLU, two average poolings, flattened: (B, 32 (S/4)^2).

    Input: log-DCT coefficients (B, 3, S, S); the network first standardises every coefficient with the mean and
    standard deviation that it had in the training images (buffers, so they are saved with the weights).
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3, size, size))
        self.register_buffer("std", torch.ones(3, size, size))
        self.conv1 = nn.Conv2d(3, 3, 3, padding=1)
        self.conv2 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv3 = nn.Conv2d(8, 16, 3, padding=1)
        self.conv4 = nn.Conv2d(16, 32, 3, padding=1)
        self.embedding_dim = 32 * (size // 4) ** 2

    def forward(self, coefficients: Tensor) -> Tensor:
        x = (coefficients - self.mean) / self.std  # type: ignore[operator]
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = F.relu(self.conv3(F.avg_pool2d(x, 2)))
        x = F.relu(self.conv4(F.avg_pool2d(x, 2)))
        return x.flatten(1)


@register_method("dct-cnn")
class DctCnn(Classifier):
    """Log-DCT of the whole crop, standardised per coefficient, then a shallow CNN with cross-entropy."""

    defaults: ClassVar[dict[str, Any]] = {
        **TRAINING_DEFAULTS,
        "epochs": 50,
        "batch_size": 32,
        "lr": 1e-3,
        "lr_decay": 1.0,
        "weight_decay": 0.0,
        "patience": 5,
        "eps": 1e-6,
        "cache_limit_gb": 16.0,
    }
    limits = {"eps": above(0), "cache_limit_gb": at_least(0)}
    card = MethodCard(
        title="DCT-CNN",
        paper="Frank et al., Leveraging frequency analysis for deep fake image recognition, ICML 2020",
        url="https://arxiv.org/abs/2003.08685",
        reproduction="full",
        differs="",
        faithful=[
            (
                "DCT-II (orthonormal) of the whole image per channel, log(|D| + eps), standardised per coefficient "
                "with statistics of the training images only"
            ),
            (
                "network, Adam 1e-3, batch 32, at most 50 epochs, early stopping after 5 epochs without better "
                "validation loss"
            ),
        ],
        deviations=[
            "float32 and eps 1e-6 instead of float64 and 1e-12: differs only for coefficients below about 1e-3",
            "standardises the logged coefficients; the published script for the statistics uses unlogged ones",
            "published for 128 px; here whatever the crop size is",
            "rejection rules other than 'never' are ours; for centroid-sigma the candidate stays the arg max",
        ],
        licence="Apache-2.0 (own code); the original is MIT",
        published={"af1": 0.750, "crr": 0.0},
        input_range="0..255 before the DCT",
    )

    def build(self, n_classes: int, size: int) -> AttributionModel:
        network = DctNetwork(size)
        return AttributionModel(network, SoftmaxHead(network.embedding_dim, n_classes))

    def convert(self, images: np.ndarray) -> Tensor:
        return torch.from_numpy(log_dct(images, self.options["eps"], torch.get_num_threads())).to(self.device)

    def fit(self, train: ImageSet, val: ImageSet, context: Context) -> None:
        """As every trained method; whether coefficients are kept on disk is decided for both sets together."""
        self._stores = self._may_store({"train": train, "val": val}, context.folder)
        super().fit(train, val, context)

    def _may_store(self, sets: dict[str, ImageSet], folder: Path) -> bool:
        """Whether all coefficients are within ``cache_limit_gb`` and those not stored yet fit on the disk."""
        folder.mkdir(parents=True, exist_ok=True)
        sizes = {name: images.crop_size**2 * 3 * 4 * len(images) for name, images in sets.items()}
        total, limit = sum(sizes.values()), self.options["cache_limit_gb"]
        missing = sum(size for name, size in sizes.items() if not _path(folder, name).exists())
        lacking = f"{total / 1e6:,.0f} MB, cache_limit_gb is {limit}" if total > limit * 1e9 else None
        lacking = lacking or shortage(folder, missing)
        if lacking:
            get_logger().info("%s computes log-DCT coefficients in every epoch: they need %s", self.name, lacking)
        return lacking is None

    def inputs(self, images: ImageSet, context: Context, name: str) -> Inputs:
        """Coefficients are computed once and kept on disk if the free space allows.

        |DCT| does not change when an image is mirrored, so ``flip`` has nothing to do here.
        """
        if not self._stores:
            return Inputs(images, self.convert)
        values = stored_log_dct(images, _path(context.folder, name), self.options["eps"])
        return StoredInputs(images, values, self.device)

    def prepare(self, train: Inputs) -> None:
        """Mean and standard deviation of every coefficient over the training images, in one pass (Welford)."""
        count, mean, squares = 0, torch.zeros(()), torch.zeros(())
        for x in train.in_order(1024):
            x = x.double()
            centre = x.mean(0)
            delta, total = centre - mean, count + len(x)
            squares = squares + ((x - centre) ** 2).sum(0) + delta**2 * (count * len(x) / total)
            mean, count = mean + delta * (len(x) / total), total
        network = self.model.network
        network.mean.copy_(mean)  # type: ignore[union-attr]
        network.std.copy_((squares / count).sqrt().clamp_min(1e-6))  # type: ignore[union-attr]

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam; ``weight_decay`` is the usual L2 penalty and 0 in the paper."""
        o = self.options
        return torch.optim.Adam(self.model.parameters(), lr=o["lr"], weight_decay=o["weight_decay"], fused=True)

    def recipe(self, epochs: int) -> Recipe:
        o = self.options
        return Recipe(epochs, o["lr_decay"], o["decay_every"], monitor="loss", patience=o["patience"])


def _path(folder: Path, name: str) -> Path:
    return folder / f"log-dct-{name}.npy"


def stored_log_dct(images: ImageSet, path: Path, eps: float) -> np.ndarray:
    """Log-DCT coefficients float32 (N, 3, S, S) of a set, memory-mapped from ``path``; computed if not there yet."""
    shape = (len(images), 3, images.crop_size, images.crop_size)
    if path.exists():
        stored = np.load(path, mmap_mode="r")
        if stored.shape == shape:
            return stored
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    values = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)
    with progress_bar("log-DCT", len(images), "image") as bar:
        for pixels, _, positions in images.batches(256):
            values[positions] = log_dct(pixels, eps, torch.get_num_threads())
            bar.update(len(positions))
    values.flush()
    del values
    partial.replace(path)
    return np.load(path, mmap_mode="r")
