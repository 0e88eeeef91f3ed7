"""``python -m tests.layout``: what the folders promise about each other, checked on every file by ``make lint``.

Imports go down, and what every floor needs stands once, in ``core/``.
"""

from __future__ import annotations

import ast
import re
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
    "a file lock": ({"flock", "lockf", "O_EXCL", "FileLock"}, "core/locking.py", "core/publish.py"),
    "a check of free disk space": ({"disk_usage", "statvfs"}, "core/disk.py"),
    "a hash of a file": ({"file_digest"}, "core/hashing.py"),
    "a search for modules": ({"iter_modules", "walk_packages", "entry_points", "__subclasses__"}, "core/registry.py"),
    "a YAML reader": ({"safe_load", "safe_load_all", "SafeLoader"}, "core/yaml.py"),
}
"""What stands once -> names that only its module may use."""

TEXT_ONCE = {
    "a Markdown table": (re.compile(r"\|\s*:?-{3}|^\s*\| | \|\s*$"), "core/markdown.py"),
    "a cache folder": (re.compile("XDG_CACHE_HOME"), "core/user_folders.py"),
}
"""What stands once -> a text that only its module may hold. Of a table: its rule, or the border of a row."""

REGISTRY = "core/registry.py"

EXCEPT = {"cli/__init__.py"}  # finds its verbs


def sources() -> Iterator[Path]:
    """Every source file, once: the links in ``osbench/`` are not followed."""
    for floor in FLOORS[:-1]:
        yield from sorted((REPOSITORY / floor).rglob("*.py"))
    yield from sorted((REPOSITORY / "osbench").glob("*.py"))


def problems(file: str, text: str) -> Iterator[str]:
    """What is wrong with one file, a line each. file: its path from the root of the repository."""
    tree = ast.parse(text)
    yield from (f"{file}:{line}: imports {floor}, which is above it" for line, floor in _upward(tree, file))
    if file in EXCEPT:
        return
    for node in ast.walk(tree):
        for what, (names, *homes) in ONCE.items():
            for name in sorted(names & _names_of(node)):
                if file not in homes:
                    yield f"{file}:{getattr(node, 'lineno', 0)}: {what} ('{name}') outside {homes[0]}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for what, (pattern, home) in TEXT_ONCE.items():
                found = pattern.search(node.value)
                if found and file != home:
                    yield f"{file}:{node.lineno}: {what} ('{found[0].strip()}') outside {home}"
    if file != REGISTRY:
        yield from (f"{file}:{line}: a registry ({why}) outside {REGISTRY}" for line, why in _registries(tree))


def _names_of(node: ast.AST) -> set[str]:
    """The names that a node uses or imports."""
    if isinstance(node, ast.Attribute):
        return {node.attr}
    if isinstance(node, ast.Name):
        return {node.id}
    return {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()


def _registries(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Classes that are called so, and decorators that put what they decorate into a container of the module."""
    kept = {name for statement in tree.body for name in _containers(statement)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith("Registry"):
            yield node.lineno, f"class {node.name}"
        if isinstance(node, ast.FunctionDef) and (_returns_its_argument(node) or node.name == "__init_subclass__"):
            for inner in ast.walk(node):
                filled = _filled(inner)
                if filled in kept:
                    yield node.lineno, f"'{node.name}' fills {filled}"


def _containers(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement of a module binds to a dictionary, list or set that is written there."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        value = statement.value
        called = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
        if isinstance(value, ast.Dict | ast.List | ast.Set) or called in {"dict", "list", "set", "defaultdict"}:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _returns_its_argument(function: ast.FunctionDef) -> bool:
    given = {argument.arg for argument in function.args.args}
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return any(isinstance(value, ast.Name) and value.id in given for value in returned)


def _filled(node: ast.AST) -> str | None:
    """The name of the container that a statement puts something into: ``NAME[key] = value``, ``NAME.append(value)``."""
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        places = [target.value if isinstance(target, ast.Subscript) else target for target in targets]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        places = [node.func.value] if node.func.attr in {"append", "add", "setdefault", "update"} else []
    else:
        places = []
    return next((place.id for place in places if isinstance(place, ast.Name)), None)


def _upward(tree: ast.Module, file: str) -> Iterator[tuple[int, str]]:
    parts = Path(file).parts
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


def _problems_of(path: Path) -> Iterator[str]:
    return problems(path.relative_to(REPOSITORY).as_posix(), path.read_text("utf-8"))


def main() -> int:
    """Print every problem; 1 if there is one."""
    found = [problem for path in sources() for problem in _problems_of(path)]
    print("\n".join(found) or "layout: nothing to mend")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
