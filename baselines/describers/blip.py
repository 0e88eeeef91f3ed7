"""Captions by a network, BLIP (Li et al., ICML 2022), where its weights are on this machine."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ...core.errors import CheckpointError
from ...core.locking import exclusive
from ...core.progress import progress_bar
from ...core.user_folders import cache_folder
from ...generation.pixels import pixel_sha256
from ..encoders.clip import preprocess
from ..encoders.model_folder import find_folder, weights_sha256
from .describer import Describer
from .file import read_captions

BLIP = "Salesforce/blip-image-captioning-base"
_BATCH = 16


class Blip(Describer):
    """Beam search over 3 beams, 5 to 60 tokens, as De-Fake calls it; captions are kept in the user's cache.

    source: a Hub id whose files were downloaded before, or a folder. CheckpointError if the weights are missing.
    """

    def __init__(self, source: str, device: torch.device) -> None:
        self.folder, self.device = find_folder(source), device
        self.sha256 = weights_sha256(self.folder)
        self.path = cache_folder() / "captions" / f"{self.sha256[:16]}.jsonl"
        self.captions = read_captions(self.path) if self.path.is_file() else {}

    def of(self, images: np.ndarray) -> list[str]:
        digests = [pixel_sha256(image) for image in images]
        missing = [i for i, digest in enumerate(digests) if digest not in self.captions]
        if missing:
            with progress_bar("captions", len(missing), "img") as bar:
                for start in range(0, len(missing), _BATCH):
                    rows = missing[start : start + _BATCH]
                    self._keep({digests[i]: text for i, text in zip(rows, self._describe(images[rows]), strict=True)})
                    bar.update(len(rows))
        return [self.captions[digest] for digest in digests]

    def _keep(self, captions: dict[str, str]) -> None:
        lines = [json.dumps({"pixel_sha256": digest, "caption": text}) + "\n" for digest, text in captions.items()]
        with exclusive(self.path.with_suffix(".lock")), self.path.open("a", encoding="utf-8") as handle:
            handle.write("".join(lines))
        self.captions |= captions

    @torch.inference_mode()
    def _describe(self, images: np.ndarray) -> list[str]:
        model, tokenizer = self._networks
        pixels = preprocess(images, model.config.vision_config.image_size, self.device)
        tokens = model.generate(pixel_values=pixels, num_beams=3, min_length=5, max_length=60)
        return [text.strip() for text in tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    @cached_property
    def _networks(self) -> tuple[Any, Any]:
        from safetensors import SafetensorError
        from transformers import AutoTokenizer, BlipForConditionalGeneration
        from transformers.utils import logging

        logging.disable_progress_bar()
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
            model: Any = BlipForConditionalGeneration.from_pretrained(self.folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            line = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise CheckpointError(f"{self.folder} holds no usable BLIP: {line}") from error
        return model.eval().to(self.device), tokenizer
