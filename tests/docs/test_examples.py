"""The files of docs/examples are complete: each one works as its page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.baselines.rejection import Activations, build_rule, rule_names
from osbench.benchmark.experiment import load_experiment
from osbench.benchmark.protocols import load_protocol
from osbench.generation.families import load_safetensors_generator, save_generator
from osbench.generation.importing import import_dataset

from .pages import ROOT, pages
from .sandbox import example_module, forget_examples

EXAMPLES = ROOT / "docs" / "examples"

ENTRY_POINTS = """
[osbench.methods]
mean-colour = my_package.mean_colour:MeanColour
[osbench.rejections]
margin = my_package.margin:Margin
[osbench.thresholds]
accept-90 = my_package.accept_90:accept_90
[osbench.families]
plasma = my_package.plasma:Plasma
[osbench.importers]
tar-shards = my_package.tar_shards:TarShards
"""


@pytest.fixture(autouse=True)
def _clean_registries() -> Iterator[None]:
    yield
    forget_examples()


def test_every_example_is_on_a_page() -> None:
    shown = {
        name for page in pages() for name in re.findall(r'--8<-- "docs/examples/([^"]+)"', page.read_text("utf-8"))
    }
    assert shown == {path.name for path in EXAMPLES.iterdir() if path.is_file()}


def test_the_entry_points_are_those_of_the_pages() -> None:
    """What the test below installs is what the pages tell a reader to write."""
    told = "".join(page.read_text("utf-8") for page in pages())
    for line in ENTRY_POINTS.strip().splitlines():
        name, equals, value = line.partition(" = ")
        assert (f'{name} = "{value}"' if equals else f'[project.entry-points."{line[1:-1]}"]') in told


def test_the_examples_work_in_a_package_of_ones_own(tmp_path: Path) -> None:
    package, record = tmp_path / "my_package", tmp_path / "my_package-1.0.dist-info"
    package.mkdir()
    (package / "__init__.py").touch()
    for example in EXAMPLES.glob("*.py"):
        shutil.copy(example, package / example.name)
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text(ENTRY_POINTS)
    code = """
from osbench.baselines.rejection import build_rule, rule_names
from osbench.benchmark.method import get_method
from osbench.benchmark.metrics.thresholds import threshold_rule
from osbench.generation.families import family_class
from osbench.generation.importers import importer_class
assert "margin" in rule_names()
found = [get_method("mean-colour"), type(build_rule("margin")), threshold_rule("accept-90").choose]
print(*(one.__module__ for one in [*found, family_class("plasma"), importer_class("tar-shards")]))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    names = ("mean_colour", "margin", "accept_90", "plasma", "tar_shards")
    assert done.stdout.split() == [f"my_package.{name}" for name in names]


def test_the_rejection_rule_gives_the_difference_of_the_two_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    example_module(EXAMPLES / "margin.py", monkeypatch)
    assert "margin" in rule_names()
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 4)).astype(np.float32)
    train = Activations(rng.normal(size=(50, 8)).astype(np.float32), logits, logits.argmax(1))
    margin = build_rule("margin")
    margin.fit(train, train, None)
    scores = build_rule("margin", margin.arrays).known_score(train.features, logits)
    for row, score in zip(logits.astype(np.float64), scores, strict=True):
        p = sorted(np.exp(row) / np.exp(row).sum())
        assert score == pytest.approx(p[-1] - p[-2], abs=1e-12)


def test_the_protocol_holds_out_what_its_name_says() -> None:
    protocol = load_protocol(EXAMPLES / "taming_unseen.yaml")
    (fold,) = protocol.folds({"taming": "Taming Transformers", "progan": "ProGAN", "stylegan": "StyleGAN"})
    assert fold.unseen == ("taming",)


def test_the_experiment_has_the_entries_that_it_shows() -> None:
    experiment = load_experiment(str(EXAMPLES / "ablation.yaml"))
    assert list(experiment.entries) == ["proposed", "proposed, paper-literal", "dct-cnn"]


def test_the_reader_opens_pictures_inside_an_archive_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    example_module(EXAMPLES / "tar_shards.py", monkeypatch)
    root, pixels = tmp_path / "archives", np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    root.mkdir()
    Image.fromarray(pixels).save(tmp_path / "1.png")
    with tarfile.open(root / "midjourney.tar", "w") as archive:
        archive.add(tmp_path / "1.png", "pictures/1.png")
        archive.add(tmp_path / "1.png", "../2.png")
        link = tarfile.TarInfo("3.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    (root / "late.tar").symlink_to(root / "midjourney.tar")
    data, faults = import_dataset("tar-shards", root, tmp_path / "data", canonical=False)
    assert [fault.member.rpartition("#")[2] for fault in faults] == ["late.tar", "../2.png", "3.png"]
    assert data.read_images(data.shards()[0].file) == [(tmp_path / "1.png").read_bytes()]
    assert data.verify(pixels=True) == []


def test_the_family_gives_every_image_from_its_own_seed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plasma = example_module(EXAMPLES / "plasma.py", monkeypatch).Plasma()
    save_generator(plasma, tmp_path / "plasma.safetensors")
    loaded = load_safetensors_generator(tmp_path / "plasma.safetensors")
    together = loaded.sample([1, 2**63 + 5])
    assert together.shape == (2, 64, 64, 3)
    assert together[0].std() > 10
    assert (together[0] != together[1]).any()
    difference = together[1].astype(int) - loaded.sample([2**63 + 5])[0]
    assert np.abs(difference).max() <= 1
