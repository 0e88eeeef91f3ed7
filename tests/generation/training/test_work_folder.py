from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from osbench.core.errors import DatasetError, UsageError
from osbench.generation.efficientnet_lite0 import EfficientNetLite0
from osbench.generation.families import load_safetensors_generator
from osbench.generation.training import card as card_module
from osbench.generation.training import stand_in
from osbench.generation.training import work_folder as workshop_module
from osbench.generation.training.card import write_card
from osbench.generation.training.plan import Plan
from osbench.generation.training.redo import redo
from osbench.generation.training.work_folder import STAND_IN, WorkFolder

MODELS = ("projected_gan/landscape", "taming/landscape", "latent_diffusion/landscape")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of 20 photographs, computed ones."""
    folder = tmp_path / "package/usr/share/games/endless-sky/images/land"
    folder.mkdir(parents=True)
    for i, pixels in enumerate(stand_in.stand_in_pictures(64, count=20).pixels):
        Image.fromarray(pixels).save(folder / f"{('hills', 'sea')[i % 2]}{i}.jpg", quality=95)
    return tmp_path / "package"


@pytest.fixture
def work_folder(tmp_path: Path, toy_plan: Plan) -> WorkFolder:
    return WorkFolder(tmp_path / "work", toy_plan)


def test_from_package_to_card(
    work_folder: WorkFolder, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not work_folder.has_pictures("landscape")
    with pytest.raises(DatasetError, match="'pack' step"):
        work_folder.crops("landscape", "bank")
    work_folder.pack("landscape", package)
    assert work_folder.training_sets() == ["landscape"]
    assert work_folder.crops("landscape", "bank").shape == (48, 32, 32, 3)
    assert work_folder.crops("landscape", "held").shape == (16, 32, 32, 3)
    assert set(work_folder.crops("landscape", "bank-labels")) == {0, 1}

    with pytest.raises(DatasetError, match="'teach' step"):
        work_folder.training("projected_gan/landscape")
    work_folder.teach("landscape")

    zoo = tmp_path / "zoo"
    for model in MODELS:
        training = work_folder.train(model)
        assert training.progress.step > 0
        weights = work_folder.export(model, zoo)
        loaded = load_safetensors_generator(weights)
        for name, tensor in training.average.state_dict().items():
            stored = tensor.half().float() if tensor.is_floating_point() else tensor
            assert torch.equal(loaded.state_dict()[name], stored), name
        record = json.loads((zoo / "cards" / f"{weights.stem}.json").read_text())
        assert record["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
        assert record["suite"] == "toy"
        assert record["seconds"] >= 1
        assert record["device"].startswith("CPU")
        assert record["curve"] == training.progress.curve
        assert Image.open(zoo / "cards" / f"{weights.stem}.webp").size == (256, 256)

    assert sorted(work_folder.begun()) == sorted(MODELS)
    monkeypatch.setattr(card_module, "COUNT", 6)
    # A random network's features are all alike; pixels are not.
    monkeypatch.setattr(card_module, "features", lambda _, pixels: pixels.reshape(len(pixels), -1)[:, ::32] / 1.0)
    network = EfficientNetLite0()
    text = write_card(zoo, work_folder, network).read_text()
    assert all(f"| {model} |" in text for model in MODELS)
    assert "before" not in text
    distances = json.loads((zoo / "cards/distances.json").read_text())["landscape"]
    assert set(distances) == {*MODELS, *card_module.REAL}
    to_held_out = json.loads((zoo / "cards/distances.json").read_text())["held_out"]["landscape"]
    assert set(to_held_out) == set(distances)
    assert to_held_out["taming/landscape"] != distances["taming/landscape"]
    assert "suite version `toy`" in text
    assert (zoo / "cards/curves.svg").read_text().count("<polyline") == 3

    compared = write_card(zoo, work_folder, network, previous=zoo).read_text()
    table = [row.split("|") for row in compared.splitlines() if row.startswith("| ") and "/landscape" in row]
    assert len(table) == 3
    assert all(row[6].strip() == row[8].strip() for row in table)  # a zoo compared with itself
    assert "0 of the 3 models that replace another lie nearer" in compared


def test_the_card_says_by_how_much_a_model_is_not_nearer_than_before() -> None:
    now = {
        "landscape": {"noise": 400.0, "progan/landscape": 90.0, "taming/landscape": 81.25},
        "emoji": {"a/emoji": 7.0},
    }
    text = card_module._against_before(now, {"progan/landscape": 100.0, "taming/landscape": 80.0})
    assert text.startswith("1 of the 2 models that replace another lie nearer")
    assert "Not nearer: taming/landscape by 1.2" in text
    assert "Not nearer" not in card_module._against_before(now, {"progan/landscape": 100.0})


def test_codes_are_not_needed_where_codes_are_not_used(work_folder: WorkFolder, package: Path) -> None:
    work_folder.pack("landscape", package)
    assert work_folder.training("taming/landscape").progress.step == 0


def test_lost_crops_are_cut_again(work_folder: WorkFolder, package: Path) -> None:
    work_folder.pack("landscape", package)
    before = np.array(work_folder.crops("landscape", "bank"))
    for path in work_folder.root.glob("*.npy"):
        path.unlink()
    assert np.array_equal(work_folder.crops("landscape", "bank"), before)


def test_redo_on_stand_ins_lowers_the_distance(
    work_folder: WorkFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stand_in, "COUNT", 24)
    result = redo(work_folder, "projected_gan/landscape", minutes=0.1)
    assert result.lowered
    assert "stand-in" in str(result)
    assert "stand-ins take their place" in caplog.text
    assert (work_folder.root / STAND_IN / "projected_gan-landscape/grid.png").exists()
    assert not work_folder.has_pictures("landscape")  # real pictures that come later are not mixed with them


def test_redo_prefers_real_pictures(work_folder: WorkFolder, package: Path) -> None:
    work_folder.pack("landscape", package)
    result = redo(work_folder, "taming/landscape", minutes=0.02)
    assert result.pictures == "landscape pictures"
    assert not (work_folder.root / STAND_IN).exists()


def test_weights_over_the_limit_are_not_exported(
    work_folder: WorkFolder, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_folder.pack("landscape", package)
    monkeypatch.setattr(workshop_module, "MODEL_BYTES", 1000)
    with pytest.raises(DatasetError, match=r"widths of taming/landscape"):
        work_folder.export("taming/landscape", tmp_path / "zoo")
    assert [path for path in (tmp_path / "zoo").rglob("*") if path.is_file()] == []


def test_what_a_training_would_miss_is_told_before_any_begins(work_folder: WorkFolder, package: Path) -> None:
    with pytest.raises(DatasetError, match="no training pictures"):
        work_folder.check([])
    with pytest.raises(DatasetError, match="no 'landscape' pictures"):
        work_folder.check(["taming/landscape"])
    work_folder.pack("landscape", package)
    work_folder.check(MODELS)
    with pytest.raises(UsageError, match="unknown model"):
        work_folder.check([*MODELS, "tamings/landscape"])
    work_folder.plan.models["projected_gan"]["discriminator"] = "projected"
    with pytest.raises(DatasetError, match=r"efficientnet-lite0\.pth: not there, .* of projected_gan/landscape"):
        work_folder.check(MODELS)
    work_folder.features_file.touch()
    work_folder.check(MODELS)
