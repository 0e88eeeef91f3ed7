"""Variables of the TensorFlow StyleGAN (``G_style``) to our module."""

from __future__ import annotations

from typing import Any

import numpy as np

from .weights import Consumed, State, oihw, require, sides

_SUPPORTED: dict[str, tuple[Any, ...]] = {
    "label_size": (0, None),
    "normalize_latents": (True,),
    "mapping_lrmul": (0.01,),
    "mapping_nonlinearity": ("lrelu",),
    "nonlinearity": ("lrelu",),
    "use_wscale": (True,),
    "use_styles": (True,),
    "use_noise": (True,),
    "use_instance_norm": (True,),
    "use_pixel_norm": (False,),
    "const_input_layer": (True,),
    "blur_filter": ([1, 2, 1],),
    "fused_scale": ("auto", True, False),
}

_FUSED_FROM = 128


def network(tensors: State, settings: dict[str, Any]) -> tuple[dict[str, Any], State]:
    """Constructor arguments (every width from the shapes) and state dict."""
    require(settings, _SUPPORTED)
    largest = max((int(n.split("/")[1].split("x")[0]) for n in tensors if n.endswith("/Conv1/weight")), default=0)
    used = sides(largest)
    source = Consumed(tensors)
    unused_rgb = (f"synthesis/ToRGB_lod{k}/{p}" for k in range(1, len(used) + 1) for p in ("weight", "bias"))
    source.ignore("top/lod", "synthesis/lod", *unused_rgb)
    state: State = {
        "w_avg": source.take("top/dlatent_avg"),
        "const": source.take("synthesis/4x4/Const/const"),
        "conv.weight": oihw(source.take("synthesis/4x4/Conv/weight", 4)),
        "to_rgb.weight": oihw(source.take("synthesis/ToRGB_lod0/weight", 4)),
        "rgb_bias": source.take("synthesis/ToRGB_lod0/bias"),
    }
    depth = sum(f"mapping/Dense{i}/weight" in source for i in range(64))
    for i in range(depth):
        state[f"mapping_network.layers.{i}.weight"] = _dense(source.take(f"mapping/Dense{i}/weight", 2))
        state[f"mapping_network.layers.{i}.bias"] = source.take(f"mapping/Dense{i}/bias")
    _epilogue(state, source, "epilogue0", "4x4/Const", 0)
    _epilogue(state, source, "epilogue1", "4x4/Conv", 1)
    fused_scale = settings.get("fused_scale", "auto")
    for i, side in enumerate(used):
        fused = side >= _FUSED_FROM if fused_scale == "auto" else bool(fused_scale)
        for j, name in enumerate((f"{side}x{side}/Conv0_up", f"{side}x{side}/Conv1")):
            # The fused kernel acts as the plain one rotated by 180 degrees.
            kernel = oihw(source.take(f"synthesis/{name}/weight", 4), flip=fused and j == 0)
            state[f"blocks.{i}.conv{j}.weight"] = kernel
            _epilogue(state, source, f"blocks.{i}.epilogue{j}", name, 2 * i + 2 + j)
    source.finish()
    first = state["mapping_network.layers.0.weight"] if depth else np.zeros((0, 0))
    widths = [len(state["epilogue1.bias"]), *(len(state[f"blocks.{i}.epilogue1.bias"]) for i in range(len(used)))]
    config = {
        "resolution": largest,
        "z_dim": first.shape[1],
        "w_dim": len(state["w_avg"]),
        "channels": widths,
        "mapping_layers": depth,
        "mapping_width": first.shape[0] if depth > 1 else None,
        "image_channels": len(state["rgb_bias"]),
    }
    return config, state


def _dense(weight: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(weight.T)


def _epilogue(state: State, source: Consumed, ours: str, theirs: str, noise: int) -> None:
    state[f"{ours}.bias"] = source.take(f"synthesis/{theirs}/bias")
    state[f"{ours}.noise_weight"] = source.take(f"synthesis/{theirs}/Noise/weight")
    state[f"{ours}.style.weight"] = _dense(source.take(f"synthesis/{theirs}/StyleMod/weight", 2))
    state[f"{ours}.style.bias"] = source.take(f"synthesis/{theirs}/StyleMod/bias")
    state[f"{ours}.noise_const"] = source.take(f"synthesis/noise{noise}")
