from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.benchmark.attribute import attribute, read_centre_crop
from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.method import Method
from osbench.benchmark.runs import Run
from osbench.benchmark.score import threshold_of
from osbench.core.errors import DatasetError, RunError, UsageError
from osbench.generation.dataset import Dataset

SEEN = (("progan", (200, 60, 60)), ("stylegan2", (60, 200, 60)), ("taming", (60, 60, 200)))


@pytest.fixture(scope="module")
def run(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path_factory.mktemp("runs"))[0]


def save_noise(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (50, 44), spread: float = 25) -> Path:
    rng = np.random.default_rng(7)
    pixels = (np.array(colour) + rng.normal(0, spread, (size[1], size[0], 3))).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_seen_sources_are_named_and_strangers_are_unknown(run: Run, manifest: Manifest, tmp_path: Path) -> None:
    paths = [save_noise(tmp_path / f"{name}.png", colour) for name, colour in SEEN]
    paths.append(save_noise(tmp_path / "stranger.png", (250, 250, 250), spread=2))
    answers = attribute(paths, run)
    assert [a.source for a in answers] == ["progan", "stylegan2", "taming", "unknown"]
    assert [a.accepted for a in answers] == [True, True, True, False]
    assert {a.threshold for a in answers} == {threshold_of(run, manifest)[0]}
    for answer in answers:
        assert answer.accepted == (answer.known_score >= answer.threshold)
        assert answer.class_scores.keys() == set(manifest.seen)
        assert max(answer.class_scores, key=lambda name: answer.class_scores[name]) == answer.candidate
        assert answer.candidate in answer.why
    assert answers[3].percentile == 0
    assert {"image", "candidate", "known_score", "threshold", "accepted", "source"} <= answers[0].document().keys()


def test_the_answer_for_a_test_image_is_the_published_one(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    published = run.predictions()
    index = dataset.index().set_index("image_id")
    paths = []
    for name in published.image_ids[:6]:
        row = index.loc[name]
        (data,) = dataset.read_images(row["shard"], [row["row"]])
        (tmp_path / "frame.png").write_bytes(data)
        with Image.open(tmp_path / "frame.png") as frame:
            x, y = row["crop_x"], row["crop_y"]
            paths.append(tmp_path / f"{name}.png")
            frame.crop((x, y, x + 32, y + 32)).save(paths[-1])
    scores = [answer.known_score for answer in attribute(paths, run)]
    np.testing.assert_allclose(scores, published.scores.known_score[:6], rtol=1e-6)


@pytest.mark.parametrize("size", [(32, 32), (33, 60), (101, 40)])
def test_the_centre_is_cut_out_and_nothing_is_resampled(size: tuple[int, int], tmp_path: Path) -> None:
    path = save_noise(tmp_path / "x.png", (100, 100, 100), size)
    pixels = np.asarray(Image.open(path))
    top, left = (size[1] - 32) // 2, (size[0] - 32) // 2
    assert (read_centre_crop(path, 32) == pixels[top : top + 32, left : left + 32]).all()


def test_what_is_no_image_or_too_small(run: Run, tmp_path: Path) -> None:
    good = save_noise(tmp_path / "good.png", (100, 100, 100))
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:100])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    Image.new("I;16", (50, 50)).save(tmp_path / "deep.png")
    cases = {
        "text.png": r"is not a readable image \(PNG, JPEG,",
        "cut.png": "it is truncated",
        "empty.png": "is empty",
        "folder": r"is a folder; give image files, for example .*/folder/\*\.png",
        "absent.png": "No such file",
        "deep.png": "colour mode I;16 is not 8-bit RGB or grey; convert it to RGB",
        "small.png": "40x31 is smaller than the 32 px crop",
    }
    save_noise(tmp_path / "small.png", (9, 9, 9), (40, 31))
    for name, message in cases.items():
        with pytest.raises(DatasetError, match=message) as caught:
            attribute([good, tmp_path / name], run)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def test_a_run_that_cannot_be_asked(run: Run, manifest: Manifest, tmp_path: Path, method_file: str) -> None:
    image = save_noise(tmp_path / "x.png", (100, 100, 100))
    with pytest.raises(UsageError, match="looks at test labels"):
        attribute([image], run, threshold_rule="oracle-harmonic")
    runs = tmp_path / "runs"
    shutil.copytree(run.folder.parents[1], runs)
    copy = Run.open(runs / run.folder.relative_to(run.folder.parents[1]))
    shutil.rmtree(copy.model)
    with pytest.raises(RunError, match=r"has no model/ folder"):
        attribute([image], copy)
    shutil.rmtree(runs / "manifests")
    with pytest.raises(RunError, match="is not in"):
        attribute([image], copy)


def test_the_methods_file_must_define_the_runs_method(run: Run, tmp_path: Path, method_class: type[Method]) -> None:
    image = save_noise(tmp_path / "x.png", (100, 100, 100))
    other = tmp_path / "other.py"
    other.write_text(
        "from osbench.benchmark.method import Method, register_method\n"
        "@register_method('other-of-test-attribute')\nclass Other(Method): pass\n"
    )
    with pytest.raises(RunError, match=r"is a run of nearest-colour, but .* defines other-of-test-attribute"):
        attribute([image], run, method_file=str(other))
