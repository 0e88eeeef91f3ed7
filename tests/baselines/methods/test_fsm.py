"""The similarity head, and FSM as a whole on an easy problem."""

import hashlib

import pytest
import torch
from safetensors.torch import load_file

from osbench.baselines.cameras.pretrained import read_card
from osbench.baselines.methods import fsm
from osbench.baselines.methods.fsm import ForensicSimilarity, SimilarityHead
from osbench.benchmark.method import get_method
from osbench.core.errors import CheckpointError, UsageError


def features(count, seed):
    return torch.tanh(torch.randn(count, 200, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize(("queries", "references"), [(1, 1), (5, 3), (3, 7)])
@pytest.mark.parametrize("chunk", [1, fsm.CHUNK])
def test_the_split_head_is_the_pairwise_head(queries, references, chunk, monkeypatch):
    monkeypatch.setattr(fsm, "CHUNK", chunk)
    head = SimilarityHead(2, 200)
    q, r = features(queries, 0), features(references, 1)
    with torch.inference_mode():
        split = head.against(q, r).sigmoid()
        for j in range(references):
            pairwise = head.pairwise(q, r[j].expand_as(q)).sigmoid()
            torch.testing.assert_close(split[:, j], pairwise, atol=1e-6, rtol=0)


def test_layer_sizes_are_the_published_ones():
    head = SimilarityHead(2, 200)
    assert [tuple(layer.weight.shape) for layer in (head.shared, head.hidden, head.output)] == [
        (2048, 200),
        (64, 6144),
        (2, 64),
    ]


def test_both_orders_count_in_the_loss():
    head, a, b = SimilarityHead(2, 200), features(4, 0), features(4, 1)
    labels = torch.tensor([0, 0, 0, 1, 2, 2, 3, 1])

    def loss(first, second):
        return head.loss(torch.stack([first, second], 1).flatten(0, 1), labels)

    torch.testing.assert_close(loss(a, b), loss(b, a))
    assert head.same(labels).tolist() == [True, False, True, False]


@pytest.fixture(scope="module")
def fitted(train_set, val_set, tmp_path_factory):
    from osbench.benchmark.method import Context

    method = get_method("fsm")(trained_on="seen", init="scratch", batch_size=16, lr=2e-3, lr_decay=0.95)
    folder = tmp_path_factory.mktemp("fsm")
    method.fit(train_set, val_set, Context(0, torch.device("cpu"), folder, ("alpha", "beta", "gamma"), 32, 16))
    return method


def test_learns_an_easy_problem_and_rejects_what_it_never_saw(fitted, test_set):
    scores = fitted.predict(test_set.pixels)["native"]
    seen = test_set.class_index >= 0
    assert (scores.candidate[seen] == test_set.class_index[seen]).mean() > 0.8


def test_an_image_is_more_similar_to_its_kind_than_to_others(fitted, test_set):
    """The label of the second output is "same": a head that was read the wrong way round would fail here."""
    chosen = test_set.class_index >= 0
    f = torch.from_numpy(fitted.activations(fitted.inputs(test_set.subset(chosen), None, "test")).features)
    labels = test_set.class_index[chosen]
    with torch.inference_mode():
        similarity = fitted.model.head.against(f, f).sigmoid().numpy()
    alike = labels[:, None] == labels
    assert similarity[alike].mean() > similarity[~alike].mean() + 0.3


def test_where_no_camera_weights_are_packaged_they_are_made_once(
    train_set, val_set, make_context, tmp_path, monkeypatch, caplog
):
    """Crops of 32 px: pre-trained for the first seed, found for the second, whose pairs are trained anew."""
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    tiny = {"cameras": 2, "scene_count": 3, "crops": 2, "batch_size": 4}
    with caplog.at_level("INFO", "osbench"):
        ForensicSimilarity(**tiny).fit(train_set, val_set, make_context("first", epochs=1))
    (weights,) = (tmp_path / "cache" / "pretrained").rglob("mislnet-32-*.safetensors")
    assert (
        f"no camera weights are packaged for mislnet and crops of 32 px: pre-training on 2 virtual cameras (once), "
        f"into {weights}" in caplog.messages
    )
    assert read_card(weights)["recipe"]["epochs"] == 18
    monkeypatch.setattr("osbench.baselines.cameras.pretraining.train_network", None)
    second = ForensicSimilarity(**tiny)
    second.fit(train_set, val_set, make_context("second", epochs=1, seed=1))
    assert len(list((tmp_path / "cache" / "pairs").glob("fsm-*.safetensors"))) == 2
    found = second.initialize()
    assert found == hashlib.sha256(weights.read_bytes()).hexdigest()
    stored = load_file(weights)["fc2.weight"].float()
    torch.testing.assert_close(second.model.network.state_dict()["fc2.weight"], stored)


def test_a_weight_file_that_is_not_there_is_one_line():
    with pytest.raises(CheckpointError, match="no such file"):
        ForensicSimilarity(init="nowhere.safetensors")


def test_images_below_the_trunks_minimum_are_refused():
    with pytest.raises(UsageError, match="at least 32 px"):
        ForensicSimilarity().build(2, 31)
