from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from osbench.generation.seeds import image_id, image_rng, image_seed

names = st.text(alphabet="abcdefgh_0123456789", min_size=1, max_size=8)


def test_identity_is_the_documented_hash_for_ever() -> None:
    digest = hashlib.sha256(b"mini-v1/stylegan2/landscape/7").hexdigest()
    assert image_id("mini-v1", "stylegan2", "landscape", 7) == digest[:32]
    assert image_seed("mini-v1", "stylegan2", "landscape", 7) == int(digest[:16], 16) % 2**63


@given(names, names, names, st.integers(0, 10**6))
def test_seed_fits_a_signed_64_bit_column(suite: str, generator: str, training_set: str, index: int) -> None:
    assert 0 <= image_seed(suite, generator, training_set, index) < 2**63


def test_seeds_of_a_large_suite_are_distinct() -> None:
    seeds = {image_seed("s", g, "t", i) for g in "abcde" for i in range(4000)}
    assert len(seeds) == 20_000


def test_streams_are_repeatable_and_independent() -> None:
    first = image_rng(5, "crop").integers(2**62, size=8)
    assert np.array_equal(first, image_rng(5, "crop").integers(2**62, size=8))
    assert not np.array_equal(first, image_rng(5, "jpeg").integers(2**62, size=8))
    assert not np.array_equal(first, image_rng(6, "crop").integers(2**62, size=8))


def test_draws_of_released_datasets_never_change() -> None:
    assert image_rng(123456789, "crop").integers(0, 1000, size=4).tolist() == [71, 931, 733, 300]
