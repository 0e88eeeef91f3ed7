from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from osbench.benchmark.attribute import Attribution, NotAttributed, attribute
from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.method import Method
from osbench.benchmark.pictures_alike import read_picture
from osbench.benchmark.runs import Run
from osbench.core.errors import RunError, UsageError
from osbench.generation.dataset import Dataset
from tests.benchmark.tiny_dataset import METHOD_FILE

SEEN = (("progan", (200, 60, 60)), ("stylegan2", (60, 200, 60)), ("taming", (60, 60, 200)))


@pytest.fixture(scope="module")
def run(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path_factory.mktemp("runs"))[0]


def save_noise(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (50, 44), spread: float = 25) -> Path:
    rng = np.random.default_rng(7)
    pixels = (np.array(colour) + rng.normal(0, spread, (size[1], size[0], 3))).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def attributions(paths: list[Path], run: Run, **arguments: Any) -> list[Attribution]:
    answers = attribute(paths, run, **arguments)
    assert all(isinstance(answer, Attribution) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Attribution)]


def test_seen_sources_are_named_and_strangers_are_unknown(run: Run, manifest: Manifest, tmp_path: Path) -> None:
    paths = [save_noise(tmp_path / f"{name}.png", colour) for name, colour in SEEN]
    paths.append(save_noise(tmp_path / "stranger.png", (250, 250, 250), spread=2))
    answers = attributions(paths, run)
    assert [a.source for a in answers] == ["progan", "stylegan2", "taming", "unknown"]
    assert [a.accepted for a in answers] == [True, True, True, False]
    assert {a.threshold for a in answers} == {run.answers("distance", manifest).threshold()}
    for answer in answers:
        assert answer.accepted == (answer.known_score >= answer.threshold)
        assert answer.class_scores.keys() == set(manifest.seen)
        assert max(answer.class_scores, key=lambda name: answer.class_scores[name]) == answer.candidate
        assert answer.candidate in answer.why
    assert answers[3].percentile == 0
    assert {"image", "candidate", "known_score", "threshold", "accepted", "source"} <= answers[0].to_json().keys()


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
    scores = [answer.known_score for answer in attributions(paths, run)]
    np.testing.assert_allclose(scores, published.known_score["distance"][:6], rtol=1e-6)


@pytest.mark.parametrize("size", [(32, 32), (33, 60), (101, 40)])
def test_the_centre_is_cut_out_and_nothing_is_resampled(size: tuple[int, int], tmp_path: Path) -> None:
    path = save_noise(tmp_path / "x.png", (100, 100, 100), size)
    pixels = np.asarray(Image.open(path))
    top, left = (size[1] - 32) // 2, (size[0] - 32) // 2
    assert (read_picture(path, 32).pixels == pixels[top : top + 32, left : left + 32]).all()


def test_a_bad_file_costs_its_own_answer(run: Run, tmp_path: Path) -> None:
    good = save_noise(tmp_path / "good.png", (200, 60, 60))
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:100])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    Image.new("F", (50, 50)).save(tmp_path / "float.tif")
    save_noise(tmp_path / "small.png", (9, 9, 9), (40, 31))
    cases = {
        "text.png": "is not a readable image (PNG, JPEG,",
        "cut.png": "it is truncated",
        "empty.png": "is empty",
        "folder": "is a folder; give image files, for example ",
        "fifo": "is a named pipe",
        "absent.png": "No such file",
        "float.tif": "colour mode F cannot be converted to 8-bit RGB",
        "small.png": "40x31 is smaller than the 32 px crop",
    }
    paths = [good, *(tmp_path / name for name in cases), good]
    first, *bad, last = attribute(paths, run)
    assert isinstance(first, Attribution)
    assert isinstance(last, Attribution)
    assert first == last
    assert first.source == "progan"
    for answer, (name, message) in zip(bad, cases.items(), strict=True):
        assert isinstance(answer, NotAttributed)
        assert message in answer.error
        assert answer.image == str(tmp_path / name)
        assert name in answer.error
        assert "\n" not in answer.error


