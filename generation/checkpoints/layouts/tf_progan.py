"""Variables of the TensorFlow ProGAN (``G_paper``) to our module, with unfused and fused upsampling names."""

from __future__ import annotations

from typing import Any

import numpy as np

from .weights import Consumed, State, oihw, require, sides

_SUPPORTED: dict[str, tuple[Any, ...]] = {
    "label_size": (0, None),
    "normalize_latents": (True,),
    "use_wscale": (True,),
    "use_pixelnorm": (True,),
    "use_leakyrelu": (True,),
    "tanh_at_end": (False,),
    "pixelnorm_epsilon": (1e-8,),
}


def network(tensors: State, settings: dict[str, Any]) -> tuple[dict[str, Any], State]:
    """Constructor arguments (every width from the shapes) and state dict."""
    require(settings, _SUPPORTED)
    largest = max((int(n.split("x")[0]) for n in tensors if n.endswith("/Conv1/weight")), default=0)
    used = sides(largest)
    source = Consumed(tensors)
    source.ignore("lod", *(f"ToRGB_lod{k}/{p}" for k in range(1, len(used) + 1) for p in ("weight", "bias")))
    dense = source.take("4x4/Dense/weight", 2)
    state: State = {
        "dense.weight": np.ascontiguousarray(dense.T),
        "dense.bias": source.take("4x4/Dense/bias"),
        "conv.weight": oihw(source.take("4x4/Conv/weight", 4)),
        "conv_bias": source.take("4x4/Conv/bias"),
        "to_rgb.weight": oihw(source.take("ToRGB_lod0/weight", 4)),
        "rgb_bias": source.take("ToRGB_lod0/bias"),
    }
    for i, side in enumerate(used):
        fused = f"{side}x{side}/Conv0_up/weight" in source
        name = f"{side}x{side}/{'Conv0_up' if fused else 'Conv0'}"
        kernel = source.take(f"{name}/weight", 4)
        # The fused kernel is stored (k, k, out, in), as TensorFlow's transposed convolution wants it, and flipped.
        state[f"blocks.{i}.conv0.weight"] = oihw(kernel.swapaxes(2, 3) if fused else kernel, flip=fused)
        state[f"blocks.{i}.bias0"] = source.take(f"{name}/bias")
        state[f"blocks.{i}.conv1.weight"] = oihw(source.take(f"{side}x{side}/Conv1/weight", 4))
        state[f"blocks.{i}.bias1"] = source.take(f"{side}x{side}/Conv1/bias")
    source.finish()
    widths = [len(state["conv_bias"]), *(len(state[f"blocks.{i}.bias1"]) for i in range(len(used)))]
    config = {
        "resolution": largest,
        "z_dim": dense.shape[0],
        "channels": widths,
        "image_channels": len(state["rgb_bias"]),
    }
    return config, state
