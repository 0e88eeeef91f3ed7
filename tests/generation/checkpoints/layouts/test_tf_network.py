"""TensorFlow pickles of ProGAN, StyleGAN and StyleGAN2."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from osbench.generation import CheckpointError
from osbench.generation.families.progan import ProGAN
from osbench.generation.families.stylegan import StyleGAN
from osbench.generation.families.stylegan2 import StyleGAN2
from tests.fixtures.upstream import hwio

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize("fused", [False, True])
def test_tensorflow_progan(files: Any, tmp_path: Path, fused: bool) -> None:
    network = ProGAN(16, 6, [8, 6, 4])
    variables = files.progan_variables(network, fused)
    settings = {"num_channels": 3, "resolution": 16, "label_size": 0, "fused_scale": fused, "latent_size": 6}
    gs = files.tf_network(variables, settings)
    loaded = files.load(tmp_path / "progan.pkl", files.dump((files.tf_network({}, {}), files.tf_network({}, {}), gs)))
    assert (loaded.family, loaded.config) == ("progan", settings)
    files.same_tensors(loaded, variables)
    files.same_images(network, loaded)


@pytest.mark.parametrize("fused_scale", [None, "auto", True, False])
@pytest.mark.parametrize("resolution", [16, 128])
def test_tensorflow_stylegan(files: Any, tmp_path: Path, fused_scale: Any, resolution: int) -> None:
    widths = [6, 6, 4, 4, 2, 2][: int(math.log2(resolution)) - 1]
    network = StyleGAN(resolution, z_dim=6, w_dim=7, channels=widths, mapping_layers=3, mapping_width=5)
    parts = files.stylegan_variables(network, fused_scale)
    settings: dict[str, Any] = {"resolution": resolution, "mapping_layers": 3, "label_size": 0}
    settings.update({} if fused_scale is None else {"fused_scale": fused_scale})
    components = {name: files.tf_network(parts[name], {}) for name in ("synthesis", "mapping")}
    gs = files.tf_network(parts["top"], settings, components)
    loaded = files.load(tmp_path / "stylegan.pkl", files.dump((gs, gs, gs)))
    assert (loaded.family, loaded.config) == ("stylegan", settings)
    files.same_tensors(loaded, {f"{prefix}/{name}": v for prefix, part in parts.items() for name, v in part.items()})
    files.same_images(network, loaded)
    files.same_images(network, loaded, truncation_psi=0.7, noise_mode="random")


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_tensorflow_stylegan2(files: Any, tmp_path: Path, architecture: str) -> None:
    synthesis_kwargs = {"channel_base": 64, "channel_max": 6, "architecture": architecture}
    network = StyleGAN2(6, 0, 7, 16, 3, {"num_layers": 2, "layer_features": 5}, synthesis_kwargs)
    p = files.randomised(network)
    synthesis: dict[str, Any] = {"4x4/Const/const": p["synthesis.b4.const"].numpy()[None]}

    def modulated(ours: str, theirs: str, flip: bool = False) -> None:
        synthesis[f"{theirs}/weight"] = hwio(p[f"synthesis.{ours}.weight"], flip)
        synthesis[f"{theirs}/bias"] = p[f"synthesis.{ours}.bias"].numpy()
        synthesis[f"{theirs}/mod_weight"] = p[f"synthesis.{ours}.affine.weight"].T.numpy()
        synthesis[f"{theirs}/mod_bias"] = p[f"synthesis.{ours}.affine.bias"].numpy() - np.float32(1)
        if f"synthesis.{ours}.noise_strength" in p:
            synthesis[f"{theirs}/noise_strength"] = p[f"synthesis.{ours}.noise_strength"].numpy()

    for side in (4, 8, 16):
        level, name = int(math.log2(side)), f"{side}x{side}"
        if side > 4:
            modulated(f"b{side}.conv0", f"{name}/Conv0_up", flip=True)
            synthesis[f"noise{2 * level - 5}"] = p[f"synthesis.b{side}.conv0.noise_const"].numpy()[None, None]
        modulated(f"b{side}.conv1", f"{name}/{'Conv1' if side > 4 else 'Conv'}")
        synthesis[f"noise{2 * level - 4}"] = p[f"synthesis.b{side}.conv1.noise_const"].numpy()[None, None]
        if f"synthesis.b{side}.torgb.weight" in p:
            modulated(f"b{side}.torgb", f"{name}/ToRGB")
        if f"synthesis.b{side}.skip.weight" in p:
            synthesis[f"{name}/Skip/weight"] = hwio(p[f"synthesis.b{side}.skip.weight"], flip=True)
    mapping = {}
    for i in range(2):
        mapping[f"Dense{i}/weight"] = p[f"mapping.fc{i}.weight"].T.numpy()
        mapping[f"Dense{i}/bias"] = p[f"mapping.fc{i}.bias"].numpy()
    settings = {"resolution": 16, "fmap_base": 32, "fmap_max": 6, "label_size": 0, "architecture": architecture}
    components = {"synthesis": files.tf_network(synthesis, {}), "mapping": files.tf_network(mapping, {})}
    gs = files.tf_network({"lod": np.float32(0), "dlatent_avg": p["mapping.w_avg"].numpy()}, settings, components)
    loaded = files.load(tmp_path / "sg2.pkl", files.dump((gs, gs, gs)))
    assert (loaded.family, loaded.config) == ("stylegan2", settings)
    # The file holds the style biases less 1.
    files.same_images(network, loaded, rounded=True)
    files.same_images(network, loaded, rounded=True, truncation_psi=0.5)


def test_unsupported_tensorflow_settings_are_refused(files: Any, tmp_path: Path) -> None:
    network = files.tf_network({"4x4/Dense/weight": np.zeros((4, 64), np.float32)}, {"tanh_at_end": True})
    with pytest.raises(CheckpointError, match="tanh_at_end=True"):
        files.load(tmp_path / "tanh.pkl", files.dump((network, network, network)))
