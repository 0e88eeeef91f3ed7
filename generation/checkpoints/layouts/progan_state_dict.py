"""ProGAN state dicts of three other repositories: genforce, gandissect (old and new names) and the GAN Zoo."""

from __future__ import annotations

import re
from pickle import UnpicklingError
from typing import Any

import numpy as np

from ..inert import Budget, mapping_of
from ..reading import materialise
from ..torch_storage import StoredTensor
from .weights import Consumed, State, Weights, sides

NAME: str = "progan-state-dict"

_CONTAINERS = ("generator_smooth", "avgG", "G_ema", "state_dict", "generator", "netG")


def read(tree: object, budget: Budget) -> Weights | None:
    """The smoothed generator as :class:`Weights`; its config is derived from names and shapes."""
    content = mapping_of(tree)
    for candidate in (*(mapping_of(content.get(name)) for name in _CONTAINERS), content):
        tensors = {k: v for k, v in candidate.items() if isinstance(k, str) and isinstance(v, StoredTensor)}
        named = {k.removeprefix("module."): v for k, v in tensors.items()}
        if _dialect(named) is not None:
            arrays = materialise(named, 4 * budget.file_size)
            plain = Weights(NAME, "progan", {}, arrays)
            return Weights(NAME, "progan", network(plain)[0], arrays)
    return None


def _dialect(names: dict[str, Any] | State) -> str | None:
    if "formatLayer.module.weight" in names:
        return "gan-zoo"
    if "layer1.conv.weight" in names or "features.0.conv.weight" in names:
        return "gandissect"
    return "genforce" if "layer0.weight" in names and "layer1.weight" in names else None


def network(weights: Weights) -> tuple[dict[str, Any], State]:
    """Constructor arguments and state dict of our module."""
    dialect = _dialect(weights.tensors)
    source = Consumed(weights.tensors)
    if dialect == "gan-zoo":
        state = _gan_zoo(source, weights.tensors)
    elif dialect == "gandissect":
        state = _gandissect(source, weights.tensors)
    else:
        state = _genforce(source, weights.tensors)
    source.finish()
    stages = sum(name.endswith(".conv1.weight") for name in state)
    widths = [len(state["conv_bias"]), *(len(state[f"blocks.{i}.bias1"]) for i in range(stages))]
    config = {
        "resolution": 4 << stages,
        "z_dim": state["dense.weight"].shape[1],
        "channels": widths,
        "image_channels": len(state["rgb_bias"]),
    }
    if len(state["dense.bias"]) != widths[0]:
        config["pixel_bias"] = True
    sides(4 << stages)
    return config, state


def _genforce(source: Consumed, tensors: State) -> State:
    """``layer{i}.weight|bias`` from 0, ``output{b}.*``; buffers ``lod``."""
    depth = _count(tensors, r"layer(\d+)\.weight", first=0)
    stages = depth // 2 - 1
    source.ignore("lod", *(f"output{b}.{p}" for b in range(stages) for p in ("weight", "bias")))
    convolutions = [(source.take(f"layer{i}.weight", 4), source.take(f"layer{i}.bias")) for i in range(depth)]
    rgb = source.take(f"output{stages}.weight", 4), source.take(f"output{stages}.bias")
    return _assemble(convolutions, rgb)


