from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from osbench.core.errors import CheckpointError, DatasetError, GenerationError, UsageError
from osbench.generation.catalog import load_suite, suite_names
from osbench.generation.catalog.suite_file import ZOO
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from osbench.generation.plan import plan


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
        ({"sources": None}, "sources is null; expected a list"),
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
        ({"recipie": {"crop_size": 32}}, r"unknown key of .*own\.yaml 'recipie'. Did you mean 'recipe'"),
    ],
)
def test_keys_that_would_change_nothing_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "own.yaml", **{"extends": "mini", "name": "own", "version": "own-v1"} | change)
    with pytest.raises(UsageError, match=message):
        load_suite(path)


WRONG_TYPES = [
    ({"recipe": {"crop_size": 32.5}}, "recipe.crop_size is 32.5; expected a whole number."),
    ({"recipe": {"crop_size": "32"}}, "recipe.crop_size is '32'; expected a whole number."),
    ({"recipe": {"crop_size": True}}, "recipe.crop_size is true; expected a whole number."),
    ({"recipe": {"crop_size": 0}}, "recipe: crop_size is 0; expected 1 to 65,536."),
    ({"recipe": {"qualities": 90}}, "recipe.qualities is 90; expected a list."),
    ({"recipe": {"qualities": [50.5]}}, r"recipe.qualities\[0\] is 50.5; expected a whole number or null."),
    ({"recipe": {"qualities": [101]}}, r"recipe: JPEG qualities must be 1..100 or null, not \[101\]"),
    ({"recipe": {"batch_size": 10**12, "shard_rows": 10**12}}, "shard_rows is 1000000000000; expected 1 to 100,000"),
    ({"recipe": [1]}, r"recipe is the list \[1\]; expected names and values."),
    ({"recipe": {"colour": 1}}, r"unknown key of .*own.yaml below recipe 'colour'"),
    ({"count": 20.5}, "count is 20.5; expected a whole number."),
    ({"count": 0}, "count is 0; expected at least 1."),
    ({"version": 1.0}, "version is 1.0; expected text on one line."),
    ({"name": "two\nlines"}, "name is 'two lines'; expected text on one line."),
    ({"name": "../x"}, r"own.yaml: '../x' cannot name a suite"),
    ({"title": ["x"]}, r"title is the list \['x'\]; expected text on one line."),
    ({"extends": 5}, "extends is 5; expected text on one line or null."),
    ({"defaults": {"sampling": 3}}, r"sources\[0\].sampling is 3; expected names and values."),
    ({"defaults": {"sampling": {"truncation_psi": float("nan")}}}, "sampling.truncation_psi is nan; expected a finite"),
    ({"defaults": {"native_size": "64"}}, r"sources\[0\].native_size is '64'; expected a whole number or null."),
    ({"defaults": {"native_size": -64}}, r"sources\[0\]: native_size is -64; expected 1 to"),
    ({"defaults": {"weights": 7}}, "defaults.weights is 7; expected text on one line or null."),
    ({"defaults": {"prompts": ["a dog"]}}, r"defaults.prompts is the list \['a dog'\]; expected text"),
    ({"defaults": {"class_labels": [1, "two"]}}, r"sources\[0\].class_labels\[1\] is 'two'; expected a whole number."),
    ({"defaults": {"class_labels": [-1]}}, "class_labels holds -1"),
    ({"defaults": {"crop_rows": [1]}}, r"crop_rows is the list \[1\]; expected a list of 2."),
    ({"defaults": {"crop_rows": [9, 3]}}, r"crop_rows \[9, 3\] keep nothing"),
    ({"defaults": {"deviation": "x"}}, "unknown key of .*'deviation'"),
    ({"sources": ["stylegan2"]}, r"sources\[0\] is 'stylegan2'; expected names and values."),
    ({"sources": [{"generator": "a"}]}, r"sources\[0\].architecture is missing; expected text on one line."),
    ({"licences": {"MIT": "free"}}, "licences.MIT is 'free'; expected names and values."),
    ({"licences": {"MIT": {"title": "x", "url": "u", "use": "any", "accept": "no"}}}, "licences.MIT.accept is 'no'"),
]


