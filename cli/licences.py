"""``osbench licences``: the licences of the weights."""

from __future__ import annotations

from typing import Any

import click

from .options import emit, handle_errors, json_option


@click.command()
@click.option("--suite", "suites", multiple=True, help="Suite name or YAML (repeatable).  [default: all packaged ones]")
@json_option
@handle_errors
def command(suites: tuple[str, ...], as_json: bool) -> None:
    """Licences of the weights of every source, from the catalog, and which of them you accepted.

    Accept one, once, with 'osbench generate ... --accept-licence ID'.
    """
    from ..generation.licences import licence_matrix

    rows = licence_matrix(suites)
    emit(as_json, rows, "\n\n".join(_text(row) for row in rows))


def _text(row: dict[str, Any]) -> str:
    state = "no acceptance needed"
    if row["accept"]:
        state = f"accepted {row['accepted']}" if row["accepted"] else "not accepted yet"
    head = f"{row['suite']}: {row['id']} ({state})"
    about = [text for text in (row["title"], row["use"], row["url"]) if text and text != row["id"]]
    return "\n".join([head, *(f"  {text}" for text in about), *(f"    {name}" for name in row["sources"])])
