"""Who may have made a picture, and as what a method sees what it makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from osbench.baselines.resynthesis.candidates import find_candidates, is_in_catalog
from osbench.core.errors import DatasetError, UsageError
from osbench.generation.catalog import load_suite

from .tiny_suite import CROP, SILENT, candidates


def test_the_seen_generators_are_the_candidates(suite: Path) -> None:
    found = candidates(suite, SILENT)
    assert [(one.name, one.class_index) for one in found] == [("progan/t", 0), ("stylegan2/t", 1)]
    assert len({one.sha256 for one in found}) == 2


def test_a_training_set_that_is_held_out_is_no_candidate() -> None:
    everything = find_candidates("mini-pairs", ("progan",), ())
    assert len(everything) > 1
    (only,) = find_candidates("mini-pairs", ("progan",), (everything[0].name,))
    assert only.name == everything[0].name


def test_generators_that_make_nothing_from_seeds(suite: Path) -> None:
    with pytest.raises(DatasetError, match="suite tiny has no network that makes pictures of generator camera"):
        candidates(suite, ("progan", "camera"))
    with pytest.raises(UsageError, match="unknown suite"):
        find_candidates("minni", SILENT, ())
    assert is_in_catalog("mini", ("progan", "taming"))
    assert not is_in_catalog("mini", ("progan", "camera"))
    assert not is_in_catalog("folders", ("progan",))
    matched = {source.generator for source in load_suite("mini-matched").sources}
    assert not is_in_catalog("mini-matched", sorted(matched))


def test_weights_that_are_not_there(suite: Path, tmp_path: Path) -> None:
    text = suite.read_text().replace("progan.safetensors", "elsewhere.safetensors")
    (tmp_path / "suite.yaml").write_text(text)
    with pytest.raises(DatasetError, match="1 of 2 weight files are missing"):
        find_candidates(str(tmp_path / "suite.yaml"), SILENT, ())


def test_a_picture_as_it_would_be_stored(suite: Path) -> None:
    (one, _) = candidates(suite, SILENT)
    native = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    seen = [one.stored(native, seed, CROP) for seed in range(12)]
    assert {image.shape for image in seen} == {(CROP, CROP, 3)}
    places = {(native == image[:1, :1]).all(2).any() for image in seen}
    assert places == {True, False}  # some qualities are none: those crops are pieces of the picture itself
    np.testing.assert_array_equal(one.stored(native, 5, CROP), seen[5])
    whole = replace(one, suite=replace(one.suite, recipe=replace(one.suite.recipe, qualities=(None,))))
    np.testing.assert_array_equal(whole.stored(native, 0, 64), native)
    with pytest.raises(DatasetError, match="progan/t makes pictures of 64 px, too small for crops of 65 px"):
        one.stored(native, 0, 65)
