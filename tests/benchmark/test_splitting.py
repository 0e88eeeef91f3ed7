from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.benchmark.splitting import (
    SPLITS,
    few_shots,
    group_names,
    originals,
    own_groups,
    split_counts,
    split_groups,
    split_sources,
)
from osbench.core.errors import DatasetError

from .captioned import FIVE, captioned_index

TENTHS = (Fraction(8, 10), Fraction(1, 10), Fraction(1, 10))

PUBLISHED_TEST = {12, 25, 26, 30, 35, 47, 61, 90, 96, 100}
PUBLISHED_VAL = {13, 28, 46, 48, 51, 60, 63, 77, 80, 89}
"""Characters of paper 2's split: numpy.random.seed(8375) and shuffle(range(100)), counted from 1."""


@given(st.integers(1, 5000))
def test_split_counts_add_up_and_stay_within_one_of_the_ratio(n: int) -> None:
    counts = split_counts(n, TENTHS)
    assert sum(counts) == n
    assert all(abs(Fraction(count) - n * ratio) <= 1 for count, ratio in zip(counts, TENTHS, strict=True))


def test_the_papers_counts() -> None:
    assert split_counts(10_000, TENTHS) == (8000, 1000, 1000)


def test_the_published_split_of_characters() -> None:
    names = np.array([f"character {i}" for i in range(1, 101)])
    split = split_groups(names, TENTHS, 8375)
    assert {int(name.split()[1]) for name in names[split == "test"]} == PUBLISHED_TEST
    assert {int(name.split()[1]) for name in names[split == "val"]} == PUBLISHED_VAL


@given(st.sets(st.text("abc123 ", min_size=1, max_size=6), min_size=10, max_size=40), st.sampled_from([None, 8375, 0]))
def test_no_group_is_torn_and_the_order_of_rows_does_not_matter(names: set[str], seed: int | None) -> None:
    rows = np.array(sorted(names) * 3)
    split = split_groups(rows, TENTHS, seed)
    assert all(len(set(split[rows == name])) == 1 for name in names)
    assert Counter(split[: len(names)]) == Counter(
        dict(zip(("train", "val", "test"), split_counts(len(names), TENTHS), strict=True))
    )
    order = np.random.default_rng(0).permutation(len(rows))
    assert (split_groups(rows[order], TENTHS, seed) == split[order]).all()


def test_too_few_groups_or_images() -> None:
    with pytest.raises(DatasetError, match=r"4 groups are too few for train/val/test at 0\.8/0\.1/0\.1"):
        split_groups(np.array(list("abcd")), TENTHS, 1)
    with pytest.raises(DatasetError, match="source flow/t has 4 images, too few"):
        split_sources(captioned_index(("flow",), 4, 1), TENTHS)


def test_characters_are_known_by_their_column_else_by_the_caption_else_by_the_class() -> None:
    index = captioned_index(("flow", "gan"), 3, 1)
    assert group_names(index, "character").tolist() == [f"character {i}" for i in (1, 2, 3, 1, 2, 3)]
    named = index.assign(character=[*"xyz", *"xyz"])
    assert group_names(named, "character").tolist() == list("xyzxyz")
    assert group_names(named, "prompt").tolist() == group_names(index, "character").tolist()
    by_class = index.drop(columns="prompt").assign(class_label=pd.array([0, 1, 2, 0, 1, 2], "Int32"), prompt=None)
    assert group_names(by_class, "character").tolist() == list("012012")
    long = index.assign(prompt="very long " * 100)
    assert {len(name) for name in group_names(long, "character")} == {64}


def test_images_without_a_group_are_refused() -> None:
    index = captioned_index(("flow", "gan"), 3, 1)
    with pytest.raises(DatasetError, match="splits by content_id, and no image of this dataset has one"):
        group_names(index, "content_id")
    with pytest.raises(DatasetError, match="splits by character or prompt or class_label, and no image"):
        group_names(index.drop(columns="prompt"), "character")
    index.loc[2, "prompt"] = None
    with pytest.raises(DatasetError, match="splits by prompt, and 1 of 6 images have none: leave their sources out"):
        group_names(index, "character")


def test_only_originals_are_split() -> None:
    index = captioned_index(("flow", "gan"), 3, 1)
    assert originals(index) is index
    roles = index.assign(
        role=pd.Series(["original", "resynthesis", None, "original", "resynthesis", "resynthesis"], index.index)
    )
    assert originals(roles)["image_id"].tolist() == ["flow-000-0", "flow-002-0", "gan-000-0"]


@pytest.mark.parametrize("repeat", range(3))
def test_few_shots_are_nested_and_show_the_same_characters_for_every_generator(repeat: int) -> None:
    index = captioned_index(FIVE, 20, 2)
    groups = group_names(index, "character")
    split = split_groups(groups, TENTHS, 8375)
    before = np.zeros(len(index), bool)
    for shots in range(1, 33):
        chosen = few_shots(index, split, groups, shots, repeat)
        assert (chosen >= before).all()
        assert set(split[chosen]) == {"train"}
        shown = [Counter(groups[chosen & (index["generator"] == name)]) for name in FIVE]
        assert all(one == shown[0] for one in shown)
        assert shown[0].total() == shots
        assert max(shown[0].values()) == (1 if shots <= 16 else 2)
        before = chosen
    assert (few_shots(index, split, groups, 99, repeat) == (split == "train")).all()


