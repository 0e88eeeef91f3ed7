"""The files of docs/examples are complete: each one works where its page says that it belongs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from osbench.baselines.rejection import Activations, rule
from osbench.benchmark.protocols import _parse

from .pages import ROOT, pages
from .workshop import example_module

EXAMPLES = ROOT / "docs" / "examples"


def test_every_example_is_on_a_page() -> None:
    shown = {name for page in pages() for name in re.findall(r'--8<-- "docs/examples/([^"]+)"', page.read_text("utf-8"))}
    assert shown == {path.name for path in EXAMPLES.iterdir() if path.is_file()}


def test_the_rejection_rule_is_a_rule_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "_RULES", dict(rule._RULES))
    example_module("osbench.baselines.rejection", EXAMPLES / "margin.py", monkeypatch)
    assert "margin" in rule.rule_names()
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 4)).astype(np.float32)
    train = Activations(rng.normal(size=(50, 8)).astype(np.float32), logits, logits.argmax(1))
    margin = rule.build_rule("margin")
    margin.fit(train, train, None)
    scores = rule.build_rule("margin", margin.arrays).known_score(train.features, logits)
    for row, score in zip(logits.astype(np.float64), scores, strict=True):
        p = sorted(np.exp(row) / np.exp(row).sum())
        assert score == pytest.approx(p[-1] - p[-2], abs=1e-12)
    flat, sure = np.zeros((1, 4), np.float32), np.array([[9, 0, 0, 0]], np.float32)
    assert margin.known_score(train.features[:1], flat) < margin.known_score(train.features[:1], sure)


def test_the_protocol_holds_out_what_its_name_says() -> None:
    protocol = _parse(yaml.safe_load((EXAMPLES / "taming_unseen.yaml").read_text("utf-8")))
    (fold,) = protocol.folds({"taming": "Taming Transformers", "progan": "ProGAN", "stylegan": "StyleGAN"})
    assert fold.unseen == ("taming",)


def test_the_family_gives_every_image_from_its_own_seed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from osbench.generation.families import base

    monkeypatch.setattr(base, "_FAMILIES", dict(base._FAMILIES))
    plasma = example_module("osbench.generation.families", EXAMPLES / "plasma.py", monkeypatch).Plasma()
    base.save_generator(plasma, tmp_path / "plasma.safetensors")
    loaded = base.load_safetensors_generator(tmp_path / "plasma.safetensors")
    together = loaded.sample([1, 2**63 + 5])
    assert together.shape == (2, 64, 64, 3)
    assert together[0].std() > 10
    assert (together[0] != together[1]).any()
    difference = together[1].astype(int) - loaded.sample([2**63 + 5])[0]
    assert np.abs(difference).max() <= 1
