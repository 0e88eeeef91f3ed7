"""Which methods, options and rejection rules ``osbench run`` asks for; the whole line is tested by the verbs."""

from pathlib import Path
from typing import Any

import pytest

from osbench import line
from osbench.benchmark.method import get_method
from osbench.core.errors import UsageError
from osbench.generation.catalog import load_suite


@pytest.mark.parametrize("suite", line.profile_names())
def test_profiles_name_methods_options_and_rules_that_exist(suite):
    profile = line.load_profile(load_suite(suite))
    assert profile.methods
    for name, options in profile.methods.items():
        method = get_method(name)
        own = {key: value for key, value in options.items() if key not in ("epochs", "rejections")}
        method(**own)
        assert set(options.get("rejections", ())) <= set(method.rejections)


def test_the_mini_board_stays_short():
    methods = line.load_profile(load_suite("mini")).methods
    for name in ("resnet50", "dct-cnn"):
        assert methods[name]["rejections"] == ["never", "msp", "centroid-sigma"]


@pytest.mark.parametrize("suite", ["mini-pairs", "mini-v2", "mini-v2-128"])
def test_a_suite_that_extends_another_shares_its_profile(suite):
    assert line.load_profile(load_suite(suite)) == line.load_profile(load_suite("mini"))


def test_a_suite_without_a_profile_is_a_usage_error():
    with pytest.raises(UsageError, match=r"unknown suite with a run profile 'fang2023'.*mini"):
        line.load_profile(load_suite("fang2023"))


def test_unknown_suites_are_usage_errors(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'mini'"):
        line.run_line("minni", tmp_path)


def test_a_line_passes_epochs_and_rules_apart_from_options(monkeypatch, tmp_path):
    asked: dict[str, dict[str, Any]] = {}
    profile = line.Profile("fang2023", 2, {"resnet50": {"epochs": 3, "rejections": ["msp"], "lr": 0.1}, "proposed": {}})
    monkeypatch.setattr(line, "load_profile", lambda suite: profile)
    monkeypatch.setattr(line, "generate", lambda *args, **kwargs: "dataset")
    monkeypatch.setattr(line, "open_manifests", lambda dataset, protocol: ["manifest"])
    monkeypatch.setattr(line, "evaluate", lambda name, *args, **kwargs: asked.update({name: kwargs}))
    monkeypatch.setattr(line, "build_board", lambda *args, **kwargs: asked.update(board=kwargs) or Saved())
    made = line.run_line("mini", tmp_path, workers=1)
    assert made.page == tmp_path / "leaderboard"
    assert list(made.seconds) == ["generate", "resnet50", "proposed", "leaderboard"]
    first = asked["resnet50"]
    assert (first["options"], first["epochs"]) == ({"lr": 0.1}, 3)
    assert (asked["proposed"]["options"], asked["proposed"]["epochs"]) == ({}, None)
    assert list(first["seeds"]) == [0, 1]
    assert first["out"] == Path(tmp_path) / "runs"
    assert asked["board"]["rules"] == ["msp"]
    assert profile.methods["resnet50"]["epochs"] == 3, "the profile itself is left alone"


class Saved:
    """A board that says where it was to be saved."""

    def save(self, out: Path) -> Path:
        return out
