"""StyleGAN2 and StyleGAN3 snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from osbench.generation import CheckpointError, load_generator
from osbench.generation.families.stylegan2 import StyleGAN2
from osbench.generation.families.stylegan3 import StyleGAN3
from tests.fixtures.upstream import FIR

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "form",
    [
        {"synthesis_kwargs": {"channel_base": 128, "channel_max": 8, "num_fp16_res": 4, "conv_clamp": 256}},
        {"channel_base": 128, "channel_max": 8, "num_fp16_res": 0, "fused_modconv_default": "inference_only"},
    ],
    ids=["ada", "stylegan3-repository"],
)
def test_stylegan2(files: Any, tmp_path: Path, form: dict[str, Any], protocol: int) -> None:
    config = {"z_dim": 6, "c_dim": 3, "w_dim": 5, "img_resolution": 16, "img_channels": 3}
    config = {**config, "mapping_kwargs": {"num_layers": 2}, **form}
    network = StyleGAN2(**config)
    state = files.stylegan2_state(network)
    tree = files.module_tree(state, files.BUFFERS, files.persistent, {"_init_args": (), "_init_kwargs": config})
    loaded = files.load(tmp_path / "sg2.pkl", files.dump(files.snapshot(tree), protocol))
    assert (loaded.family, loaded.layout, loaded.config) == ("stylegan2", "persistence", config)
    files.same_tensors(loaded, state)
    c = np.eye(3, dtype=np.float32)[:2]
    calls: tuple[dict[str, Any], ...] = (
        {"c": c},
        {"c": c, "truncation_psi": 0.5, "noise_mode": "none"},
        {"noise_mode": "random"},
    )
    for keywords in calls:
        files.same_images(network, loaded, **keywords)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_stylegan2_architectures_and_attributes_of_the_layers(files: Any, tmp_path: Path, architecture: str) -> None:
    """Settings that the arguments leave to defaults are taken from the layers themselves."""
    synthesis = {"channel_base": 64, "channel_max": 8, "architecture": architecture, "conv_clamp": 0.7}
    network = StyleGAN2(4, 0, 4, 16, synthesis_kwargs=synthesis)
    state = files.stylegan2_state(network)

    def wrap(name: str, attributes: dict[str, Any]) -> Any:
        if "noise_const" in attributes["_buffers"]:
            attributes = {**attributes, "conv_clamp": 0.7, "activation": "lrelu", "use_noise": True}
        if "conv1" in attributes["_modules"]:
            attributes = {**attributes, "architecture": architecture}
        return files.persistent(name, attributes)

    given: dict[str, Any] = {"z_dim": 4, "c_dim": 0, "w_dim": 4, "img_resolution": 16, "img_channels": 3}
    given["synthesis_kwargs"] = {"channel_base": 64, "channel_max": 8}
    tree = files.module_tree(state, files.BUFFERS, wrap, {"_init_kwargs": given})
    loaded = files.load(tmp_path / "sg2.pkl", files.dump(files.snapshot(tree)))
    assert loaded.config == given
    files.same_images(network, loaded)


def test_another_resampling_filter_than_stated_is_refused(files: Any, tmp_path: Path) -> None:
    network = StyleGAN2(4, 0, 4, 8, channel_base=32)
    state = {**files.stylegan2_state(network), "synthesis.b8.resample_filter": FIR.roll(1, 0)}
    tree = files.module_tree(state, files.BUFFERS, files.persistent, {"_init_kwargs": network.config})
    with pytest.raises(CheckpointError, match="resample_filter"):
        files.load(tmp_path / "sg2.pkl", files.dump(files.snapshot(tree)))


@pytest.mark.parametrize("kind", [{}, {"conv_kernel": 1, "use_radial_filters": True}], ids=["translation", "rotation"])
def test_stylegan3(files: Any, tmp_path: Path, kind: dict[str, Any]) -> None:
    config = {
        "z_dim": 6, "c_dim": 0, "w_dim": 5, "img_resolution": 16, "img_channels": 3, "channel_base": 128,
        "channel_max": 8, "num_layers": 6, "margin_size": 4, "magnitude_ema_beta": 0.99, **kind,
    }  # fmt: skip
    network = StyleGAN3(**config)
    state = {**files.randomised(network), "synthesis.input.transform": torch.eye(3)}
    network.load_state_dict(state)
    given = {**config, "num_fp16_res": 4}
    tree = files.module_tree(state, files.BUFFERS, files.persistent, {"_init_kwargs": given})
    loaded = files.load(tmp_path / "sg3.pkl", files.dump(files.snapshot(tree), 4))
    assert (loaded.family, loaded.config) == ("stylegan3", given)
    files.same_tensors(loaded, state)
    files.same_images(network, loaded, truncation_psi=0.6)


def test_official_precision_on_request(files: Any, tmp_path: Path) -> None:
    network = StyleGAN2(4, 0, 4, 16, channel_base=64, num_fp16_res=1, precision="official")
    given = {k: v for k, v in network.config.items() if k != "precision"}
    tree = files.module_tree(files.stylegan2_state(network), files.BUFFERS, files.persistent, {"_init_kwargs": given})
    (tmp_path / "sg2.pkl").write_bytes(files.dump(files.snapshot(tree)))
    loaded = load_generator(tmp_path / "sg2.pkl", cache=False, settings={"precision": "official"})
    assert loaded.config == given
    dtypes = [loaded.network.get_submodule(f"synthesis.b{side}").dtype for side in (4, 8, 16)]
    assert dtypes == [torch.float32, torch.float32, torch.float16]
    plain = load_generator(tmp_path / "sg2.pkl", cache=False)
    z = network.latents([1])
    assert np.abs(plain.synthesize(z) - loaded.synthesize(z)).max() > 1e-5


def test_a_file_with_just_the_network(files: Any, tmp_path: Path) -> None:
    network = StyleGAN2(4, 0, 4, 8, channel_base=32)
    tree = files.module_tree(
        files.stylegan2_state(network), files.BUFFERS, files.persistent, {"_init_kwargs": network.config}
    )
    files.same_images(network, files.load(tmp_path / "bare.pkl", files.dump(tree)))
