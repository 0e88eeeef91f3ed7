"""What the site takes from the program when it is built, so that it cannot say anything else than the program.

A page asks for it with a line of its own:

``<!-- help: VERB -->``     the ``--help`` of a verb and of its sub-commands
``<!-- verbs -->``          a table of all verbs
``<!-- schemas -->``        every JSON Schema that ``osbench schema`` prints, as tables and as it is
``<!-- columns -->``        the columns of a dataset
``<!-- rules -->``          a table of the rejection rules
``<!-- encoders -->``       a table of the encoders
``<!-- thresholds -->``     a table of the threshold rules
``<!-- methods -->``        a table of the methods
``<!-- promise -->``        the documentation of every name of ``osbench.__all__``
``<!-- notebook: FILE -->`` the cells of a notebook

A page that asks for what does not exist is a warning, and so an error of ``make docs``.
"""

from __future__ import annotations

import inspect
import json
import logging
import re
import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import click

_MARKER = re.compile(
    r"^<!-- (help|verbs|schemas|columns|rules|encoders|thresholds|methods|promise|notebook)(?:: ([\w./-]+))? -->$",
    re.MULTILINE,
)
_FOR_TESTS = re.compile(r"^<!-- (?:not run|setup): .* -->\n", re.MULTILINE)
_FOREIGN_SCRIPT = re.compile(r'"https://unpkg\.com/iframe-worker/shim"')
_FIELD = re.compile(r"^(?P<names>\w+(?:, \w+)*) : [^\n]*\n(?P<text>(?:    [^\n]*\n?)+)", re.MULTILINE)
_THEME_SCRIPT = re.compile(r'src="([^"]*)assets/javascripts/bundle')
_LOG = logging.getLogger("mkdocs.hooks.osbench")
_WIDTH = 96


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replace every marker of a page by what it asks for."""

    def insert(found: re.Match[str]) -> str:
        try:
            return _INSERTED[found[1]](found[2] or "")
        except LookupError as error:
            _LOG.warning("%s: %s", page.file.src_uri, error)
            return ""

    return _MARKER.sub(insert, _FOR_TESTS.sub("", markdown))


def on_post_page(output: str, **_: Any) -> str:
    """The theme would fetch one script from a network, for pages that are opened from disk: take ours instead."""
    return _with_own_script(output)


def on_post_template(output_content: str, **_: Any) -> str:
    """As :func:`on_post_page`, for pages without a source."""
    return _with_own_script(output_content)


def _with_own_script(html: str) -> str:
    theme = _THEME_SCRIPT.search(html)
    return _FOREIGN_SCRIPT.sub(f'"{theme[1]}assets/file-worker.js"', html) if theme else html


def verbs() -> dict[str, click.Command]:
    """Every verb of the command line by name."""
    from osbench.cli import main

    context = click.Context(main, info_name="osbench")
    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    return {name: command for name, command in commands.items() if command is not None}


def help_of(verb: str) -> str:
    """The ``--help`` of a verb and of its sub-commands, as code blocks."""
    known = verbs()
    if verb not in known:
        raise LookupError(f"there is no verb '{verb}' (known: {', '.join(known)})")
    blocks = []
    for path, command in _with_sub_commands(f"osbench {verb}", known[verb]):
        context = click.Context(command, info_name=path, terminal_width=_WIDTH, max_content_width=_WIDTH)
        blocks.append(f'```text title="{path} --help"\n{command.get_help(context)}\n```')
    return "\n\n".join(blocks)


def _with_sub_commands(path: str, command: click.Command) -> list[tuple[str, click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            found += _with_sub_commands(f"{path} {name}", inner)
    return found


def _verb_table(_: str) -> str:
    rows = [f"| [`{name}`]({name}.md) | {_first_sentence(command.help)} |" for name, command in verbs().items()]
    return "\n".join(["| verb | what it does |", "|---|---|", *rows])


def _schemas(_: str) -> str:
    from click.testing import CliRunner

    from osbench.cli import main

    (argument,) = [item for item in verbs()["schema"].params if isinstance(item.type, click.Choice)]
    parts = []
    for name in argument.type.choices:  # type: ignore[attr-defined]
        document = json.loads(CliRunner().invoke(main, ["schema", name], catch_exceptions=False).stdout)
        parts += [
            f"## The document `{name}`",
            document.get("description", ""),
            _properties(document, document["title"]),
        ]
        for kind, definition in document.get("$defs", {}).items():
            if "properties" in definition:
                parts += [f"### {kind} of `{name}`", definition.get("description", ""), _properties(definition, kind)]
        parts.append(f'??? note "The JSON Schema of `{name}`"\n\n{_indented(document)}')
    return "\n\n".join(parts)


def _indented(document: object) -> str:
    text = json.dumps(document, indent=2)
    return "\n".join(f"    {line}" for line in ("```json", *text.splitlines(), "```"))


def _properties(schema: dict[str, Any], name: str) -> str:
    """A table of the keys of a document; what they mean comes from the docstring of the dataclass of that name."""
    required, meanings = set(schema.get("required", ())), _meanings(name)
    rows = ["| key | type | needed | meaning |", "|---|---|---|---|"]
    for key, value in schema.get("properties", {}).items():
        meaning = _cell(value.get("description") or meanings.get(key, ""))
        rows.append(f"| `{key}` | {_type_of(value)} | {'yes' if key in required else ''} | {meaning} |")
    return "\n".join(rows)


def _meanings(name: str) -> dict[str, str]:
    """Field -> description, from the docstring of the dataclass of osbench that is called so."""
    loaded = [module for path, module in list(sys.modules.items()) if path.startswith("osbench.")]
    classes = [getattr(module, name) for module in loaded if is_dataclass(getattr(module, name, None))]
    if not classes:
        return {}
    text = re.sub(r":\w+:`[~.]*([^`]+)`", r"`\1`", inspect.cleandoc(classes[0].__doc__ or ""))
    found: dict[str, str] = {}
    for item in _FIELD.finditer(text):
        found |= {field.strip(): " ".join(item["text"].split()) for field in item["names"].split(",")}
    return found


def _type_of(schema: dict[str, Any]) -> str:
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_type_of(option) for option in schema[several])
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[-1]
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array" and "items" in schema:
        return f"array of {_type_of(schema['items'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _columns(_: str) -> str:
    from osbench.generation.dataset import shard_schema

    rows = [f"| `{field.name}` | {field.type} | {'yes' if field.nullable else ''} |" for field in shard_schema()]
    return "\n".join(["| column | Arrow type | may be null |", "|---|---|---|", *rows])


def _rules(_: str) -> str:
    from osbench.baselines.rejection import build_rule, rule_names

    rows = [f"| `{name}` | {_first_sentence(type(build_rule(name)).__doc__)} |" for name in rule_names()]
    return "\n".join(["| rule | known score |", "|---|---|", *rows])


def _encoders(_: str) -> str:
    from osbench.baselines.encoders import encoder_class, encoder_names

    rows = [f"| `{name}` | {_first_sentence(encoder_class(name).__doc__)} |" for name in encoder_names()]
    return "\n".join(["| encoder | features |", "|---|---|", *rows])


def _thresholds(_: str) -> str:
    from osbench.benchmark.metrics.thresholds import threshold_names, threshold_rule

    known = [threshold_rule(name) for name in threshold_names()]
    rows = [f"| `{rule.name}` | {_cell(rule.description)} | {'yes' if rule.oracle else ''} |" for rule in known]
    return "\n".join(["| rule | what it does | oracle |", "|---|---|---|", *rows])


def _methods(_: str) -> str:
    from osbench.benchmark.method import get_method, method_names

    rows = []
    for name in method_names():
        card = get_method(name).card
        paper = f"[{_cell(card.paper)}]({card.url})" if card.url.startswith("http") else _cell(card.paper)
        rows.append(f"| `{name}` | {_cell(card.title)} | {_cell(card.reproduction_text)} | {paper} |")
    return "\n".join(["| method | what it is | reproduction | paper |", "|---|---|---|---|", *rows])


def _promise(_: str) -> str:
    import osbench

    names = [name for name in osbench.__all__ if not name.startswith("__")]
    functions = [name for name in names if not inspect.isclass(getattr(osbench, name))]
    classes = [name for name in names if name not in functions]
    return "\n\n".join(f"::: osbench.{name}" for name in [*functions, *classes])


def _notebook(name: str) -> str:
    path = Path(__file__).parent / name
    if not path.is_file():
        raise LookupError(f"there is no notebook {name}")
    cells = json.loads(path.read_text("utf-8"))["cells"]
    texts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return "\n\n".join(f"```python\n{text}\n```" if kind == "code" else text for kind, text in texts)


def _first_sentence(text: str | None) -> str:
    paragraph = inspect.cleandoc(text or "").split("\n\n")[0]
    return _cell(re.split(r"(?<=[.!?])\s", " ".join(paragraph.split()))[0])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_INSERTED: dict[str, Callable[[str], str]] = {
    "help": help_of,
    "verbs": _verb_table,
    "schemas": _schemas,
    "columns": _columns,
    "rules": _rules,
    "encoders": _encoders,
    "thresholds": _thresholds,
    "methods": _methods,
    "promise": _promise,
    "notebook": _notebook,
}
