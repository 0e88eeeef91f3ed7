"""Both tables made for real on a small dataset: cameras, pre-training, runs, results."""

import json

import pytest

from osbench.baselines.cameras.pretraining import CameraPretraining
from osbench.baselines.reproduction.experiment import Experiment
from osbench.baselines.reproduction.published import load_paper
from osbench.baselines.reproduction.report import read_results, table_document, write_results
from osbench.baselines.reproduction.reproduce import reproduce
from osbench.baselines.reproduction.table2 import make_table2
from osbench.baselines.reproduction.table3 import make_table3
from osbench.benchmark.manifest import build_manifest
from osbench.benchmark.runs import list_runs
from osbench.core.errors import RunError, UsageError
from osbench.generation.generate import generate
from tests.benchmark.tiny_dataset import CROP, GENERATORS, write_sources

PAPER = load_paper("fang2023")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduction")
    return generate(str(write_sources(folder / "sources", GENERATORS, 40, CROP + 8)), folder / "data")


@pytest.fixture(scope="module")
def table2(data, tmp_path_factory):
    """The row of Stega-CNN with all three arms, and the experiment."""
    experiment = Experiment(
        data,
        build_manifest(data, "fang2023"),
        tmp_path_factory.mktemp("table2"),
        seeds=2,
        epochs=1,
        pretraining=CameraPretraining(epochs=1, scene_count=3, cameras=3, crops=2),
        replicates=50,
    )
    return make_table2(PAPER, experiment, rows=["stega-cnn"], same_rate=["stega-cnn"]), experiment


@pytest.fixture(scope="module")
def table3(data, tmp_path_factory):
    """Results folder after table 3 was made for one of its methods."""
    folder = tmp_path_factory.mktemp("table3")
    document, _ = reproduce(
        "fang2023", [3], rows=["dct-cnn"], data=data.path, out=folder / "out", results=folder / "res", seeds=2, epochs=1
    )
    return folder, document


def test_table_2_trains_every_arm_with_the_papers_rates(table2):
    (row,) = table2[0]["rows"]
    assert {arm: found["lr"] for arm, found in row["arms"].items()} == {
        "scratch": 7e-4,
        "camera": 1e-4,
        "camera-same-rate": 7e-4,
    }
    assert row["arms"]["scratch"]["auc_af1_crr"]["published"] == 0.787
    assert row["arms"]["camera"]["auc_af1_crr"]["published"] == 0.808
    assert row["gains"]["camera"]["published"] == 0.021
    assert row["gains"]["camera-same-rate"]["published"] is None
    assert row["pretraining"] | {"accuracy": 0} == {
        "kind": "virtual cameras: a stand-in for the Camera Model Identification Database",
        "cameras": 3,
        "scenes": "3 procedural (dead leaves and 1/f noise)",
        "crops": 6,
        "epochs": 1,
        "accuracy": 0,
        "chance": 0.3333,
    }


def test_table_2_is_derived_from_the_runs(table2):
    body, experiment = table2
    (row,) = body["rows"]
    runs = [r for r in list_runs(experiment.out / "runs") if r.info.config.given["init"] == "scratch"]
    assert [run.seed for run in runs] == [0, 1]
    aucs = [r.score("native", manifest=experiment.manifest, bootstrap=2).auc_af1_crr.estimate for r in runs]
    found = row["arms"]["scratch"]["auc_af1_crr"]
    assert found["reproduced"] == pytest.approx(sum(aucs) / 2, abs=1e-6)
    assert found["difference"] == pytest.approx(found["reproduced"] - 0.787, abs=1e-6)
    gain = row["gains"]["camera"]["reproduced"]
    assert gain == pytest.approx(row["arms"]["camera"]["auc_af1_crr"]["reproduced"] - found["reproduced"], abs=2e-6)


def test_running_again_trains_nothing(table2, monkeypatch):
    body, experiment = table2
    monkeypatch.setattr("osbench.baselines.trained.train_network", None)
    monkeypatch.setattr("osbench.baselines.cameras.pretraining.train_network", None)
    assert make_table2(PAPER, experiment, rows=["stega-cnn"], same_rate=["stega-cnn"]) == body


def test_table_3_names_architectures_and_leaves_out_what_the_suite_lacks(table3):
    (row,) = table3[1]["tables"][0]["rows"]
    assert list(row["f1"]) == ["ProGAN", "StyleGAN2", "Taming Transformers"]
    assert list(row["crr_each"]) == ["StyleGAN", "Stable Diffusion"]
    assert row["f1"]["StyleGAN2"]["published"] == 0.687
    assert row["crr"]["reproduced"] == 0.0, "the paper's classifiers never reject"
    assert row["af1"]["reproduced"] == pytest.approx(sum(v["reproduced"] for v in row["f1"].values()) / 3, abs=1e-5)
    assert row["proposed_minus_this"] == {}, "the proposed method was not asked for"


