from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from osbench.benchmark.manifest import Manifest, build_manifest, open_manifests, read_manifest, write_manifest
from osbench.benchmark.manifest_check import check_manifest
from osbench.benchmark.manifest_columns import COLUMNS
from osbench.core.errors import DatasetError, LeakError

from .captioned import captioned_index, without_pictures

FEW = "shots=3,repeat=1"


@pytest.fixture(scope="module")
def few() -> Manifest:
    return build_manifest(without_pictures(captioned_index()), "fewshot", FEW)


def test_a_manifest_of_groups_is_written_with_them_and_read_again(few: Manifest, tmp_path: Path) -> None:
    write_manifest(few, tmp_path / "few.parquet")
    again = read_manifest(tmp_path / "few.parquet")
    assert tuple(again.table.columns) == (*COLUMNS, "group")
    assert (again.shots, again.repeat, again.unseen, again.manifest_id) == (3, 1, (), few.manifest_id)
    assert again.table.equals(few.table)


def test_nobody_is_unseen_only_with_few_shots(few: Manifest) -> None:
    with pytest.raises(DatasetError, match="nobody is unseen in the manifest"):
        check_manifest(replace(few, shots=0))


def test_a_manifest_has_as_many_training_images_as_it_says(few: Manifest) -> None:
    with pytest.raises(DatasetError, match="has 3 training images in a manifest of 4"):
        check_manifest(replace(few, shots=4))


def test_a_torn_group_is_refused(few: Manifest, tmp_path: Path) -> None:
    table = few.table.copy()
    in_val = table.index[table["split"] == "val"][0]
    in_test = table.index[(table["split"] == "test") & (table["generator"] == table.loc[in_val, "generator"])][0]
    table.loc[in_val, "group"] = table.loc[in_test, "group"]
    with pytest.raises(LeakError, match=r"group character \d+ is torn: flow.* is in val and flow.* in test"):
        write_manifest(replace(few, table=table), tmp_path / "torn.parquet")
    assert list(tmp_path.iterdir()) == []


def test_without_groups_there_is_no_column() -> None:
    index = captioned_index()
    manifest = build_manifest(without_pictures(index), "rotate-one", "gan")
    assert tuple(manifest.table.columns) == COLUMNS


def test_a_group_that_a_protocol_of_all_images_names_is_not_torn_either(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("unseen: {generators: [gan]}\ngroup: prompt\n")
    dataset = without_pictures(captioned_index(), tmp_path)
    (manifest,) = open_manifests(dataset, path)
    assert {len(splits) for splits in manifest.table.groupby("group")["split"].unique()} == {1}
    assert manifest.counts()["flow/t"] == {"train": 64, "val": 8, "test": 8}
    assert manifest.counts()["gan/t"] == {"train": 0, "val": 0, "test": 8}
