"""Features of a frozen CLIP (Radford et al., ICML 2021), from the Hub's cache or a local folder; cached per image."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..benchmark.method import Method
from ..core.errors import CheckpointError, UsageError
from ..core.hashing import file_sha256
from .features import FeatureCache

if TYPE_CHECKING:
    from transformers import CLIPModel, CLIPTokenizer

CLIP_LARGE = "openai/clip-vit-large-patch14-336"
CLIP_BASE_32 = "openai/clip-vit-base-patch32"
CLIP_BASE_16 = "openai/clip-vit-base-patch16"

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PREPROCESSING = "bicubic to the input size, 0..1, CLIP's mean and standard deviation"
RESAMPLING = (
    "CLIP takes images of one size (224 or 336 px), so every crop is enlarged to it by bicubic interpolation: this "
    "breaks the benchmark's rule that nothing is resampled, and there is no other way to use these weights"
)
"""For the cards of the methods that use CLIP."""

_PIN = "#sha256:"
_BATCH = 32


class Clip:
    """CLIP weights in a folder; the networks are loaded when something is computed that no cache holds.

    source: a Hub id whose files were downloaded before, or a folder with config.json and weights; as :func:`pinned`
    gives it, the content is checked. CheckpointError if the weights are missing or changed.
    """

    def __init__(self, source: str) -> None:
        self.source, _, expected = source.partition(_PIN)
        self.folder = find_folder(self.source)
        self.sha256 = weights_sha256(self.folder)
        if expected and self.sha256 != expected:
            raise CheckpointError(f"{self.source} holds other weights than when this run began; start a new run.")
        self.device = torch.device("cpu")
        self._caches: dict[str, FeatureCache] = {}

    def to(self, device: torch.device) -> Clip:
        """Compute on a device from now on."""
        self.device = device
        if "model" in self.__dict__:
            self.model.to(device)  # type: ignore[arg-type]
        return self

    @cached_property
    def config(self) -> Any:
        """The CLIPConfig."""
        from transformers import CLIPConfig

        try:
            return CLIPConfig.from_pretrained(self.folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{self.folder} holds no CLIP: {_line(error)}") from error

    @property
    def image_size(self) -> int:
        """Side in pixels of the images that the network takes."""
        return self.config.vision_config.image_size

    @property
    def dim(self) -> int:
        """Length of the joint embedding of images and texts."""
        return self.config.projection_dim

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
            raise CheckpointError(f"{self.folder} holds no usable tokenizer: {_line(error)}") from error

    def inputs(self, images: np.ndarray) -> Tensor:
        """uint8 (N, S, S, 3) -> float32 (N, 3, size, size) on the device, resized and normalised as CLIP wants it."""
        return preprocess(images, self.image_size, self.device)

    def image_features(self, images: np.ndarray, block: int = 0) -> np.ndarray:
        """float32 (N, D), unit norm, of uint8 (N, S, S, 3).

        block: 0 for the joint embedding, k for the class token behind the k-th transformer block.
        """
        layers, width = self.config.vision_config.num_hidden_layers, self.config.vision_config.hidden_size
        if not 0 <= block <= layers:
            raise UsageError(f"block={block}: this CLIP has blocks 1 to {layers}; 0 is its joint embedding.")
        recipe = {"preprocessing": PREPROCESSING, "block": block}
        cache = self._cache("clip-image", recipe, width if block else self.dim)
        return _unit(cache.rows(images, lambda at: self._embed_images(images[at], block), batch_size=_BATCH))

    def text_features(self, texts: list[str]) -> np.ndarray:
        """float32 (N, D), unit norm: the joint embedding of texts, each cut to 77 tokens."""
        cache = self._cache("clip-text", {"tokens": 77}, self.dim)
        encoded = [text.encode() for text in texts]
        return _unit(cache.rows(encoded, lambda at: self._embed_texts([texts[i] for i in at]), batch_size=_BATCH))

    def tokens(self, texts: list[str]) -> dict[str, Tensor]:
        """Token numbers and mask of texts, (N, longest), on the device."""
        limit = self.config.text_config.max_position_embeddings
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt")
        return {name: batch[name].to(self.device) for name in ("input_ids", "attention_mask")}

    @torch.inference_mode()
    def _embed_images(self, images: np.ndarray, block: int) -> np.ndarray:
        out = self.model.vision_model(pixel_values=self.inputs(images), output_hidden_states=block > 0)
        features = out.hidden_states[block][:, 0] if block else self.model.visual_projection(out.pooler_output)
        return features.float().cpu().numpy()

    @torch.inference_mode()
    def _embed_texts(self, texts: list[str]) -> np.ndarray:
        out = self.model.text_model(**self.tokens(texts))
        return self.model.text_projection(out.pooler_output).float().cpu().numpy()

    def _cache(self, name: str, recipe: dict[str, Any], dim: int) -> FeatureCache:
        key = f"{name} {sorted(recipe.items())}"
        if key not in self._caches:
            self._caches[key] = FeatureCache(name, {"weights": self.sha256, **recipe}, dim)
        return self._caches[key]


class UsesClip(Method):
    """What methods on CLIP share: option ``clip`` names the weights; they are not saved, only their hash is."""

    device = torch.device("cpu")
    expected_sha256: str | None = None
    _clip: Clip | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.options["clip"] = pinned(self.options["clip"])

    def missing(self) -> str | None:
        return why_missing(self.options["clip"].partition(_PIN)[0])

    @property
    def clip(self) -> Clip:
        """The network. CheckpointError if it is not there, or not the one that this method was fitted with."""
        if self._clip is None:
            clip = Clip(self.options["clip"]).to(self.device)
            if self.expected_sha256 not in (None, clip.sha256):
                raise CheckpointError(f"{clip.source} holds other weights than this method was fitted with.")
            self._clip = clip
        return self._clip

    def expect(self, sha256: str) -> None:
        """Accept no other weights than these. CheckpointError if others are in use already."""
        if self._clip is not None and self._clip.sha256 != sha256:
            raise CheckpointError(f"{self._clip.source} holds other weights than this method was fitted with.")
        self.expected_sha256 = sha256

    def to(self, device: torch.device) -> Self:
        super().to(device)
        self.device = device
        if self._clip is not None:
            self._clip.to(device)
        return self


def preprocess(images: np.ndarray, size: int, device: torch.device | str = "cpu") -> Tensor:
    """uint8 (N, S, S, 3) -> float32 (N, 3, size, size): Pillow's bicubic, as the published processor resizes."""
    if images.shape[1] != size:
        resized = [Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC) for image in images]
        images = np.stack([np.asarray(image) for image in resized])
    # A copy: the images may be a read-only memory map.
    pixels = torch.tensor(images).to(device).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (MEAN, STD))
    return (pixels - mean) / std


