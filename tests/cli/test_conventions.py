"""What all verbs share: names to list, names to complete, ``--quiet``, and usage errors without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from osbench.cli import main
from osbench.core.progress import is_quiet
from osbench.generation.generate import generate

from ..benchmark.test_contract import write_method
from ..benchmark.tiny_dataset import CROP, GENERATORS, write_sources


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def offered(*words: str, begun: str = "") -> set[str]:
    return {item.value for item in ShellComplete(main, {}, "osbench", "_X").get_completions(list(words), begun)}


def test_everything_registered_is_listed() -> None:
    names = json.loads(run("list", "--json").stdout)
    assert {"proposed", "resnet50"} <= set(names["methods"])
    assert {"mislnet", "xception"} <= set(names["networks"])
    assert {"msp", "never"} <= set(names["rejections"])
    assert {"fang2023", "rotate"} <= set(names["protocols"])
    assert {"mini", "fang2023", "bongini2025"} <= set(names["suites"])
    assert "bongini2025" in names["importers"]
    text = run("list").stdout
    assert all(kind in text for kind in names)


@pytest.mark.parametrize("kind", ["networks", "rejections", "thresholds", "families", "importers", "engines"])
def test_each_kind_has_a_verb_with_one_line_each(kind: str) -> None:
    rows = json.loads(run("list", kind, "--json").stdout)
    assert [row["name"] for row in rows] == json.loads(run("list", "--json").stdout)[kind]
    assert all(len(row["title"].split()) >= 3 for row in rows)
    lines = run("list", kind).stdout.splitlines()
    assert len(lines) == len(rows)
    assert f"list {kind}" in run("list", kind, "--help").stdout


@pytest.mark.parametrize(
    ("words", "begun", "expected"),
    [
        (("generate", "--suite"), "mini", {"mini", "mini-v2"}),
        (("split", "data", "--protocol"), "ro", {"rotate"}),
        (("evaluate", "--method"), "clip-", {"clip-knn", "clip-lora"}),
        (("evaluate", "--network"), "", {"mislnet", "xception"}),
        (("list", "sources", "--suite"), "fang", {"fang2023"}),
        ((), "gen", {"generate"}),
    ],
)
def test_the_shell_completes_names(words: tuple[str, ...], begun: str, expected: set[str]) -> None:
    found = offered(*words, begun=begun)
    assert expected <= found
    assert all(name.startswith(begun) for name in found)


def test_what_is_no_name_may_be_a_file() -> None:
    (item,) = ShellComplete(main, {}, "osbench", "_X").get_completions(["evaluate", "--method"], "./my_")
    assert item.type == "file"


def test_quiet_silences_progress_and_nothing_else() -> None:
    assert run("list", "networks", "--quiet").stdout == run("list", "networks").stdout
    run("list", "networks", "--quiet")
    assert is_quiet()
    run("list", "networks")
    assert not is_quiet()


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "methods"),
        ("list", "networks"),
        ("list", "rejections", "--json"),
        ("generate", "--suite", "minni", "--out", "x"),
        ("plan", "--suite", "minni"),
        ("evaluate", "--method", "propposed", "--data", "x", "--out", "y"),
        ("check-method", "propposed"),
        ("generat",),
    ],
)
def test_listing_and_usage_errors_do_not_wait_for_torch(words: tuple[str, ...], tmp_path: Path) -> None:
    code = (
        f"import sys\nfrom osbench.cli import main\ntry:\n    main({list(words)!r})\n"
        "except SystemExit as end:\n    print(end.code, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    code_and_torch = done.stdout.splitlines()[-1]
    assert code_and_torch == ("0 False" if words[0] == "list" else "2 False"), done.stderr
    if words[0] != "list":
        assert "Did you mean" in done.stderr


@pytest.mark.parametrize(
    ("method", "option", "said"),
    [
        ("dct-cnn", "lr=-1", "option lr=-1.0 of method dct-cnn: it must be above 0."),
        ("dct-cnn", "weight_decay=-5", "it must be at least 0."),
        ("dct-cnn", "batch_size=0", "option batch_size=0 of method dct-cnn: it must be at least 1."),
        ("dct-cnn", "patience=none", "expected int, like the default 5."),
        ("proposed", "network=mislnett", "unknown value 'mislnett'. Did you mean 'mislnet'?"),
        ("proposed", "preset=oficial", "Did you mean 'official'?"),
        ("repmix", "corruption_rate=2", "it must be at least 0 and at most 1."),
        ("fsm", "trained_on=seed", "Did you mean 'seen'?"),
    ],
)
def test_senseless_options_are_one_line_before_anything_is_read(
    method: str, option: str, said: str, tmp_path: Path
) -> None:
    result = run(
        *("evaluate", "--method", method, "--option", option),
        *("--data", tmp_path / "no-data", "--out", tmp_path / "runs"),
    )
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert said in line
    assert not list(tmp_path.iterdir())


def test_check_method_prints_a_line_for_each_promise(tmp_path: Path) -> None:
    path = write_method(tmp_path, "checked")
    result = run("check-method", path, "--crop-size", 16)
    assert result.exit_code == 0, result.stderr
    assert {line.split()[0] for line in result.stdout.splitlines()} == {"ok"}
    path = write_method(tmp_path, "checked-and-broken", ("colours = np", "1 / 0; colours = np"))
    result = run("check-method", path, "--crop-size", 16, "--json")
    assert result.exit_code == 1
    *_, last = json.loads(result.stdout)
    assert last["name"] == "fit"
    assert "ZeroDivisionError" in last["fault"]
    assert result.stderr.splitlines() == ["osbench: error: method checked-and-broken fails 1 check."]


def test_a_fault_of_a_method_file_is_one_line_before_any_training(tmp_path: Path) -> None:
    data = generate(str(write_sources(tmp_path / "sources", GENERATORS, 10, CROP + 8)), tmp_path / "data").path
    log = tmp_path / "fits"
    counting = ("colours = np", f"open({str(log)!r}, 'a').write(str(len(train)) + ' '); colours = np")
    for name, change, said in [
        ("tells-tuples", ("return {", "return -distance, {"), "predict returns a tuple"),
        ("divides", ("distance = np", "1 / 0; distance = np"), "ZeroDivisionError: division by zero (traceback: "),
    ]:
        path = write_method(tmp_path, name, change, counting)
        result = run("evaluate", "--method", path, "--data", data, "--out", tmp_path / "runs")
        assert result.exit_code == 1
        assert said in result.stderr.splitlines()[-1]
        assert log.read_text().split() == ["24"], "the images of a rehearsal, and no others"
        log.unlink()
    (traceback,) = (tmp_path / "runs" / "failures").iterdir()
    assert "ZeroDivisionError" in traceback.read_text()
