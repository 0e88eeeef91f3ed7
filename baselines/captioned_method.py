"""What methods on an encoder share that read captions: options ``captions`` and ``captioner``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..benchmark.images import ImageSet
from .describers import Describer, build_describer, pinned_captions, why_no_captions
from .encoder_method import UsesEncoder


class ReadsCaptions(UsesEncoder):
    """Option ``captions`` says where they come from (:mod:`.describers`), ``captioner`` names a captioning network."""

    reads_captions: ClassVar[bool] = True
    _describer: Describer | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.options["captions"] = pinned_captions(self.options["captions"])

    def missing(self) -> str | None:
        return super().missing() or why_no_captions(self.options["captions"], self.options["captioner"])

    @property
    def describer(self) -> Describer:
        """What puts images into words."""
        if self._describer is None:
            o = self.options
            self._describer = build_describer(o["captions"], o["captioner"], self.encoder, self.device)
        return self._describer

    def learn_captions(self, train: ImageSet, val: ImageSet) -> None:
        """Tell the describer what is known of the images of a fit."""
        self.describer.learn(train)
        if val.captions is not None:
            self.describer.tell(val.pixels, list(val.captions))

    def tell_captions(self, images: np.ndarray, captions: Sequence[str | None] | None) -> None:
        """Tell the describer what came with images that are to be attributed."""
        if captions is not None:
            self.describer.tell(images, captions)
