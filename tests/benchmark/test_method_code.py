from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from osbench.benchmark import method_code
from osbench.benchmark.method import get_method, method_names
from osbench.benchmark.method_code import code_sha256

FILES = {
    "__init__": "",
    "wizard": "from .spells import cast\nfrom . import wand\nclass Wizard:\n    'Casts.'\n    n = cast(wand.WOOD)\n",
    "spells": "def cast(x):\n    return x\n",
    "wand": "from .core import hair\nWOOD = hair()\n",
    "core": "def hair():\n    return 1\n",
    "broom": "FAST = True\n",
    "hats/__init__": "import pkgutil, importlib\n"
    "for m in pkgutil.iter_modules(__path__):\n    importlib.import_module(f'{__name__}.{m.name}')\n",
    "hats/tall": "HEIGHT = 3\n",
}


@pytest.fixture
def hash_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """The hash of class Wizard after some files of its package were changed."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def forget() -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == "magic"]:
            del sys.modules[name]
        method_code._tree.cache_clear()
        importlib.invalidate_caches()

    def write(**changed: str) -> str:
        forget()
        for name, text in {**FILES, **changed}.items():
            path = tmp_path / "magic" / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        return code_sha256(importlib.import_module("magic.wizard").Wizard)

    yield write
    forget()


def test_it_is_the_code_of_all_that_the_method_imports(hash_with: Callable[..., str]) -> None:
    before = hash_with()
    assert hash_with() == before
    assert hash_with(spells="def cast(x):\n    return x + 1\n") != before
    assert hash_with(core="def hair():\n    return 2\n") != before, "imported by what is imported"
    assert hash_with(broom="FAST = False\n") == before, "not imported"


def test_words_and_layout_do_not_count(hash_with: Callable[..., str]) -> None:
    before = hash_with()
    assert (
        hash_with(spells='"""Of spells."""\n\n\ndef cast(x):\n    """As it is."""\n    return (x)  # or not\n')
        == before
    )


def test_a_package_that_finds_its_modules_counts_with_all_of_them(hash_with: Callable[..., str]) -> None:
    wizard = FILES["wizard"] + "from . import hats\n"
    assert hash_with(wizard=wizard) != hash_with(**{"wizard": wizard, "hats/tall": "HEIGHT = 4\n"})


def test_what_is_loaded_later_counts_from_the_start(hash_with: Callable[..., str]) -> None:
    """A module that is imported only when it is needed, and one of a package that is found by its name."""
    wizard = FILES["wizard"] + "from . import hats\ndef late():\n    from . import broom\n    return broom\n"
    lazy = {"wizard": wizard, "hats/__init__": ""}
    before = hash_with(**lazy)
    module = sys.modules["magic.wizard"]
    module.late()
    importlib.import_module("magic.hats.tall")
    assert code_sha256(module.Wizard) == before
    assert hash_with(**lazy, broom="FAST = False\n") != before
    assert hash_with(**lazy | {"hats/tall": "HEIGHT = 4\n"}) != before


def test_every_method_has_code_of_its_own() -> None:
    hashes = {name: code_sha256(get_method(name)) for name in method_names()}
    assert len(set(hashes.values())) == len(hashes)
