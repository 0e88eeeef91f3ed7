"""A board as a flat table and as text."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..core.columns import text_columns


def board_frame(document: dict[str, Any]) -> pd.DataFrame:
    """The entries as a flat table: one row each, ``<metric>``, ``<metric>_low``, ``<metric>_high``, and the same for
    ``<generator>/f1``, ``/crr`` and ``/auroc``."""
    rows = []
    for entry in document["entries"]:
        row = {key: document[key] for key in ("suite", "protocol", "fold", "manifest_id")}
        row |= {key: entry[key] for key in ("rank", "rank_low", "rank_high", "method", "rejection", "variant", "seeds")}
        named = entry["metrics"] | {
            f"{generator}/{name}": value
            for generator, values in entry["per_generator"].items()
            for name, value in values.items()
        }
        for name, value in named.items():
            row |= {name: value["mean"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
        rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.astype({"rank": "Int64", "rank_low": "Int64", "rank_high": "Int64"})


def board_text(document: dict[str, Any]) -> str:
    """The board as a compact text table."""
    shown = ["auc_af1_crr", "af1", "crr", "auroc", "oscr"]
    rows = [
        [
            "-" if entry["rank"] is None else str(entry["rank"]),
            entry["method"],
            " ".join(part for part in (entry["rejection"], entry["variant"]) if part),
            str(len(entry["seeds"])),
            *(_cell(entry["metrics"].get(name)) for name in shown),
        ]
        for entry in document["entries"]
    ]
    header = ["#", "method", "rejection", "seeds", *shown]
    where = f"{document['suite']}, {document['fold']}, manifest {document['manifest_id'][:12]}"
    title = f"{where} (95 % intervals: these generators)"
    return f"{title}\n{text_columns([header, *rows])}"


def _cell(metric: dict[str, float | None] | None) -> str:
    if metric is None or metric["mean"] is None:
        return "-"
    if metric["low"] is None or metric["high"] is None:
        return f"{metric['mean']:.3f}"
    return f"{metric['mean']:.3f} [{metric['low']:.2f}, {metric['high']:.2f}]"
