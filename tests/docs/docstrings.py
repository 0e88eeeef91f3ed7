"""Reading docstrings as numpydoc defines them, strictly: sections, and in every list ``name : type``."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECTIONS = {
    "Parameters",
    "Attributes",
    "Other Parameters",
    "Returns",
    "Yields",
    "Raises",
    "Warns",
    "Notes",
    "Examples",
    "References",
    "See Also",
    "Warnings",
}
NAMED = {"Parameters", "Attributes", "Other Parameters"}
_UNDERLINED = re.compile(r"^(?P<title>[A-Z][A-Za-z ]*)\n(?P<line>-{3,})$", re.MULTILINE)
_NAMES = re.compile(r"^\*{0,2}\w+(?:, \*{0,2}\w+)* : \S")
_TYPE = re.compile(r"^(?:\w+ : )?\S")
_ERROR = re.compile(r"^[A-Z]\w*(?:, [A-Z]\w*)*$")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Documented:
    """A public object and its docstring."""

    name: str
    line: int
    text: str
    parameters: frozenset[str] | None

    def faults(self) -> Iterator[str]:
        """What is wrong with the docstring, a line each."""
        found = list(_UNDERLINED.finditer(self.text))
        for section, after in zip(found, [*found[1:], None], strict=False):
            title = section["title"]
            body = self.text[section.end() : after.start() if after else None]
            if title not in SECTIONS:
                yield f"section '{title}' is none of numpydoc"
            elif len(section["line"]) != len(title):
                yield f"section '{title}' is not underlined by its own length"
            else:
                yield from self._items(title, body)

    def _items(self, title: str, body: str) -> Iterator[str]:
        heads = [line for line in body.splitlines() if line and not line.startswith(" ")]
        if title in NAMED:
            for head in heads:
                if not _NAMES.match(head):
                    yield f"{title}: '{head}' is not 'name : type'"
                elif title == "Parameters" and self.parameters is not None:
                    names = {name.strip().lstrip("*") for name in head.split(" : ")[0].split(",")}
                    yield from (f"{title}: no parameter '{name}'" for name in sorted(names - self.parameters))
        elif title in ("Raises", "Warns"):
            yield from (f"{title}: '{head}' is not the name of an error" for head in heads if not _ERROR.match(head))
        elif title in ("Returns", "Yields"):
            yield from (f"{title}: '{head}' ends like a sentence" for head in heads if head.endswith("."))
            yield from (f"{title}: '{head}' is no type" for head in heads if not _TYPE.match(head))
        if title in NAMED | {"Raises", "Returns", "Yields"} and not heads:
            yield f"{title}: is empty"


def documented(path: Path) -> Iterator[Documented]:
    """The docstrings of a module: its own, and those of its public classes, functions and methods."""
    tree = ast.parse(path.read_text("utf-8"))
    if text := ast.get_docstring(tree):
        yield Documented("", 1, text, None)
    yield from _in(tree, "")


def _in(tree: ast.AST, prefix: str) -> Iterator[Documented]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition) and (not node.name.startswith("_") or node.name == "__init__"):
            if text := ast.get_docstring(node):
                yield Documented(f"{prefix}{node.name}", node.lineno, inspect.cleandoc(text), _parameters(node))
            if isinstance(node, ast.ClassDef):
                yield from _in(node, f"{prefix}{node.name}.")


def _parameters(node: Definition) -> frozenset[str]:
    """Names of a function's parameters; of a class, those of ``__init__`` and its annotated fields."""
    if isinstance(node, ast.ClassDef):
        targets = [item.target for item in node.body if isinstance(item, ast.AnnAssign)]
        fields = {target.id for target in targets if isinstance(target, ast.Name)}
        inits = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
        return frozenset(fields).union(*(_parameters(init) for init in inits))
    arguments = node.args
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return frozenset(argument.arg for argument in found if argument is not None)
