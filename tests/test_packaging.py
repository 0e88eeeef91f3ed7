"""The folders, their links and their imports are as the design says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from setuptools import find_packages

FLOORS = ("core", "generation", "benchmark", "baselines", "leaderboard", "cli")
MAY_IMPORT = {
    "core": {"core"},
    "generation": {"core", "generation"},
    "benchmark": {"core", "generation", "benchmark"},
    "baselines": {"core", "generation", "benchmark", "baselines"},
    "leaderboard": {"core", "generation", "benchmark", "leaderboard"},
    "cli": set(FLOORS),
}
_RELATIVE = re.compile(r"^\s*from (\.+)([\w.]*) import (\w+)", re.MULTILINE)


def test_every_folder_is_a_link_and_a_package(repository: Path) -> None:
    packages = find_packages(str(repository), include=["osbench*"])
    found = {
        "osbench." + ".".join(path.parent.relative_to(repository).parts)
        for floor in FLOORS
        for path in (repository / floor).rglob("__init__.py")
    }
    assert set(packages) == found | {"osbench"}
    for floor in FLOORS:
        link = repository / "osbench" / floor
        assert link.is_symlink()
        assert link.resolve() == (repository / floor).resolve()
        assert (repository / floor / "py.typed").is_file()


def _imported_floors(path: Path, repository: Path) -> set[str]:
    package = ("osbench", *path.parent.relative_to(repository).parts)
    floors = set()
    for dots, name, first in _RELATIVE.findall(path.read_text()):
        target = [*package[: len(package) - len(dots) + 1], *filter(None, name.split(".")), first]
        floors.add(target[1])
    return floors


def test_imports_never_go_upward(repository: Path) -> None:
    for floor, allowed in MAY_IMPORT.items():
        for path in (repository / floor).rglob("*.py"):
            assert _imported_floors(path, repository) & set(FLOORS) <= allowed, path
            assert "import osbench" not in path.read_text().replace(">>> import osbench", ""), path
            assert "from osbench" not in path.read_text().replace(">>> from osbench", ""), path


def test_nothing_imports_torchvision(repository: Path) -> None:
    for floor in FLOORS:
        for path in (repository / floor).rglob("*.py"):
            for line in path.read_text().splitlines():
                words = line.split()
                assert words[:1] not in (["import"], ["from"]) or words[1].partition(".")[0] not in (
                    "torchvision",
                    "timm",
                    "open_clip",
                ), f"{path}: {line}"


def test_import_osbench_loads_nothing_heavy() -> None:
    code = "import osbench, sys; assert not {'torch', 'numpy', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
