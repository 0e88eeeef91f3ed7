from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from osbench.core.errors import CheckpointError, DatasetError, UsageError
from osbench.generation import downloads, hub, weights
from osbench.generation.catalog import HubModel, Source, Suite, WeightFile, load_suite
from osbench.generation.downloads import Downloader
from osbench.generation.licences import accept_licences, acceptance_file, accepted_licences, licence_matrix
from osbench.generation.weights import MissingWeightsError, local_weights, locate_weights

NVIDIA, CC, RAIL = "NVIDIA-Source-Code-NC", "CC-BY-NC-4.0", "CreativeML-OpenRAIL-M"

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite("fang2023")


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No network: every file is refused, and its name noted."""
    asked: list[str] = []

    def fetch(self: Downloader, file: WeightFile) -> Path:
        asked.append(file.file)
        raise CheckpointError("example.org: cannot be reached")

    def download_model(model: HubModel, downloader: Downloader) -> Path:
        asked.append(model.repo)
        raise CheckpointError("huggingface.co: cannot be reached")

    monkeypatch.setattr(Downloader, "fetch", fetch)
    monkeypatch.setattr(weights, "download_model", download_model)
    return asked


def put(source: Source, content: bytes = b"\x80.") -> Path:
    """The source's first file in the cache."""
    path = downloads.weights_folder() / source.files[0].file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_nothing_is_fetched_before_every_licence_is_accepted(suite: Suite, fetched: list[str]) -> None:
    with pytest.raises(MissingWeightsError, match="26 of 26 sources have no weights") as caught:
        locate_weights(suite, suite.sources)
    assert fetched == []
    assert len(caught.value.problems) == 26
    for source, problem in zip(suite.sources, caught.value.problems, strict=True):
        assert problem.startswith(f"source {source.name}: ")
        assert source.published[0].name in problem
        if suite.licences[source.licence].accept:
            assert f"--accept-licence {source.licence}" in problem


