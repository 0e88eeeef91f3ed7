"""``python -m tests.layout``: what the folders promise about each other, checked on every file by ``make lint``.

Imports go down, and what every floor needs stands once, in ``core/``.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FLOORS = ("core", "generation", "benchmark", "baselines", "leaderboard", "cli", "osbench")

MAY_IMPORT = {
    "core": {"core"},
    "generation": {"core", "generation"},
    "benchmark": {"core", "generation", "benchmark"},
    "baselines": {"core", "generation", "benchmark", "baselines"},
    "leaderboard": {"core", "benchmark", "generation", "leaderboard"},
    "cli": set(FLOORS),
    "osbench": set(FLOORS),
}

ONCE = {
    "a file lock": ({"flock", "lockf"}, "core/locking.py", "core/publish.py"),
    "a check of free disk space": ({"disk_usage", "statvfs"}, "core/disk.py"),
    "a hash of a file": ({"file_digest"}, "core/hashing.py"),
    "a search for modules": ({"iter_modules", "walk_packages", "entry_points"}, "core/registry.py"),
    "a YAML reader": ({"safe_load", "safe_load_all", "SafeLoader"}, "core/yaml.py"),
}
"""What stands once -> names that only its module may use."""

TEXT_ONCE = {
    "a Markdown table": ("|---", "core/markdown.py"),
    "a cache folder": ("XDG_CACHE_HOME", "core/user_folders.py"),
}

EXCEPT = {"cli/__init__.py"}  # finds its verbs


def sources() -> Iterator[Path]:
    """Every source file, once: the links in ``osbench/`` are not followed."""
    for floor in FLOORS[:-1]:
        yield from sorted((REPOSITORY / floor).rglob("*.py"))
    yield from sorted((REPOSITORY / "osbench").glob("*.py"))


def problems(path: Path) -> Iterator[str]:
    """What is wrong with one file, a line each."""
    file = path.relative_to(REPOSITORY).as_posix()
    tree = ast.parse(path.read_text("utf-8"))
    yield from (f"{file}:{line}: imports {floor}, which is above it" for line, floor in _upward(tree, path))
    if file in EXCEPT:
        return
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None
        for what, (names, *homes) in ONCE.items():
            if name in names and file not in homes:
                yield f"{file}:{getattr(node, 'lineno', 0)}: {what} ('{name}') outside {homes[0]}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for what, (text, home) in TEXT_ONCE.items():
                if text in node.value and file != home:
                    yield f"{file}:{node.lineno}: {what} ('{text}') outside {home}"


def _upward(tree: ast.Module, path: Path) -> Iterator[tuple[int, str]]:
    parts = path.relative_to(REPOSITORY).parts
    package = ("osbench", *parts[:-1]) if parts[0] != "osbench" else ("osbench",)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            else:
                base = (node.module or "").split(".")
            targets = [[part for part in [*base, alias.name] if part] for alias in node.names]
        elif isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        else:
            continue
        for target in targets:
            floor = target[1] if target[0] == "osbench" and len(target) > 1 else ""
            if floor in FLOORS and floor not in MAY_IMPORT[parts[0]]:
                yield node.lineno, floor


def main() -> int:
    """Print every problem; 1 if there is one."""
    found = [problem for path in sources() for problem in problems(path)]
    print("\n".join(found) or "layout: nothing to mend")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
