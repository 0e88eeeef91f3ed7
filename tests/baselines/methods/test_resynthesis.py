"""Every way from fit to answer, on small untrained generators."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from osbench.baselines.methods.resynthesis import Resynthesis
from osbench.baselines.resynthesis.reference import Reference
from osbench.baselines.resynthesis.rules import rule_names
from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.images import ImageSet, load_images
from osbench.benchmark.manifest import build_manifest
from osbench.benchmark.method import Context
from osbench.benchmark.protocols import Fold, Protocol, Unseen
from osbench.core.errors import CheckpointError, DatasetError, UsageError
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate

from ...generation.tiny_text import write_tiny_text_suite
from ..resynthesis.test_folder import IMAGES, NAMES, write_folder
from ..resynthesis.tiny_suite import CAPTIONS, SILENT, SPEAKING, write_suite

SEARCH = {"pool": 8, "steps": 2}
SPECTRUM = {"encoder": "log-spectrum"}

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def dataset(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Ten pictures of each source of the tiny suite."""
    return generate(suite, tmp_path_factory.mktemp("data"), count=10)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))


def images_of(dataset: Dataset, seen: tuple[str, ...]) -> tuple[ImageSet, Any]:
    others = tuple(sorted({name.split("/")[0] for name in dataset.sources()} - set(seen)))
    protocol = Protocol("mine", Unseen(others), ratios=(0.6, 0.2, 0.2))
    manifest = build_manifest(dataset, protocol, Fold("mine", others))
    return load_images(dataset, manifest), manifest


def fitted(dataset: Dataset, suite: Path, seen: tuple[str, ...], **options: Any) -> tuple[Resynthesis, ImageSet]:
    images, manifest = images_of(dataset, seen)
    method = Resynthesis(**SPECTRUM, source=str(suite), **options)
    sources = tuple(name for name, count in manifest.counts().items() if count["train"])
    context = Context(0, torch.device("cpu"), Path(), manifest.seen, 32, suite="tiny", sources=sources)
    method.fit(images.split("train"), images.split("val"), context)
    return method, images


@pytest.mark.parametrize(
    ("seen", "options", "way"),
    [
        (SILENT, {"via": "reference", "references": 6}, "reference"),
        (SILENT, SEARCH, "inversion"),
        (SPEAKING, {"draws": 2}, "prompt"),
        (SPEAKING, {"control": "wrong-caption"}, "prompt"),
    ],
)
def test_each_way_answers_and_is_saved(dataset, suite, tmp_path, seen, options, way) -> None:
    method, images = fitted(dataset, suite, seen, **options)
    assert method.way.name == way
    test = images.split("test")
    captions = None if test.captions is None else list(test.captions)
    found = method.predict(test.pixels, captions)
    rows = method.embed(test.pixels)
    assert rows.shape == (len(test), method.encoder.dim(method.chosen_layer))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    if way != "reference":
        with pytest.raises(UsageError, match="a few images do not: via=reference takes them"):
            method.enroll(test.pixels[:2], "another")
    several = way == "reference" or options.get("draws", 1) > 1
    assert tuple(found) == method.rejections == rule_names(several)
    assert all(len(scores) == len(test) for scores in found.values())
    assert method.seconds_per_image.keys() == {f"{way} {name}/t" for name in seen}
    assert all(seconds > 0 for seconds in method.seconds_per_image.values())
    method.save(tmp_path)
    loaded = Resynthesis.load(tmp_path)
    assert loaded.options == method.options
    assert loaded.seconds_per_image.keys() == method.seconds_per_image.keys()
    again = loaded.predict(test.pixels, captions)
    for rule, scores in found.items():
        np.testing.assert_array_equal(again[rule].known_score, scores.known_score)
        np.testing.assert_array_equal(again[rule].candidate, scores.candidate)