def test_without_network_one_sentence_per_source_says_what_and_where(
    suite: Suite, fetched: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(MissingWeightsError) as caught:
        locate_weights(suite, suite.sources, accept=[NVIDIA, CC, RAIL])
    assert set(fetched) == {
        *(file.file for source in suite.sources for file in source.files),
        "CompVis/stable-diffusion-v1-4",
    }
    for source, problem in zip(suite.sources, caught.value.problems, strict=True):
        first = source.published[0]
        assert f"Get {first.name} from {first.where}" in problem
        assert f"--weights {source.name}=" in problem
        assert "\n" not in problem


def test_offline_asks_nobody(suite: Suite, fetched: list[str]) -> None:
    with pytest.raises(MissingWeightsError) as caught:
        locate_weights(suite, suite.sources, offline=True)
    assert fetched == []
    assert all("--offline was given" in problem for problem in caught.value.problems)


def test_acceptance_is_remembered(suite: Suite, fetched: list[str], home: Path) -> None:
    source = suite.source("stylegan2/metfaces")
    for accept in ([NVIDIA], []):
        with pytest.raises(MissingWeightsError, match="1 of 1"):
            locate_weights(suite, [source], accept=accept)
    assert fetched == [file.file for file in source.files] * 2
    assert list(accepted_licences()) == [NVIDIA]
    assert acceptance_file() == home / "accepted-licences.json"


def test_unknown_licences_and_damaged_memory(suite: Suite) -> None:
    with pytest.raises(UsageError, match=r"unknown licence 'CC-BY-NC'\. Did you mean 'CC-BY-NC-4\.0'"):
        accept_licences(suite, ["CC-BY-NC"])
    assert not acceptance_file().exists()
    accept_licences(suite, [CC])
    before = acceptance_file().read_bytes()
    accept_licences(suite, [CC])
    assert acceptance_file().read_bytes() == before
    acceptance_file().write_text("[")
    with pytest.raises(CheckpointError, match="damaged"):
        accepted_licences()


def test_the_matrix_covers_every_source_once(suite: Suite) -> None:
    accept_licences(suite, [RAIL])
    rows = licence_matrix(["fang2023"])
    assert sorted(name for row in rows for name in row["sources"]) == sorted(source.name for source in suite.sources)
    assert {row["id"]: bool(row["accepted"]) for row in rows} == {NVIDIA: False, CC: False, RAIL: True, "MIT": False}
    assert {row["id"] for row in rows if row["accept"]} == {NVIDIA, CC, RAIL}
    assert {row["suite"] for row in licence_matrix()} >= {"mini", "fang2023"}
    assert json.dumps(rows)


def test_a_file_of_the_user_goes_first_and_needs_no_acceptance(
    suite: Suite, fetched: list[str], tmp_path: Path
) -> None:
    source = suite.source("stylegan2/ffhq")
    put(source)
    mine = tmp_path / "mine.pkl"
    mine.write_bytes(b"x")
    (located,) = locate_weights(suite, [source], given={source.name: mine})
    assert located.weights == mine
    assert fetched == []
    assert accepted_licences() == {}


def test_cached_files_are_found_without_network_fallbacks_too(suite: Suite, fetched: list[str]) -> None:
    source = suite.source("stylegan2/ffhq")
    second = replace(source, files=source.files[1:])
    path = put(second)
    (located,) = locate_weights(suite, [source], offline=True)
    assert located.weights == path
    assert [s.name for s in local_weights(suite.sources)] == ["stylegan2/ffhq"]
    assert fetched == []


def test_sources_that_share_a_file_share_the_download(suite: Suite) -> None:
    put(suite.source("taming/imagenet-fish"))
    found = {s.name for s in local_weights(suite.sources)}
    assert found == {"taming/imagenet-fish", "taming/imagenet-shark", "taming/imagenet-dog"}


def test_bad_weights_options(suite: Suite, tmp_path: Path) -> None:
    source = suite.source("stylegan2/ffhq")
    with pytest.raises(UsageError, match="unknown source in --weights 'stylegan2/fhq'"):
        locate_weights(suite, [source], given={"stylegan2/fhq": tmp_path})
    with pytest.raises(UsageError, match="does not exist"):
        locate_weights(suite, [source], given={source.name: tmp_path / "none.pkl"})
    mini = load_suite("mini").sources[0]
    with pytest.raises(UsageError, match="the suite brings its own"):
        locate_weights(suite, [mini], given={mini.name: tmp_path})
    photos = Source("own", "folder", architecture="own", licence="x", folder=tmp_path)
    with pytest.raises(UsageError, match="no network makes the images of this source"):
        locate_weights(suite, [photos], given={"own/folder": tmp_path})


class _Reachable(Downloader):
    def check_reachable(self, url: str) -> None:
        pass


def test_a_hub_snapshot_counts_only_when_it_is_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    model = HubModel("lab/sd", "0123456789", 1)
    folder = tmp_path / "snapshot"
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "unet" / "w.safetensors").write_bytes(b"1234")
    asked: dict[str, object] = {}

    def snapshot_download(repo: str, **options: object) -> str:
        asked.update(options, repo=repo)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert hub.cached_model(model) is None
    assert hub.download_model(model, _Reachable()) == folder
    assert asked["repo"] == "lab/sd"
    assert asked["revision"] == "0123456789"
    assert not any("bin" in str(pattern) or "py" in str(pattern) for pattern in hub.PATTERNS)
    assert hub.cached_model(model) == folder
    (folder / "unet" / "w.safetensors").write_bytes(b"12")
    assert hub.cached_model(model) is None
    (folder / "model_index.json").unlink()
    with pytest.raises(CheckpointError, match=r"no model_index\.json"):
        hub.download_model(model, _Reachable())


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "is_offline_mode", lambda: False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(CheckpointError, match=r"127\.0\.0\.1:9: cannot be reached"):
        hub.download_model(HubModel("lab/sd", "0123456789", 1), Downloader(timeout=2))
    monkeypatch.setattr(constants, "is_offline_mode", lambda: True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE is set"):
        hub.download_model(HubModel("lab/sd", "0123456789", 1), Downloader(timeout=2))


def test_own_weights_that_are_missing_are_named_in_one_line(tmp_path: Path) -> None:
    suite = load_suite("mini-v2")
    sources = [replace(s, weights=tmp_path / s.weights.name) for s in suite.sources if s.weights is not None]
    with pytest.raises(DatasetError, match=r"14 of 14 .*taming-emoji.*generation/training/README.md") as caught:
        locate_weights(suite, sources)
    assert "\n" not in str(caught.value)
