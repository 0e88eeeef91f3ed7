"""Variables of the TensorFlow StyleGAN2 (``G_main``, Network version 4 and later) to our module."""

from __future__ import annotations

from typing import Any

import numpy as np

from .weights import Consumed, State, oihw, require, sides

_SUPPORTED: dict[str, tuple[Any, ...]] = {
    "fused_modconv": (True, False),
    "normalize_latents": (True,),
    "mapping_nonlinearity": ("lrelu",),
    "randomize_noise": (True, False),
}


def network(tensors: State, settings: dict[str, Any]) -> tuple[dict[str, Any], State]:
    """Constructor arguments and state dict."""
    require(settings, _SUPPORTED)
    largest = max((int(n.split("/")[1].split("x")[0]) for n in tensors if n.endswith("/Conv1/weight")), default=0)
    used = sides(largest)
    source = Consumed(tensors)
    source.ignore("top/lod", "synthesis/lod", "mapping/lod")
    state: State = {
        "mapping.w_avg": source.take("top/dlatent_avg"),
        "synthesis.b4.const": _squeezed(source.take("synthesis/4x4/Const/const", 4)),
    }
    depth = sum(f"mapping/Dense{i}/weight" in source for i in range(64))
    for i in range(depth):
        state[f"mapping.fc{i}.weight"] = np.ascontiguousarray(source.take(f"mapping/Dense{i}/weight", 2).T)
        state[f"mapping.fc{i}.bias"] = source.take(f"mapping/Dense{i}/bias")
    if "mapping/LabelEmbed/weight" in source:
        state["mapping.embed.weight"] = np.ascontiguousarray(source.take("mapping/LabelEmbed/weight", 2).T)
        state["mapping.embed.bias"] = source.take("mapping/LabelEmbed/bias")
    _layer(state, source, "b4.conv1", "4x4/Conv", 0)
    for side in used:
        level = side.bit_length() - 1
        _layer(state, source, f"b{side}.conv0", f"{side}x{side}/Conv0_up", 2 * level - 5, flip=True)
        _layer(state, source, f"b{side}.conv1", f"{side}x{side}/Conv1", 2 * level - 4)
        if f"synthesis/{side}x{side}/Skip/weight" in source:
            kernel = source.take(f"synthesis/{side}x{side}/Skip/weight", 4)
            state[f"synthesis.b{side}.skip.weight"] = oihw(kernel, flip=True)
    for side in (4, *used):
        if f"synthesis/{side}x{side}/ToRGB/weight" in source:
            _modulated(state, source, f"b{side}.torgb", f"{side}x{side}/ToRGB")
    source.finish()
    return _config(state, settings, largest, depth), state


def _squeezed(array: np.ndarray) -> np.ndarray:
    return array.reshape(array.shape[1:])


def _modulated(state: State, source: Consumed, ours: str, theirs: str, flip: bool = False) -> None:
    state[f"synthesis.{ours}.weight"] = oihw(source.take(f"synthesis/{theirs}/weight", 4), flip)
    state[f"synthesis.{ours}.bias"] = source.take(f"synthesis/{theirs}/bias")
    state[f"synthesis.{ours}.affine.weight"] = np.ascontiguousarray(source.take(f"synthesis/{theirs}/mod_weight", 2).T)
    state[f"synthesis.{ours}.affine.bias"] = source.take(f"synthesis/{theirs}/mod_bias") + np.float32(1)


def _layer(state: State, source: Consumed, ours: str, theirs: str, noise: int, flip: bool = False) -> None:
    _modulated(state, source, ours, theirs, flip)
    if f"synthesis/{theirs}/noise_strength" in source:
        plane = source.take(f"synthesis/noise{noise}", 4)
        state[f"synthesis.{ours}.noise_const"] = plane.reshape(plane.shape[2:])
        state[f"synthesis.{ours}.noise_strength"] = source.take(f"synthesis/{theirs}/noise_strength").reshape(())


def _config(state: State, settings: dict[str, Any], largest: int, depth: int) -> dict[str, Any]:
    """Our arguments. Widths follow upstream's rule from the settings; the strict load proves them."""
    embedding = state.get("mapping.embed.weight")
    if "synthesis.b8.skip.weight" in state:
        architecture = "resnet"
    else:
        architecture = "skip" if "synthesis.b4.torgb.weight" in state else "orig"
    mapping = {"num_layers": depth, "lr_multiplier": settings.get("mapping_lrmul", 0.01)}
    if depth > 1:
        mapping["layer_features"] = len(state["mapping.fc0.bias"])
    if embedding is not None:
        mapping["embed_features"] = len(embedding)
    return {
        "z_dim": state["mapping.fc0.weight"].shape[1] - (0 if embedding is None else len(embedding)),
        "c_dim": 0 if embedding is None else embedding.shape[1],
        "w_dim": len(state["mapping.w_avg"]),
        "img_resolution": largest,
        "img_channels": len(state[f"synthesis.b{largest}.torgb.bias"]),
        "mapping_kwargs": mapping,
        "synthesis_kwargs": {
            "channel_base": 2 * settings.get("fmap_base", 16384),
            "channel_max": settings.get("fmap_max", 512),
            "architecture": architecture,
            "conv_clamp": settings.get("conv_clamp"),
            "use_noise": "synthesis.b4.conv1.noise_strength" in state,
            "activation": settings.get("nonlinearity", "lrelu"),
            "resample_filter": settings.get("resample_kernel") or [1, 3, 3, 1],
        },
    }
