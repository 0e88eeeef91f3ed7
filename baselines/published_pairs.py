"""The published weights of FSM and EXIF-Net, read from the TensorFlow checkpoints that their authors offer.

Neither may be shipped here; who has them gives the checkpoint's prefix as ``weights=PREFIX``. Convolutions become
(out, in, height, width) and dense layers (out, in). Names and layouts are those of the published code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import CheckpointError
from .networks.resnet50_v2 import STAGES
from .tf_checkpoint import TensorBundle

_PIN = "#sha256:"


def pinned_checkpoint(prefix: str) -> str:
    """``PREFIX`` -> ``PREFIX#sha256:...`` of its index, which holds the checksums of all tensors.

    What is pinned already stays. CheckpointError if there is no ``PREFIX.index``.
    """
    if _PIN in prefix:
        return prefix
    return f"{prefix}{_PIN}{_index_sha256(prefix)}"


def load_published(model: nn.Module, weights: str, convert: Callable[[TensorBundle], dict[str, Tensor]]) -> None:
    """Put the checkpoint ``weights``, as pinned, into a siamese model; its references stay as they are.

    CheckpointError if the checkpoint changed, is damaged, or does not fit.
    """
    prefix, _, expected = weights.partition(_PIN)
    if _index_sha256(prefix) != expected:
        raise CheckpointError(f"{prefix}.index is not the file that this run began with; start a new run.")
    found, state = convert(TensorBundle(Path(prefix))), model.state_dict()
    needed = {k: v.shape for k, v in state.items() if k != "head.references" and not k.endswith("num_batches_tracked")}
    for name in sorted(needed.keys() | found.keys()):
        if name not in found or needed.get(name) != found[name].shape:
            raise CheckpointError(f"{prefix}: does not fit images of this size ({name}).")
    model.load_state_dict(state | found)


def exif_net_tensors(bundle: TensorBundle) -> dict[str, Tensor]:
    """The published EXIF-Net (``exif_final.ckpt``) under our names."""
    out: dict[str, Tensor] = {}
    _layer(bundle, out, "resnet_v2_50/conv1", "network.conv1")
    for stage, (_, units, _) in enumerate(STAGES, 1):
        for unit in range(units):
            theirs, ours = f"resnet_v2_50/block{stage}/unit_{unit + 1}/bottleneck_v2", f"network.block{stage}.{unit}"
            _norm(bundle, out, f"{theirs}/preact", f"{ours}.preact")
            for conv in (1, 2):
                out[f"{ours}.conv{conv}.weight"] = _weight(bundle[f"{theirs}/conv{conv}/weights"])
                _norm(bundle, out, f"{theirs}/conv{conv}/BatchNorm", f"{ours}.bn{conv}")
            _layer(bundle, out, f"{theirs}/conv3", f"{ours}.conv3")
            if unit == 0:
                _layer(bundle, out, f"{theirs}/shortcut", f"{ours}.shortcut")
    _norm(bundle, out, "resnet_v2_50/postnorm", "network.postnorm")
    _layer(bundle, out, "resnet_v2_50/logits", "network.logits")
    out["network.logits.weight"] = out["network.logits.weight"].flatten(1)  # a 1x1 convolution there
    for i in (1, 2, 3):
        _layer(bundle, out, f"predict/fc/fc_{i}", f"head.fc{i}")
    _layer(bundle, out, "predict/fc_out", "head.attributes")
    _layer(bundle, out, "classify/fc/fc_1", "head.classify1")
    _layer(bundle, out, "classify/fc_out", "head.classify2")
    return out


def fsm_tensors(bundle: TensorBundle) -> dict[str, Tensor]:
    """The published FSM (256 or 128 px) under our names."""
    out = {"network.constrained.weight": _weight(bundle["MISLNet/weights_cstr"])}
    for i in range(1, 5):
        out[f"network.conv{i}.weight"] = _weight(bundle[f"MISLNet/weights_conv{i}"])
        out[f"network.conv{i}.bias"] = torch.from_numpy(bundle[f"MISLNet/bias_conv{i}"])
        suffix = f"_{i - 1}" if i > 1 else ""
        _norm(bundle, out, f"MISLNet/batch_normalization{suffix}", f"network.bn{i}")
    # Their feature map is flattened as (row, column, channel), ours as (channel, row, column).
    dense = bundle["MISLNet/weights_d1"]
    side = round((dense.shape[0] / 128) ** 0.5)
    if side * side * 128 != dense.shape[0]:
        raise CheckpointError(f"{bundle.prefix}: no published FSM (weights_d1 is {dense.shape}).")
    maps = dense.reshape(side, side, 128, -1).transpose(3, 2, 0, 1)
    out["network.fc1.weight"] = torch.from_numpy(maps.reshape(maps.shape[0], -1))
    out["network.fc2.weight"] = _weight(bundle["MISLNet/weights_d2"])
    for i in (1, 2):
        out[f"network.fc{i}.bias"] = torch.from_numpy(bundle[f"MISLNet/bias_d{i}"])
    for theirs, ours in (("fcb1", "shared"), ("fcb3", "hidden"), ("out", "output")):
        out[f"head.{ours}.weight"] = _weight(bundle[f"CompareNet/weights_{theirs}"])
        out[f"head.{ours}.bias"] = torch.from_numpy(bundle[f"CompareNet/bias_{theirs}"])
    return out


def _layer(bundle: TensorBundle, out: dict[str, Tensor], theirs: str, ours: str) -> None:
    out[f"{ours}.weight"] = _weight(bundle[f"{theirs}/weights"])
    out[f"{ours}.bias"] = torch.from_numpy(bundle[f"{theirs}/biases"])


def _norm(bundle: TensorBundle, out: dict[str, Tensor], theirs: str, ours: str) -> None:
    names = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    for name, source in names.items():
        out[f"{ours}.{name}"] = torch.from_numpy(bundle[f"{theirs}/{source}"])


def _weight(array: np.ndarray) -> Tensor:
    """(h, w, in, out) -> (out, in, h, w), or (in, out) -> (out, in)."""
    axes = (3, 2, 0, 1) if array.ndim == 4 else (1, 0)
    return torch.from_numpy(np.ascontiguousarray(array.transpose(axes)))


def _index_sha256(prefix: str) -> str:
    try:
        return hashlib.sha256(Path(f"{prefix}.index").read_bytes()).hexdigest()
    except OSError as error:
        raise CheckpointError(
            f"weights={prefix}: no file {prefix}.index; it is 'retrained' or the prefix of the published TensorFlow "
            "checkpoint."
        ) from error
