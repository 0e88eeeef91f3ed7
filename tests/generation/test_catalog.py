from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from osbench.core.errors import UsageError
from osbench.generation.catalog import Recipe, Source, load_suite, suite_names
from osbench.generation.training.plan import load_plan


def test_mini_suite_has_the_seven_generators_of_paper_1() -> None:
    suite = load_suite("mini")
    assert (suite.name, suite.version, suite.crop_size) == ("mini", "mini-v1", suite.recipe.crop_size)
    landscape = [s for s in suite.sources if s.training_set == "landscape"]
    assert sorted(s.generator for s in landscape) == sorted(
        ["progan", "projected_gan", "stylegan", "stylegan2", "stylegan3", "taming", "latent_diffusion"]
    )
    assert {"ProGAN", "StyleGAN", "StyleGAN2", "StyleGAN3", "Stable Diffusion"} <= {s.architecture for s in landscape}
    for source in suite.sources:
        assert source.weights is not None
        assert source.weights.parent.name == "zoo"
        assert source.licence
        assert suite.source(source.name) is source


def test_names_suggest_the_nearest() -> None:
    assert "mini" in suite_names()
    with pytest.raises(UsageError, match="Did you mean 'mini'"):
        load_suite("minni")
    with pytest.raises(UsageError, match="Did you mean 'stylegan2/landscape'"):
        load_suite("mini").source("stylgan2/landscape")


