from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.benchmark.leaks import refuse_missing_content, refuse_straddling
from osbench.benchmark.splitting import SPLITS, group_keys, split_counts, split_sources
from osbench.core.errors import DatasetError, LeakError

TENTHS = (Fraction(8, 10), Fraction(1, 10), Fraction(1, 10))


def numbered(source: np.ndarray) -> np.ndarray:
    return np.array([f"{name}-{i:05}" for i, name in enumerate(source.tolist())])


def counts(split: np.ndarray) -> tuple[int, ...]:
    return tuple(int((split == name).sum()) for name in SPLITS)


@pytest.mark.parametrize("scenes", [10, 37, 600])
def test_pictures_that_all_sources_show_are_split_exactly_and_alike(scenes: int) -> None:
    source = np.repeat([f"g{k}/pictures" for k in range(5)], scenes)
    group = np.tile([f"scene {i}" for i in range(scenes)], 5)
    split = split_sources(numbered(source), source, group, TENTHS)
    each = split.reshape(5, scenes)
    assert (each == each[0]).all()
    assert counts(each[0]) == split_counts(scenes, TENTHS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=30, max_size=60), st.integers(1, 3), st.randoms(use_true_random=False))
def test_no_group_straddles_and_sizes_are_near(sizes: list[int], sources: int, random: object) -> None:
    group = np.concatenate([np.repeat(f"g{k}", size * sources) for k, size in enumerate(sizes)])
    source = np.tile([f"s{k}/x" for k in range(sources)], sum(sizes))
    split = split_sources(numbered(source), source, group, TENTHS)
    for name in set(group.tolist()):
        assert len(set(split[group == name].tolist())) == 1
    for name in set(source.tolist()):
        found = counts(split[source == name])
        wanted = split_counts(sum(sizes), TENTHS)
        assert all(abs(a - b) <= max(sizes) for a, b in zip(found, wanted, strict=True))
    shuffled = np.arange(len(group))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = split_sources(numbered(source)[shuffled], source[shuffled], group[shuffled], TENTHS)
    assert (again == split[shuffled]).all()


def test_sources_without_groups_are_split_as_ever_beside_those_that_have_some() -> None:
    source = np.repeat(["a/x", "b/x"], 40)
    ids = numbered(source)
    alone = split_sources(ids[:40], source[:40], np.full(40, ""), TENTHS)
    group = np.array([""] * 40 + [f"{i // 2}" for i in range(40)])
    both = split_sources(ids, source, group, TENTHS)
    assert (both[:40] == alone).all()
    assert (both[40::2] == both[41::2]).all()


def test_an_image_without_a_group_is_one_of_its_own() -> None:
    source = np.repeat("a/x", 40)
    group = np.array(["scene"] * 4 + [""] * 36)
    split = split_sources(numbered(source), source, group, TENTHS)
    assert counts(split) == (32, 4, 4)
    assert len(set(split[:4].tolist())) == 1


def test_too_few_groups_in_one_line() -> None:
    source = np.repeat("a/x", 20)
    group = np.repeat(["one", "two"], 10)
    with pytest.raises(DatasetError, match="source a/x has 20 images in 2 groups, too few for train/val/test"):
        split_sources(numbered(source), source, group, TENTHS)


def test_the_column_group_counts_before_the_content() -> None:
    index = pd.DataFrame({"group": ["a", None, None], "content_id": ["x", "y", None], "prompt": [None, "p", "p"]})
    assert group_keys(index).tolist() == ["a", "y", ""]
    assert group_keys(index, "prompt").tolist() == ["", "p", "p"]
    assert group_keys(index.drop(columns=["group", "content_id"])).tolist() == ["", "", ""]
    with pytest.raises(DatasetError, match=r"images of one 'character' together, but no image .* group, content_id"):
        group_keys(index, "character")


def test_a_group_in_two_splits_is_a_leak() -> None:
    ids, group = np.array(["i", "j", "k"]), np.array(["", "scene", "scene"])
    refuse_straddling(ids, group, np.array(["train", "test", "test"]))
    with pytest.raises(LeakError, match=r"images j \(train\) and k \(test\) belong to one group, scene"):
        refuse_straddling(ids, group, np.array(["test", "train", "test"]))


def test_a_source_that_lacks_a_picture_is_named() -> None:
    index = pd.DataFrame({"content_id": ["a", "b", "a", None]})
    source = np.array(["g/x", "g/x", "h/x", "folder/x"])
    with pytest.raises(DatasetError, match=r"source h/x lacks 1 of 2 pictures .* first b: run the same .* --count"):
        refuse_missing_content(index, source)
    refuse_missing_content(index.iloc[[0, 2, 3]], source[[0, 2, 3]])
