"""Describers: what puts a picture into words, for methods that read captions. Each describer is one file here.

``dataset``: the captions that come with the images, and the nearest known one for an image without; ``nearest``: the
nearest known caption always; ``model``: a captioning network; anything else is a caption file (:mod:`.file`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from ...core.errors import DatasetError
from ..encoders import Encoder
from ..encoders.model_folder import why_missing
from .blip import BLIP, Blip
from .dataset import DatasetCaptions
from .describer import Describer
from .file import CaptionFile
from .nearest import NearestCaption
from .wrong import wrong_captions

__all__ = [
    "BLIP",
    "DATASET",
    "MODEL",
    "NEAREST",
    "Describer",
    "build_describer",
    "pinned_captions",
    "why_no_captions",
    "wrong_captions",
]

DATASET, NEAREST, MODEL = "dataset", "nearest", "model"
_PIN = "#sha256:"


def build_describer(captions: str, captioner: str, encoder: Encoder, device: torch.device) -> Describer:
    """The describer that an option ``captions`` names.

    Parameters
    ----------
    captions : str
        ``dataset``, ``nearest``, ``model``, or a file as :func:`pinned_captions` gives it. DatasetError if that file
        has changed since.
    captioner : str
        Weights of the captioning network: a Hub id or a folder. CheckpointError if they are asked for and missing.
    encoder : Encoder
        Finds the nearest known caption.
    device : torch.device
        Where the captioning network runs.
    """
    if captions == DATASET:
        return DatasetCaptions(NearestCaption(encoder))
    if captions == NEAREST:
        return NearestCaption(encoder)
    if captions == MODEL:
        return Blip(captioner, device)
    path, _, expected = captions.partition(_PIN)
    if _sha256(Path(path)) != expected:
        raise DatasetError(f"{path} is not the file that this run began with; start a new run.")
    return CaptionFile(Path(path))


def pinned_captions(captions: str) -> str:
    """``FILE`` -> ``FILE#sha256:...``: a run's record must change with its captions. DatasetError for no such file."""
    if captions in (DATASET, NEAREST, MODEL) or _PIN in captions:
        return captions
    return f"{captions}{_PIN}{_sha256(Path(captions))}"


def why_no_captions(captions: str, captioner: str) -> str | None:
    """What is not on this machine, and how to get it, in one line; None if images can be described."""
    reason = why_missing(captioner) if captions == MODEL else None
    return None if reason is None else f"{reason} Or give captions of your own: --option captions=FILE."


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DatasetError(
            f"captions={path}: cannot be read ({error.strerror}); give {DATASET}, {NEAREST}, {MODEL} or a file."
        ) from error
