"""What a describer is: it puts a picture into words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from ...benchmark.images import ImageSet


class Describer(ABC):
    """Texts for images."""

    def learn(self, images: ImageSet) -> None:
        """Told the training images once; their captions are known ones."""
        return

    def tell(self, images: np.ndarray, captions: Sequence[str | None]) -> None:
        """Told the captions that came with some images uint8 (N, S, S, 3), None for one without."""
        return

    @abstractmethod
    def of(self, images: np.ndarray) -> list[str]:
        """A text for each of images uint8 (N, S, S, 3); DatasetError in one line if there is none."""

    def arrays(self) -> dict[str, np.ndarray]:
        """What it learned of the training images."""
        return {}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """The inverse of :meth:`arrays`."""
        return
