"""Files that people and services read, and that no other test opens."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pre_commit.clientlib import load_config

from osbench.core.errors import UsageError
from osbench.core.yaml import read_yaml

TEMPLATES = ("bug", "method", "submission")


def test_pre_commit_runs_the_tools_of_the_repository_alone(repository: Path) -> None:
    config = load_config(str(repository / ".pre-commit-config.yaml"))
    assert [entry["repo"] for entry in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {hook["id"] for hook in hooks} == {"ruff", "ruff-format", "pyright"}
    # Newer versions of pre-commit call "system" "unsupported".
    assert {hook["language"] for hook in hooks} <= {"system", "unsupported"}
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks)


def test_pyright_is_strict_where_it_is_said_to_be(repository: Path) -> None:
    settings = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["tool"]["pyright"]
    assert settings["strict"] == ["osbench/core", "osbench/benchmark"]
    assert all((repository / folder).is_dir() for folder in [*settings["strict"], settings["stubPath"]])
    # A comment such as "# pyright: basic" or "reportX=false" would lower it for a whole file; typings/ has the stubs of
    # libraries without types.
    files = [path for folder in settings["strict"] for path in (repository / folder).rglob("*.py")]
    assert len(files) > 50
    texts = {path: path.read_text("utf-8") for path in files}
    assert [path for path, text in texts.items() if re.search(r"# pyright: (basic|standard)", text)] == []
    assert [path for path, text in texts.items() if re.search(r"report\w+ *= *(false|none)", text)] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_issue_form_has_what_the_form_needs(repository: Path, name: str) -> None:
    form = read_yaml(repository / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml", UsageError)
    assert set(form) == {"name", "description", "labels", "body"}
    ids = [item["id"] for item in form["body"]]
    assert len(set(ids)) == len(ids) >= 3
    for item in form["body"]:
        assert item["type"] in {"textarea", "input", "checkboxes"}
        assert item["attributes"]["label"]
        assert item["type"] != "checkboxes" or item["attributes"]["options"]


def test_the_workflow_runs_what_everybody_runs(repository: Path) -> None:
    workflow = read_yaml(repository / ".github" / "workflows" / "ci.yml", UsageError)
    steps = workflow["jobs"]["all"]["steps"]
    assert ".ci/run" in [step.get("run") for step in steps]
    lowest = re.search(r'requires-python = ">=([\d.]+)"', (repository / "pyproject.toml").read_text("utf-8"))
    assert lowest is not None
    assert [step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", "")] == [lowest[1]]


def test_every_make_target_that_is_named_exists(repository: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text("utf-8"), re.MULTILINE))
    texts = [*repository.glob("*.md"), *(repository / "docs").rglob("*.md"), repository / ".ci" / "run"]
    for path in texts:
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text("utf-8"), re.MULTILINE))
        assert named <= targets, path


def test_a_bare_clone_can_be_imported(repository: Path, tmp_path: Path) -> None:
    """Without any installation: the links in ``osbench/`` are part of the repository."""
    if not (repository / ".git").exists():
        pytest.skip("not a clone: this is an unpacked archive")
    source = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(repository), str(source)], check=True)
    code = (
        "import osbench, osbench.core.errors, osbench.benchmark.protocols as p, osbench.generation.catalog as c;"
        "print(osbench.__file__, p.__file__, len(c.load_suite('mini').sources))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    package, protocols, sources = done.stdout.split()
    assert Path(package).parent == source / "osbench"
    assert Path(protocols).resolve().is_relative_to(source)
    assert int(sources) == 7
