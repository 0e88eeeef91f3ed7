"""ProGAN state dicts, each against its own repository's forward pass."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from osbench.generation import load_generator

from ....float64 import assert_equal_but_for_rounding, assert_equal_in_float64, assert_float32_of, in_float64

pytestmark = pytest.mark.numeric


def pixel_norm(x: torch.Tensor) -> torch.Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def doubled(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


WIDTHS = [8, 8, 6, 6, 4, 4]  # of the convolutions at 4, 4, 8, 8, 16, 16


def convolutions() -> list[tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(5)
    inputs = [6, *WIDTHS[:-1]]
    return [
        (torch.randn(o, i, 4 if k == 0 else 3, 4 if k == 0 else 3), torch.randn(o))
        for k, (i, o) in enumerate(zip(inputs, WIDTHS, strict=True))
    ]


def stack(layers: list[tuple[torch.Tensor, torch.Tensor]], rgb: Any, z: torch.Tensor) -> torch.Tensor:
    """genforce and gandissect: a 4x4 convolution of the latent padded by 3, then pairs of 3x3 convolutions."""
    x = z[:, :, None, None]
    for i, (weight, bias) in enumerate((weight.double(), bias.double()) for weight, bias in layers):
        x = doubled(x) if i >= 2 and i % 2 == 0 else x
        scale = math.sqrt(2) / (4 * math.sqrt(6)) if i == 0 else math.sqrt(2 / weight[0].numel())
        x = F.conv2d(pixel_norm(x), weight * scale, padding=3 if i == 0 else 1)
        x = F.leaky_relu(x + bias[:, None, None], 0.2)
    weight, bias = (part.double() for part in rgb)
    return F.conv2d(pixel_norm(x), weight / math.sqrt(weight.shape[1])) + bias[:, None, None]


@pytest.mark.parametrize("dialect", ["genforce", "gandissect", "gandissect-old"])
@pytest.mark.parametrize("zip_file", [False, True])
def test_progan_state_dicts(files: Any, tmp_path: Path, dialect: str, zip_file: bool) -> None:
    layers, rgb = convolutions(), (torch.randn(3, 4, 1, 1), torch.randn(3))
    state: dict[str, torch.Tensor] = {}
    for i, (weight, bias) in enumerate(layers):
        if dialect == "genforce":
            state.update({f"layer{i}.weight": weight, f"layer{i}.bias": bias})
        else:
            name = f"layer{i + 1}" if dialect == "gandissect" else f"features.{i}"
            state.update({f"{name}.conv.weight": weight, f"{name}.wscale.b": bias})
    if dialect == "genforce":
        state.update({"lod": torch.zeros([]), "output2.weight": rgb[0], "output2.bias": rgb[1]})
        state.update({"output0.weight": torch.randn(3, 8, 1, 1), "output0.bias": torch.randn(3)})
        state.update({"output1.weight": torch.randn(3, 6, 1, 1), "output1.bias": torch.randn(3)})
        tree: Any = {"generator": {}, "discriminator": {}, "generator_smooth": state}
    else:
        name = "output_16x16" if dialect == "gandissect" else "output"
        state.update({f"{name}.conv.weight": rgb[0], f"{name}.wscale.b": rgb[1]})
        tree = state
    path = tmp_path / "progan.pth"
    torch.save(tree, path, _use_new_zipfile_serialization=zip_file)
    loaded = load_generator(path, cache=False)
    assert loaded.config == {"resolution": 16, "z_dim": 6, "channels": [8, 6, 4], "image_channels": 3}
    files.same_tensors(loaded, state)
    z = torch.from_numpy(loaded.latents([1, 2]))
    images = in_float64(loaded.network, lambda network: network.synthesize(z.numpy()))
    assert_equal_in_float64(images, stack(layers, rgb, z))


class BaseConfig:
    """Stands for the settings object that the GAN Zoo pickles into its files."""

    def __init__(self) -> None:
        self.depth = 3


def test_gan_zoo(files: Any, tmp_path: Path) -> None:
    torch.manual_seed(6)
    state = {
        "formatLayer.module.weight": torch.randn(8 * 16, 6),
        "formatLayer.module.bias": torch.randn(8 * 16),
        "groupScale0.0.module.weight": torch.randn(8, 8, 3, 3),
        "groupScale0.0.module.bias": torch.randn(8),
    }
    for i, (inputs, outputs) in enumerate(((8, 6), (6, 4))):
        for j in range(2):
            state[f"scaleLayers.{i}.{j}.module.weight"] = torch.randn(outputs, outputs if j else inputs, 3, 3)
            state[f"scaleLayers.{i}.{j}.module.bias"] = torch.randn(outputs)
    for i, width in enumerate((8, 6, 4)):
        state[f"toRGBLayers.{i}.module.weight"] = torch.randn(3, width, 1, 1)
        state[f"toRGBLayers.{i}.module.bias"] = torch.randn(3)
    path = tmp_path / "zoo.pth"
    torch.save(
        {"config": BaseConfig(), "netD": {}, "netG": {}, "avgG": state}, path, _use_new_zipfile_serialization=False
    )
    loaded = load_generator(path, cache=False)
    files.same_tensors(loaded, state)

    def layer(name: str, x: torch.Tensor) -> torch.Tensor:
        weight, bias = state[f"{name}.module.weight"].double(), state[f"{name}.module.bias"].double()
        y = F.linear(x, weight, bias) if weight.ndim == 2 else F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)
        return y * math.sqrt(2 / weight[0].numel())

    z = torch.from_numpy(loaded.latents([1, 2]))
    x = pixel_norm(F.leaky_relu(layer("formatLayer", pixel_norm(z)), 0.2).view(2, 8, 4, 4))
    x = pixel_norm(F.leaky_relu(layer("groupScale0.0", x), 0.2))
    for i in range(2):
        x = doubled(x)
        for j in range(2):
            x = pixel_norm(F.leaky_relu(layer(f"scaleLayers.{i}.{j}", x), 0.2))

    def images(network: Any) -> np.ndarray:
        return network.synthesize(z.numpy())

    # The file's weights are scaled for our layers when it is read, in float32.
    assert_equal_but_for_rounding(loaded.network, images, layer("toRGBLayers.2", x))
    assert_float32_of(loaded.network, images)