@pytest.mark.parametrize(("change", "message"), WRONG_TYPES, ids=lambda value: str(value)[:50])
def test_a_wrong_value_is_named_with_its_field_and_what_is_expected(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / "own.yaml", **{"extends": "mini", "name": "own", "version": "own-v1"} | change)
    with pytest.raises(UsageError, match=message) as caught:
        load_suite(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["hello", "5", "[]", "null", "2020-01-01", "!!set {a, b}"])
def test_a_document_that_is_no_mapping(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"own\.yaml: holds .*; expected names and values\."):
        load_suite(tmp_path / "own.yaml")


def test_a_mistake_in_an_extended_file_is_reported_under_that_file(tiny_suite: Path, tmp_path: Path) -> None:
    base = write(tmp_path / "base.yaml", **{**yaml.safe_load(tiny_suite.read_text()), "count": "many"})
    child = write(tmp_path / "child.yaml", extends="base.yaml", name="child", version="child-v1")
    for path in (base, child):
        with pytest.raises(UsageError, match=r"base\.yaml: count is 'many'; expected a whole number"):
            load_suite(path)


def test_long_chains_of_files_end(tmp_path: Path) -> None:
    for i in range(1500):
        write(tmp_path / f"s{i}.yaml", extends=f"s{i + 1}.yaml", name="s", version=f"s-v{i}")
    with pytest.raises(UsageError, match="extended by more than 8 suites"):
        load_suite(tmp_path / "s0.yaml")


