"""Which code a run was made by: one hash over a method's module and the modules that it is built from.

Runs are found again by their configuration and data. If the code has changed in between, such a run would show the
numbers of the old code under the new one's name; the hash in ``run.json`` lets the harness say so.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .audit.probe import Probe
    from .method import Method


def code_sha256(cls: type[Method] | type[Probe]) -> str:
    """SHA-256 over the code of the method's module and, in turn, of every module around it that it imports.

    Comments, docstrings and layout do not count, nor what happens to be loaded. ``osbench.baselines.methods.proposed``
    draws in ``osbench.baselines.losses.proxy_nca``, and the networks, all of them, because that package finds its
    modules by itself; but neither the harness nor other libraries, whose versions a run names anyway.
    """
    root = _root(cls.__module__)
    found: dict[str, str] = {}
    waiting = [cls.__module__]
    while waiting:
        name = waiting.pop()
        path = _file(name, root)
        if name in found or path is None:
            continue
        tree, found[name] = _tree(path)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        if root:
            waiting += [other for other in _imported(tree, package) if other.startswith(f"{root}.")]
        if path.name == "__init__.py":
            inside = (module.relative_to(path.parent).with_suffix("") for module in path.parent.rglob("*.py"))
            waiting += [f"{name}.{'.'.join(module.parts)}" for module in inside if module.name != "__init__"]
    return hashlib.sha256("\n".join(f"{name} {found[name]}" for name in sorted(found)).encode()).hexdigest()


def _file(name: str, root: str) -> Path | None:
    """The file of a module below the package ``root``, loaded or not; None for a name that is no module."""
    if not root:
        return Path(inspect.getfile(sys.modules[name]))
    base = Path(next(iter(sys.modules[root].__path__))).joinpath(*name.split(".")[len(root.split(".")) :])
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


def _root(module: str) -> str:
    """Whose modules count: ``osbench.baselines`` for our own methods, else the top package, "" for a single file."""
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] == "osbench" else 1]) if len(parts) > 1 else ""


@cache
def _tree(path: Path) -> tuple[ast.Module, str]:
    """The parsed file without its docstrings, and the SHA-256 of what that says."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = [statement for statement in node.body if not _is_text(statement)]
            node.body = body or [ast.Pass()]  # type: ignore[assignment]
    return tree, hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _imported(tree: ast.Module, package: str) -> set[str]:
    """Full names of everything that is imported anywhere in a file of ``package``; some are functions, not modules."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")
            parents = above[: len(above) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return names
