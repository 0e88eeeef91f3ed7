from __future__ import annotations

from pathlib import Path

import pytest

from osbench.benchmark.experiment import Configuration, experiment_names, experiment_schema, load_experiment
from osbench.benchmark.protocols import Protocol, load_protocol
from osbench.core.errors import UsageError

TEXT = """
title: Two ways
protocol: fang2023
seeds: 2
epochs: 7
rules: [native, msp]
entries:
  proposed: {}
  other: {method: dct-cnn, options: {lr: 0.001}, epochs: 3, rules: [never]}
columns: [af1, crr_each]
compare:
  - {better: proposed, than: other, metrics: [af1]}
published:
  paper: A paper
  values:
    other: {af1: 0.5, crr.StyleGAN: 0}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "two.yaml"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("name", experiment_names())
def test_packaged_experiments_are_read(name: str) -> None:
    experiment = load_experiment(name)
    assert experiment.name == name
    assert experiment.title
    for label in experiment.entries:
        assert experiment.configuration(label).method


def test_paper_1_is_there() -> None:
    table2, table3 = load_experiment("fang2023-table2"), load_experiment("fang2023-table3")
    assert table2.published is not None
    assert table3.published is not None
    assert table2.published.values["mislnet, camera"] == {"auc_af1_crr": 0.868}
    rows = table3.published.values
    assert all(
        row["af1"] == pytest.approx(sum(v for k, v in row.items() if k.startswith("f1.")) / 5, abs=6e-4)
        for name, row in rows.items()
        if name != "resnet50"
    ), "means of the printed F1"
    assert rows["proposed"]["crr"] == pytest.approx((0.484 + 0.806) / 2)


def test_an_entry_inherits_what_it_does_not_say(file: Path) -> None:
    experiment = load_experiment(file)
    assert experiment.name == "two"
    assert experiment.configuration("proposed") == Configuration("proposed", {}, 7, ("native", "msp"))
    assert experiment.configuration("other") == Configuration("dct-cnn", {"lr": 0.001}, 3, ("never",))
    one = experiment.chosen(["other"])
    assert list(one.entries) == ["other"]
    assert one.compare == ()
    assert experiment.chosen([]) == experiment
    with pytest.raises(UsageError, match="Did you mean 'other'"):
        experiment.chosen(["othr"])


def test_files_beside_the_experiment_are_found(file: Path) -> None:
    (file.parent / "mine.py").write_text("")
    (file.parent / "rule.yaml").write_text("unseen: {choose: 1}\n")
    file.write_text("suite: mini\nprotocol: rule.yaml\nentries: {mine: {method: mine.py}, away: {method: away.py}}\n")
    experiment = load_experiment(file)
    assert experiment.protocol == str(file.parent / "rule.yaml")
    assert experiment.configuration("mine").method == str(file.parent / "mine.py")
    assert experiment.configuration("away").method == "away.py"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("seeds: 2", "seed: 2"), "'seed'. Did you mean 'seeds'?"),
        (("seeds: 2", "seeds: two"), "seeds is 'two'; expected a whole number"),
        (("seeds: 2", "seeds: 0"), "expected at least 1"),
        (("  other:", "  proposed:"), "the key 'proposed' a second time"),
        (("than: other", "than: nobody"), "unknown label under 'compare'"),
        (("    other: {af1", "    nobody: {af1"), "unknown label under 'published'"),
        (("epochs: 3,", "epoch: 3,"), "entries.other 'epoch'. Did you mean 'epochs'?"),
        (("lr: 0.001", "lr: [1]"), "options.lr"),
        (("rules: [never]", "rules: never"), "expected a list"),
        (("rules: [never]", "rules: [../x]"), "expected letters, digits"),
        (("  proposed: {}\n", '  "pro\\x1bposed": {}\n'), "entries"),
    ],
)
def test_bad_files_are_one_line(file: Path, change: tuple[str, str], message: str) -> None:
    assert change[0] in TEXT
    file.write_text(TEXT.replace(*change))
    with pytest.raises(UsageError) as caught:
        load_experiment(file)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- 1", "entries: {}", "title: x"])
def test_a_file_without_entries_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError, match=r"two\.yaml"):
        load_experiment(file)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'fang2023-table"):
        load_experiment("fang2023-tabel2")


def test_the_schema_says_what_a_file_may_hold() -> None:
    schema = experiment_schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["entries"]


def test_a_protocol_file_lies_beside_the_experiment(file: Path, tmp_path: Path) -> None:
    file.write_text(TEXT.replace("protocol: fang2023", "protocol: mine.yaml"))
    with pytest.raises(UsageError, match=r"mine\.yaml: cannot be read"):
        load_experiment(file)
    (tmp_path / "mine.yaml").write_text("unseen: {people: [a]}\n")
    with pytest.raises(UsageError, match=r"unknown key of .*mine.yaml below unseen 'people'"):
        load_experiment(file)
    (tmp_path / "mine.yaml").write_text("unseen: {generators: [a]}\n")
    assert load_protocol(load_experiment(file).protocol) == Protocol.of_unseen(["a"], "mine")
