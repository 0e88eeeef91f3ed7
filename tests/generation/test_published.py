from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from osbench.generation.catalog import load_suite
from osbench.generation.ledger import LedgerEntry
from osbench.generation.published import find_published
from osbench.generation.record import source_sha256
from osbench.generation.shards import Unit, write_shard


def unit(suite: Path, dataset: Path, count: int = 10) -> Unit:
    loaded = load_suite(suite)
    source = loaded.sources[0]
    return Unit(dataset, loaded.version, source, source_sha256(source), loaded.recipe, count, shard=1)


def found(one: Unit, *entries: LedgerEntry) -> tuple[LedgerEntry, str, bool] | None:
    published = find_published([one], {entry.file: entry for entry in entries}).get(one.file)
    return published and (published.entry, published.path.name, published.entered)


def test_a_shard_is_known_by_the_ledger_or_by_what_it_was_made_of(tiny_suite: Path, tmp_path: Path) -> None:
    one = unit(tiny_suite, tmp_path)
    assert found(one) is None
    entry = write_shard(one)
    name = Path(one.file).name
    assert found(one) == (entry, name, False)
    assert found(one, entry) == (entry, name, True)
    assert found(replace(one, recipe=replace(one.recipe, qualities=(50,)))) is None
    path = tmp_path / entry.file
    path.write_bytes(path.read_bytes()[:-10])
    assert found(one) is None
    assert found(one, entry) is None


def test_a_full_shard_of_a_smaller_dataset_is_found_under_its_old_name(tiny_suite: Path, tmp_path: Path) -> None:
    small, large = unit(tiny_suite, tmp_path, 10), unit(tiny_suite, tmp_path, 100)
    entry = write_shard(small)
    assert found(large, entry) == (replace(entry, file=large.file), Path(small.file).name, False)
    assert found(large) is None, "what no ledger knows is nobody's"
    last = replace(small, shard=2)  # holds two images of four
    short = write_shard(last)
    assert found(replace(large, shard=2), short) is None


@pytest.mark.parametrize("kind", ["pipe", "folder", "text"])
def test_what_is_no_shard_is_made_again(tiny_suite: Path, tmp_path: Path, kind: str) -> None:
    one = unit(tiny_suite, tmp_path)
    entry = write_shard(one)
    path = tmp_path / one.file
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_text("hello")
    assert found(one) is None
    assert found(one, entry) is None
