"""EXIF-Net: sizes as published, the split head, pairs by attributes, and learning with a small trunk."""

from typing import Any

import numpy as np
import pytest
import torch

from osbench.baselines import pairwise
from osbench.baselines.methods import exif_net
from osbench.baselines.methods.exif_net import ConsistencyHead, ExifNet
from osbench.baselines.networks import resnet50_v2
from osbench.baselines.networks.resnet50_v2 import ResNet50V2
from osbench.baselines.pairwise import Crops
from osbench.benchmark.method import get_method
from osbench.core.errors import CheckpointError, UsageError
from osbench.generation.cameras.virtual import virtual_cameras

from ..conftest import image_set


class SmallTrunk(ResNet50V2):
    """The same code; the fixture below makes it narrow and shallow."""

    def __init__(self, input_size, *, pool="avg", embedding_dim=32):
        super().__init__(input_size, pool=pool, embedding_dim=embedding_dim)


class SmallHead(ConsistencyHead):
    def __init__(self, n_classes, dim):
        super().__init__(n_classes, dim, widths=(48, 32, 16))


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(resnet50_v2, "STAGES", ((8, 1, 2), (16, 1, 2), (32, 1, 2)))
    monkeypatch.setattr(exif_net, "ResNet50V2", SmallTrunk)
    monkeypatch.setattr(exif_net, "ConsistencyHead", SmallHead)
    monkeypatch.setattr(pairwise, "HELD_OUT_PAIRS", 64)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_sizes_are_the_published_ones():
    with torch.device("meta"):
        trunk, head = ResNet50V2(128), ConsistencyHead(5, 4096)
    assert parameters(trunk) == 31_912_064
    assert head.fc1.weight.shape == (4096, 8192)
    assert head.attributes.weight.shape == (83, 1024)
    assert head.classify1.weight.shape == (512, 83)


@pytest.mark.parametrize(("side", "map_side"), [(32, 1), (33, 2), (48, 2), (128, 4)])
def test_the_stride_lies_in_the_last_unit_of_a_stage(side, map_side, monkeypatch):
    monkeypatch.setattr(resnet50_v2, "STAGES", ((4, 2, 2), (4, 2, 2), (4, 2, 2), (4, 1, 1)))
    trunk: Any = ResNet50V2(side, embedding_dim=8)
    sides = []
    trunk.postnorm.register_forward_hook(lambda module, inputs, output: sides.append(output.shape[-1]))
    assert trunk(torch.zeros(2, 3, side, side)).shape == (2, 8)
    assert sides == [map_side]
    assert [unit.stride for unit in trunk.block1] == [1, 2]


