from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from osbench.generation.catalog import Recipe, Source, load_suite, suite_names
from osbench.generation.errors import UsageError


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