def test_a_suite_by_path_takes_weights_beside_it(tiny_suite: Path) -> None:
    suite = load_suite(tiny_suite)
    assert [s.name for s in suite.sources] == ["alpha/noise", "beta/noise"]
    assert suite.sources[0].weights == tiny_suite.parent / "alpha.safetensors"
    assert suite.batch_size == 2


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such suite file"):
        load_suite(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": {"order": "sideways"}},
        {"recipe": {"qualities": [101]}},
        {"recipe": {"shard_rows": 5, "batch_size": 2}},
        {"recipe": {"colour": "blue"}},
        {"recipe": {"order": "crop-then-compress", "frame": "full"}},
        {"recipe": None},
        {"count": "many"},
        {"sources": []},
        {"sources": [{"generator": "a"}]},
        {"sources": [{"generator": "../a", "training_set": "t", "architecture": "A", "licence": "x", "weights": "w"}]},
        {"sources": [{"generator": "a", "training_set": "t", "architecture": "A", "licence": "x"}]},
        {"sources": [{"generator": "a", "wieghts": "w"}]},
        {"version": None, "sources": "none"},
    ],
    ids=str,
)
def test_malformed_suites_are_one_line_usage_errors(tiny_suite: Path, tmp_path: Path, change: dict) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(tiny_suite.read_text()), **change}))
    with pytest.raises(UsageError) as caught:
        load_suite(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b", "a: [", "\tx"])
def test_files_that_are_no_suite(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"bad\.yaml"):
        load_suite(path)


def test_a_source_is_a_network_or_a_folder() -> None:
    with pytest.raises(UsageError, match="either weights or a folder"):
        Source("a", "t", "A", "MIT", weights=Path("w"), folder=Path("f"))
    assert Recipe().document()["qualities"] == [75, 80, 85, 90, 95, None]


TABLE_1 = {  # paper 1, table 1
    "progan": {"celeba", "lsun-church", "lsun-bedroom", "lsun-bicycle", "lsun-bird", "lsun-car"},
    "projected_gan": {"ffhq", "lsun-bedroom", "lsun-church", "cityscapes"},
    "taming": {"ffhq", "imagenet-fish", "imagenet-shark", "imagenet-dog"},
    "stylegan2": {"ffhq", "metfaces", "afhqv2", "afhqdog"},
    "stylegan3": {"ffhq", "metfaces", "afhqv2"},
    "stylegan": {"ffhq", "celebahq", "lsun-bedroom", "lsun-car"},
    "stable_diffusion": {"none"},
}


def test_fang2023_holds_the_26_pairs_of_table_1() -> None:
    suite = load_suite("fang2023")
    pairs = {(s.generator, s.training_set) for s in suite.sources}
    assert pairs == {(g, t) for g, sets in TABLE_1.items() for t in sets}
    assert len(suite.sources) == 26
    assert (suite.count, suite.crop_size) == (10_000, 256)
    assert {s.architecture for s in suite.sources} == {s.architecture for s in load_suite("mini").sources}
    for source in suite.sources:
        assert source.published
        assert source.native_size is not None
        assert source.native_size >= suite.crop_size
        assert source.speed is not None
        assert 0 < source.speed[0] <= source.speed[1]
        assert source.licence in suite.licences
        for file in source.files:
            assert all(url.startswith("https://") for url in file.urls)
            assert file.urls or file.page
            assert file.sha256 is None or file.sha256[:8] in file.file
    sampled_like = {s.generator: s.sampling.get("noise_mode") for s in suite.sources}
    assert sampled_like["projected_gan"] == sampled_like["stylegan"] == "random"
    assert sampled_like["stylegan2"] == "const"


def test_fang2023_choices_that_the_paper_leaves_open() -> None:
    suite = load_suite("fang2023")
    classes = {name: suite.source(f"taming/imagenet-{name}").class_labels for name in ("fish", "shark", "dog")}
    assert classes["shark"] == (2, 3, 4)
    assert classes["dog"] == tuple(range(151, 269))
    assert classes["fish"] == (0, 1, *range(389, 398))
    assert [s.name for s in suite.sources if s.stands_in] == ["progan/celeba"]
    assert [s.name for s in suite.sources if s.crop_rows] == ["stylegan/lsun-car"]
    prompts = suite.source("stable_diffusion/none").prompts
    assert len(prompts) == len(set(prompts)) == 320
    assert all("#" not in prompt and prompt == prompt.strip() for prompt in prompts)


@pytest.mark.parametrize(
    "change",
    [
        {"files": [{"file": "../../x.pkl", "container": "pickle", "megabytes": 1, "page": "p"}]},
        {"files": [{"file": "/x.pkl", "container": "pickle", "megabytes": 1, "page": "p"}]},
        {"files": [{"file": "x.pkl", "container": "rar", "megabytes": 1, "page": "p"}]},
        {"files": [{"file": "x.pkl", "container": "pickle", "megabytes": 1}]},
        {"files": [{"file": "x.pkl", "container": "pickle", "megabytes": 1, "page": "p", "sha256": "12"}]},
        {"files": [{"file": "x.pkl", "page": "p"}]},
        {"files": [{"file": "x.pkl", "container": "pickle", "megabytes": 1, "page": "p", "colour": 1}]},
        {"hub": [{"repo": "a/b"}]},
        {"licence": "nothing is known of it"},
        {"prompts": "none.txt"},
        {"deviation": "x"},
    ],
    ids=str,
)
def test_malformed_published_weights(tmp_path: Path, change: dict) -> None:
    good = {"file": "x.pkl", "container": "pickle", "megabytes": 1, "page": "p"}
    entry = {"generator": "a", "training_set": "t", "architecture": "A", "licence": "MIT", "files": [good]}
    document = {
        "name": "own",
        "version": "own-v1",
        "count": 1,
        "recipe": {"crop_size": 16},
        "licences": {"MIT": {"title": "MIT", "url": "u", "use": "any"}},
    }
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({**document, "sources": [entry]}))
    load_suite(path)
    path.write_text(yaml.safe_dump({**document, "sources": [{**entry, **change}]}))
    with pytest.raises(UsageError) as caught:
        load_suite(path)
    assert "\n" not in str(caught.value)


def test_one_name_in_the_cache_is_one_file(tmp_path: Path) -> None:
    def entry(training_set: str, page: str) -> dict:
        file = {"file": "x.pkl", "container": "pickle", "megabytes": 1, "page": page}
        return {"generator": "a", "training_set": training_set, "architecture": "A", "licence": "MIT", "files": [file]}

    document = {
        "name": "own",
        "version": "own-v1",
        "count": 1,
        "recipe": {},
        "sources": [entry("t", "p"), entry("u", "q")],
    }
    document["licences"] = {"MIT": {"title": "MIT", "url": "u", "use": "any"}}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(UsageError, match="two different weight files are called"):
        load_suite(path)


def test_mini_v2_has_every_family_twice_and_two_crops() -> None:
    small, whole = load_suite("mini-v2"), load_suite("mini-v2-128")
    assert (small.crop_size, whole.crop_size) == (64, 128)
    assert small.sources == whole.sources
    assert replace(small.recipe, crop_size=128) == whole.recipe
    families = {s.generator for s in load_suite("mini").sources}
    assert {s.name for s in small.sources} == {f"{g}/{t}" for g in families for t in ("landscape", "emoji")}
    plan = load_plan("mini-v2")
    for source in small.sources:
        assert source.native_size == plan.resolution
        assert source.weights is not None
        assert source.weights.parts[-3:] == ("zoo", plan.zoo, f"{source.name.replace('/', '-')}.safetensors")
