from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from osbench.core.errors import UsageError
from osbench.generation.catalog import load_suite, suite_names
from osbench.generation.catalog.suite_file import ZOO
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate


def write(path: Path, **document: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(document))
    return path


def test_pairs_are_the_mini_suite_on_two_training_sets() -> None:
    mini, pairs = load_suite("mini"), load_suite("mini-pairs")
    assert pairs.extends == mini
    assert pairs.recipe == mini.recipe
    assert [s for s in pairs.sources if s.training_set == "landscape"] == list(mini.sources)
    assert len(pairs.sources) == 2 * len(mini.sources)
    assert pairs.count * 2 == mini.count, "as many images per generator"
    assert {s.weights for s in pairs.sources} == {
        ZOO / f"{s.name.replace('/', '-')}.safetensors" for s in pairs.sources
    }


@pytest.mark.parametrize("name", suite_names())
def test_every_packaged_suite_has_a_version_of_its_own(name: str) -> None:
    versions = [load_suite(other).version for other in suite_names()]
    assert versions.count(load_suite(name).version) == 1
    assert load_suite(name).name == name


def test_an_own_suite_changes_what_it_names_and_keeps_the_rest(tmp_path: Path) -> None:
    path = write(
        tmp_path / "own.yaml",
        extends="mini",
        name="own",
        version="own-v1",
        recipe={"crop_size": 32},
        defaults={"sampling": {"truncation_psi": 0.5}},
    )
    own, mini = load_suite(path), load_suite("mini")
    assert (own.recipe.crop_size, own.recipe.shard_rows, own.count) == (32, mini.recipe.shard_rows, mini.count)
    assert [s.weights for s in own.sources] == [s.weights for s in mini.sources], "still those of the packaged zoo"
    assert {tuple(s.sampling.items()) for s in own.sources} == {(("truncation_psi", 0.5), ("noise_mode", "const"))}


def test_paths_belong_to_the_file_they_are_written_in(tiny_suite: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(tiny_suite.read_text())
    base = write(tmp_path / "base" / "base.yaml", **document)
    (tmp_path / "base" / "words.txt").write_text("a dog\n")
    source = {"generator": "alpha", "architecture": "Alpha", "training_set": "t", "weights": "mine.safetensors"}
    child = write(
        tmp_path / "child" / "child.yaml",
        extends="../base/base.yaml",
        name="child",
        version="child-v1",
        sources=[source, {**source, "training_set": "u", "weights": None, "folder": "pictures"}],
    )
    assert load_suite(base).sources[0].weights == tmp_path / "base" / "alpha.safetensors"
    mine, pictures = load_suite(child).sources
    assert (mine.weights, pictures.folder) == (tmp_path / "child" / "mine.safetensors", tmp_path / "child" / "pictures")
    grandchild = write(tmp_path / "g.yaml", extends="child/child.yaml", name="g", version="g-v1", count=3)
    assert load_suite(grandchild).sources == (mine, pictures)
    assert load_suite(grandchild).count == 3


def test_an_extending_suite_makes_images_with_identities_of_its_own(tiny_suite: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "own.yaml", extends=str(tiny_suite), name="own", version="own-v1", recipe={"crop_size": 16})
    generate(path, tmp_path / "own", count=4)
    generate(tiny_suite, tmp_path / "tiny", count=4)
    own, tiny = Dataset.open(tmp_path / "own"), Dataset.open(tmp_path / "tiny")
    assert (own.crop_size, tiny.crop_size) == (16, 20)
    assert own.sources() == tiny.sources()
    assert not set(own.index()["image_id"]) & set(tiny.index()["image_id"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": None}, "needs a version of its own"),
        ({"name": None, "version": None}, "needs a name and a version of its own"),
        ({"extends": "nowhere"}, "nowhere: no such suite file. Packaged suites: .*mini"),
        ({"extends": "own.yaml"}, "extends itself"),
        ({"sources": None}, "not a valid suite file"),
    ],
)
def test_what_cannot_extend(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    document = {"extends": "mini", "name": "own", "version": "own-v1"} | change
    path = write(tmp_path / "own.yaml", **{k: v for k, v in document.items() if v is not None or k == "sources"})
    with pytest.raises(UsageError, match=message) as caught:
        load_suite(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop_size": 32}, "'crop_size' belongs below 'recipe'"),
        ({"licence": "MIT"}, "'licence' belongs below 'defaults'"),
        ({"recipie": {"crop_size": 32}}, r"unknown key of suite file .*own\.yaml 'recipie'. Did you mean 'recipe'"),
    ],
)
def test_keys_that_would_change_nothing_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "own.yaml", **{"extends": "mini", "name": "own", "version": "own-v1"} | change)
    with pytest.raises(UsageError, match=message):
        load_suite(path)