@pytest.mark.parametrize("side", [16, 17])
def test_the_first_pooling_pads_like_tensorflow(side):
    """SAME for a window of 3 and a stride of 2: output ceil(side / 2), padding (total // 2, rest) with total as below.

    Compared with a literal evaluation of that definition.
    """
    x = torch.randn(1, 1, side, side)
    total = max((-(-side // 2) - 1) * 2 + 3 - side, 0)
    before, after = total // 2, total - total // 2
    padded = torch.nn.functional.pad(x, (before, after, before, after), value=float("-inf"))
    expected = torch.nn.functional.max_pool2d(padded, 3, 2)
    torch.testing.assert_close(resnet50_v2.pool_same(x), expected)
    assert expected.shape[-1] == -(-side // 2)


@pytest.mark.parametrize(("queries", "references"), [(1, 1), (5, 3), (3, 7)])
@pytest.mark.parametrize("chunk", [1, exif_net.CHUNK])
def test_the_split_head_is_the_pairwise_head(queries, references, chunk, monkeypatch):
    monkeypatch.setattr(exif_net, "CHUNK", chunk)
    head = ConsistencyHead(2, 64, widths=(96, 48, 32))
    q, r = torch.randn(queries, 64), torch.randn(references, 64)
    with torch.inference_mode():
        split = head.against(q, r).sigmoid()
        for j in range(references):
            expected = head.pairwise(q, r[j].expand_as(q)).sigmoid()
            torch.testing.assert_close(split[:, j], expected, atol=1e-6, rtol=0)


def test_unknown_attributes_do_not_count_and_consistency_does_not_reach_the_attributes():
    head = ConsistencyHead(2, 8, widths=(8, 8, 8))
    features = torch.randn(4, 8)
    labels = torch.full((4, 84), -1)
    labels[:, 0] = torch.tensor([0, 0, 0, 1])
    labels[:, 83] = torch.tensor([5, 5, 6, 7])
    head.loss(features, labels).backward()
    gradient: Any = head.attributes.weight.grad
    assert gradient[0].abs().sum() > 0
    assert (gradient[1:] == 0).all()
    assert head.same(labels).tolist() == [True, False]


def camera_pairs(pairs=64):
    cameras = tuple(virtual_cameras(4, 0))
    images = image_set((0, 1, 2, 3), 12, 32, 0, "train")
    source = np.repeat(np.arange(4), 12)
    crops = Crops(images, source, np.arange(48) // 2, cameras)
    return ExifNet().draw(crops, np.random.default_rng(0), pairs)


def test_a_quarter_of_the_pairs_is_from_one_picture_and_half_share_an_attribute():
    pixels, codes = camera_pairs()
    assert pixels.shape == (128, 32, 32, 3)
    assert codes.shape == (128, 84)
    picture = codes[0::2, 83] == codes[1::2, 83]
    assert picture[:16].all()
    same_value = (codes[0::2, :80] == codes[1::2, :80])[:, :]
    shared, differing = same_value[16:32].all(0), ~same_value[32:].any(0)
    assert (shared & differing).any(), "one attribute: shared by all of the second quarter, by none of the second half"


def test_the_head_learns_what_pairs_have_in_common():
    """From features of four sources that a trunk has told apart: what is left to learn is the comparison itself."""
    torch.manual_seed(0)
    centres = torch.randn(4, 8)
    head = ConsistencyHead(2, 8, widths=(64, 64, 32))
    optimizer = torch.optim.Adam(head.parameters(), 3e-3)

    def batch(pairs):
        first = torch.randint(4, (pairs,))
        second = torch.where(torch.rand(pairs) < 0.5, first, torch.randint(4, (pairs,)))
        source = torch.stack([first, second], 1).flatten()
        codes = torch.full((2 * pairs, 84), -1)
        codes[:, 0] = codes[:, 83] = source
        return centres[source] + 0.1 * torch.randn(2 * pairs, 8), codes

    for _ in range(300):
        optimizer.zero_grad()
        head.loss(*batch(64)).backward()
        optimizer.step()
    features, codes = batch(256)
    with torch.inference_mode():
        right = (head.pairwise(features[0::2], features[1::2]) > 0) == head.same(codes)
        attribute = (head.attribute_logits(features[0::2], features[1::2])[:, 0] > 0) == head.same(codes)
    assert right.float().mean() > 0.95
    assert attribute.float().mean() > 0.95


def test_fits_on_seen_generators_and_is_saved(small, train_set, val_set, test_set, make_context, tmp_path):
    method = ExifNet(trained_on="seen", batch_size=32)
    method.fit(train_set, val_set, make_context(epochs=2))
    scores = method.predict(test_set.pixels)["native"]
    method.save(tmp_path)
    again = get_method("exif-net").load(tmp_path).predict(test_set.pixels)["native"]
    np.testing.assert_array_equal(again.known_score, scores.known_score)
    np.testing.assert_array_equal(again.class_scores, scores.class_scores)


def test_trains_on_virtual_cameras(small, train_set, val_set, make_context, tmp_path, monkeypatch):
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    method = ExifNet(cameras=2, scene_count=3, batch_size=4)
    method.fit(train_set, val_set, make_context(epochs=1))
    assert (method.sigmas > 0).all()
    assert len(list((tmp_path / "cache" / "pairs").glob("exif-net-*.safetensors"))) == 1


def test_one_line_errors(tmp_path):
    with pytest.raises(UsageError, match="at least 2"):
        ExifNet(crops=1)
    with pytest.raises(UsageError, match="at least 32 px"):
        ExifNet().build(2, 31)
    with pytest.raises(CheckpointError, match="no file"):
        ExifNet(weights=str(tmp_path / "nowhere"))
