"""A folder in which the blocks of a page are run, with few images, in this process."""

from __future__ import annotations

import glob
import importlib.util
import shutil
import sys
import tarfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from osbench.baselines.rejection import rule
from osbench.benchmark import method
from osbench.cli import main
from osbench.core.locking import exclusive
from osbench.generation import importers
from osbench.generation.families import base

from ..generation.published_tree import write_tree
from .pages import ROOT, Block, commands

COUNT = 40
#: What is added to a command that says nothing about it, so that a page takes seconds.
SMALLER = {
    "generate": ("--count", str(COUNT)),
    "run": ("--count", str(COUNT)),
    "evaluate": ("--epochs", "1"),
}


class Store:
    """What many pages begin with, made once for all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def data(self) -> Path:
        """A small dataset of the mini suite."""
        with exclusive(self.folder / "lock"):
            _call("generate", "--suite", "mini", "--count", str(COUNT), "--out", str(self.folder / "data"))
        return self.folder / "data"

    @cached_property
    def runs(self) -> Path:
        """A run of ``osbench-1`` on that dataset."""
        data = self.data
        with exclusive(self.folder / "lock"):
            _call("evaluate", "--method", "osbench-1", "--data", str(data), "--out", str(self.folder / "runs"))
        return self.folder / "runs"


class Sandbox:
    """Runs the blocks of one page, one after the other, in one folder."""

    def __init__(self, folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.store = store
        self.monkeypatch = monkeypatch
        self.names: dict[str, Any] = {"__name__": "__main__"}
        monkeypatch.chdir(folder)

    def run(self, block: Block) -> bool:
        """Run a block; False if it is not one that can be run here."""
        if block.not_run:
            return False
        for wish in block.setup:
            what, _, rest = wish.partition(" ")
            getattr(self, f"_setup_{what}")(rest)
        if block.language == "python":
            exec(compile(block.code, f"line {block.line}", "exec"), self.names)
        else:
            for words in commands(block.code):
                assert words[0] == "osbench", f"{words}: mark the block with <!-- not run: REASON -->"
                self._osbench(words[1:])
        return True

    def _osbench(self, arguments: list[str]) -> None:
        expanded = [path for word in arguments for path in (sorted(glob.glob(word)) or [word])]
        more = _smaller(expanded)
        if expanded in (["generate"], ["generate", "--suite", "mini", "--out", "data"]):
            self._setup_data("")
        else:
            _call(*expanded, *more)

    def _setup_data(self, _: str) -> None:
        if not (self.folder / "data").exists():
            shutil.copytree(self.store.data, self.folder / "data")

    def _setup_run(self, _: str) -> None:
        self._setup_data("")
        if not (self.folder / "runs").exists():
            shutil.copytree(self.store.runs, self.folder / "runs")

    def _setup_picture(self, name: str) -> None:
        _picture(self.folder / name, 0)

    def _setup_pictures(self, name: str) -> None:
        (self.folder / name).mkdir(parents=True)
        for number in range(COUNT):
            _picture(self.folder / name / f"{number}.png", number + sum(map(ord, name)))

    def _setup_weights(self, name: str) -> None:
        shutil.copy(ROOT / "generation" / "zoo" / "stylegan2-landscape.safetensors", self.folder / name)

    def _setup_example(self, name: str) -> None:
        shutil.copy(ROOT / "docs" / "examples" / name, self.folder / name)

    def _setup_published(self, name: str) -> None:
        write_tree(self.folder / name, range(1, 27))

    def _setup_tar(self, name: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        with tarfile.open(path, "w") as archive:
            for number in range(3):
                _picture(self.folder / "one.png", number + sum(map(ord, name)))
                archive.add(self.folder / "one.png", f"{number:04d}.png")

    def _setup_importer(self, name: str) -> None:
        example_module(ROOT / "docs" / "examples" / name, self.monkeypatch)

    def _setup_family(self, name: str) -> None:
        example_module(ROOT / "docs" / "examples" / name, self.monkeypatch)


def example_module(path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a file of docs/examples as the module of somebody's package."""
    name = f"my_package.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def forget_examples() -> None:
    """Remove from the registries what does not belong to osbench."""
    for registry in (method._METHODS, rule._RULES, base._FAMILIES, importers._IMPORTERS):
        items: dict[str, type] = registry._items  # type: ignore[assignment]
        for name in [name for name, cls in items.items() if not cls.__module__.startswith("osbench.")]:
            del items[name]


def _smaller(arguments: list[str]) -> tuple[str, ...]:
    """What to add to a command; nothing where it says so itself, or where nothing would be faster."""
    verb, more = arguments[0], SMALLER.get(arguments[0], ())
    quick = any(word.endswith(".yaml") for word in arguments) if verb == "generate" else "osbench-1" in arguments
    return () if set(more[:1]) & set(arguments) or (quick and verb != "run") else more


def _picture(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (80, 80, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def _call(*arguments: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, f"osbench {' '.join(arguments)}\n{result.output}\n{result.exception!r}"
