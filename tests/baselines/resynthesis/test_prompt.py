"""Pictures of texts: the same for everybody who asks for the same text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from osbench.baselines.resynthesis.prompt import Prompt
from osbench.core.errors import DatasetError, UsageError

from .tiny_suite import CAPTIONS, CROP, SPEAKING, candidates, spectrum

CPU = torch.device("cpu")
IMAGES = np.random.default_rng(0).integers(0, 256, (4, CROP, CROP, 3), np.uint8)
TEXTS = [CAPTIONS[0], CAPTIONS[1], CAPTIONS[0], CAPTIONS[2]]

pytestmark = pytest.mark.numeric


def drawn(suite: Path, seed: int = 0, draws: int = 2, number: int = 0) -> np.ndarray:
    way = Prompt(candidates(suite, SPEAKING), spectrum(), draws, seed, CPU)
    return way.show(number, IMAGES, TEXTS).pictures


def test_one_text_one_picture(suite: Path) -> None:
    found = drawn(suite)
    assert found.shape == (4, 2, CROP, CROP, 3)
    np.testing.assert_array_equal(found[0], found[2])
    assert (found[0] != found[1]).any()
    assert (found[0, 0] != found[0, 1]).any()
    np.testing.assert_array_equal(drawn(suite, draws=1), found[:, :1])
    assert (drawn(suite, seed=1)[0] != found[0]).any()
    assert (drawn(suite, number=1)[0] != found[0]).any()


def test_what_a_text_costs_is_measured(suite: Path) -> None:
    way = Prompt(candidates(suite, SPEAKING), spectrum(), 1, 0, CPU)
    found = way.measured(IMAGES, TEXTS, ("luma", "luma-chroma"))
    assert {layer: list(kinds) for layer, kinds in found.items()} == {"luma": ["nearest"], "luma-chroma": ["nearest"]}
    assert found["luma"]["nearest"].shape == (4, 2)
    assert list(way.seconds_per_image) == ["prompt latent_flow/t", "prompt text_gan/t"]
    assert all(seconds > 0 for seconds in way.seconds_per_image.values())


def test_several_draws_have_a_mean(suite: Path) -> None:
    way = Prompt(candidates(suite, SPEAKING), spectrum(), 3, 0, CPU)
    found = way.measured(IMAGES, TEXTS, ("luma",))["luma"]
    pictures = way.show(1, IMAGES, TEXTS).pictures
    encoder = way.comparison.encoder
    query, shown = encoder.encode(IMAGES, "luma"), encoder.encode(pictures.reshape(-1, CROP, CROP, 3), "luma")
    shown = shown.reshape(4, 3, -1)
    for i in range(4):
        pairs = [_cosine(query[i], one) for one in shown[i]]
        assert found["nearest"][i, 1] == pytest.approx(min(pairs), abs=1e-6)
        assert found["mean"][i, 1] == pytest.approx(_cosine(query[i], shown[i].mean(0)), abs=1e-6)


def test_bad_input_is_one_line(suite: Path) -> None:
    with pytest.raises(UsageError, match=r"^progan/t take no text: via=prompt .* Use via=inversion or"):
        Prompt(candidates(suite, ("progan", "text_gan")), spectrum(), 1, 0, CPU)
    way = Prompt(candidates(suite, SPEAKING), spectrum(), 1, 0, CPU)
    with pytest.raises(DatasetError, match=r"2 of 4 images have an empty caption \(the first is image 1\)"):
        way.show(0, IMAGES, ["dog", " ", "red", ""])
    with pytest.raises(UsageError, match="knows none of its words"):
        way.show(0, IMAGES[:1], ["zeppelin"])


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))
