"""The package list and data patterns of pyproject.toml cover what is in the folders."""

from __future__ import annotations

import tomllib
from pathlib import Path

FLOORS = ("generation", "benchmark", "baselines", "leaderboard", "cli")
UPWARD = {
    "generation": ("benchmark", "baselines", "leaderboard", "cli"),
    "benchmark": ("baselines", "leaderboard", "cli"),
    "baselines": ("leaderboard", "cli"),
    "leaderboard": ("baselines", "cli"),
}


def test_every_package_is_listed(repository: Path) -> None:
    listed = set(tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        "osbench." + ".".join(path.parent.relative_to(repository).parts)
        for floor in FLOORS
        for path in (repository / floor).rglob("__init__.py")
    }
    assert listed == found


def test_every_floor_is_typed(repository: Path) -> None:
    assert all((repository / floor / "py.typed").is_file() for floor in FLOORS)


def test_imports_never_go_upward(repository: Path) -> None:
    for floor, forbidden in UPWARD.items():
        for path in (repository / floor).rglob("*.py"):
            text = path.read_text()
            for above in forbidden:
                assert f"from ..{above}" not in text, f"{path} imports from {above}"
                assert f"from ...{above}" not in text, f"{path} imports from {above}"
                assert f"osbench.{above} import" not in text, f"{path} imports from {above}"


def test_the_core_imports_no_torchvision(repository: Path) -> None:
    for floor in FLOORS:
        for path in (repository / floor).rglob("*.py"):
            for line in path.read_text().splitlines():
                words = line.split()
                assert words[:1] not in (["import"], ["from"]) or words[1].partition(".")[0] not in (
                    "torchvision",
                    "timm",
                    "open_clip",
                ), f"{path}: {line}"
