"""YAML that somebody else may have written: plain data, one document, within a budget of bytes, nodes and depth.

Aliases cost what they stand for, so that a few lines of references to references are refused before anybody walks
them. A key that occurs twice in one mapping is refused: the first of the two would be lost in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import OsbenchError
from .foreign import read_foreign
from .text import printable

_MERGE = "tag:yaml.org,2002:merge"
_LONGEST_NUMBER = 40


@dataclass(frozen=True)
class YamlBudget:
    """What one YAML file may cost.

    Attributes
    ----------
    bytes : int
        Most bytes of the file.
    nodes : int
        Most keys, values and containers, with every alias counted as all that it stands for.
    text : int
        Most characters of all scalars, aliases counted likewise.
    depth : int
        Deepest nesting.
    """

    bytes: int = 1 << 18
    nodes: int = 20_000
    text: int = 1 << 20
    depth: int = 40


def read_yaml(path: Path, error: type[OsbenchError], budget: YamlBudget | None = None) -> Any:
    """The one document of a YAML file as plain Python data; None for an empty file.

    Parameters
    ----------
    path : Path
        A regular file.
    error : type[OsbenchError]
        What to raise, in one line, for a file that cannot be read, is no YAML, names objects of a programming
        language, contains itself, has a key twice or exceeds the budget.
    budget : YamlBudget, optional
        The defaults suit files that people write by hand.

    Returns
    -------
    Any
        Mappings, lists, texts, numbers, dates, truth values and None. What an alias stands for is shared, not copied.
    """
    budget = budget or YamlBudget()
    data = read_foreign(path, error, budget.bytes)
    try:
        loader = _Loader(data, budget)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()  # pyright: ignore[reportUnknownMemberType]
    except Exception as cause:  # PyYAML answers unknown tags with TypeError, KeyError, IndexError and AttributeError
        raise error(f"{printable(path)}: not readable YAML ({_reason(cause)}).") from cause


def yaml_value(text: str) -> Any:
    """The value of a YAML text as people type it in a command line; ValueError if it is none."""
    try:
        return _Loader(text.encode(), YamlBudget()).get_single_data()
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"not readable YAML ({_reason(error)})") from error


def _reason(cause: Exception) -> str:
    if isinstance(cause, yaml.MarkedYAMLError):
        mark = cause.problem_mark or cause.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        return f"{where}{printable(cause.problem or cause.context)}"
    return " ".join(printable(cause).split()) or type(cause).__name__


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which counts what it composes."""

    def __init__(self, data: bytes, budget: YamlBudget) -> None:
        super().__init__(data)
        self._budget = budget
        self._level = self._nodes = self._text = 0
        self._costs: dict[int, tuple[int, int, int]] = {}  # id(node) -> nodes, characters, height

    def compose_node(self, parent: Any, index: Any) -> Any:
        events: Any = self  # PyYAML states no types for these two
        alias: bool = events.check_event(yaml.AliasEvent)
        mark = events.peek_event().start_mark
        self._level += 1
        self._spend(0, 0, self._level, mark)
        before = self._nodes, self._text
        node: Any = super().compose_node(parent, index)
        self._level -= 1
        if alias:
            if id(node) not in self._costs:
                raise _refused("a node that contains itself", mark)
            nodes, text, height = self._costs[id(node)]
            self._spend(nodes, text, self._level + height, mark)
            return node
        length = len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        self._spend(1, length, self._level, mark)
        height = 1 + max((self._costs[id(child)][2] for child in _children(node)), default=0)
        self._costs[id(node)] = self._nodes - before[0], self._text - before[1], height
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node: Any = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if (key.tag, key.value) in seen:
                    raise _refused(f"the key '{printable(key.value, 60)}' a second time", key.start_mark)
                seen.add((key.tag, key.value))
        return node

    def construct_scalar(self, node: Any) -> Any:
        is_number = isinstance(node, yaml.ScalarNode) and node.tag.endswith((":int", ":float"))
        if is_number and len(node.value) > _LONGEST_NUMBER:
            raise _refused(f"a number of {len(node.value):,} characters", node.start_mark)
        return super().construct_scalar(node)

    def _spend(self, nodes: int, text: int, depth: int, mark: Any) -> None:
        self._nodes += nodes
        self._text += text
        if depth > self._budget.depth:
            raise _refused(f"nested deeper than {self._budget.depth} levels", mark)
        if self._nodes > self._budget.nodes:
            raise _refused(f"more than {self._budget.nodes:,} values, aliases written out", mark)
        if self._text > self._budget.text:
            raise _refused(f"more than {self._budget.text:,} characters, aliases written out", mark)


def _children(node: Any) -> list[Any]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _refused(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
