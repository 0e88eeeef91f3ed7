from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from osbench.benchmark.audit.questions import questions, seen_share, spread
from osbench.benchmark.manifest import build_manifest, split_dataset
from osbench.benchmark.protocols import Fold, Protocol
from osbench.core.errors import DatasetError
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from tests.benchmark.matched_folders import write_matched
from tests.benchmark.tiny_dataset import CROP, GENERATORS, write_sources


def test_the_published_protocol_and_the_same_across_weights(matched: Dataset) -> None:
    asked = questions(matched, None, matched.index())
    assert (asked.own.name, [m.fold for m in asked.own.manifests]) == ("fang2023", ["fang2023"])
    assert asked.weights is not None
    assert [m.held_out for m in asked.weights.manifests] == ["w0", "w1", "w2"]
    # The manifests are those that anybody gets, so that runs on them stand on one board.
    assert asked.weights.manifests[0].manifest_id == build_manifest(matched, "cross-weights", "w0").manifest_id


def test_a_protocol_that_holds_weights_out_asks_once(matched: Dataset) -> None:
    asked = questions(matched, "cross-weights", matched.index())
    assert asked.weights is asked.own
    assert asked.each() == (asked.own,)


def test_other_protocols_are_crossed_with_weights_too(matched: Dataset) -> None:
    asked = questions(matched, Protocol.of_unseen(["taming"], "mine"), matched.index())
    assert [question.name for question in asked.each()] == ["mine", "mine-cross-weights"]
    assert asked.weights is not None
    assert asked.weights.manifests[0].unseen == ("taming",)


def test_own_generators_are_left_out_one_by_one(tmp_path: Path) -> None:
    names = {name: (name, colour) for name, (_, colour) in GENERATORS.items() if name not in ("stylegan", "taming")}
    renamed = {f"own-{name}": (f"own {name}", colour) for name, (_, colour) in names.items()}
    data = generate(write_sources(tmp_path / "sources", renamed, 12, CROP), tmp_path / "data")
    asked = questions(data, None, data.index())
    assert asked.own.name == "rotate-one"
    assert len(asked.own.manifests) == 3
    split_dataset(data, Protocol.of_unseen(["own-progan"], "mine"))
    stored = questions(data, None, data.index())
    assert (stored.own.name, stored.own.manifests[0].unseen) == ("mine", ("own-progan",))


def test_two_weights_are_no_third(tmp_path: Path) -> None:
    data = generate(write_matched(tmp_path / "sources", weights=("w0", "w1"), scenes=12), tmp_path / "data")
    asked = questions(data, None, data.index())
    assert asked.weights is None
    assert "every seen generator needs 3 weights" in asked.why_not


def test_too_few_generators_or_images_in_one_line(dataset: Dataset, tmp_path: Path) -> None:
    index = dataset.index()
    with pytest.raises(DatasetError, match=r"an audit needs three generators, .* has progan, taming"):
        questions(dataset, None, index[index["generator"].isin(["progan", "taming"])])
    data = generate(write_sources(tmp_path / "sources", GENERATORS, 1, CROP), tmp_path / "data")
    with pytest.raises(DatasetError, match="has 1 images, too few for train/val/test"):
        questions(data, None, data.index())


def test_a_few_folds_of_many_are_spread_over_all() -> None:
    folds = [Fold(f"p/{u}/{w}", (u,), w, "weights") for u in "abcdefgh" for w in ("w0", "w1", "w2")]
    chosen = spread(folds, 4)
    assert {fold.held_out for fold in chosen} == {"w0", "w1", "w2"}
    assert len({fold.unseen for fold in chosen}) == 4
    assert chosen == [fold for fold in folds if fold in chosen]
    assert spread(folds[:1], 4) == folds[:1]
    alone = [Fold(f"p/{k}", (str(k),)) for k in range(21)]
    assert [fold.name for fold in spread(alone, 4)] == ["p/0", "p/5", "p/10", "p/15"]


def test_the_share_of_the_largest_class(matched: Dataset) -> None:
    manifest = build_manifest(matched, "fang2023")
    assert seen_share(manifest) == pytest.approx(1 / 3)
    table = manifest.table
    less = table[(table["split"] != "test") | (table["generator"] != "progan") | (table["weights"] == "w0")]
    assert seen_share(replace(manifest, table=less)) == pytest.approx(12 / 28)
