"""Boards of all folds of a choosing protocol, and one table over them.

::

    OUT/<fold>-<manifest>/    the board of one fold (see :mod:`.board`)
    OUT/folds.json            the primary metric of every entry in every fold

Folds share images and seen generators, so that no interval is drawn over them: mean, lowest and highest are what they
say. Which generators are unseen where an entry is at its lowest tells more than the mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..benchmark.metrics import PRIMARY
from ..benchmark.runs import Run, list_runs
from ..core.columns import text_columns
from ..core.errors import RunError
from ..core.publish import write_atomically
from ..generation.dataset import Dataset
from .board import ManifestLookup, build_board

FOLDS_FILE = "folds.json"


def build_fold_boards(
    runs_dir: Path,
    manifest_lookup: ManifestLookup | None,
    out: Path,
    *,
    dataset: Dataset | None = None,
    bootstrap: int = 1000,
) -> dict[str, Any]:
    """Write a board for every manifest that runs below ``runs_dir`` answer; returns the document of ``folds.json``.

    Keys: ``primary``; ``folds`` with ``fold``, ``manifest_id``, ``unseen``, ``folder``; ``entries`` with ``method``,
    ``rejection``, ``settings``, ``values`` (manifest id -> primary metric), ``mean``, ``lowest``, ``highest`` (the last
    two with ``value`` and ``fold``), those in most folds first, then by mean. Parameters are those of
    :func:`.board.build_board`. RunError if there is no run, if one is damaged, or if runs are of several protocols,
    suites or crop sizes, whose mean would mean nothing.
    """
    runs = list_runs(runs_dir)
    _refuse_several_experiments(runs, runs_dir)
    folders = {run.manifest_id: f"{_plain(run.info['manifest']['fold'])}-{_plain(run.manifest_id)[:8]}" for run in runs}
    boards = [
        build_board(
            runs_dir, manifest_lookup, out / folder, dataset=dataset, manifest_id=manifest_id, bootstrap=bootstrap
        )
        for manifest_id, folder in sorted(folders.items(), key=lambda item: item[1])
    ]
    document = {
        "primary": PRIMARY,
        "folds": [
            {"folder": folders[board["manifest_id"]], **{key: board[key] for key in ("fold", "manifest_id", "unseen")}}
            for board in boards
        ],
        "entries": _entries(boards),
    }
    write_atomically(out / FOLDS_FILE, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    return document


def _refuse_several_experiments(runs: Sequence[Run], runs_dir: Path) -> None:
    def crop(run: Run) -> object:
        resolved = run.info["config"].get("resolved")
        own = resolved.get("crop_size") if isinstance(resolved, dict) else None
        return run.info["manifest"]["crop_size"] if own is None else own

    found = {f"{r.info['manifest']['suite']}, {r.info['manifest']['protocol']}, crop {crop(r)} px" for r in runs}
    if len(found) > 1:
        raise RunError(
            f"{runs_dir} holds runs of {len(found)} experiments ({'; '.join(sorted(found))}), whose folds have no "
            "common mean: evaluate each into a runs folder of its own."
        )


def folds_text(document: dict[str, Any]) -> str:
    """The entries for people, one line each."""
    rows = [["method", "rejection", "settings", "folds", "mean", "lowest", "highest"]]
    for entry in document["entries"]:
        ends = [f"{end['value']:.3f} ({end['fold']})" for end in (entry["lowest"], entry["highest"])]
        names = [entry["method"], entry["rejection"], entry["settings"] or "defaults"]
        rows.append([*names, str(len(entry["values"])), f"{entry['mean']:.3f}", *ends])
    return f"{document['primary']} over {len(document['folds'])} folds\n{text_columns(rows)}"


def _entries(boards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    names = {board["manifest_id"]: board["fold"].rpartition("/")[2] for board in boards}
    for board in boards:
        for entry in board["entries"]:
            value = entry["metrics"][PRIMARY]["mean"]
            if value is not None:
                row = found.setdefault(
                    (entry["method"], entry["rejection"], entry["settings_key"]),
                    {**{key: entry[key] for key in ("method", "rejection", "settings")}, "values": {}},
                )
                row["values"][board["manifest_id"]] = value
    for row in found.values():
        values = row["values"]
        row["mean"] = float(np.mean(list(values.values())))
        for name, choose in (("lowest", min), ("highest", max)):
            fold = choose(values, key=values.__getitem__)
            row[name] = {"value": values[fold], "fold": names[fold]}
    return sorted(found.values(), key=lambda row: (-len(row["values"]), -row["mean"], row["method"], row["rejection"]))


def _plain(fold: str) -> str:
    """A folder name; the fold's own name may come from anybody."""
    return re.sub(r"[^A-Za-z0-9+_-]+", "-", fold)[:100].strip("-") or "fold"
