"""Every method is fitted, asked, saved and loaded on another device, and answers as it does on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from osbench.baselines import pairwise
from osbench.baselines.methods import exif_net
from osbench.baselines.networks import resnet50_v2
from osbench.benchmark.images import ImageSet
from osbench.benchmark.method import Context, Scores, get_method, method_names
from tests.second_device import one_random_stream, register

from .conftest import CLASSES
from .methods.test_de_fake import write_captions
from .methods.test_exif_net import SmallHead, SmallTrunk
from .tiny_clip import coloured_set, write_tiny_clip

DEVICE = register()
CPU = torch.device("cpu")
# Rules that divide by variances which so few images leave at 0 or nearly so.
ILL_CONDITIONED = {"vim", "conformal"}
LARGE = {"proposed xception", "proposed resnet50", "resnet50", "efficientnet-b4", "repmix", "dct-cnn"}
SMALL: dict[str, Any] = {"batch_size": 8}
CAMERAS = {"cameras": 3, "scene_count": 8, "crops": 2}

# Name in the report -> method, options, crop size.
CASES: dict[str, tuple[str, dict[str, Any], int]] = {
    **{
        f"proposed {network}": ("proposed", {**SMALL, "network": network}, 32)
        for network in ("mislnet", "xception", "resnet50", "camid-cnn", "stega-cnn")
    },
    "proposed camera": ("proposed", {**SMALL, "init": "camera"}, 48),
    "proposed paper-literal": ("proposed", {**SMALL, "preset": "paper-literal"}, 32),
    "proposed official": ("proposed", {**SMALL, "preset": "official"}, 32),
    "resnet50": ("resnet50", SMALL, 32),
    "dct-cnn": ("dct-cnn", SMALL, 32),
    "efficientnet-b4": ("efficientnet-b4", SMALL, 32),
    "repmix": ("repmix", SMALL, 32),
    "fsm seen": ("fsm", {**SMALL, "trained_on": "seen"}, 48),
    "fsm cameras": ("fsm", {**SMALL, **CAMERAS}, 48),
    "exif-net": ("exif-net", {**SMALL, **CAMERAS}, 32),
    "tiny-autoencoders": (
        "tiny-autoencoders",
        {"epochs": 1, "patches_per_class": 12, "batch_size": 12, "real_patches": 24},
        32,
    ),
    "osbench-1": ("osbench-1", {}, 32),
    "osbench-2": ("osbench-2", {}, 32),
    "clip-linear": ("clip-linear", {"encoder": ""}, 32),
    "clip-knn": ("clip-knn", {"encoder": ""}, 32),
    "clip-mlp": ("clip-mlp", {"encoder": ""}, 32),
    "clip-lora": ("clip-lora", {**SMALL, "encoder": ""}, 32),
    "de-fake": ("de-fake", {"encoder": "", "captions": ""}, 32),
    "resynthesis": ("resynthesis", {"via": "reference", "source": "train", "encoder": "log-spectrum"}, 32),
}


@pytest.fixture
def sets(request: pytest.FixtureRequest) -> tuple[ImageSet, ImageSet, ImageSet]:
    size = CASES[request.getfixturevalue("case")][2]
    return (
        coloured_set((0, 1, 2), 8, 1, "train", size),
        coloured_set((0, 1, 2), 4, 2, "val", size),
        coloured_set((0, 1, 2, 3), 2, 3, "test", size),
    )


@pytest.fixture
def make(case: str, sets: tuple[ImageSet, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``make()``: the method, not fitted; files it needs lie beside, and its cache is empty."""
    name, options, _ = CASES[case]
    monkeypatch.setattr(resnet50_v2, "STAGES", ((8, 1, 2), (16, 1, 2), (32, 1, 2)))
    monkeypatch.setattr(exif_net, "ResNet50V2", SmallTrunk)
    monkeypatch.setattr(exif_net, "ConsistencyHead", SmallHead)
    monkeypatch.setattr(pairwise, "HELD_OUT_PAIRS", 16)
    given = dict(options)
    if given.get("encoder") == "":
        given["encoder"] = f"clip:{write_tiny_clip(tmp_path / 'clip')}"
    if "captions" in given:
        given["captions"] = str(write_captions(tmp_path / "captions.jsonl", *sets, texts=("zz", "ab", "q", "rs")))
    return lambda: get_method(name)(**given)


def fitted(make: Any, sets: tuple[ImageSet, ...], device: torch.device, folder: Path, monkeypatch: Any) -> Any:
    folder.mkdir()
    monkeypatch.setenv("OSBENCH_CACHE", str(folder / "cache"))
    method = make()
    crop = sets[0].crop_size
    with one_random_stream():
        method.fit(sets[0], sets[1], Context(5, device, folder, CLASSES, crop, 1, method.options))
    return method


def check_same(answers: dict[str, Scores], expected: dict[str, Scores], tolerance: float) -> None:
    for rule, scores in answers.items():
        for field in ("class_scores", "known_score"):
            a, b = getattr(scores, field), getattr(expected[rule], field)
            room = tolerance * max(1.0, float(np.abs(b).max()))
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=room, err_msg=rule)


def test_no_method_is_forgotten() -> None:
    ours = {name for name in method_names() if get_method(name).__module__.startswith("osbench.")}
    assert {name for name, _, _ in CASES.values()} == ours


@pytest.mark.parametrize("case", [pytest.param(c, marks=pytest.mark.slow) if c in LARGE else c for c in CASES])
def test_answers_as_on_the_cpu(
    case: str, make: Any, sets: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = sets[2].pixels
    method = fitted(make, sets, DEVICE, tmp_path / "there", monkeypatch)
    there = method.predict(asked)
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    loaded = type(method).load(tmp_path / "saved")
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "elsewhere"))  # not the features that were computed there
    check_same(loaded.predict(asked), there, 1e-4)
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "somewhere"))
    moved = type(method).load(tmp_path / "saved").to(DEVICE)
    check_same(moved.predict(asked), there, 1e-4)
    check_same(moved.to(CPU).predict(asked), there, 1e-4)
    here = fitted(make, sets, CPU, tmp_path / "here", monkeypatch).predict(asked)
    check_same({rule: there[rule] for rule in here if rule not in ILL_CONDITIONED}, here, 1e-2)
