from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osbench.benchmark.protocols import load_protocol, protocol_names
from osbench.generation.catalog import load_suite
from osbench.generation.errors import DatasetError, UsageError

SEVEN = ["latent_diffusion", "progan", "projected_gan", "stylegan", "stylegan2", "stylegan3", "taming"]


def test_every_protocol_file_loads_under_its_own_name() -> None:
    assert {"fang2023", "rotate", "rotate-one"} <= set(protocol_names())
    for name in protocol_names():
        protocol = load_protocol(name)
        assert protocol.name == name
        assert len(protocol.description) > 40
        assert sum(protocol.ratios) == 1


def test_fang2023_holds_out_the_papers_architectures_in_the_mini_suite() -> None:
    architectures = {source.generator: source.architecture for source in load_suite("mini").sources}
    folds = load_protocol("fang2023").folds(architectures)
    assert [(fold.name, fold.unseen) for fold in folds] == [("fang2023", ("latent_diffusion", "stylegan"))]


def test_fang2023_knows_a_generator_by_its_plain_name() -> None:
    fold = load_protocol("fang2023").fold(["stable_diffusion", "stylegan", "stylegan2", "progan"])
    assert fold.unseen == ("stable_diffusion", "stylegan")


def test_fang2023_needs_every_unseen_architecture() -> None:
    with pytest.raises(DatasetError, match=r"holds out Stable Diffusion, but no generator") as caught:
        load_protocol("fang2023").folds(["stylegan", "stylegan2", "progan"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "count"), [("rotate", 21), ("rotate-one", 7)])
def test_rotations_hold_out_every_choice_once(name: str, count: int) -> None:
    folds = load_protocol(name).folds(SEVEN)
    assert len(folds) == len({fold.unseen for fold in folds}) == count
    assert len({fold.name for fold in folds}) == count
    # Each generator is unseen equally often.
    appearances = [sum(g in fold.unseen for fold in folds) for g in SEVEN]
    assert len(set(appearances)) == 1


def test_a_fold_has_a_long_and_a_short_name() -> None:
    protocol = load_protocol("rotate")
    assert protocol.fold(SEVEN, "rotate/stylegan+taming") == protocol.fold(SEVEN, "stylegan+taming")
    assert protocol.fold(SEVEN, "stylegan+taming").unseen == ("stylegan", "taming")


def test_a_wrong_or_missing_fold_names_the_choices() -> None:
    protocol = load_protocol("rotate-one")
    with pytest.raises(UsageError, match=r"7 folds; choose one: latent_diffusion, progan"):
        protocol.fold(SEVEN)
    with pytest.raises(UsageError, match=r"Did you mean 'taming'"):
        protocol.fold(SEVEN, "tamming")


def test_an_unknown_protocol_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'fang2023'"):
        load_protocol("fang2032")


@given(st.sets(st.text("abcdefgh", min_size=1, max_size=4), min_size=4, max_size=9))
def test_rotations_do_not_depend_on_the_order_of_the_generators(names: set[str]) -> None:
    protocol = load_protocol("rotate")
    folds = protocol.folds(sorted(names, reverse=True))
    assert folds == protocol.folds(sorted(names))
    assert len(folds) == comb(len(names), 2)


def test_too_few_generators_for_two_seen_ones() -> None:
    with pytest.raises(DatasetError, match="at least two seen generators"):
        load_protocol("rotate").folds(["a", "b", "c"])
    with pytest.raises(DatasetError, match="at least two seen generators"):
        load_protocol("rotate").folds([])