def test_a_repeat_draws_other_shots_and_rows_may_come_in_any_order() -> None:
    index = captioned_index(FIVE, 20, 2)
    groups = group_names(index, "character")
    split = split_groups(groups, TENTHS, 8375)
    drawn = [set(index["image_id"][few_shots(index, split, groups, 3, repeat)]) for repeat in range(4)]
    assert len({frozenset(ids) for ids in drawn}) == 4
    order = np.random.default_rng(1).permutation(len(index))
    again = index.iloc[order]
    assert set(again["image_id"][few_shots(again, split[order], groups[order], 3, 0)]) == drawn[0]


def test_without_groups_every_image_is_one() -> None:
    index = captioned_index(("flow", "gan"), 10, 1)
    split = split_sources(index, TENTHS)
    chosen = few_shots(index, split, np.full(len(index), ""), 3, 0)
    assert Counter(index["generator"][chosen]) == {"flow": 3, "gan": 3}
    assert set(split[chosen]) == {"train"}


def grouped_index(source: np.ndarray, group: np.ndarray) -> pd.DataFrame:
    """Images with ids of their own; an empty group is none."""
    parts = [name.split("/") for name in source.tolist()]
    ids = [f"{name}-{i:05}" for i, name in enumerate(source.tolist())]
    table = pd.DataFrame({"image_id": ids, "generator": [g for g, _ in parts], "training_set": [t for _, t in parts]})
    return table.assign(group=pd.Series([name or None for name in group.tolist()], table.index))


def counts(split: np.ndarray) -> tuple[int, ...]:
    return tuple(int((split == name).sum()) for name in SPLITS)


@pytest.mark.parametrize("scenes", [10, 37, 600])
def test_pictures_that_all_sources_show_are_split_exactly_and_alike(scenes: int) -> None:
    source = np.repeat([f"g{k}/pictures" for k in range(5)], scenes)
    group = np.tile([f"scene {i}" for i in range(scenes)], 5)
    split = split_sources(grouped_index(source, group), TENTHS)
    each = split.reshape(5, scenes)
    assert (each == each[0]).all()
    assert counts(each[0]) == split_counts(scenes, TENTHS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=30, max_size=60), st.integers(1, 3), st.randoms(use_true_random=False))
def test_no_group_straddles_and_sizes_are_near(sizes: list[int], sources: int, random: object) -> None:
    group = np.concatenate([np.repeat(f"g{k}", size * sources) for k, size in enumerate(sizes)])
    source = np.tile([f"s{k}/x" for k in range(sources)], sum(sizes))
    split = split_sources(grouped_index(source, group), TENTHS)
    for name in set(group.tolist()):
        assert len(set(split[group == name].tolist())) == 1
    for name in set(source.tolist()):
        found = counts(split[source == name])
        wanted = split_counts(sum(sizes), TENTHS)
        assert all(abs(a - b) <= max(sizes) for a, b in zip(found, wanted, strict=True))
    shuffled = np.arange(len(group))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = split_sources(grouped_index(source, group).iloc[shuffled], TENTHS)
    assert (again == split[shuffled]).all()


def test_sources_without_groups_are_split_as_ever_beside_those_that_have_some() -> None:
    source = np.repeat(["a/x", "b/x"], 40)
    group = np.array([""] * 40 + [f"{i // 2}" for i in range(40)])
    index = grouped_index(source, group)
    alone = split_sources(index.iloc[:40].drop(columns="group"), TENTHS)
    both = split_sources(index, TENTHS)
    assert (both[:40] == alone).all()
    assert (both[40::2] == both[41::2]).all()


def test_an_image_without_a_group_is_one_of_its_own() -> None:
    source = np.repeat("a/x", 40)
    group = np.array(["scene"] * 4 + [""] * 36)
    split = split_sources(grouped_index(source, group), TENTHS)
    assert counts(split) == (32, 4, 4)
    assert len(set(split[:4].tolist())) == 1


def test_too_few_groups_in_one_line() -> None:
    source = np.repeat("a/x", 20)
    group = np.repeat(["one", "two"], 10)
    with pytest.raises(DatasetError, match="source a/x has 20 images in 2 groups, too few for train/val/test"):
        split_sources(grouped_index(source, group), TENTHS)


def test_the_column_group_counts_before_the_content() -> None:
    index = pd.DataFrame({"group": ["a", None, None], "content_id": ["x", "y", None]})
    assert own_groups(index).tolist() == ["a", "y", ""]
    assert own_groups(pd.DataFrame({"image_id": ["i", "j"]})).tolist() == ["", ""]
