"""The suite bongini2025: its numbers are the paper's, services are folders, and it runs with tiny pipelines."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from osbench.core.errors import UsageError
from osbench.generation.catalog import load_suite
from osbench.generation.characters import split_of_characters
from osbench.generation.described import images_of, with_resyntheses
from osbench.generation.families.diffusers_pipeline import PIPELINES, DiffusersPipeline
from osbench.generation.generate import generate
from osbench.generation.plan import plan, plan_text
from osbench.generation.request import make_request

from .tiny_pipelines import write_tiny

SUITE = load_suite("bongini2025")
CORE = ["bing", "firefly", "flux-dev", "freepik", "imagen", "leonardoai", "midjourney", "nightcafe", "stabilityai"]
CORE += ["starryai"]
EXTENSION = ["AuraFlow", "Pixart", "Playground", "Tencent_Hunyuan"]


def test_the_sources_are_the_paper_s() -> None:
    assert [source.generator for source in SUITE.sources if not source.test_only] == CORE
    assert [source.generator for source in SUITE.sources if source.test_only] == EXTENSION
    for source in SUITE.sources:
        assert (source.service is None) == bool(source.hub), source.name
        assert len(set(source.characters)) == 100
        assert source.characters[41] == "00042 Aragorn (The Lord of The Rings)"
        assert all(len(one.revision) == 40 for one in source.hub)
        assert source.licence in SUITE.licences or source.service


def test_as_many_originals_and_resyntheses_as_the_paper_has() -> None:
    """Section 4 and Fig. 3: 1,000 originals and 10,000 resyntheses; 40 more originals, 560 and 400 more resyntheses."""
    sources = tuple(replace(source, service=None, weights=Path("w")) for source in SUITE.sources)
    counts = {source.name: images_of(source, SUITE.count) for source in sources}
    assert sum(counts.values()) == 1000 + 40
    namespaces = dict.fromkeys(counts, SUITE.version)
    suite, numbers = with_resyntheses(replace(SUITE, sources=sources), counts, namespaces)
    core = main = new = 0
    for source in suite.sources:
        if source.resynthesizes is None:
            continue
        by, of = source.generator in CORE, source.resynthesizes.generator in CORE
        main += numbers[source.name] * (by and of)
        core += numbers[source.name] * (not by and of)
        new += numbers[source.name] * (not of)
    assert (main, new, core) == (10_000, 560, 400)


def test_services_are_left_out_until_their_pictures_are_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "osbench")
    request = make_request("bongini2025")
    assert {source.generator for source in request.sources} == {"flux-dev", "stabilityai", *EXTENSION}
    assert "left out, no --from-folder NAME=FOLDER for it: bing, firefly, freepik" in caplog.text
    with pytest.raises(
        UsageError, match=r"imagen/undisclosed: made by a commercial service .*--from-folder imagen=FOLD"
    ):
        make_request("bongini2025", sources=["imagen", "flux-dev"])
    Image.linear_gradient("L").resize((1024, 1024)).convert("RGB").save(tmp_path / "00007-0.png")
    given = make_request("bongini2025", folders={"imagen": tmp_path}, folder_licence="CC0-1.0")
    imagen = given.suite.source("imagen/undisclosed")
    assert (imagen.folder, imagen.licence, given.counts[imagen.name]) == (tmp_path, "CC0-1.0", 1)


def test_the_plan_is_short(tmp_path: Path, home: Path) -> None:
    text = plan_text(plan("bongini2025", sources=["stabilityai", "Pixart"]))
    lines = text.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "stabilityai/undisclosed",
        "stabilityai/undisclosed, again",
        "Pixart/undisclosed",
        "Pixart/undisclosed, again",
        "all",
    ]
    assert [int(line.split("  ", 1)[1].split()[0].replace(",", "")) for line in lines[1:]] == [100, 110, 10, 20, 240]


def test_it_runs_with_tiny_pipelines_and_a_service_s_pictures(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = DiffusersPipeline._pictures

    def two_steps(network: DiffusersPipeline, seeds: Any, prompts: Any, steps: int, *options: Any) -> Any:
        assert steps >= 20
        return make(network, seeds, prompts, 2, *options)

    monkeypatch.setattr(DiffusersPipeline, "_pictures", two_steps)
    kinds = {"stabilityai": "StableDiffusion3Pipeline", "Pixart": "PixArtSigmaPipeline"}
    kinds["Playground"] = "StableDiffusionXLPipeline"
    weights = {f"{name}/undisclosed": write_tiny(kind, tmp_path) for name, kind in kinds.items()}
    assert set(kinds.values()) <= set(PIPELINES)
    pictures = tmp_path / "midjourney"
    pictures.mkdir()
    for number in (3, 12):
        picture = Image.linear_gradient("L").rotate(number).resize((1024, 1024)).convert("RGB")
        picture.save(pictures / f"{number:05d}.png")
    data = generate(
        "bongini2025",
        tmp_path / "data",
        sources=list(kinds),
        folders={"midjourney": pictures},
        folder_licence="CC0-1.0",
        weights=weights,
        count=12,
    )
    assert data.verify(pixels=True) == []
    assert data.suite_version == "bongini2025-v1+other"  # the tiny ones make images of another size
    originals: Any = data.index()
    assert originals.groupby("generator").size().to_dict() == {
        "Pixart": 1,
        "Playground": 1,
        "midjourney": 2,
        "stabilityai": 12,
    }
    characters = SUITE.sources[0].characters
    tested = originals[originals["split_hint"] == "test"]
    assert set(tested["character"]) == {characters[11]}
    assert split_of_characters(characters)[characters[11]] == "test"
    again: Any = data.index("resynthesis")
    drawn = again.groupby(["generator", "of_image_id"]).size()
    assert set(drawn) == {1}
    # Test-only sources draw again what is of the test split, of all sources; the core source draws everything again.
    assert again.groupby("generator").size().to_dict() == {"Pixart": 4, "Playground": 4, "stabilityai": 12 + 1 + 1 + 2}
    assert set(again["description"]) == set(SUITE.sources[0].prompts[:12])