def test_many_crops_are_one_answer(run: Run, manifest: Manifest, tmp_path: Path) -> None:
    """Half the picture is of one source, half of another: the larger half names it."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 25, (96, 160, 3))
    colours = np.where(np.arange(160)[:, None] < 96, SEEN[0][1], SEEN[1][1])
    Image.fromarray((colours + noise).clip(0, 255).astype(np.uint8)).save(tmp_path / "x.png")
    (answer,) = attributions([tmp_path / "x.png"], run)
    assert (answer.width, answer.height, answer.format, answer.crop_size) == (160, 96, "PNG", 32)
    assert len(answer.crops) == 15
    assert [crop.candidate for crop in answer.crops[:5]] == ["progan"] * 3 + ["stylegan2"] * 2
    assert (answer.candidate, answer.runner_up, answer.agreement) == ("progan", "stylegan2", 0.6)
    assert answer.known_score == pytest.approx(np.mean([crop.known_score for crop in answer.crops]), rel=1e-6)
    single = run.answers("distance", manifest).threshold()
    assert all(crop.accepted == (crop.known_score >= single) for crop in answer.crops)
    assert answer.threshold > single
    assert answer.margin == answer.class_scores["progan"] - answer.class_scores["stylegan2"]
    (few,) = attributions([tmp_path / "x.png"], run, crops=2)
    assert len(few.crops) == 2
    assert single < few.threshold < answer.threshold
    (one,) = attributions([tmp_path / "x.png"], run, crops=1)
    assert one.threshold == single
    with pytest.raises(UsageError, match="ask about at least 1"):
        attribute([tmp_path / "x.png"], run, crops=0)


def test_the_answers_to_a_picture_do_not_depend_on_those_asked_with_it(run: Run, tmp_path: Path) -> None:
    paths = [save_noise(tmp_path / f"{i}.png", colour, (100 + 40 * i, 90)) for i, (_, colour) in enumerate(SEEN)]
    together = attributions(paths * 20, run)
    assert together[:3] == together[-3:] == [attributions([path], run)[0] for path in paths]


def test_every_answer_carries_words_and_the_scope(run: Run, manifest: Manifest, tmp_path: Path) -> None:
    seen, stranger = attributions(
        [
            save_noise(tmp_path / "seen.png", (200, 60, 60)),
            save_noise(tmp_path / "stranger.png", (250, 250, 250), spread=2),
        ],
        run,
        previews=True,
    )
    assert seen.scope is stranger.scope
    assert seen.scope.knows == manifest.seen
    assert (stranger.confidence, stranger.words) == ("high", "clearly unlike every source that this run knows")
    assert "progan" in seen.words
    document = seen.to_json()
    assert document["scope"]["sentences"] == list(seen.scope.sentences)
    assert "preview" not in document
    assert seen.preview[:2] == b"\xff\xd8"
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    with pytest.raises(UsageError, match=r"unknown source of this run 'progn'. Did you mean 'progan'"):
        attribute([], run, cameras=["progn"])


def test_every_rule_can_be_asked(run: Run, tmp_path: Path) -> None:
    image = save_noise(tmp_path / "stranger.png", (250, 250, 250), spread=2)
    assert attributions([image], run)[0].source == "unknown"
    assert attributions([image], run, rule="never")[0].accepted
    with pytest.raises(UsageError, match="unknown rejection rule of nearest-colour 'msp'"):
        attribute([image], run, rule="msp")


def test_a_caption_goes_to_a_method_that_reads_captions(
    run: Run, tmp_path: Path, method_class: type[Method], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = save_noise(tmp_path / "x.png", (200, 60, 60))
    with pytest.raises(UsageError, match="nearest-colour reads no captions: leave out --caption"):
        attribute([image], run, caption="a red thing")
    told: list[Any] = []
    literal = method_class.predict
    monkeypatch.setattr(method_class, "reads_captions", True)
    monkeypatch.setattr(
        method_class, "predict", lambda self, images, captions=None: told.append(captions) or literal(self, images)
    )
    attribute([image, image], run, caption="a red thing")
    attribute([image], run)
    assert told == [["a red thing"] * 2, None]


def test_a_method_of_a_file_is_asked_for(run: Run, tmp_path: Path) -> None:
    document = json.loads((run.folder / "run.json").read_text()) | {"method": "somebodys-own"}
    copy = tmp_path / "runs" / "somebodys-own" / "seed0-a"
    shutil.copytree(run.folder, copy)
    shutil.copytree(run.folder.parents[1] / "manifests", tmp_path / "runs" / "manifests")
    (copy / "run.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match="'somebodys-own' lives in a file of its own: give it with --method FILE"):
        attribute([], Run.open(copy))


def test_a_model_that_does_not_fit_its_method_is_one_line(run: Run, tmp_path: Path) -> None:
    image = save_noise(tmp_path / "x.png", (100, 100, 100))
    shutil.copytree(run.folder.parents[1], tmp_path / "runs")
    copy = Run.open(tmp_path / "runs" / run.folder.relative_to(run.folder.parents[1]))
    document = json.loads((copy.model / "model.json").read_text())
    (copy.model / "model.json").write_text(json.dumps(document | {"centroids": [[0.0]]}))
    with pytest.raises(RunError, match=r"gives scores \(1, 1\) for 1 images; the run has 3 seen generators"):
        attribute([image], copy)
    (copy.model / "model.json").write_text(json.dumps(document | {"centroids": [[0.0, 1.0]]}))
    with pytest.raises(RunError, match="the model of nearest-colour gives no answer: ValueError") as caught:
        attribute([image], copy)
    assert str(caught.value).isprintable()


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
    other.write_text(METHOD_FILE.replace("nearest-colour", "other-of-test-attribute"))
    with pytest.raises(RunError, match=r"is a run of nearest-colour, but .* defines other-of-test-attribute"):
        attribute([image], run, method_file=str(other))
