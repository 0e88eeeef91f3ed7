"""Pre-training end to end on a few cameras: learns, resumes to the bit, writes a file that says what it is."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from osbench.baselines.cameras import pretraining
from osbench.baselines.cameras.pretrained import read_card
from osbench.baselines.cameras.pretraining import PretrainingRecipe, pretrain
from osbench.baselines.cameras.sources import photograph_source, virtual_source
from osbench.core.errors import UsageError
from osbench.generation.cameras.virtual import PROXY

RECIPE = PretrainingRecipe(epochs=3, batch_size=16)


@pytest.fixture(scope="module")
def source():
    return virtual_source(3, 32, 3, 0, scene_count=8)


@pytest.fixture(scope="module")
def finished(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("pretrain") / "net.safetensors"
    return out, pretrain(source, RECIPE, out, note="a test")


def test_defaults_are_paper_1s_schedule():
    recipe = PretrainingRecipe()
    assert (recipe.lr, recipe.lr_decay, recipe.decay_every) == (1e-3, 0.65, 3)


def test_the_card_says_what_it_was_trained_on(finished):
    out, card = finished
    assert read_card(out) == card
    assert card["trained_on"]["kind"] == PROXY
    assert len(card["trained_on"]["cameras"]) == card["cameras"] == 3
    assert card["trained_on"]["scenes"]["kind"].startswith("procedural")
    assert card["network"] == "mislnet"
    assert card["crop_size"] == 32
    assert card["note"] == "a test"
    assert card["recipe"]["lr"] == 1e-3
    assert 0 <= card["accuracy"]["held_out_scenes"] <= 1
    assert len(card["accuracy"]["validation"]) == 3
    assert card["crops"] == {"train": 6 * 9, "val": 9, "test": 9}


def test_the_head_is_dropped_and_the_work_folder_gone(finished):
    out, _ = finished
    tensors = load_file(out)
    assert "constrained.weight" in tensors
    assert not any("head" in name or "linear" in name for name in tensors)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_resumed_equals_uninterrupted(finished, source, tmp_path, monkeypatch):
    """Killed while it validates the second epoch; the second call finishes the same file."""
    real, calls = pretraining._validate, []

    def dies(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args)

    out = tmp_path / "net.safetensors"
    monkeypatch.setattr(pretraining, "_validate", dies)
    with pytest.raises(KeyboardInterrupt):
        pretrain(source, RECIPE, out)
    assert not out.exists()
    monkeypatch.setattr(pretraining, "_validate", real)
    pretrain(source, RECIPE, out)
    whole, resumed = load_file(finished[0]), load_file(out)
    assert whole.keys() == resumed.keys()
    assert all(np.array_equal(whole[k], resumed[k]) for k in whole)


def test_a_finished_file_is_left_alone(finished, source):
    out, card = finished
    before = out.stat().st_mtime_ns
    assert pretrain(source, RECIPE, out) == card
    assert out.stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="trained otherwise"):
        pretrain(source, PretrainingRecipe(epochs=4, batch_size=16), out)


def test_recipes_share_a_cache_of_crops(finished, source, tmp_path, monkeypatch):
    pretrain(source, RECIPE, tmp_path / "a.safetensors", cache=tmp_path / "cache")
    whole, cached = load_file(finished[0]), load_file(tmp_path / "a.safetensors")
    assert all(np.array_equal(whole[k], cached[k]) for k in whole)
    monkeypatch.setattr(type(source), "crops", None)  # whoever makes a crop again fails
    other = PretrainingRecipe(epochs=1, batch_size=16, lr=1e-2)
    assert pretrain(source, other, tmp_path / "b.safetensors", cache=tmp_path / "cache")["recipe"]["lr"] == 1e-2
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_other_seeds_give_other_weights(finished, source, tmp_path):
    out = tmp_path / "net.safetensors"
    pretrain(source, PretrainingRecipe(epochs=1, batch_size=16, seed=1), out)
    assert not np.array_equal(load_file(out)["fc1.weight"], load_file(finished[0])["fc1.weight"])


def test_photographs_of_real_cameras(tree, tmp_path):
    card = pretrain(photograph_source(tree, 32, 2, 0), PretrainingRecipe(epochs=1, batch_size=8), tmp_path / "net")
    assert card["trained_on"]["kind"] == "photographs of real cameras"
    assert card["trained_on"]["cameras"] == ["alpha", "beta"]
    assert "photos" not in str(card), "the file does not say where the photographs lay"


@pytest.mark.slow
def test_mislnet_learns_cameras(tmp_path):
    """Four cameras, held-out scenes, well above the chance of 0.25."""
    torch.set_num_threads(1)
    source = virtual_source(4, 48, 6, 0, scene_count=60)
    card = pretrain(source, PretrainingRecipe(epochs=10, batch_size=32), tmp_path / "net")
    assert card["accuracy"]["held_out_scenes"] > 0.45
