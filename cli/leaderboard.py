"""``osbench leaderboard``: rank runs and show them."""

from __future__ import annotations

from pathlib import Path

import click

from ..core.defaults import RUNS
from ..core.documents import to_json
from .leaderboard_server import backup, events, restore, serve, token
from .options import emit, handle_errors, json_option


@click.group()
def command() -> None:
    """Rank runs: a table for machines and a page for people, and a server that takes submissions."""


for _verb in (serve, token, events, backup, restore):
    command.add_command(_verb)


@command.command()
@click.argument("runs", type=click.Path(path_type=Path), default=RUNS)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("site"), show_default=True, help="Folder for the board."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=None,
    help="The dataset, for its manifests and sample images.  [default: the folder 'data' next to RUNS, if it is one]",
)
@click.option(
    "--manifest",
    "manifest_id",
    default=None,
    help="Which manifest, where the runs answer several.  [default: the one that most runs answer]",
)
@click.option("--rule", "rules", multiple=True, help="Only entries by this rejection rule. Repeatable; default: all.")
@click.option("--bootstrap", type=click.IntRange(min=1), default=1000, show_default=True, help="Replicates.")
@json_option
@handle_errors
def build(
    runs: Path,
    out: Path,
    data: Path | None,
    manifest_id: str | None,
    rules: tuple[str, ...],
    bootstrap: int,
    as_json: bool,
) -> None:
    """Score and rank all runs and submissions in the folder RUNS (default: runs).

    Writes index.html, leaderboard.json and leaderboard.parquet. What cannot be used is left out and named.
    """
    from ..leaderboard.board import build_board
    from ..leaderboard.separation import separation_text
    from ..leaderboard.sources import find_board_dataset
    from ..leaderboard.tables import board_text

    dataset = find_board_dataset(runs, data)
    board = build_board(runs, dataset=dataset, manifest_id=manifest_id, bootstrap=bootstrap, rules=rules)
    page = board.save(out).resolve()
    emit(as_json, board.to_json() | {"page": str(page)}, f"{board_text(board)}\n{separation_text(board)}\n{page}")


@command.command()
@click.argument("runs", type=click.Path(path_type=Path), default=RUNS)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Gets a folder for each fold's board.")
@click.option("--data", type=click.Path(path_type=Path), default=None, help="The dataset, as for build.")
@click.option("--bootstrap", type=click.IntRange(min=1), default=1000, show_default=True, help="Replicates.")
@json_option
@handle_errors
def folds(runs: Path, out: Path, data: Path | None, bootstrap: int, as_json: bool) -> None:
    """Build a board for every fold that RUNS answer (evaluate --protocol rotate --fold all), and a table over them.

    Of folds with few shots (--protocol fewshot): accuracy against shots, and from how many shots on trained methods are
    better than training-free ones: in shots.json, on every page, and as figures where matplotlib is installed.
    """
    from ..leaderboard.folds import build_fold_boards, folds_text
    from ..leaderboard.sources import find_board_dataset

    dataset = find_board_dataset(runs, data)
    document = build_fold_boards(runs, out, dataset=dataset, bootstrap=bootstrap)
    shots = {"shots": to_json(document.shots)} if document.shots else {}
    emit(as_json, document.to_json() | shots, folds_text(document))


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), default=None, help="The dataset, for its manifests.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    default=None,
    help="A folder of accepted submissions: none of them may be a twin.",
)
@click.option("--bootstrap", type=click.IntRange(min=1), default=1000, show_default=True, help="Replicates.")
@click.option("--seconds", type=click.IntRange(min=1), default=600, show_default=True, help="Time limit.")
@click.option("--memory-mb", type=click.IntRange(min=64), default=8192, show_default=True, help="Memory limit.")
@json_option
@handle_errors
def verify(
    path: Path,
    data: Path | None,
    against: Path | None,
    bootstrap: int,
    seconds: int,
    memory_mb: int,
    as_json: bool,
) -> None:
    """Verify and score the submission in the folder PATH; exit code 0 if it is in order, else 1.

    It is read as data, in a process with limits; nothing of it is ever run. Every problem has a code, a message and a
    remedy. The manifest is looked for in the folders above PATH (manifests/), then in the dataset.
    """
    from ..leaderboard.verification import VerifyLimits, verify
    from ..leaderboard.verification.verdict import verdict_text

    limits = VerifyLimits(seconds, memory_mb << 20)
    verdict = verify(path, data=data, against=against, bootstrap=bootstrap, limits=limits)
    emit(as_json, verdict.to_json(), verdict_text(verdict))
    if not verdict.ok:
        raise SystemExit(1)
