"""Every built-in method keeps the contract, with settings that make the check quick."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from osbench.baselines import pairwise
from osbench.baselines.methods import exif_net
from osbench.baselines.networks import resnet50_v2
from osbench.benchmark.method import get_method, method_names
from osbench.generation.pixels import pixel_sha256
from osbench.testing import check_method, easy_splits

from ..tiny_clip import write_tiny_clip
from .test_exif_net import SmallHead, SmallTrunk

SIZE = 32
BUILT_IN = [name for name in method_names() if get_method(name).__module__.startswith("osbench.baselines.")]


@dataclass(frozen=True)
class Settings:
    """learns: whether so little training is enough to be better than guessing."""

    options: dict[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    learns: bool = True
    slow: bool = False


TINY_PAIRS = {"trained_on": "seen", "batch_size": 16}
QUICK = {
    "clip-knn": Settings(),
    "clip-linear": Settings({"strength": 10.0}),
    "clip-lora": Settings({"lr": 3e-3}, 6),
    "clip-mlp": Settings({"lr": 1e-2}, 60),
    "dct-cnn": Settings({"batch_size": 16, "lr": 3e-3}, 10),
    "de-fake": Settings({"lr": 3e-3}, 8),
    "efficientnet-b4": Settings({"batch_size": 16, "lr": 2e-3, "lr_decay": 0.9, "dropout": 0.0}, 10, slow=True),
    # A trunk with a few channels stands in for its 32 million parameters.
    "exif-net": Settings(TINY_PAIRS, 1, learns=False),
    "fsm": Settings({"init": "scratch", **TINY_PAIRS}, 12),
    "osbench-1": Settings(),
    # Two of the easy classes differ by a quarter turn, which it does not look at.
    "osbench-2": Settings(learns=False),
    "proposed": Settings({"batch_size": 16, "lr_decay": 0.9}, 6),
    "repmix": Settings({"corruption_rate": 0.3, "batch_size": 8, "lr": 3e-4, "lr_decay": 0.95}, 14, slow=True),
    "resynthesis": Settings(),
    "resnet50": Settings({"batch_size": 8, "lr": 3e-4}, 8, slow=True),
    "tiny-autoencoders": Settings({"patches_per_class": 24, "batch_size": 6, "lr": 2e-3, "real_patches": 48}, 8),
}


@pytest.fixture
def around(tmp_path, monkeypatch):
    """Small stand-ins for the weights and networks that some methods need; returns the options that name them."""
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(resnet50_v2, "STAGES", ((8, 1, 2), (16, 1, 2), (32, 1, 2)))
    monkeypatch.setattr(exif_net, "ResNet50V2", SmallTrunk)
    monkeypatch.setattr(exif_net, "ConsistencyHead", SmallHead)
    monkeypatch.setattr(pairwise, "HELD_OUT_PAIRS", 64)

    def options(name: str) -> dict[str, Any]:
        found = {}
        if "encoder" in get_method(name).defaults:
            found["encoder"] = f"clip:{write_tiny_clip(tmp_path / 'clip')}"
        if "captions" in get_method(name).defaults:
            captions = tmp_path / "captions.jsonl"
            pixels = [image for images in easy_splits(SIZE) for image in images.pixels]
            lines = [json.dumps({"pixel_sha256": pixel_sha256(image), "caption": "a photo"}) for image in pixels]
            captions.write_text("\n".join(lines) + "\n")
            found["captions"] = str(captions)
        return found

    return options


def test_every_built_in_method_has_settings():
    assert sorted(QUICK) == BUILT_IN


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if QUICK[n].slow else n for n in QUICK])
def test_it_keeps_the_contract(name, around):
    quick = QUICK[name]
    options = {**around(name), **quick.options}
    check_method(name, options=options, crop_size=SIZE, epochs=quick.epochs, learns=quick.learns)
