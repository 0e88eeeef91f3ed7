"""The published checkpoints mean here what they mean in their own code.

The oracles below evaluate the published graphs literally, on (batch, row, column, channel) arrays and under the names
of the checkpoints, with TensorFlow's padding and defaults.
"""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from osbench.baselines import published_pairs
from osbench.baselines.methods import exif_net
from osbench.baselines.methods.exif_net import ConsistencyHead, ExifNet
from osbench.baselines.methods.fsm import ForensicSimilarity
from osbench.baselines.networks import resnet50_v2
from osbench.baselines.networks.resnet50_v2 import ResNet50V2
from osbench.baselines.published_pairs import load_published
from osbench.benchmark.method import get_method
from osbench.core.errors import CheckpointError

from .tensor_bundle import write_bundle

pytestmark = pytest.mark.numeric

RNG = np.random.default_rng(1)


def normal(*shape, scale=1.0):
    return (RNG.normal(size=shape) * scale).astype(np.float32)


def conv(x, weight, bias=None, stride=1, padding="VALID"):
    """TensorFlow's conv2d: x (B, H, W, C), weight (h, w, in, out)."""
    if padding == "SAME":
        total = max((-(-x.shape[1] // stride) - 1) * stride + weight.shape[0] - x.shape[1], 0)
        before, after = total // 2, total - total // 2
        x = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
    y = F.conv2d(torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(weight).permute(3, 2, 0, 1), stride=stride)
    y = y.permute(0, 2, 3, 1).numpy()
    return y if bias is None else y + bias


def pool(x, size, stride, padding="VALID"):
    t = torch.from_numpy(x).permute(0, 3, 1, 2)
    if padding == "SAME":
        total = max((-(-t.shape[-1] // stride) - 1) * stride + size - t.shape[-1], 0)
        t = F.pad(t, (total // 2, total - total // 2) * 2, value=float("-inf"))
    return F.max_pool2d(t, size, stride).permute(0, 2, 3, 1).numpy()


def norm(x, t, name, epsilon):
    scale = t[f"{name}/gamma"] / np.sqrt(t[f"{name}/moving_variance"] + epsilon)
    return (x - t[f"{name}/moving_mean"]) * scale + t[f"{name}/beta"]


def norm_tensors(name, n):
    return {
        f"{name}/gamma": 1 + normal(n, scale=0.1),
        f"{name}/beta": normal(n, scale=0.1),
        f"{name}/moving_mean": normal(n, scale=0.1),
        f"{name}/moving_variance": np.exp(normal(n, scale=0.3)),
    }


def relu(x):
    return np.maximum(x, 0)


# -- FSM, 128 px -------------------------------------------------------------------------------------------------------


def fsm_checkpoint():
    t = {"MISLNet/weights_cstr": normal(5, 5, 3, 6, scale=0.02)}
    channels = [6, 96, 64, 64, 128]
    for i, (size, before, after) in enumerate(zip((7, 5, 5, 1), channels, channels[1:], strict=False), 1):
        t[f"MISLNet/weights_conv{i}"] = normal(size, size, before, after, scale=(size * size * before) ** -0.5)
        t[f"MISLNet/bias_conv{i}"] = normal(after, scale=0.1)
        t |= norm_tensors("MISLNet/batch_normalization" + (f"_{i - 1}" if i > 1 else ""), after)
    for name, shape in {"d1": (512, 200), "d2": (200, 200)}.items():
        t[f"MISLNet/weights_{name}"], t[f"MISLNet/bias_{name}"] = normal(*shape, scale=0.05), normal(200, scale=0.1)
    for name, shape in {"fcb1": (200, 2048), "fcb3": (6144, 64), "out": (64, 2)}.items():
        t[f"CompareNet/weights_{name}"] = normal(*shape, scale=shape[0] ** -0.5)
        t[f"CompareNet/bias_{name}"] = normal(shape[1], scale=0.1)
    return t


def fsm_graph(t, x1, x2):
    def trunk(x):
        x = conv(x, t["MISLNet/weights_cstr"])
        for i, stride in enumerate((2, 1, 1, 1), 1):
            x = conv(x, t[f"MISLNet/weights_conv{i}"], t[f"MISLNet/bias_conv{i}"], stride, "SAME")
            x = np.tanh(norm(x, t, "MISLNet/batch_normalization" + (f"_{i - 1}" if i > 1 else ""), 1e-3))
            x = pool(x, 3, 2)
        x = x.reshape(len(x), -1)
        for name in ("d1", "d2"):
            x = np.tanh(x @ t[f"MISLNet/weights_{name}"] + t[f"MISLNet/bias_{name}"])
        return x

    b1, b2 = (relu(trunk(x) @ t["CompareNet/weights_fcb1"] + t["CompareNet/bias_fcb1"]) for x in (x1, x2))
    hidden = relu(np.concatenate([b1, b1 * b2, b2], 1) @ t["CompareNet/weights_fcb3"] + t["CompareNet/bias_fcb3"])
    out = hidden @ t["CompareNet/weights_out"] + t["CompareNet/bias_out"]
    return np.exp(out[:, 1]) / np.exp(out).sum(1)


def test_the_published_fsm_gives_its_own_similarities(tmp_path):
    t = fsm_checkpoint()
    write_bundle(tmp_path / "fsm", t)
    method: Any = ForensicSimilarity(weights=str(tmp_path / "fsm"))
    method.device, method.crop_size = torch.device("cpu"), 128
    method.model = method.build(2, 128).eval()
    load_published(method.model, method.options["weights"], method.published)
    images = RNG.integers(0, 256, (4, 128, 128, 3), np.uint8)
    images[1::2] //= np.array([3, 9], np.uint8)[:, None, None, None]
    with torch.inference_mode():
        features = method.model.network(method.convert(images))
        ours = method.model.head.pairwise(features[:2], features[2:]).sigmoid().numpy()
    theirs = fsm_graph(t, images[:2].astype(np.float32), images[2:].astype(np.float32))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert np.ptp(theirs) > 1e-3


def test_weights_for_another_size_are_refused(tmp_path):
    write_bundle(tmp_path / "fsm", fsm_checkpoint())
    method: Any = ForensicSimilarity(weights=str(tmp_path / "fsm"))
    method.model = method.build(2, 48)
    with pytest.raises(CheckpointError, match="does not fit images of this size"):
        load_published(method.model, method.options["weights"], method.published)


# -- EXIF-Net, small ---------------------------------------------------------------------------------------------------

STAGES, OUTPUTS, WIDTHS = ((4, 2, 2), (8, 1, 1)), 16, (24, 20, 12)


class SmallTrunk(ResNet50V2):
    def __init__(self, input_size, *, pool="avg"):
        super().__init__(input_size, pool=pool, embedding_dim=OUTPUTS)


class SmallHead(ConsistencyHead):
    def __init__(self, n_classes, dim):
        super().__init__(n_classes, dim, widths=WIDTHS)


@pytest.fixture
def small(monkeypatch):
    for module in (resnet50_v2, published_pairs):
        monkeypatch.setattr(module, "STAGES", STAGES)
    monkeypatch.setattr(exif_net, "ResNet50V2", SmallTrunk)
    monkeypatch.setattr(exif_net, "ConsistencyHead", SmallHead)


def dense(t, name, before, after):
    t[f"{name}/weights"], t[f"{name}/biases"] = normal(before, after, scale=before**-0.5), normal(after, scale=0.1)


def exif_checkpoint():
    t, root, channels = {}, "resnet_v2_50", 64
    t[f"{root}/conv1/weights"], t[f"{root}/conv1/biases"] = normal(7, 7, 3, 64, scale=0.1), normal(64, scale=0.1)
    for stage, (width, units, _) in enumerate(STAGES, 1):
        for unit in range(1, units + 1):
            name = f"{root}/block{stage}/unit_{unit}/bottleneck_v2"
            t |= norm_tensors(f"{name}/preact", channels)
            t[f"{name}/conv1/weights"] = normal(1, 1, channels, width, scale=channels**-0.5)
            t[f"{name}/conv2/weights"] = normal(3, 3, width, width, scale=(9 * width) ** -0.5)
            t[f"{name}/conv3/weights"] = normal(1, 1, width, 4 * width, scale=width**-0.5)
            t[f"{name}/conv3/biases"] = normal(4 * width, scale=0.1)
            for i in (1, 2):
                t |= norm_tensors(f"{name}/conv{i}/BatchNorm", width)
            if unit == 1:
                t[f"{name}/shortcut/weights"] = normal(1, 1, channels, 4 * width, scale=channels**-0.5)
                t[f"{name}/shortcut/biases"] = normal(4 * width, scale=0.1)
            channels = 4 * width
    t |= norm_tensors(f"{root}/postnorm", channels)
    t[f"{root}/logits/weights"] = normal(1, 1, channels, OUTPUTS, scale=channels**-0.5)
    t[f"{root}/logits/biases"] = normal(OUTPUTS, scale=0.1)
    for i, (before, after) in enumerate(zip((2 * OUTPUTS, *WIDTHS), WIDTHS, strict=False), 1):
        dense(t, f"predict/fc/fc_{i}", before, after)
    dense(t, "predict/fc_out", WIDTHS[-1], 83)
    dense(t, "classify/fc/fc_1", 83, 512)
    dense(t, "classify/fc_out", 512, 1)
    return t


def exif_graph(t, x1, x2):
    def conv_same(x, weight, stride):
        if stride == 1:
            return conv(x, weight, padding="SAME")
        edge = (weight.shape[0] - 1) // 2, weight.shape[0] - 1 - (weight.shape[0] - 1) // 2
        return conv(np.pad(x, ((0, 0), edge, edge, (0, 0))), weight, stride=stride)

    def unit(x, name, stride):
        active = relu(norm(x, t, f"{name}/preact", 1e-5))
        if f"{name}/shortcut/weights" in t:
            kept = conv(active, t[f"{name}/shortcut/weights"], t[f"{name}/shortcut/biases"], stride)
        else:
            kept = pool(x, 1, stride)
        y = relu(norm(conv(active, t[f"{name}/conv1/weights"]), t, f"{name}/conv1/BatchNorm", 1e-5))
        y = relu(norm(conv_same(y, t[f"{name}/conv2/weights"], stride), t, f"{name}/conv2/BatchNorm", 1e-5))
        return kept + conv(y, t[f"{name}/conv3/weights"], t[f"{name}/conv3/biases"])

    def trunk(x):
        x = conv_same(x, t["resnet_v2_50/conv1/weights"], 2) + t["resnet_v2_50/conv1/biases"]
        x = pool(x, 3, 2, "SAME")
        for stage, (_, units, stride) in enumerate(STAGES, 1):
            for i in range(1, units + 1):
                x = unit(x, f"resnet_v2_50/block{stage}/unit_{i}/bottleneck_v2", stride if i == units else 1)
        x = relu(norm(x, t, "resnet_v2_50/postnorm", 1e-5)).mean((1, 2), keepdims=True)
        return conv(x, t["resnet_v2_50/logits/weights"], t["resnet_v2_50/logits/biases"])[:, 0, 0]

    x = np.concatenate([trunk(x1), trunk(x2)], 1)
    for i in (1, 2, 3):
        x = relu(x @ t[f"predict/fc/fc_{i}/weights"] + t[f"predict/fc/fc_{i}/biases"])
    x = x @ t["predict/fc_out/weights"] + t["predict/fc_out/biases"]
    x = relu(x @ t["classify/fc/fc_1/weights"] + t["classify/fc/fc_1/biases"])
    x = x @ t["classify/fc_out/weights"] + t["classify/fc_out/biases"]
    return 1 / (1 + np.exp(-x[:, 0]))


@pytest.mark.parametrize("side", [32, 37, 48])
def test_the_published_exif_net_gives_its_own_consistencies(side, small, tmp_path):
    t = exif_checkpoint()
    write_bundle(tmp_path / "exif", t | {"predict/fc/fc_1/weights/Adam": normal(2, 2)})
    method: Any = ExifNet(weights=str(tmp_path / "exif"))
    method.device = torch.device("cpu")
    method.model = method.build(2, side).eval()
    load_published(method.model, method.options["weights"], method.published)
    images = RNG.integers(0, 256, (4, side, side, 3), np.uint8)
    with torch.inference_mode():
        features = method.model.network(method.convert(images))
        ours = method.model.head.pairwise(features[:2], features[2:]).sigmoid().numpy()
    scaled = (images / 127.5 - 1).astype(np.float32)
    np.testing.assert_allclose(ours, exif_graph(t, scaled[:2], scaled[2:]), atol=1e-5)


def test_published_weights_make_a_method_without_training(
    small, train_set, val_set, test_set, make_context, tmp_path, monkeypatch
):
    write_bundle(tmp_path / "exif", exif_checkpoint())
    method: Any = ExifNet(weights=str(tmp_path / "exif"))
    monkeypatch.setattr(ExifNet, "draw", None)
    method.fit(train_set, val_set, make_context())
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    (tmp_path / "exif.index").unlink()
    restored = get_method("exif-net").load(tmp_path / "saved")
    np.testing.assert_array_equal(
        restored.predict(test_set.pixels)["native"].known_score, method.predict(test_set.pixels)["native"].known_score
    )


def test_a_checkpoint_that_changed_is_refused(small, tmp_path):
    write_bundle(tmp_path / "exif", exif_checkpoint())
    method: Any = ExifNet(weights=str(tmp_path / "exif"))
    write_bundle(tmp_path / "exif", exif_checkpoint())
    method.model = method.build(2, 32)
    with pytest.raises(CheckpointError, match="began with"):
        load_published(method.model, method.options["weights"], method.published)
