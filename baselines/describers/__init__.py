"""Describers: what puts a picture into words, for methods that read captions. Each describer is one file here.

``dataset``: the captions that come with the images, and the nearest known one for an image without; ``nearest``: the
nearest known caption always; anything else is a caption file.
"""

import torch

from ..encoders import Encoder
from .dataset import DatasetCaptions
from .describer import Describer
from .nearest import NearestCaption
from .wrong import wrong_captions

__all__ = ["Describer", "NearestCaption", "build_describer", "wrong_captions"]


def build_describer(name: str, encoder: Encoder, device: torch.device) -> Describer:
    """The describer that an option ``captions`` names."""
    if name == "nearest":
        return NearestCaption(encoder)
    return DatasetCaptions(NearestCaption(encoder))
