"""What methods on a frozen encoder share: which one, which layer, and how a board calls the result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import torch

from ..benchmark.card import MethodCard
from ..benchmark.method import Method
from ..core.errors import CheckpointError
from .encoders import Encoder, build_encoder, pinned, unit_norm

RESAMPLING = (
    "CLIP takes images of one size (224 or 336 px), so every crop is enlarged to it by bicubic interpolation: this "
    "breaks the benchmark's rule that nothing is resampled, and there is no other way to use these weights"
)
"""For the cards of the methods that use CLIP."""


class UsesEncoder(Method):
    """Option ``encoder`` names the weights, ``layer`` the layer (empty: the encoder's default one).

    The weights are not saved, only their hash is. The card of the class describes the published method, on CLIP; with
    another encoder :meth:`described` says so, and :attr:`label` names it.
    """

    without_clip: ClassVar[str]
    """What the method is called on an encoder that is no CLIP, e.g. ``linear probe``."""
    device = torch.device("cpu")
    expected_sha256: str | None = None
    _encoder: Encoder | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        build_encoder(self.options["encoder"])  # an unknown name is refused before anything is fitted
        self.options["encoder"] = pinned(self.options["encoder"])

    def missing(self) -> str | None:
        return build_encoder(self.options["encoder"]).missing()

    @property
    def encoder(self) -> Encoder:
        """The encoder. CheckpointError if it is not there, or not the one that this method was fitted with."""
        if self._encoder is None:
            encoder = build_encoder(self.options["encoder"]).to(self.device)
            if self.expected_sha256 not in (None, encoder.sha256):
                raise CheckpointError(f"encoder {encoder.label} has other weights than this method was fitted with.")
            self._encoder = encoder
        return self._encoder

    @property
    def layer(self) -> str:
        """The layer in use."""
        return self.encoder.checked_layer(self.options["layer"] or None)

    @property
    def dim(self) -> int:
        """Length of a row of :meth:`features`."""
        return self.encoder.dim(self.layer)

    def features(self, images: np.ndarray) -> np.ndarray:
        """float32 (N, D), unit norm, of uint8 (N, S, S, 3)."""
        return unit_norm(self.encoder.encode(images, self.layer))

    def expect(self, sha256: str) -> None:
        """Accept no other weights than these. CheckpointError if others are in use already."""
        if self._encoder is not None and self._encoder.sha256 != sha256:
            raise CheckpointError(f"encoder {self._encoder.label} has other weights than this method was fitted with.")
        self.expected_sha256 = sha256

    def to(self, device: torch.device) -> Self:
        super().to(device)
        self.device = device
        if self._encoder is not None:
            self._encoder.to(device)
        return self

    @property
    def label(self) -> str:
        encoder = build_encoder(self.options["encoder"])
        if encoder.name == "clip":
            return ""
        return f"{self.without_clip} ({' '.join(part for part in (encoder.label, self.options['layer']) if part)})"

    def described(self) -> MethodCard:
        if not self.label:
            return self.card
        encoder = build_encoder(self.options["encoder"])
        return replace(
            self.card,
            title=self.label[0].upper() + self.label[1:],
            faithful=_of_no_clip(self.card.faithful),
            deviations=[self.deviation(encoder), *_of_no_clip(self.card.deviations)],
            licence="Apache-2.0 (own code); the encoder's weights are not shipped",
            input_range=encoder.preprocessing,
        )

    def deviation(self, encoder: Encoder) -> str:
        """What an encoder that is no CLIP changes, for the card."""
        return f"the published method runs on CLIP; on {encoder.label} this row does not show what that can do"


def _of_no_clip(lines: list[str]) -> list[str]:
    """The lines of a card that are true of any encoder."""
    return [line for line in lines if not any(word in line for word in ("CLIP", "ViT", "sentences"))]
