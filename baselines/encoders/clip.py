"""CLIP (Radford et al., ICML 2021), images and texts, from the Hub's cache or a folder."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...core.errors import CheckpointError
from ..features import FeatureCache
from .encoder import TextEncoder, register_encoder, unit_norm
from .model_folder import find_folder, first_line, weights_sha256, why_missing

if TYPE_CHECKING:
    from transformers import CLIPModel, CLIPTokenizer

CLIP_LARGE = "openai/clip-vit-large-patch14-336"
CLIP_BASE_32 = "openai/clip-vit-base-patch32"
CLIP_BASE_16 = "openai/clip-vit-base-patch16"

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
EMBEDDING = "embedding"


@register_encoder("clip")
class Clip(TextEncoder):
    """``embedding``: the joint embedding of images and texts; ``block1`` and on: the class token behind a block.

    All of unit norm. ViT-L/14 at 336 px where no other weights are named. CLIP takes images of one size, so every image
    is enlarged or shrunk to it by bicubic interpolation: there is no other way to use these weights.
    """

    default_source = CLIP_LARGE
    preprocessing = "bicubic to the input size, 0..1, CLIP's mean and standard deviation"

    @property
    def layers(self) -> tuple[str, ...]:
        return (*(f"block{k + 1}" for k in range(self.config.vision_config.num_hidden_layers)), EMBEDDING)

    @property
    def default_layer(self) -> str:
        return EMBEDDING

    def dim(self, layer: str | None = None) -> int:
        joint = self.checked_layer(layer) == EMBEDDING
        return self.config.projection_dim if joint else self.config.vision_config.hidden_size

    def missing(self) -> str | None:
        return why_missing(self.source)

    def to(self, device: torch.device) -> Clip:
        super().to(device)
        if "model" in self.__dict__:
            self.model.to(device)  # type: ignore[arg-type]
        return self

    @cached_property
    def folder(self) -> Path:
        """Where the files lie. CheckpointError if they do not."""
        return find_folder(self.source)

    @cached_property
    def config(self) -> Any:
        """The CLIPConfig."""
        from transformers import CLIPConfig

        try:
            return CLIPConfig.from_pretrained(self.folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{self.folder} holds no CLIP: {first_line(error)}") from error

    @cached_property
    def model(self) -> CLIPModel:
        """The networks, in evaluation mode. CheckpointError if weights are missing from the file."""
        return load_model(self.folder).to(self.device)  # type: ignore[arg-type]

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        """CheckpointError if the folder has no vocabulary."""
        from transformers import CLIPTokenizer

        files = [self.folder / name for name in ("tokenizer.json", "vocab.json")]
        if not any(path.is_file() for path in files):
            raise CheckpointError(f"{self.folder} holds no tokenizer for CLIP's texts (vocab.json and merges.txt).")
        try:
            return CLIPTokenizer.from_pretrained(self.folder, local_files_only=True)
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointError(f"{self.folder} holds no usable tokenizer: {first_line(error)}") from error

    def inputs(self, images: np.ndarray) -> Tensor:
        """uint8 (N, S, S, 3) -> float32 (N, 3, size, size) on the device, resized and normalised as CLIP wants it."""
        return preprocess(images, self.config.vision_config.image_size, self.device)

    def tokens(self, texts: list[str]) -> dict[str, Tensor]:
        """Token numbers and mask of texts, (N, longest), on the device."""
        limit = self.config.text_config.max_position_embeddings
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt")
        return {name: batch[name].to(self.device) for name in ("input_ids", "attention_mask")}

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """float32 (N, D), unit norm: the joint embedding of texts, each cut to 77 tokens."""
        recipe = {"encoder": self.identity, "tokens": 77, "device": self.device_type}
        cache = FeatureCache("clip-text", recipe, self.dim())
        encoded = [text.encode() for text in texts]
        return cache.rows(encoded, lambda at: self._embed_texts([texts[i] for i in at]), batch_size=self.batch_size)

    def _weights_sha256(self) -> str:
        return weights_sha256(self.folder)

    @torch.no_grad()
    def _compute(self, images: np.ndarray, layers: tuple[str, ...]) -> np.ndarray:
        (layer,) = layers
        out = self.model.vision_model(pixel_values=self.inputs(images), output_hidden_states=layer != EMBEDDING)
        if layer == EMBEDDING:
            features = self.model.visual_projection(out.pooler_output)
        else:
            features = out.hidden_states[self.layers.index(layer) + 1][:, 0]
        return unit_norm(features.float().cpu().numpy())

    @torch.no_grad()
    def _embed_texts(self, texts: list[str]) -> np.ndarray:
        out = self.model.text_model(**self.tokens(texts))
        return unit_norm(self.model.text_projection(out.pooler_output).float().cpu().numpy())


def preprocess(images: np.ndarray, size: int, device: torch.device | str = "cpu") -> Tensor:
    """uint8 (N, S, S, 3) -> float32 (N, 3, size, size): Pillow's bicubic, as the published processor resizes."""
    if images.shape[1] != size:
        resized = [Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC) for image in images]
        images = np.stack([np.asarray(image) for image in resized])
    # A copy: the images may be a read-only memory map.
    pixels = torch.tensor(images).to(device).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (MEAN, STD))
    return (pixels - mean) / std


def load_model(folder: Path) -> CLIPModel:
    """A CLIPModel in evaluation mode, float32. CheckpointError if the files are damaged or incomplete."""
    from safetensors import SafetensorError
    from transformers import CLIPModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        # transformers reads .bin files with weights_only=True: no pickle is executed.
        loaded: Any = CLIPModel.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, dtype=torch.float32
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{folder} holds no usable CLIP: {first_line(error)}") from error
    model, info = loaded
    if info["missing_keys"]:
        raise CheckpointError(f"{folder} holds no complete CLIP: {min(info['missing_keys'])} is missing.")
    return model.eval()
