"""Any vision model that the transformers library reads: ``transformers:FOLDER`` or ``transformers:HUB_ID``."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.errors import CheckpointError
from .encoder import Encoder, register_encoder
from .model_folder import find_folder, first_line, weights_sha256, why_missing

LAST = "last"


@register_encoder("transformers")
class TransformersModel(Encoder):
    """``block1`` and on: mean and standard deviation of every channel behind a block; ``last``: the pooled output.

    Tokens and places of a feature map count alike. Where a model pools nothing, ``last`` is the mean of its last
    output. The model's own processor prepares the images. Of a model of images and texts the half for images is taken.
    Code that lies with the weights is never run.
    """

    preprocessing = "the model's own image processor"
    batch_size = 16

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self._dims)

    @property
    def default_layer(self) -> str:
        return LAST

    def dim(self, layer: str | None = None) -> int:
        return self._dims[self.checked_layer(layer)]

    def missing(self) -> str | None:
        return why_missing(self.source) if self.source else _NO_SOURCE

    def to(self, device: torch.device) -> TransformersModel:
        super().to(device)
        if "model" in self.__dict__:
            self.model.to(device)
        return self

    @cached_property
    def folder(self) -> Path:
        """Where the files lie. CheckpointError if they do not."""
        if not self.source:
            raise CheckpointError(_NO_SOURCE)
        return find_folder(self.source)

    @cached_property
    def model(self) -> Any:
        """The network in evaluation mode. CheckpointError if the folder holds none."""
        from safetensors import SafetensorError
        from transformers import AutoModel
        from transformers.utils import logging

        logging.disable_progress_bar()
        try:
            loaded: Any = AutoModel.from_pretrained(
                self.folder,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                dtype=torch.float32,
            )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
            raise CheckpointError(f"{self.folder} holds no usable model: {first_line(error)}") from error
        model, info = loaded
        lacking = [key for key in info["missing_keys"] if "pooler" not in key]
        if lacking:
            raise CheckpointError(f"{self.folder} holds no complete model: {min(lacking)} is missing.")
        return getattr(model, "vision_model", model).eval().to(self.device)

    @cached_property
    def processor(self) -> Any:
        """Prepares images as the model was trained. CheckpointError if the folder does not say how."""
        from transformers import AutoImageProcessor

        try:
            return AutoImageProcessor.from_pretrained(
                self.folder, local_files_only=True, trust_remote_code=False, backend="pil"
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise CheckpointError(f"{self.folder} says nothing usable of its images: {first_line(error)}") from error

    def _weights_sha256(self) -> str:
        return weights_sha256(self.folder)

    @cached_property
    def _dims(self) -> dict[str, int]:
        """Layer -> length of its features, as one grey image shows."""
        probe = np.full((1, 64, 64, 3), 128, np.uint8)
        try:
            return {name: row.shape[1] for name, row in self._features(probe).items()}
        except (TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
            raise CheckpointError(f"{self.folder} holds no model of images: {first_line(error)}") from error

    def _compute(self, images: np.ndarray, layers: tuple[str, ...]) -> np.ndarray:
        found = self._features(images)
        return torch.cat([found[layer] for layer in layers], dim=1).float().cpu().numpy()

    @torch.no_grad()
    def _features(self, images: np.ndarray) -> dict[str, Tensor]:
        pixels = self.processor(images=list(images), return_tensors="pt")["pixel_values"].to(self.device)
        out = self.model(pixel_values=pixels, output_hidden_states=True)
        found = {f"block{k}": _statistics(states) for k, states in enumerate(out.hidden_states[1:], 1)}
        pooled = getattr(out, "pooler_output", None)
        return found | {LAST: _places(out.last_hidden_state).mean(1) if pooled is None else pooled.flatten(1)}


_NO_SOURCE = (
    "encoder transformers needs a model: transformers:FOLDER, or transformers:HUB_ID of one that is downloaded."
)


def _places(states: Tensor) -> Tensor:
    """Tokens (N, T, C), or a map (N, C, H, W), as (N, places, C)."""
    return states.flatten(2).transpose(1, 2) if states.ndim == 4 else states


def _statistics(states: Tensor) -> Tensor:
    """Mean and standard deviation over the places: (N, 2 C)."""
    places = _places(states)
    return torch.cat([places.mean(1), places.std(1, correction=0)], dim=1)
