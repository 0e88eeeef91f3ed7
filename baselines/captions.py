"""Captions of images: from a file, or from BLIP (Li et al., ICML 2022) where its weights are on this machine.

An image is known by the SHA-256 of its pixels, the column ``pixel_sha256`` of a dataset. A caption file has one JSON
object a line::

    {"pixel_sha256": "9f86d0...", "caption": "a lighthouse on a cliff"}
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.errors import CheckpointError, DatasetError
from ..core.locking import exclusive
from ..core.progress import progress_bar
from ..core.user_folders import cache_folder
from ..generation.pixels import pixel_sha256
from .clip_features import find_folder, preprocess, weights_sha256

BLIP = "Salesforce/blip-image-captioning-base"
_BATCH = 16


class CaptionFile:
    """The captions of a JSON Lines file. DatasetError names a line that is not of the form above."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.captions = read_captions(path)

    def of(self, images: np.ndarray) -> list[str]:
        """The captions of uint8 (N, S, S, 3). DatasetError if one is missing."""
        digests = [pixel_sha256(image) for image in images]
        missing = [digest for digest in digests if digest not in self.captions]
        if missing:
            raise DatasetError(
                f"{self.path} has no caption for {len(missing)} of {len(digests)} images (the first: pixel_sha256 "
                f"{missing[0]}); captions belong to crops of one size."
            )
        return [self.captions[digest] for digest in digests]


class Blip:
    """Beam search over 3 beams, 5 to 60 tokens, as De-Fake calls it; captions are kept in the user's cache.

    source: a Hub id whose files were downloaded before, or a folder. CheckpointError if the weights are missing.
    """

    def __init__(self, source: str, device: torch.device) -> None:
        self.folder, self.device = find_folder(source), device
        self.sha256 = weights_sha256(self.folder)
        self.path = cache_folder() / "captions" / f"{self.sha256[:16]}.jsonl"
        self.captions = read_captions(self.path) if self.path.is_file() else {}

    def of(self, images: np.ndarray) -> list[str]:
        """The captions of uint8 (N, S, S, 3)."""
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


def read_captions(path: Path) -> dict[str, str]:
    """``pixel_sha256`` -> caption. A last line that was cut off by a killed process is left out."""
    try:
        lines = path.read_text("utf-8").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as captions ({error}).") from error
    captions: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            digest, caption = row["pixel_sha256"], row["caption"]
            if not isinstance(digest, str) or not isinstance(caption, str):
                raise TypeError
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines) and not line.endswith("\n"):
                break
            raise DatasetError(
                f'{path}, line {number}: not of the form {{"pixel_sha256": "...", "caption": "..."}}.'
            ) from error
        captions[digest] = caption
    return captions
