"""Image and caption together."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from osbench.baselines.methods.de_fake import DeFake
from osbench.benchmark.method import get_method
from osbench.core.errors import CheckpointError, DatasetError
from osbench.generation.pixels import pixel_sha256

from ..conftest import CLASSES, image_set
from ..tiny_clip import DIM, coloured_set, context, write_tiny_clip

TRAIN = coloured_set((0, 1, 2), 20, 1, "train")
VAL = coloured_set((0, 1, 2), 8, 2, "val")
TEST = coloured_set((0, 1, 2), 8, 3, "test")


def write_captions(path, *sets, texts=("zzz zz", "a b c", "qrs")):
    with path.open("w") as handle:
        for images in sets:
            for pixels, k in zip(images.pixels, images.class_index, strict=True):
                handle.write(json.dumps({"pixel_sha256": pixel_sha256(pixels), "caption": texts[k]}) + "\n")
    return path


@pytest.fixture
def clip(tmp_path, monkeypatch):
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    return write_tiny_clip(tmp_path / "clip")


def fit(clip, captions, tmp_path, train=TRAIN, val=VAL, epochs=8) -> Any:
    method = DeFake(encoder=f"clip:{clip}", captions=str(captions), lr=3e-3)
    method.fit(train, val, context(tmp_path / "fit", epochs=epochs))
    return method


def test_learns_an_easy_problem_and_is_saved(clip, tmp_path):
    captions = write_captions(tmp_path / "captions.jsonl", TRAIN, VAL, TEST, texts=("x", "x", "x"))
    method = fit(clip, captions, tmp_path)
    answers = method.predict(TEST.pixels)
    assert (answers["never"].candidate == TEST.class_index).mean() > 0.8
    assert method.model.network[0].weight.shape == (512, 2 * DIM)
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    again = get_method("de-fake").load(tmp_path / "saved").predict(TEST.pixels)
    np.testing.assert_array_equal(again["msp"].known_score, answers["msp"].known_score)


def test_the_caption_counts(clip, tmp_path):
    """Images without any difference between the classes: only the text can tell them apart."""
    train, val = (image_set((3,) * len(CLASSES), n, 32, n, split) for n, split in ((20, "train"), (8, "val")))
    for images in (train, val):
        images.class_index[:] = np.repeat(np.arange(3), len(images) // 3)
        images.store[:] = np.random.default_rng(len(images)).integers(0, 256, images.store.shape)
    captions = write_captions(tmp_path / "captions.jsonl", train, val)
    method = fit(clip, captions, tmp_path, train, val)
    assert (method.predict(val.pixels)["never"].candidate == val.class_index).mean() > 0.9


def test_captions_of_the_data_set(clip, tmp_path):
    """As many captions as classes, which come with the images: without them the nearest known one is taken."""
    texts = np.array(["zzz zz", "a b c", "qrs"], object)
    train, val = (replace(images, captions=texts[images.class_index]) for images in (TRAIN, VAL))
    method = fit(clip, "dataset", tmp_path, train, val)
    told = method.predict(val.pixels, list(texts[val.class_index]))["never"]
    assert (told.candidate == VAL.class_index).mean() > 0.8
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    loaded = get_method("de-fake").load(tmp_path / "saved")
    unheard = 255 - VAL.pixels
    np.testing.assert_array_equal(
        loaded.predict(unheard)["msp"].known_score, method.predict(unheard)["msp"].known_score
    )


def test_one_line_errors(clip, tmp_path, monkeypatch):
    captions = write_captions(tmp_path / "captions.jsonl", TRAIN)
    with pytest.raises(DatasetError, match="no caption for 24 of 24"):
        fit(clip, captions, tmp_path)
    method = DeFake(encoder=f"clip:{clip}", captions=str(captions))
    captions.write_text("")
    with pytest.raises(DatasetError, match="began with"):
        method.fit(TRAIN, VAL, context(tmp_path / "other"))
    with pytest.raises(DatasetError, match="cannot be read"):
        DeFake(captions=str(tmp_path / "nowhere"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match="hf download Salesforce/blip"):
        DeFake(encoder=f"clip:{clip}").fit(TRAIN, VAL, context(tmp_path / "third"))