def _gandissect(source: Consumed, tensors: State) -> State:
    """``layer{i}.conv.weight``, ``layer{i}.wscale.b`` from 1 (old files: ``features.{i}`` from 0), ``output*``."""
    old = "features.0.conv.weight" in tensors
    prefix, first = ("features.", 0) if old else ("layer", 1)
    depth = _count(tensors, rf"{re.escape(prefix)}(\d+)\.conv\.weight", first)
    outputs = sorted(
        {name.split(".")[0] for name in tensors if name.startswith("output")},
        key=lambda name: int(re.sub(r"\D.*", "", name.removeprefix("output_")) or 0),
    )
    if not outputs:
        raise UnpicklingError("no output layer")
    for name in outputs[:-1]:
        source.ignore(f"{name}.conv.weight", f"{name}.wscale.b", f"{name}.wscale.scale")
    names = [f"{prefix}{i}" for i in range(first, first + depth)]
    source.ignore(*(f"{name}.wscale.scale" for name in (*names, outputs[-1])))
    convolutions = [(source.take(f"{name}.conv.weight", 4), source.take(f"{name}.wscale.b")) for name in names]
    return _assemble(
        convolutions, (source.take(f"{outputs[-1]}.conv.weight", 4), source.take(f"{outputs[-1]}.wscale.b"))
    )


def _count(tensors: State, pattern: str, first: int) -> int:
    """Number of layers, which must be consecutive from ``first`` and even."""
    found = sorted(int(match[1]) for name in tensors if (match := re.fullmatch(pattern, name)))
    if found != list(range(first, first + len(found))) or len(found) < 4 or len(found) % 2:
        raise UnpicklingError("layers that are not consecutive pairs")
    return len(found)


def _assemble(convolutions: list[tuple[np.ndarray, np.ndarray]], rgb: tuple[np.ndarray, np.ndarray]) -> State:
    first, bias = convolutions[0]
    # The dense layer is kept as a 4x4 convolution of a padded single pixel, which reads its kernel backwards.
    dense = first[:, :, ::-1, ::-1].transpose(0, 2, 3, 1).reshape(-1, first.shape[1])
    state: State = {
        "dense.weight": np.ascontiguousarray(dense),
        "dense.bias": bias.reshape(-1),
        "conv.weight": convolutions[1][0],
        "conv_bias": convolutions[1][1].reshape(-1),
        "to_rgb.weight": rgb[0],
        "rgb_bias": rgb[1].reshape(-1),
    }
    for i, (weight, bias) in enumerate(convolutions[2:]):
        state[f"blocks.{i // 2}.conv{i % 2}.weight"] = weight
        state[f"blocks.{i // 2}.bias{i % 2}"] = bias.reshape(-1)
    return state


def _gan_zoo(source: Consumed, tensors: State) -> State:
    """``scale * (conv(x) + bias)`` with scale ``sqrt(2 / fan_in)`` everywhere: scales folded into ours."""
    stages = _stages(tensors)
    source.ignore(*(f"toRGBLayers.{i}.module.{p}" for i in range(stages) for p in ("weight", "bias")))

    def layer(name: str) -> tuple[np.ndarray, np.ndarray]:
        weight, bias = source.take(f"{name}.module.weight"), source.take(f"{name}.module.bias", 1)
        return weight, bias * np.float32(np.sqrt(2 / np.prod(weight.shape[1:])))

    dense, dense_bias = layer("formatLayer")
    conv, conv_bias = layer("groupScale0.0")
    rgb, rgb_bias = layer(f"toRGBLayers.{stages}")
    state: State = {
        "dense.weight": dense * np.float32(4),  # our dense gain is sqrt(2) / 4
        "dense.bias": dense_bias,
        "conv.weight": conv,
        "conv_bias": conv_bias,
        "to_rgb.weight": rgb * np.float32(np.sqrt(2)),  # ours is 1
        "rgb_bias": rgb_bias,
    }
    for i in range(stages):
        for j in range(2):
            weight, bias = layer(f"scaleLayers.{i}.{j}")
            state[f"blocks.{i}.conv{j}.weight"], state[f"blocks.{i}.bias{j}"] = weight, bias
    return state


def _stages(tensors: State) -> int:
    found = {int(m[1]) for name in tensors if (m := re.fullmatch(r"scaleLayers\.(\d+)\.1\.module\.weight", name))}
    if found != set(range(len(found))) or not found:
        raise UnpicklingError("scale layers that are not consecutive")
    return len(found)
