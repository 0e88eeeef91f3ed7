from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from osbench.core import registry
from osbench.core.errors import UsageError
from osbench.core.registry import Registry


def points(monkeypatch: pytest.MonkeyPatch, *found: EntryPoint) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [p for p in found if p.group == group])


def test_an_entry_point_is_imported_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "spoons_of_a_test.py").write_text("SILVER = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    points(monkeypatch, EntryPoint("silver", "spoons_of_a_test:SILVER", "spoons"))
    spoons: Registry[int] = Registry("spoon", "spoons")
    assert spoons.names() == ["silver"]
    assert "spoons_of_a_test" not in sys.modules
    assert spoons.get("silver") == 3
    assert Registry("fork", "forks").names() == []


def test_a_package_offers_what_its_modules_register(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "forks_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from osbench.core.registry import Registry\nFORKS = Registry('fork', 'forks')\n"
        "def register_fork(name):\n    return lambda item: FORKS.add(name, item) or item\n"
    )
    for module, name in (("dessert", "dessert-fork"), ("big/fish", "fish-fork")):
        path = package / f"{module}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'from forks_of_a_test import register_fork\n@register_fork("{name}")\nclass Fork: pass\n')
    (package / "handles.py").write_text("raise RuntimeError('a helper that nobody asked for')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    points(monkeypatch, EntryPoint("builtin", "forks_of_a_test", "forks"))
    from forks_of_a_test import FORKS  # type: ignore[import-not-found]

    assert FORKS.names() == ["dessert-fork", "fish-fork"]
    assert FORKS.get("fish-fork").__module__ == "forks_of_a_test.big.fish"
    assert "forks_of_a_test.dessert" not in sys.modules, "only the one asked for is imported"
    assert "class Fork" in (FORKS.source("dessert-fork") or "")
    assert FORKS.source("spoon") is None


def test_names_that_are_taken_or_unknown_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    points(monkeypatch)
    knives: Registry[type] = Registry("knife", "knives")
    knives.add("bread", int)
    knives.add("bread", int)
    with pytest.raises(UsageError, match="two knifes are named 'bread'"):
        knives.add("bread", float)
    with pytest.raises(UsageError, match="Did you mean 'bread'"):
        knives.get("braed")
