"""``osbench leaderboard``: rank runs and show them."""

from __future__ import annotations

from pathlib import Path

import click

from .options import emit, handle_errors, json_option


@click.group()
def command() -> None:
    """Rank runs: a table for machines and a page for people."""


@command.command()
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the board.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=None,
    help="The dataset, for sample images. Default: the folder 'data' beside RUNS, if it is the one.",
)
@click.option("--manifest", "manifest_id", default=None, help="Which manifest, where the runs answer several.")
@click.option("--bootstrap", type=click.IntRange(min=1), default=1000, show_default=True, help="Replicates.")
@json_option
@handle_errors
def build(runs: Path, out: Path, data: Path | None, manifest_id: str | None, bootstrap: int, as_json: bool) -> None:
    """Score and rank all runs in the folder RUNS; write index.html, leaderboard.json and leaderboard.parquet."""
    from ..leaderboard.board import PAGE_FILE, build_board
    from ..leaderboard.sources import find_board_dataset, lookup_manifest
    from ..leaderboard.spread import spread_text
    from ..leaderboard.tables import board_text

    dataset = find_board_dataset(runs, data)
    document = build_board(
        runs, lookup_manifest(runs, dataset), out, dataset=dataset, manifest_id=manifest_id, bootstrap=bootstrap
    )
    page = (out / PAGE_FILE).resolve()
    emit(as_json, document | {"page": str(page)}, f"{board_text(document)}\n{spread_text(document)}\n{page}")


@command.command()
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Gets a folder for each fold's board.")
@click.option("--data", type=click.Path(path_type=Path), default=None, help="The dataset, as for build.")
@click.option("--bootstrap", type=click.IntRange(min=1), default=1000, show_default=True, help="Replicates.")
@json_option
@handle_errors
def folds(runs: Path, out: Path, data: Path | None, bootstrap: int, as_json: bool) -> None:
    """Build a board for every fold that RUNS answer (evaluate --protocol rotate --fold all), and a table over them."""
    from ..leaderboard.folds import build_fold_boards, folds_text
    from ..leaderboard.sources import find_board_dataset, lookup_manifest

    dataset = find_board_dataset(runs, data)
    document = build_fold_boards(runs, lookup_manifest(runs, dataset), out, dataset=dataset, bootstrap=bootstrap)
    emit(as_json, document, folds_text(document))