def test_epochs_reach_every_method_as_they_do_in_evaluate(data, tmp_path, monkeypatch):
    """Otherwise what 'evaluate --method all --epochs N' trained would be trained again, as another entry."""
    asked = {}

    def evaluate(method, **arguments):
        asked[method] = arguments["epochs"]
        raise InterruptedError

    monkeypatch.setattr("osbench.baselines.reproduction.experiment.evaluate", evaluate)
    experiment = Experiment(data, build_manifest(data, "fang2023"), tmp_path, epochs=7)
    for name in ("fsm", "exif-net", "resnet50"):
        with pytest.raises(InterruptedError):
            make_table3(PAPER, experiment, rows=[name])
    assert asked == {"fsm": 7, "exif-net": 7, "resnet50": 7}


def test_results_keep_the_other_tables_and_the_page_shows_every_number(table2, table3):
    folder, _ = table3
    body, experiment = table2
    made = table_document(PAPER, 2, body, experiment)
    data, page = write_results(folder / "res", [made], {"fang2023": PAPER})
    stored = read_results(data)["tables"]
    assert [(t["paper"], t["table"], t["suite"]) for t in stored] == [("fang2023", 2, "tiny"), ("fang2023", 3, "tiny")]
    assert stored[0] == json.loads(json.dumps(made))
    text = page.read_text()
    found = made["rows"][0]["arms"]["scratch"]["auc_af1_crr"]
    assert f"| stega-cnn | 0.787 | {found['reproduced']:.3f} ({found['low']:.3f} to {found['high']:.3f}) |" in text
    assert "values may not be compared with the paper's" in text
    assert "| images per source | 10,000 | 40 |" in text
    assert "An epoch has 32 images per class here and 24,000 there" in text
    assert "| dct-cnn, never | published | 0.673 |" in text
    assert made["rows"][0]["gains"]["camera"]["verdict"] in text
    again = write_results(folder / "res", [made], {"fang2023": PAPER})[1].read_text()
    assert again == text


def test_the_same_suite_in_another_size_is_another_table(table2, tmp_path):
    small = table_document(PAPER, 2, *table2)
    large = small | {"setting": small["setting"] | {"images_per_source": 10_000}}
    _, page = write_results(tmp_path, [large, small], {"fang2023": PAPER})
    stored = read_results(tmp_path / "results.json")["tables"]
    assert [t["setting"]["images_per_source"] for t in stored] == [40, 10_000]
    for size in ("40", "10,000"):
        assert f"## fang2023, table 2, on the suite tiny (tiny-v1, {size} images per source)" in page.read_text()
    assert "2 seeds, 1 epoch, " in page.read_text()


def test_a_table_is_written_before_the_next_one_is_made(table2, data, tmp_path, monkeypatch):
    def fails(*args, **kwargs):
        raise RunError("the device is gone")

    monkeypatch.setattr("osbench.baselines.reproduction.reproduce.make_table2", lambda *args, **kwargs: table2[0])
    monkeypatch.setattr("osbench.baselines.reproduction.reproduce.make_table3", fails)
    with pytest.raises(RunError, match="the device is gone"):
        reproduce("fang2023", data=data.path, out=tmp_path / "out", results=tmp_path / "res")
    assert [table["table"] for table in read_results(tmp_path / "res" / "results.json")["tables"]] == [2]
    assert "| stega-cnn | 0.787 |" in (tmp_path / "res" / "RESULTS.md").read_text()


def test_a_table_made_row_by_row_keeps_its_rows(table2, tmp_path):
    made = table_document(PAPER, 2, *table2)
    other = made | {"rows": [made["rows"][0] | {"network": "mislnet"}]}
    for table in (made, other, made):
        write_results(tmp_path, [table], {"fang2023": PAPER})
    (stored,) = read_results(tmp_path / "results.json")["tables"]
    assert [row["network"] for row in stored["rows"]] == ["stega-cnn", "mislnet"]
    before = (tmp_path / "results.json").read_bytes()
    with pytest.raises(RunError, match=r"lacks \(mislnet\) and was made with other epochs: make all rows"):
        write_results(tmp_path, [made | {"epochs": 2}], {"fang2023": PAPER})
    assert (tmp_path / "results.json").read_bytes() == before


def test_a_damaged_results_file_is_not_overwritten(table2, tmp_path):
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(RunError, match="no results file of this osbench"):
        write_results(tmp_path, [table_document(PAPER, 2, *table2)], {"fang2023": PAPER})
    assert (tmp_path / "results.json").read_text() == "{"
    assert not (tmp_path / "RESULTS.md").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tables": [5]}, "unknown table of fang2023 '5'"),
        ({"tables": [2], "rows": ["repmix"]}, "unknown row 'repmix'"),
        ({"rows": ["mislnat"]}, "Did you mean 'mislnet'"),
        ({"same_rate": ["mislnat"]}, "Did you mean 'mislnet'"),
        ({"preset": "literal"}, "Did you mean 'paper-literal'"),
    ],
)
def test_wrong_requests_make_nothing(arguments, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        reproduce("fang2023", out=tmp_path / "out", results=tmp_path / "res", **arguments)
    assert not list(tmp_path.iterdir())
