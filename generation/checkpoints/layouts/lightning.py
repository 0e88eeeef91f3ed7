"""Layout of the taming-transformers repository: a Lightning checkpoint of the transformer with its VQGAN inside."""

from __future__ import annotations

import math
import re
from pickle import UnpicklingError
from typing import Any

import torch

from ...families.taming import gpt2_from_mingpt, vqmodel_from_taming
from ..inert import Budget, mapping_of
from ..reading import materialise
from ..torch_storage import StoredTensor
from .weights import State, Weights, json_ready

NAME: str = "lightning"

_GPT, _VQGAN = "transformer.", "first_stage_model."
_MASK = re.compile(r"transformer\.blocks\.\d+\.attn\.mask")
_GPT_NAME = re.compile(
    r"(pos_emb|(tok_emb|head|ln_f|blocks\.\d+\.(ln1|ln2|attn\.(key|query|value|proj)|mlp\.[02]))\.(weight|bias))"
)
#: (layers, width) -> (heads, classes, top_k, top_p) of the published models; shapes do not tell them.
_PUBLISHED = {(24, 1664): (16, 0, 250, 1.0), (48, 1536): (24, 1000, 600, 0.92)}
_SETTINGS = ("n_head", "classes", "sos_token", "top_k", "top_p", "temperature")


def read(tree: object, budget: Budget) -> Weights | None:
    """The transformer and its VQGAN as :class:`Weights`; None if the file holds something else."""
    content = mapping_of(tree)
    state = mapping_of(content.get("state_dict")) or content
    if f"{_GPT}tok_emb.weight" not in state or f"{_VQGAN}quantize.embedding.weight" not in state:
        return None
    named = {k: v for k, v in state.items() if isinstance(k, str) and isinstance(v, StoredTensor)}
    named = {k: v for k, v in named.items() if not _MASK.fullmatch(k) and not k.startswith(f"{_VQGAN}loss.")}
    tensors = materialise(named, 4 * budget.file_size)
    hints = {"heads_in_file": _find(json_ready(content.get("hyper_parameters"), budget), "n_head")}
    return Weights(NAME, "taming", _shapes(tensors), tensors, hints)


def _find(node: Any, key: str) -> Any:
    """First value under ``key`` anywhere in nested settings."""
    if isinstance(node, dict):
        if key in node:
            return node[key]
        node = list(node.values())
    if isinstance(node, list):
        return next((found for item in node if (found := _find(item, key)) is not None), None)
    return None


def settings_of(document: Any) -> dict[str, Any]:
    """What a ``*-project.yaml`` of upstream says beyond the shapes."""
    heads = _find(document, "n_head")
    return {} if heads is None else {"n_head": heads}


def _shapes(tensors: State) -> dict[str, Any]:
    """Everything that shapes and names tell, in upstream's keywords."""

    def shape(name: str) -> tuple[int, ...]:
        if name not in tensors:
            raise UnpicklingError(f"no tensor {name}")
        return tensors[name].shape

    vocabulary, width = shape(f"{_GPT}tok_emb.weight")
    block = shape(f"{_GPT}pos_emb")[1]
    n_embed, embed_dim = shape(f"{_VQGAN}quantize.embedding.weight")
    encoder = f"{_VQGAN}encoder."
    ch, in_channels = shape(f"{encoder}conv_in.weight")[:2]
    levels = _consecutive(tensors, rf"{re.escape(encoder)}down\.(\d+)\.block\.0\.conv1\.weight")
    resolution = math.isqrt(block) * 2 ** (levels - 1)
    return {
        "vqgan": {
            "resolution": resolution,
            "n_embed": n_embed,
            "embed_dim": embed_dim,
            "z_channels": shape(f"{_VQGAN}decoder.conv_in.weight")[1],
            "ch": ch,
            "ch_mult": [shape(f"{encoder}down.{i}.block.0.conv1.weight")[0] // ch for i in range(levels)],
            "num_res_blocks": _consecutive(tensors, rf"{re.escape(encoder)}down\.0\.block\.(\d+)\.conv1\.weight"),
            "attn_resolutions": [
                resolution >> i for i in range(levels) if f"{encoder}down.{i}.attn.0.q.weight" in tensors
            ],
            "in_channels": in_channels,
            "out_ch": shape(f"{_VQGAN}decoder.conv_out.weight")[0],
        },
        "transformer": {
            "vocab_size": vocabulary,
            "block_size": block,
            "n_layer": _consecutive(tensors, r"transformer\.blocks\.(\d+)\.ln1\.weight"),
            "n_embd": width,
        },
    }


def _consecutive(tensors: State, pattern: str) -> int:
    found = {int(match[1]) for name in tensors if (match := re.fullmatch(pattern, name))}
    if not found or found != set(range(len(found))):
        raise UnpicklingError("layers that are not numbered consecutively")
    return len(found)


def network(weights: Weights) -> tuple[dict[str, Any], State]:
    """Constructor arguments and state dict of our module.

    UnpicklingError if the number of heads is unknown: it is neither in the shapes nor, usually, in the file.
    """
    shapes = weights.config["transformer"]
    heads, classes, top_k, top_p = _PUBLISHED.get((shapes["n_layer"], shapes["n_embd"]), (None, 0, None, 1.0))
    given = {"n_head": weights.hints.get("heads_in_file") or heads, "classes": classes, "top_k": top_k, "top_p": top_p}
    given.update({k: v for k, v in weights.hints.items() if k in _SETTINGS})
    heads = given.pop("n_head")
    if not isinstance(heads, int) or heads < 1 or shapes["n_embd"] % heads:
        raise UnpicklingError("a transformer whose n_head is unknown: put its *-project.yaml beside it")
    config = {"vqgan": weights.config["vqgan"], "transformer": {**shapes, "n_head": heads}, **given}
    gpt, vqgan = {}, {}
    for name, array in weights.tensors.items():
        tensor = torch.from_numpy(array)
        if name.startswith(_GPT) and _GPT_NAME.fullmatch(name.removeprefix(_GPT)):
            gpt[name.removeprefix(_GPT)] = tensor
        elif name.startswith(_VQGAN):
            vqgan[name.removeprefix(_VQGAN)] = tensor
        else:
            raise UnpicklingError(f"an unexpected tensor {name[:80]}")
    state = {f"transformer.{k}": v.numpy() for k, v in gpt2_from_mingpt(gpt).items()}
    state.update({f"vqgan.{k}": v.numpy() for k, v in vqmodel_from_taming(vqgan).items()})
    return config, state
