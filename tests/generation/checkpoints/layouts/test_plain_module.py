"""Projected GAN snapshots, plain and by dill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from osbench.generation.families.projected_gan import ProjectedGAN

pytestmark = pytest.mark.numeric


def fastgan_file(files: Any, network: ProjectedGAN, wrap: Any) -> tuple[dict[str, torch.Tensor], Any]:
    """Upstream's state dict and its tree of modules."""
    state = files.fastgan_state(network)
    attributes = {"z_dim": network.z_dim, "c_dim": 0, "w_dim": 0, "img_channels": 3, "training": False}
    attributes["img_resolution"] = network.resolution
    return state, files.module_tree(state, files.BUFFERS, wrap, attributes)


@pytest.mark.parametrize("blocks", ["big", "lite", ["big", "lite", "big", "lite", "big"]], ids=["big", "lite", "mixed"])
@pytest.mark.parametrize("writer", ["plain", "dill"])
def test_fastgan(files: Any, tmp_path: Path, blocks: Any, writer: str) -> None:
    def by_value(name: str, attributes: dict[str, Any]) -> Any:
        kind = files.Reduced(files.Global("dill._dill", "_load_type"), ("type",))
        made = files.Reduced(files.Global("dill._dill", "_create_type"), (kind, name, (), {"forward": None}))
        return files.Reduced(files.Global("copyreg", "__newobj__"), (made,), attributes)

    network = ProjectedGAN(z_dim=6, img_resolution=128, ngf=2, blocks=blocks).eval()
    state, tree = fastgan_file(files, network, files.plain_module if writer == "plain" else by_value)
    loaded = files.load(tmp_path / "fastgan.pkl", files.dump(files.snapshot(tree)))
    assert loaded.family == "projected_gan"
    settings = {"blocks": blocks} if isinstance(blocks, list) else {"lite": blocks == "lite"}
    assert loaded.config == {
        "z_dim": 6, "c_dim": 0, "w_dim": 0, "img_resolution": 128, "img_channels": 3, "ngf": 2, "cond": 0,
        "synthesis_kwargs": settings,
    }  # fmt: skip
    files.same_tensors(loaded, state)
    files.same_images(network, loaded, noise_mode="random")
    files.same_images(network, loaded, noise_mode="none")
