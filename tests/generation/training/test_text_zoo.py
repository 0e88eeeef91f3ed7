"""A zoo of text-to-image networks from a package of figures to its card, at toy size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from osbench.generation.efficientnet_lite0 import EfficientNetLite0
from osbench.generation.families import load_safetensors_generator
from osbench.generation.training import card as card_module
from osbench.generation.training.card import write_card
from osbench.generation.training.characters import CHARACTERS, CODE_POINTS, file_name
from osbench.generation.training.plan import Plan
from osbench.generation.training.work_folder import WorkFolder

from .conftest import FLOW, GAN, SIDE

MODELS = ("latent_flow/characters", "text_gan/characters")


@pytest.fixture
def work_folder(tmp_path: Path) -> WorkFolder:
    small = {"minutes": 0.02, "batch": 4}
    plan = Plan(
        suite="toy-text", resolution=SIDE, z_dim=8, bank=200, held=100, teacher_minutes=0,
        picture_height={CHARACTERS: 48},
        models={
            "latent_flow": {"kind": "captioned", "config": FLOW, **small},
            "text_gan": {"kind": "captioned-game", "config": GAN, "width": 8, "encoder_width": 8, **small},
        },
    )  # fmt: skip
    assets = tmp_path / "package/package/assets"
    assets.mkdir(parents=True)
    for i, point in enumerate(CODE_POINTS):
        figure = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
        figure.paste((2 * i, 255 - 2 * i, 60, 255), (6, 6, 10 + i % 16, 26))
        figure.save(assets / file_name(point), lossless=True)
    work_folder = WorkFolder(tmp_path / "work", plan)
    work_folder.pack(CHARACTERS, tmp_path / "package")
    return work_folder


def test_from_package_to_card(work_folder: WorkFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = tmp_path / "zoo"
    for model in MODELS:
        training = work_folder.train(model)
        assert training.progress.step > 0
        weights = work_folder.export(model, zoo)
        assert load_safetensors_generator(weights).text_conditioned
        record = json.loads((zoo / "cards" / f"{weights.stem}.json").read_text())
        assert record["clock"] == "wall"
        assert record["config"]["vocabulary"].split()[:2] == ["alarm", "alien"]
        assert Image.open(zoo / "cards" / f"{weights.stem}.webp").size == (10 * SIDE, 10 * SIDE)
    assert sorted(work_folder.begun()) == sorted(MODELS)
    monkeypatch.setattr(card_module, "COUNT", 50)
    monkeypatch.setattr(card_module, "TAUGHT", 100)
    # A random network's features are all alike; pixels are not.
    monkeypatch.setattr(card_module, "features", lambda _, pixels: pixels.reshape(len(pixels), -1)[:, ::32] / 1.0)
    text = write_card(zoo, work_folder, EfficientNetLite0()).read_text()
    named = json.loads((zoo / "cards/named.json").read_text())
    assert set(named) == {*MODELS, "real pictures"}
    assert all(0 <= share <= 1 for share in named.values())
    assert "zoo of `toy-text`" in text
    assert f"names {100 * named['real pictures']:.0f}\nof 100" in text
    for model in MODELS:
        row = next(line for line in text.splitlines() if line.startswith(f"| {model} |"))
        assert row.split("|")[-2].strip() == f"{100 * named[model]:.0f}"
