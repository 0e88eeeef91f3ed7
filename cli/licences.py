"""``osbench licences``: the licences of the weights."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ..core.columns import text_columns
from .options import emit, handle_errors, json_option


@click.command()
@click.option("--suite", "suites", multiple=True, help="Suite name or YAML (repeatable).  [default: all packaged ones]")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="A data set instead: the licences of its sources, and whether its images may be passed on.",
)
@json_option
@handle_errors
def command(suites: tuple[str, ...], data: Path | None, as_json: bool) -> None:
    """Licences of the weights of every source, from the catalog, and which of them you accepted.

    Accept one, once, with 'osbench generate ... --accept-licence ID'.

    With --data: ask this before you upload a data set. It ends with an error if the licence of one of its sources
    forbids that its images are passed on, or if nothing is known about it.
    """
    if data is not None:
        _of_dataset(data, as_json)
        return
    from ..generation.licences import licence_matrix

    rows = licence_matrix(suites)
    emit(as_json, rows, "\n\n".join(_text(row) for row in rows))


def _of_dataset(data: Path, as_json: bool) -> None:
    from ..generation.dataset import Dataset
    from ..generation.terms import check_pass_on, dataset_terms

    dataset = Dataset.open(data)
    rows = [{"source": name, **asdict(terms)} for name, terms in dataset_terms(dataset).items()]
    head = ["source", "licence", "use", "passing on"]
    emit(as_json, rows, text_columns([head, *([r["source"], r["id"], r["use"], r["pass_on"]] for r in rows)]))
    check_pass_on(dataset)


def _text(row: dict[str, Any]) -> str:
    state = "no acceptance needed"
    if row["accept"]:
        state = f"accepted {row['accepted']}" if row["accepted"] else "not accepted yet"
    head = f"{row['suite']}: {row['id']} ({state})"
    about = [text for text in (row["title"], row["use"], row["url"]) if text and text != row["id"]]
    return "\n".join([head, *(f"  {text}" for text in about), *(f"    {name}" for name in row["sources"])])