def pinned(source: str) -> str:
    """``FOLDER`` -> ``FOLDER#sha256:...`` of its weights: a run's record must change with them.

    Hub ids stay as they are, and so does what is pinned already.
    """
    if _PIN in source or not Path(source).is_dir():
        return source
    return f"{source}{_PIN}{weights_sha256(find_folder(source))}"


def find_folder(source: str) -> Path:
    """The folder of a Hub id or of a path. CheckpointError, saying how to get the weights, if it is not complete."""
    folder = Path(source)
    if not folder.is_dir():
        folder = _downloaded(source)
    if not (folder / "config.json").is_file() or not _weight_files(folder):
        raise CheckpointError(f"{folder} is no complete model: it needs config.json and a .safetensors file.")
    return folder


def why_missing(source: str) -> str | None:
    """What :func:`find_folder` would complain about, None if the weights are there."""
    try:
        find_folder(source)
    except CheckpointError as error:
        return str(error)
    return None


def _downloaded(source: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise CheckpointError(
            f"the weights of '{source}' are not on this machine: get them with 'hf download {source}', or give a "
            "folder that holds them."
        ) from error


def weights_sha256(folder: Path) -> str:
    """SHA-256 of a model's configuration and weights."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for path in _weight_files(folder):
        digest.update(bytes.fromhex(file_sha256(path)))
    return digest.hexdigest()


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
        raise CheckpointError(f"{folder} holds no usable CLIP: {_line(error)}") from error
    model, info = loaded
    if info["missing_keys"]:
        raise CheckpointError(f"{folder} holds no complete CLIP: {min(info['missing_keys'])} is missing.")
    return model.eval()


def _weight_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def _unit(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