def test_bombs_in_suite_files(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    laughs = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 13))
    for text, message in (
        (f"a0: &a0 lol\n{laughs}title: *a12\n", "aliases written out"),
        ("title: " + "[" * 5000, "nested deeper"),
        ("defaults: &a {sampling: *a}", "contains itself"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            load_suite(path)
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(UsageError, match="a named pipe"):
        load_suite(tmp_path / "pipe.yaml")
    write(path, extends="pipe.yaml", name="own", version="own-v1")
    with pytest.raises(UsageError, match="a named pipe"):
        load_suite(path)
    write(path, extends="mini", name="own", version="own-v1", defaults={"prompts": "pipe.yaml"})
    with pytest.raises(UsageError, match="a named pipe"):
        load_suite(path)


#: Exactly what a user tried: a source more, whose weights have the name of a packaged file.
OWN_SOURCE = """
extends: mini
name: mine
version: mine-v1
sources:
  - {generator: stylegan2b, architecture: StyleGAN2b, family: stylegan2, weights: stylegan2-landscape.safetensors}
"""


def test_a_suite_that_extends_mini_finds_its_weights_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(OWN_SOURCE)
    (source,) = load_suite(path).sources
    assert source.weights == ZOO / "stylegan2-landscape.safetensors"
    dataset = generate(path, tmp_path / "data", count=2)
    assert dataset.sources() == ["stylegan2b/landscape"]
    (tmp_path / "stylegan2-landscape.safetensors").write_bytes(b"the user's own")
    assert load_suite(path).sources[0].weights == tmp_path / "stylegan2-landscape.safetensors", "goes first"


def test_weights_that_are_nowhere_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(OWN_SOURCE.replace("stylegan2-landscape", "elsewhere"))
    assert load_suite(path).sources[0].weights == tmp_path / "elsewhere.safetensors"
    with pytest.raises(DatasetError, match=r"elsewhere\.safetensors.*--weights SOURCE=FILE") as caught:
        generate(path, tmp_path / "data", count=2)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data").exists()
    weights = {"stylegan2b/landscape": ZOO / "stylegan2-landscape.safetensors"}
    assert generate(path, tmp_path / "data", count=2, weights=weights).sources() == ["stylegan2b/landscape"]
    assert plan(path, count=2, weights=weights)[0].origin.startswith("measured")


def test_a_suite_that_extends_nothing_has_only_its_own_weights(tiny_suite: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(tiny_suite.read_text())
    document["sources"][0]["weights"] = "stylegan2-landscape.safetensors"
    path = write(tmp_path / "own.yaml", **document)
    assert load_suite(path).sources[0].weights == tmp_path / "stylegan2-landscape.safetensors"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"defaults": {"sampling": {"truncation_psi": "lots"}}},
            "sampling: truncation_psi is 'lots'; expected a number",
        ),
        ({"defaults": {"sampling": {"truncation": 1}}}, "unknown key of .*'truncation'. Did you mean 'truncation_psi'"),
        (
            {"defaults": {"sampling": {"noise_mode": "some"}}},
            "noise_mode is 'some'; expected one of const, random, none",
        ),
        ({"recipe": {"crop_size": 20.5}}, "crop_size is 20.5"),
    ],
    ids=str,
)
def test_a_typo_leaves_no_trace_in_the_dataset(
    tiny_suite: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path, out = tmp_path / "own.yaml", tmp_path / "data"
    own = {"extends": str(tiny_suite), "name": "own", "version": "own-v1"}
    write(path, **own, **change)
    with pytest.raises(UsageError, match=message):
        generate(path, out, count=2)
    assert not out.exists()
    write(path, **own)
    assert len(generate(path, out, count=2).index()) == 4


def test_a_request_that_made_no_image_binds_nobody(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong after dataset.json was written: only what is published must go on as it was begun."""
    from osbench.generation import generate as module

    def fail(*args: Any) -> None:
        raise GenerationError("no image")

    path, out = tmp_path / "own.yaml", tmp_path / "data"
    own = {"extends": str(tiny_suite), "name": "own", "version": "own-v1"}
    with monkeypatch.context() as broken:
        broken.setattr(module, "_make", fail)
        write(path, **own, recipe={"crop_size": 16})
        with pytest.raises(GenerationError, match="no image"):
            generate(path, out, count=2)
    write(path, **own)
    assert len(generate(path, out, count=2, sources=["alpha"]).index()) == 2
    with monkeypatch.context() as broken:
        broken.setattr(module, "_make", fail)
        write(path, **own, defaults={"sampling": {"noise_mode": "none"}})
        with pytest.raises(GenerationError, match="no image"):
            generate(path, out, count=2, sources=["beta"])
    write(path, **own)
    assert len(generate(path, out, count=2, sources=["beta"]).index()) == 4
    write(path, **own, recipe={"crop_size": 16})
    with pytest.raises(DatasetError, match="begun with another recipe"):
        generate(path, out, count=2)


@pytest.mark.parametrize("change", [{"count": 10**13}, {"recipe": {"shard_rows": 4, "batch_size": 2}, "count": 10**6}])
def test_a_count_that_never_ends_is_refused(tiny_suite: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    path = write(tmp_path / "own.yaml", extends=str(tiny_suite), name="own", version="own-v1", **change)
    with pytest.raises(UsageError, match=r"2[0,]+ images are [0-9,]+ shards; at most 99,999"):
        plan(path)
    with pytest.raises(UsageError, match="at most 99,999"):
        plan(tiny_suite, count=10**13)


def test_weights_that_are_no_regular_file(tiny_suite: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    for weights, message in (("pipe.safetensors", "a named pipe"), ("/dev/zero", "a device"), ("/dev/stdin", "is a ")):
        source = {"generator": "a", "architecture": "A", "weights": weights}
        path = write(tmp_path / "o.yaml", extends=str(tiny_suite), name="o", version="o-v1", sources=[source])
        for call in (lambda path=path: plan(path), lambda path=path: generate(path, tmp_path / "data")):
            with pytest.raises(CheckpointError, match=message):
                call()
    assert not (tmp_path / "data").exists()
