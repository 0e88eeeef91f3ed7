"""Captions that come with the images, and those that are near for images without."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from osbench.baselines.describers import build_describer, pinned_captions, why_no_captions, wrong_captions
from osbench.baselines.describers.dataset import DatasetCaptions
from osbench.baselines.describers.nearest import NearestCaption
from osbench.baselines.encoders import build_encoder
from osbench.core.errors import DatasetError

from ..conftest import image_set

TEXTS = np.array(["alpha", "beta", "gamma"], dtype=object)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))


def captioned(count, seed, split="train"):
    images = image_set((0, 1, 2), count, 32, seed, split)
    return replace(images, captions=TEXTS[images.class_index])


def nearest():
    return NearestCaption(build_encoder("log-spectrum"))


def test_the_nearest_known_caption():
    describer = nearest()
    describer.learn(captioned(12, 1))
    assert describer.texts == ("alpha", "beta", "gamma")
    asked = captioned(8, 2, "val")
    assert np.mean(np.array(describer.of(asked.pixels)) == asked.captions) > 0.9
    again = nearest()
    again.restore(describer.arrays())
    assert again.of(asked.pixels) == describer.of(asked.pixels)
    with pytest.raises(DatasetError, match="no training image has a caption"):
        nearest().of(asked.pixels)


def test_what_was_told_comes_before_what_is_near():
    train, asked = captioned(12, 1), captioned(2, 2, "val").pixels
    describer = DatasetCaptions(nearest())
    describer.learn(train)
    describer.tell(asked, ["said", None, "said too", None, None, None])
    assert describer.of(asked) == ["said", "alpha", "said too", "beta", "gamma", "gamma"]
    assert train.captions is not None
    assert describer.of(train.pixels) == list(train.captions)
    describer.tell(asked[:1], ["  "])
    with pytest.raises(DatasetError, match=r"1 of 6 images have an empty caption .*captions=FILE"):
        describer.of(asked)
    with pytest.raises(DatasetError, match="6 of 6 images have no caption"):
        DatasetCaptions(nearest()).of(asked)


def test_a_wrong_caption_is_another_known_one_and_always_the_same():
    known = ["a", "b", "c", "d"]
    for seed in range(3):
        found = wrong_captions(["a", "b", "a", "new"], known, seed)
        assert found[0] == found[2]
        assert set(found) <= set(known)
        assert all(wrong != right for wrong, right in zip(found, ["a", "b", "a", "new"], strict=True))
    assert len({tuple(wrong_captions(known, known, seed)) for seed in range(9)}) > 1
    with pytest.raises(DatasetError, match="at least two captions"):
        wrong_captions(["a"], ["a"], 0)


def test_an_option_names_a_describer(tmp_path):
    def built(captions) -> Any:
        return build_describer(captions, "", build_encoder("log-spectrum"), torch.device("cpu"))

    assert isinstance(built("dataset"), DatasetCaptions)
    assert isinstance(built("nearest"), NearestCaption)
    file = tmp_path / "captions.jsonl"
    file.write_text("")
    pinned = pinned_captions(str(file))
    assert pinned_captions(pinned) == pinned
    assert built(pinned).captions == {}
    file.write_text("{}")
    with pytest.raises(DatasetError, match="not the file that this run began with"):
        built(pinned)
    with pytest.raises(DatasetError, match=r"cannot be read .*; give dataset, nearest, model or a file"):
        pinned_captions("datasett")


def test_a_captioning_network_may_be_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert why_no_captions("dataset", "somebody/blip") is None
    assert "captions=FILE" in (why_no_captions("model", "somebody/blip") or "")