def test_a_source_joins_by_a_few_references(train_set, val_set, test_set, make_context, tmp_path) -> None:
    method = Resynthesis(**SPECTRUM, source="train", references=30)
    method.fit(train_set, val_set, make_context())
    strangers = test_set[np.flatnonzero(test_set.class_index < 0)]
    joined = method.enroll(strangers[:5], "delta")
    assert joined.class_names == (*method.class_names, "delta")
    assert isinstance(joined.way, Reference)
    assert (joined.way.lift[:, :3] == 0).all()
    assert joined.way.lift[0, 3] > 0, "the nearest of few is further away"
    found = joined.predict(strangers[5:])
    assert set(found) == set(method.predict(strangers[5:]))
    for rule in ("distance", "z-score"):
        assert (found[rule].candidate == 3).mean() > 0.5, rule
    known = test_set[np.flatnonzero(test_set.class_index >= 0)]
    before, after = (one.predict(known)["distance"].candidate for one in (method, joined))
    assert (before == after).mean() > 0.8
    (tmp_path / "saved").mkdir()
    joined.save(tmp_path / "saved")
    again = Resynthesis.load(tmp_path / "saved").predict(strangers[5:])
    for rule, scores in found.items():
        np.testing.assert_allclose(again[rule].known_score, scores.known_score, rtol=1e-5, atol=1e-6)


def test_the_harness_hands_captions_over(dataset, suite, tmp_path) -> None:
    _, manifest = images_of(dataset, SPEAKING)
    options = {**SPECTRUM, "source": str(suite)}
    (run,) = evaluate("resynthesis", dataset, manifest, seeds=[0], out=tmp_path, options=options)
    assert run.rules == rule_names(several_draws=False)
    assert run.info.seconds_per_image.keys() == {f"prompt {name}/t" for name in SPEAKING}
    assert json.loads((run.model / "method.json").read_text())["setup"]["way"] == "prompt"
    options["control"] = "wrong-caption"
    (control,) = evaluate("resynthesis", dataset, manifest, seeds=[0], out=tmp_path, options=options)
    right, wrong = (one.predictions(manifest).scores("distance").known_score for one in (run, control))
    assert (right != wrong).mean() > 0.5


def test_one_photograph_is_described_by_the_nearest_caption_or_by_the_user(dataset, suite) -> None:
    method, images = fitted(dataset, suite, SPEAKING)
    photograph = 255 - images.split("test").pixels[:1]
    nearest = method.describer.of(photograph)
    assert nearest[0] in CAPTIONS
    alone = method.predict(photograph)["distance"].class_scores
    np.testing.assert_array_equal(method.predict(photograph, nearest)["distance"].class_scores, alone)
    other = next(text for text in CAPTIONS if text != nearest[0])
    assert (method.predict(photograph, [other])["distance"].class_scores != alone).any()
    with pytest.raises(DatasetError, match="empty caption"):
        method.predict(photograph, [" "])


def test_the_layer_is_chosen_on_validation_images(dataset, suite) -> None:
    method, images = fitted(dataset, suite, SILENT, via="reference", references=6)
    val = images.split("val")
    accuracy = {}
    for layer in method.encoder.layers:
        nearest = method._by_class(method._measured(val.pixels, (layer,))[layer])["nearest"]
        accuracy[layer] = np.mean([(nearest[val.class_index == k].argmin(1) == k).mean() for k in range(2)])
    assert accuracy[method.chosen_layer] == max(accuracy.values())
    named, _ = fitted(dataset, suite, SILENT, via="reference", references=6, layer="luma")
    assert named.chosen_layer == "luma"


def test_a_generator_is_as_near_as_its_nearest_source(dataset, suite) -> None:
    method, _ = fitted(dataset, suite, SILENT, via="reference", references=6)
    method.way.class_index = np.array([0, 1, 1])
    found = method._by_class({"nearest": np.array([[3.0, 2.0, 1.0], [1.0, 5.0, 6.0]])})
    np.testing.assert_array_equal(found["nearest"], [[3, 1], [1, 5]])


def test_a_folder_of_resyntheses(tmp_path) -> None:
    write_folder(tmp_path / "made")
    labels = np.array([0, 1, 0])
    words = np.array(["x"] * 3)
    images = ImageSet(IMAGES, np.arange(3), words, labels, words, words, words)
    train = images.subset(np.array([0, 2, 1, 1]))
    method = Resynthesis(**SPECTRUM, source=str(tmp_path / "made"))
    method.fit(train, images, Context(0, torch.device("cpu"), tmp_path, NAMES, 32))
    found = method.predict(IMAGES)["distance"]
    assert found.class_scores.shape == (3, 2)
    with pytest.raises(DatasetError, match="has no resynthesis by bing of the image"):
        method.predict(255 - IMAGES)


