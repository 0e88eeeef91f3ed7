"""A classifier on the features of a frozen encoder, with every rejection rule."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..benchmark.images import ImageSet
from ..benchmark.method import Context
from .classifier import Classifier
from .encoder_method import UsesEncoder
from .inputs import Inputs, StoredInputs


class EncoderClassifier(UsesEncoder, Classifier):
    """The encoder stays as it is; what is trained is the small network of :meth:`build` on its features."""

    def convert(self, images: np.ndarray) -> Tensor:
        return torch.from_numpy(self.features(images)).to(self.device)

    def inputs(self, images: ImageSet, context: Context, name: str) -> Inputs:
        """Features of the whole set; they do not change while the classifier is trained."""
        parts = [self.features(pixels) for pixels, _, _ in images.batches(512)]
        return StoredInputs(images, np.concatenate(parts), self.device)

    def arrays(self) -> dict[str, np.ndarray]:
        return super().arrays() | {"encoder_sha256": np.frombuffer(bytes.fromhex(self.encoder.sha256), np.uint8)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.expect(arrays["encoder_sha256"].tobytes().hex())
        super().restore({name: array for name, array in arrays.items() if name != "encoder_sha256"})
