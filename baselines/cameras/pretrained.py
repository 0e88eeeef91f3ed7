"""Weight files of pre-trained networks: safetensors with a card in the header that says what they were trained on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ...core.errors import CheckpointError
from ...core.publish import publishing
from ..networks import EmbeddingNetwork

SCRATCH, CAMERA = "scratch", "camera"
CARD_KEY = "osbench.pretraining"
_PACKAGED = Path(__file__).parent / "weights"
_PIN = "#sha256:"


def save_pretrained(path: Path, network: EmbeddingNetwork, card: dict[str, Any], *, half: bool = False) -> None:
    """Write the network (without a head) and its card; ``half`` stores weight matrices and kernels as float16.

    Vectors stay float32: a running variance may exceed what float16 holds.
    """
    tensors = {
        name: (t.half() if half and t.ndim > 1 else t).detach().cpu().contiguous()
        for name, t in network.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with publishing(path) as partial:
        save_file(tensors, partial, metadata={"format": "pt", CARD_KEY: json.dumps(card, sort_keys=True)})


def read_card(path: Path) -> dict[str, Any]:
    """The card of a weight file. CheckpointError if it has none or is no safetensors file."""
    try:
        with safe_open(path, framework="pt") as stored:
            text = (stored.metadata() or {})[CARD_KEY]
        card = json.loads(text)
        if not isinstance(card.get("network"), str):
            raise KeyError("network")
    except (OSError, SafetensorError, KeyError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: not written by 'osbench pretrain' ({type(error).__name__}: {error})."
        ) from error
    return card


def find_packaged(network: str, crop_size: int) -> Path | None:
    """The file that ships with osbench for this network and crop size, None if there is none."""
    path = _PACKAGED / f"{network}-{crop_size}.safetensors"
    return path if path.is_file() else None


def pinned(init: str) -> str:
    """``FILE`` -> ``FILE#sha256:...``: what a run records must change with the content of the file.

    ``scratch``, ``camera`` and what is pinned already stay. CheckpointError if there is no such file.
    """
    if init in (SCRATCH, CAMERA) or _PIN in init:
        return init
    if not Path(init).is_file():
        raise CheckpointError(f"init={init}: no such file; it is 'scratch', 'camera' or a file of 'osbench pretrain'.")
    return f"{init}{_PIN}{_sha256(Path(init))}"


def load_pretrained(network: EmbeddingNetwork, name: str, crop_size: int, init: str) -> dict[str, Any]:
    """Put weights into ``network``, which was built as ``name`` for crops of ``crop_size`` px; returns their card.

    init: a path, perhaps as :func:`pinned` gives it. CheckpointError if the file changed, is
    damaged, or belongs to another network or image size.
    """
    path, _, expected = init.partition(_PIN)
    file = Path(path)
    card = read_card(file)
    if expected and _sha256(file) != expected:
        raise CheckpointError(f"{file} is not the file that this run began with; start a new run.")
    if card["network"] != name:
        raise CheckpointError(f"{file} holds weights of network '{card['network']}', not '{name}'.")
    with safe_open(file, framework="pt") as stored:
        tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118  (no mapping)
    own = network.state_dict()
    shapes, stored_shapes = ({k: t.shape for k, t in group.items()} for group in (own, tensors))
    wrong = sorted(k for k in shapes.keys() | stored_shapes.keys() if shapes.get(k) != stored_shapes.get(k))
    if wrong:
        raise CheckpointError(
            f"{file} was trained on crops of {card.get('crop_size')} px and does not fit network '{name}' for "
            f"{crop_size} px ({wrong[0]}); pre-train with --crop-size {crop_size}."
        )
    if not all(bool(torch.isfinite(t).all()) for t in tensors.values()):
        raise CheckpointError(f"{file} holds values that are not finite; train it again.")
    network.load_state_dict({k: t.to(own[k].dtype) for k, t in tensors.items()})
    return card


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
