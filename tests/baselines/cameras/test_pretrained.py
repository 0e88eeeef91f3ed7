"""Weight files: what is read back, what is refused, and how ``proposed`` starts from them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from osbench.baselines.cameras.pretrained import (
    CAMERA,
    SCRATCH,
    find_packaged,
    load_pretrained,
    pinned,
    read_card,
    save_pretrained,
)
from osbench.baselines.cameras.pretraining import CameraPretraining
from osbench.baselines.cameras.sources import virtual_source
from osbench.baselines.inputs import Inputs
from osbench.baselines.methods.proposed import FINE_TUNING_LR, Proposed
from osbench.baselines.networks import build_network, scale_pixels
from osbench.baselines.networks.mislnet import MISLNet
from osbench.core.errors import CheckpointError
from osbench.generation.cameras.virtual import ASSIGNED, PROXY, virtual_cameras

CARD = {"network": "mislnet", "crop_size": 48}
PACKAGED = find_packaged("mislnet", 48) or Path("missing")


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(1)
    network = MISLNet(48)
    network.state_dict()["bn1.running_var"].fill_(1e6)  # more than float16 holds
    path = tmp_path / "mislnet.safetensors"
    save_pretrained(path, network, CARD)
    return path, network


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_weights_come_back(weights):
    path, network = weights
    other = MISLNet(48)
    assert not same(network, other)
    assert load_pretrained(other, "mislnet", 48, str(path)) == CARD
    assert same(network, other)


def test_half_precision_rounds_matrices_alone(weights, tmp_path):
    _, network = weights
    save_pretrained(tmp_path / "half.safetensors", network, CARD, half=True)
    stored = load_file(tmp_path / "half.safetensors")
    assert stored["fc1.weight"].dtype == torch.float16
    assert stored["bn1.running_var"].dtype == torch.float32
    other = MISLNet(48)
    load_pretrained(other, "mislnet", 48, str(tmp_path / "half.safetensors"))
    loaded, exact = other.state_dict(), network.state_dict()
    assert loaded["fc1.weight"].dtype == torch.float32
    torch.testing.assert_close(loaded["fc1.weight"], exact["fc1.weight"], rtol=1e-3, atol=1e-6)
    assert torch.equal(loaded["bn1.running_var"], exact["bn1.running_var"])


def test_foreign_and_damaged_files(weights, tmp_path):
    path, _ = weights
    save_file({"a": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(path.read_bytes()[:300])
    for name in ("foreign", "cut", "missing"):
        with pytest.raises(CheckpointError, match=f"{name}.safetensors: not written by 'osbench pretrain'"):
            read_card(tmp_path / f"{name}.safetensors")


def test_weights_of_another_network_or_size(weights, tmp_path):
    path, network = weights
    with pytest.raises(CheckpointError, match="network 'mislnet', not 'resnet50'"):
        load_pretrained(build_network("resnet50", 48), "resnet50", 48, str(path))
    with pytest.raises(CheckpointError, match=r"crops of 48 px and does not fit .* for 128 px"):
        load_pretrained(MISLNet(128), "mislnet", 128, str(path))
    network.fc1.weight.data[0, 0] = torch.nan
    save_pretrained(tmp_path / "nan.safetensors", network, CARD)
    with pytest.raises(CheckpointError, match="not finite"):
        load_pretrained(MISLNet(48), "mislnet", 48, str(tmp_path / "nan.safetensors"))


def test_pins_follow_the_content(weights, tmp_path):
    path, network = weights
    assert pinned(SCRATCH) == SCRATCH
    assert pinned(CAMERA) == CAMERA
    first = pinned(str(path))
    assert pinned(first) == first
    assert load_pretrained(MISLNet(48), "mislnet", 48, first) == CARD
    network.fc1.weight.data += 1
    save_pretrained(path, network, CARD)
    assert pinned(str(path)) != first
    with pytest.raises(CheckpointError, match="not the file that this run began with"):
        load_pretrained(network, "mislnet", 48, first)
    with pytest.raises(CheckpointError, match="no such file"):
        pinned(str(tmp_path / "nowhere"))


def test_proposed_fine_tunes_with_paper_1s_rate(weights):
    path, _ = weights
    assert Proposed().options["lr"] == 7e-4
    method = Proposed(init=str(path))
    assert method.options["lr"] == FINE_TUNING_LR == 1e-4
    assert (method.options["lr_decay"], method.options["decay_every"]) == (0.6, 2)
    assert Proposed(init=str(path), lr=3e-4).options["lr"] == 3e-4
    assert Proposed(**method.options).options == method.options, "a saved method is built again from its options"


def test_proposed_starts_from_the_weights(weights, train_set):
    path, network = weights
    method = Proposed(init=str(path))
    method.device, method.crop_size = torch.device("cpu"), 48
    method.model = method.build(3, 48)
    assert not same(method.model.network, network)
    method.prepare(Inputs(train_set, method.convert))
    assert same(method.model.network, network)


def test_proposed_fits_saves_and_loads_without_the_file(tmp_path, train_set, val_set, test_set, make_context):
    network = MISLNet(32)
    path = tmp_path / "w.safetensors"
    save_pretrained(path, network, {"network": "mislnet", "crop_size": 32})
    method = Proposed(init=str(path), batch_size=32)
    method.fit(train_set, val_set, make_context(epochs=1))
    folder = tmp_path / "model"
    folder.mkdir()
    method.save(folder)
    path.unlink()
    again = Proposed.load(folder)
    scores, expected = again.predict(test_set.pixels)["native"], method.predict(test_set.pixels)["native"]
    np.testing.assert_array_equal(scores.class_scores, expected.class_scores)


def test_packaged_weights_say_what_they_are():
    card = read_card(PACKAGED)
    assert PACKAGED.stat().st_size < 2_000_000
    assert (card["network"], card["crop_size"], card["cameras"]) == ("mislnet", 48, 70)
    assert card["trained_on"]["kind"] == PROXY
    assert {camera["sensor"]["origin"] for camera in card["trained_on"]["cameras"]} == {ASSIGNED}
    assert "public-domain" in card["note"]
    assert card["accuracy"]["held_out_scenes"] > 20 * card["accuracy"]["chance"]


def test_packaged_weights_come_from_todays_cameras():
    """Whoever changes how cameras are drawn must train these weights again: their header lists every parameter."""
    stored = read_card(PACKAGED)["trained_on"]["cameras"]
    assert stored == json.loads(json.dumps([camera.describe() for camera in virtual_cameras(70, seed=0)]))


def test_packaged_weights_tell_cameras_apart_on_scenes_of_another_kind():
    """Trained on photographs; on procedural scenes the nearest class mean of the embedding names one of five cameras
    far more often than chance (0.2)."""
    network = MISLNet(48).eval()
    load_pretrained(network, "mislnet", 48, str(PACKAGED))
    source = virtual_source(5, 48, 4, 0, scene_count=12)
    with torch.inference_mode():
        h = [network(scale_pixels(source.crops(unit), network.input_range)).numpy() for unit in range(12)]
    labels = source.labels(0)
    means = np.stack([np.concatenate([x[labels == k] for x in h[:6]]).mean(0) for k in range(5)])
    found = np.concatenate([((x[:, None] - means) ** 2).sum(2).argmin(1) == labels for x in h[6:]])
    assert found.mean() > 0.4


def test_proposed_takes_the_packaged_weights(train_set):
    method = Proposed(init=CAMERA)
    assert method.options["lr"] == FINE_TUNING_LR
    method.device, method.crop_size = torch.device("cpu"), 48
    method.model = method.build(3, 48)
    fresh = {name: tensor.clone() for name, tensor in method.model.network.state_dict().items()}
    method.prepare(Inputs(train_set, method.convert))
    loaded = method.model.network.state_dict()
    assert not torch.equal(fresh["fc1.weight"], loaded["fc1.weight"])


def test_proposed_pre_trains_where_nothing_is_packaged(train_set, tmp_path, monkeypatch):
    """Crops of 32 px: the weights are made with the cameras of the method's default, into the user's cache, once."""
    made = []

    def small(network, crop_size, how, folder, *, device):
        made.append((network, crop_size, how, folder))
        path = folder / "weights.safetensors"
        save_pretrained(path, build_network(network, crop_size), {"network": network, "crop_size": crop_size})
        return path

    monkeypatch.setattr("osbench.baselines.cameras.pretraining.camera_weights", small)
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path))
    method = Proposed(init=CAMERA)
    method.device, method.crop_size = torch.device("cpu"), 32
    method.model = method.build(3, 32)
    method.prepare(Inputs(train_set, method.convert))
    ((network, crop_size, how, folder),) = made
    assert (network, crop_size, how) == ("mislnet", 32, CameraPretraining())
    assert folder.is_relative_to(tmp_path)
    stored = load_file(folder / "weights.safetensors")["fc1.weight"]
    torch.testing.assert_close(method.model.network.state_dict()["fc1.weight"], stored)
