"""From trained models to everything that the suite needs, at toy size."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from osbench.core.errors import DatasetError
from osbench.generation.block_code import fit_block_code
from osbench.generation.families import load_safetensors_generator
from osbench.generation.picture_set import open_picture_set
from osbench.generation.training.matched.card import write_card
from osbench.generation.training.matched.export import export_models, export_pictures
from osbench.generation.training.matched.pictures import Cut, Original
from osbench.generation.training.matched.work_folder import MatchedWorkFolder, Plan

from .test_rendering import pictures

AIM = {"luma": 15.0, "chroma": 20.0, "sharpness": 0.5}


@pytest.fixture(scope="module")
def work_folder(tmp_path_factory: pytest.TempPathFactory) -> MatchedWorkFolder:
    """One family, two weights, trained for a moment."""
    plan = Plan(
        bank=16, held=16, aim=AIM, weights=("w0", "w1"),
        models={"progan": {"minutes": 0.02, "config": {"channels": [8, 8, 8, 8]}, "batch": 4}},
    )  # fmt: skip
    made = MatchedWorkFolder(tmp_path_factory.mktemp("matched"), plan)
    for seed, name in enumerate(("bank-w0", "bank-w1", "held")):
        np.save(made.root / f"{name}.npy", pictures(16, seed))
    fit_block_code(pictures(16, 0)).save(made.code_file)
    for model in plan.names():
        made.train(model)
    return made


def cuts(tmp_path: Path) -> list[Cut]:
    """Three pictures each of ten photographs, one each of ten drawings."""
    (tmp_path / "file").write_bytes(b"")
    made = []
    for i in range(40):
        kind = "photograph" if i < 30 else "drawing"
        original = Original(tmp_path / "file", kind, f"{kind}-{i // 3 if i < 30 else i}", "package 1", "MIT")
        made.append(Cut(original, (i, 0, 64), False, pictures(1, i)[0]))
    return made


def test_pictures_are_stored_without_loss_and_divided_by_group(tmp_path: Path) -> None:
    made = cuts(tmp_path)
    path = export_pictures(made, tmp_path)
    stored = open_picture_set(path)
    np.testing.assert_array_equal(stored.pixels(range(40)), np.stack([c.pixels for c in made]))
    parts: dict[str, set[str]] = {}
    for group, part in zip(stored.groups, stored.parts, strict=True):
        parts.setdefault(group, set()).add(part)
    assert all(len(of_group) == 1 for of_group in parts.values())
    for kind in ("photograph", "drawing"):
        counts = [sum(p == {part} for g, p in parts.items() if g.startswith(kind)) for part in ("train", "val", "test")]
        assert counts == [6, 2, 2]
    row = pq.read_table(path).slice(5, 1).to_pylist()[0]
    assert (row["licence"], row["package"], row["left"], row["side"]) == ("MIT", "package 1", 5, 64)


def test_models_records_and_card(work_folder: MatchedWorkFolder, tmp_path: Path) -> None:
    records = export_models(work_folder, tmp_path)
    export_pictures(cuts(tmp_path), tmp_path)
    assert [r["model"] for r in records] == ["progan/w0", "progan/w1"]
    for record in records:
        weights = tmp_path / f"{record['model'].replace('/', '-')}.safetensors"
        assert load_safetensors_generator(weights).config == record["config"]
        assert record["bytes"] == weights.stat().st_size
        assert json.loads((tmp_path / "cards" / f"{weights.stem}.json").read_text()) == record
    assert records[0]["sha256"] != records[1]["sha256"]
    text = write_card(tmp_path, AIM, work_folder.plan.held, work_folder.linear_figures()).read_text()
    assert f"{records[1]['figures']['luma']:.2f}" in text
    assert "40 pictures of 64 px in random order, 10 of drawings and 30 of photographs; 20 groups" in text
    assert "| package 1 | MIT | 40 |" in text
    for name in ("curves.svg", "progan.webp"):
        assert (tmp_path / "cards" / name).stat().st_size > 100


def test_an_untrained_model_is_named(work_folder: MatchedWorkFolder, tmp_path: Path) -> None:
    more = replace(work_folder, plan=replace(work_folder.plan, weights=("w0", "w9")))
    with pytest.raises(DatasetError, match="progan-w9: no training here"):
        export_models(more, tmp_path)


def test_missing_pictures_are_asked_for(tmp_path: Path, work_folder: MatchedWorkFolder) -> None:
    empty = MatchedWorkFolder(tmp_path / "empty", work_folder.plan)
    with pytest.raises(DatasetError, match="cut the pictures first"):
        empty.training("progan/w0")