def test_resyntheses_of_the_data_set_itself(tmp_path) -> None:
    recipe = {"crop_size": 32, "shard_rows": 4, "batch_size": 2}
    weights = {"green": "red.safetensors", "red": "red.safetensors", "blue": "blue.safetensors"}
    sources = [{"generator": name, "architecture": name, "weights": file} for name, file in weights.items()]
    resyntheses = {"draws": 2, "of": "all"}
    suite = write_tiny_text_suite(tmp_path / "suite", recipe=recipe, resyntheses=resyntheses, sources=sources)
    data = generate(suite, tmp_path / "data", count=20)
    manifest = build_manifest(data, Protocol("mine", Unseen(("green",))), Fold("mine", ("green",)))
    options = {**SPECTRUM, "source": str(data.path)}
    (run,) = evaluate("resynthesis", data, manifest, seeds=[0], out=tmp_path / "runs", options=options)
    assert json.loads((run.model / "method.json").read_text())["setup"]["way"] == "stored"
    assert run.rules == rule_names(several_draws=True)


def test_without_a_catalog_training_images_stand_in(train_set, val_set, make_context) -> None:
    method = Resynthesis(**SPECTRUM)
    method.fit(train_set, val_set, make_context())
    assert (method.setup.way, method.setup.suite) == ("reference", "train")
    assert method.seconds_per_image == {}
    with pytest.raises(DatasetError, match=r"no catalog knows the suite of these images .*source=FILE.yaml"):
        Resynthesis(**SPECTRUM, via="inversion").fit(train_set, val_set, make_context())


@pytest.mark.parametrize(
    ("seen", "options", "error", "message"),
    [
        (SILENT, {"via": "prompt"}, UsageError, "progan/t, stylegan2/t take no text: via=prompt"),
        (SILENT, {"control": "wrong-caption"} | SEARCH, UsageError, "control=wrong-caption is for via=prompt"),
        (("pixel_diffusion", "text_gan"), {"via": "inversion"}, UsageError, "pixel_diffusion/t can neither"),
        (SILENT, {"layer": "stage9"} | SEARCH, UsageError, "layer of encoder log-spectrum"),
    ],
)
def test_requests_that_make_no_sense(dataset, suite, seen, options, error, message) -> None:
    with pytest.raises(error, match=message):
        fitted(dataset, suite, seen, **options)


def test_training_images_show_nothing_again(dataset, suite) -> None:
    images, manifest = images_of(dataset, SILENT)
    context = Context(0, torch.device("cpu"), Path(), manifest.seen, 32)
    for source in ("train", str(suite.parent)):
        method = Resynthesis(**SPECTRUM, source=source, via="inversion")
        with pytest.raises(UsageError, match="via=inversion: "):
            method.fit(images.split("train"), images.split("val"), context)


def test_a_source_with_other_weights(dataset, suite, tmp_path) -> None:
    method, images = fitted(dataset, suite, SILENT, **SEARCH)
    method.setup = replace(method.setup, sources=tuple(replace(one, sha256="0" * 64) for one in method.setup.sources))
    method.save(tmp_path)
    loaded = Resynthesis.load(tmp_path)
    with pytest.raises(CheckpointError, match="source progan/t has other weights than this method was fitted with"):
        loaded.predict(images.pixels[:1])
    (tmp_path / "method.json").write_text("{}")
    with pytest.raises(CheckpointError, match="holds no usable resynthesis model"):
        Resynthesis.load(tmp_path)


def test_a_row_says_what_it_is() -> None:
    assert Resynthesis(**SPECTRUM).label == "resynthesis (log-spectrum)"
    row = Resynthesis(via="prompt", control="wrong-caption", encoder="log-spectrum")
    assert row.label == "resynthesis (prompt, log-spectrum, wrong-caption)"
    assert "log-spectrum" in row.described().deviations[0]
    assert row.described().faithful == Resynthesis.card.faithful


@pytest.mark.parametrize(
    ("options", "free"),
    [
        ({"via": "prompt"}, True),
        ({"via": "inversion"}, True),
        ({"via": "reference", "source": "mini-text"}, True),
        ({"via": "reference"}, False),  # of the suite, if it is known; else of the training images
        ({"via": "reference", "source": "train"}, False),
        ({}, False),
        ({"via": "prompt", "captions": "nearest"}, False),  # the nearest caption of a training image
    ],
)
def test_it_is_training_free_where_no_training_image_counts(options: dict[str, str], free: bool) -> None:
    assert Resynthesis(**options).training_free is free
