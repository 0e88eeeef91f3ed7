"""What the shell offers after an option: the names that osbench knows, beside files.

An option is recognised by the name of its parameter, so that every verb's ``--suite`` completes without a word there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import click
from click.shell_completion import CompletionItem

from .options import registered


def _protocols() -> Iterable[str]:
    from ..benchmark.protocols import protocol_names

    return protocol_names()


def _suites() -> Iterable[str]:
    from ..generation.catalog import suite_names

    return suite_names()


NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "engine": registered("engines"),
    "method": registered("methods"),
    "methods": registered("methods"),
    "network": registered("networks"),
    "protocol": _protocols,
    "reader": registered("importers"),
    "rejection": registered("rejections"),
    "rejections": registered("rejections"),
    "suite": _suites,
    "suite_name": _suites,
    "threshold_rule": registered("thresholds"),
}
"""Parameter of a verb -> the names that it takes."""


def with_completion(command: click.Command) -> click.Command:
    """The same command, and its sub-commands, with names for the shell to offer."""
    for parameter in command.params:
        if parameter.name in NAMES:
            # click asks the parameter itself when no function was given with it.
            setattr(parameter, "shell_complete", partial(_complete, NAMES[parameter.name]))  # noqa: B010
    if isinstance(command, click.Group):
        for name in command.commands:
            with_completion(command.commands[name])
    return command


def _complete(names: Callable[[], Iterable[str]], context: click.Context, begun: str) -> list[CompletionItem]:
    known = [CompletionItem(name) for name in names() if name.startswith(begun)]
    return known or [CompletionItem(begun, type="file")]
