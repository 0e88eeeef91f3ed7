"""Options and output conventions that every verb shares."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from ..core.errors import OsbenchError, UsageError, unknown_name
from ..core.progress import set_quiet
from ..core.registry import Registry

F = TypeVar("F", bound=Callable[..., Any])
_QUIET = "osbench.quiet"


def json_option(function: F) -> F:
    """Adds ``--json`` (parameter ``as_json``: one JSON document on stdout) and ``--quiet``; both silence progress."""
    quiet = click.option(
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=lambda context, option, value: context.meta.__setitem__(_QUIET, value),
        help="No progress on stderr, only warnings and errors.",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
    return as_json(quiet(function))


def registered(kind: str) -> Callable[[], list[str]]:
    """Gives the names of all ``methods``, ``rejections``, ``networks``, ... ; imports none of them."""
    return Registry(kind, f"osbench.{kind}").names


def device_option(function: F) -> F:
    """Adds ``--device``."""
    return click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.")(function)


def jobs_option(text: str) -> Callable[[F], F]:
    """Adds ``--jobs``, with this help."""
    return click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help=text)


def handle_errors(function: F) -> F:
    """Turns an expected error into one line on stderr and its exit code; Ctrl-C into exit code 130.

    Put it directly above the function, below the click decorators. Reads ``as_json`` if present to silence progress.
    """

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        context = click.get_current_context(silent=True)
        set_quiet(bool(kwargs.get("as_json", False)) or (context is not None and context.meta.get(_QUIET, False)))
        try:
            _refuse_unknown_names(kwargs)
            return function(*args, **kwargs)
        except OsbenchError as error:
            click.echo(f"osbench: error: {error}", err=True)
            sys.exit(error.exit_code)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(1)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            click.echo(
                f"osbench: error: {where}{error.strerror or error}. Check the path, its permissions and the "
                "free disk space, then run the same command again.",
                err=True,
            )
            sys.exit(1)
        except KeyboardInterrupt:
            click.echo("osbench: interrupted; run the same command again to resume.", err=True)
            sys.exit(130)

    return wrapper  # type: ignore[return-value]


def _refuse_unknown_names(given: dict[str, Any]) -> None:
    """UsageError for a method, suite or reader that nobody knows, before its verb loads torch, which takes seconds."""
    if "torch" in sys.modules:
        return
    if given.get("suite") is not None:
        from ..generation.catalog import load_suite

        load_suite(given["suite"])
    if given.get("reader") is not None and given["reader"] not in registered("importers")():
        raise unknown_name("importer", given["reader"], registered("importers")())
    methods = given.get("methods") or ([given["method"]] if given.get("method") else [])
    known = registered("methods")()
    for name in methods:
        if name not in known and name != "all" and not name.endswith(".py"):
            raise unknown_name("method", name, known)


def names_and_paths(option: str, form: str, texts: Iterable[str]) -> dict[str, str]:
    """The values of a repeatable ``NAME=PATH`` option; UsageError for another form, or a name that comes twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not (name and sign and path):
            raise UsageError(f"{option} takes {form}, not '{text}'.")
        if name in found:
            raise UsageError(f"{option} names '{name}' twice: {found[name]} and {path}.")
        found[name] = path
    return found


def emit(as_json: bool, document: object, text: str) -> None:
    """Print the result of a verb: the JSON document, or the text for people."""
    click.echo(json.dumps(document, indent=2, allow_nan=False) if as_json else text)
