"""``results.json``: what was reproduced, and ``RESULTS.md``: the same for people. No number there is typed by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...benchmark.answers import DEFAULT_THRESHOLD_RULE
from ...benchmark.metrics import PRIMARY
from ...core.errors import RunError
from ...core.publish import write_atomically
from ..cameras.pretrained import CAMERA as PRETRAINED
from ..cameras.pretrained import SCRATCH
from .experiment import Experiment
from .published import Paper
from .table2 import SAME_RATE

SCHEMA_VERSION = 1
JSON_FILE, PAGE_FILE = "results.json", "RESULTS.md"

_ARMS = {
    SCRATCH: "from scratch",
    PRETRAINED: "pre-trained",
    SAME_RATE: "pre-trained, rate of scratch",
}
_HEAD = """# Results beside the papers

Written by `osbench reproduce` from the runs' predictions; the same in `results.json`. Do not edit.

"published" is what the paper prints, "here" a mean over training seeds with a 95 % interval over seeds and images of
these generators, "difference" is here minus published. A verdict compares directions only: *agrees* or *contradicts* if
the 95 % interval of the difference between two rows (on the same images, Student's t over seeds) lies on one side of 0,
else *cannot tell*. Few seeds give wide intervals; the verdicts are not corrected for their number.
"""


def table_document(paper: Paper, number: int, body: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """One table with what a reader must know about how it was made; ``body`` holds its ``rows`` and ``made``."""
    manifest = experiment.manifest
    counts = manifest.counts()
    per_class = manifest.rows("train")["class_index"].value_counts()
    return {
        "paper": paper.name,
        "table": number,
        "caption": paper.table(number)["caption"],
        "suite": manifest.suite,
        "suite_version": experiment.dataset.suite_version,
        "protocol": manifest.protocol,
        "manifest_id": manifest.manifest_id,
        "setting": {
            "images_per_source": max(sum(splits.values()) for splits in counts.values()),
            "sources": len(counts),
            "crop_size": manifest.crop_size,
            "train_per_class": int(per_class.min()),
        },
        "published_setting": paper.setting,
        "seeds": experiment.seeds,
        "epochs": experiment.epochs,
        "preset": experiment.preset,
        "threshold_rule": DEFAULT_THRESHOLD_RULE,
        "replicates": experiment.replicates,
        **body,
    }


def write_results(folder: Path, tables: list[dict[str, Any]], papers: Mapping[str, Paper]) -> tuple[Path, Path]:
    """Put tables into ``results.json`` and render ``RESULTS.md``.

    A table replaces that of the same paper, number, suite and images per source; made in the same way, it keeps that
    one's other rows. Returns both paths. RunError, and nothing is overwritten, if there is a ``results.json`` that
    cannot be read, or rows would be lost because the table there was made in another way.
    """
    data, page = folder / JSON_FILE, folder / PAGE_FILE
    kept = {_key(table): table for table in read_results(data)["tables"]} if data.exists() else {}
    for table in tables:
        kept[_key(table)] = _with_other_rows(table, kept.get(_key(table)), data)
    ordered = [kept[key] for key in sorted(kept)]
    text = "\n".join([_HEAD, *(_section(table, papers[table["paper"]]) for table in ordered)])
    folder.mkdir(parents=True, exist_ok=True)
    document = {"schema_version": SCHEMA_VERSION, "tables": ordered}
    write_atomically(data, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    write_atomically(page, text.encode())
    return data, page


def read_results(path: Path) -> dict[str, Any]:
    """The document of a ``results.json``; RunError in one line if it is damaged or of another version."""
    try:
        document = json.loads(path.read_text("utf-8"))
        if document["schema_version"] != SCHEMA_VERSION or not isinstance(document["tables"], list):
            raise ValueError(f"schema version {document['schema_version']!r}")
        for table in document["tables"]:
            _key(table)
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} is no results file of this osbench ({error}); move it away to start a new one."
        ) from error
    return document


def _key(table: dict[str, Any]) -> tuple[str, int, str, int]:
    return table["paper"], table["table"], table["suite"], table["setting"]["images_per_source"]


def _with_other_rows(table: dict[str, Any], before: dict[str, Any] | None, data: Path) -> dict[str, Any]:
    """The table with the rows that were asked for before and not now."""
    new = {_row_name(row): row for row in table["rows"]}
    old = {_row_name(row): row for row in before["rows"]} if before else {}
    if before is None or old.keys() <= new.keys():
        return table
    made = ("manifest_id", "seeds", "epochs", "preset", "threshold_rule", "replicates")
    changed = [key for key in made if before[key] != table[key]]
    if changed:
        raise RunError(
            f"{data}: table {table['table']} there has rows that this one lacks ({', '.join(sorted(old.keys() - new))})"
            f" and was made with other {', '.join(changed)}: make all rows, or write elsewhere with --results."
        )
    return table | {"rows": [new.pop(name, row) for name, row in old.items()] + list(new.values())}


def _row_name(row: dict[str, Any]) -> str:
    return row["network"] if "network" in row else row["method"]


def _section(table: dict[str, Any], paper: Paper) -> str:
    body = {2: _table2, 3: _table3}[table["table"]](table)
    size = f"{table['suite_version']}, {table['setting']['images_per_source']:,} images per source"
    return "\n".join(
        [
            f"## {paper.name}, table {table['table']}, on the suite {table['suite']} ({size})",
            "",
            f"{table['caption']}. [{paper.title}]({paper.url}).",
            "",
            _setting(table),
            "",
            body,
            "",
            _made(table),
            "",
        ]
    )


def _setting(table: dict[str, Any]) -> str:
    ours, theirs = table["setting"], table["published_setting"]
    rows = {
        "images per source": "images_per_source",
        "sources": "sources",
        "crop in pixels": "crop_size",
        "training images per class and epoch": "train_per_class",
    }
    lines = ["| | paper | here |", "|---|---|---|"]
    lines += [f"| {title} | {theirs[key]:,} | {ours[key]:,} |" for title, key in rows.items()]
    if all(ours[key] == theirs[key] for key in rows.values()):
        claim = "The sizes are the paper's: values may be compared, within what seeds and weights leave open."
    else:
        claim = (
            "**The sizes differ, and so do contents and generators: the values may not be compared with the paper's. "
            "What may be compared is the direction of a difference between two rows or columns.**"
        )
    return "\n".join([*lines, "", claim])


def _table2(table: dict[str, Any]) -> str:
    arms = [arm for arm in _ARMS if any(arm in row["arms"] for row in table["rows"])]
    head = ["network"]
    for arm in arms:
        head += [f"{_ARMS[arm]}: published", "here", "difference"] if arm != SAME_RATE else [_ARMS[arm]]
    lines = _header(head)
    for row in table["rows"]:
        cells = [row["network"]]
        for arm in arms:
            if arm not in row["arms"]:
                cells.append("-")
                continue
            value = row["arms"][arm][PRIMARY]
            published = [_plain(value["published"]), _estimate(value), _signed(value["difference"])]
            cells += published if arm != SAME_RATE else [_estimate(value)]
        lines.append(_line(cells))
    lines += ["", "What pre-training changes (pre-trained minus from scratch, paired):", ""]
    lines += _header(["network", "published", "here", "p", "direction", *([_ARMS[arms[2]]] if len(arms) > 2 else [])])
    for row in table["rows"]:
        gain = row["gains"][PRETRAINED]
        cells = [
            row["network"],
            _signed(gain["published"]),
            _difference(gain),
            _plain(gain["p_value"]),
            gain["verdict"],
        ]
        cells += [_difference(row["gains"][arm]) if arm in row["gains"] else "-" for arm in arms[2:]]
        lines.append(_line(cells))
    if table["setting"]["train_per_class"] < table["published_setting"]["train_per_class"]:
        lines += ["", _rates(table)]
    lines += ["", "The pre-trained weights, and accuracy on seen test images:", ""]
    lines += _header(
        ["network", "learned from", "crops x epochs", "names the camera (chance)", *(_ARMS[a] for a in arms)]
    )
    for row in table["rows"]:
        p = row["pretraining"]
        scenes = f", {p['scenes']}" if p["scenes"] else ""
        lines.append(
            _line(
                [
                    row["network"],
                    f"{p['cameras']} cameras ({p['kind'].split(':')[0]}){scenes}",
                    f"{p['crops']:,} x {p['epochs']}",
                    f"{p['accuracy']:.3f} ({p['chance']:.3f})",
                    *(
                        _plain(row["arms"][arm]["accuracy"]["reproduced"]) if arm in row["arms"] else "-"
                        for arm in arms
                    ),
                ]
            )
        )
    return "\n".join(lines)


def _rates(table: dict[str, Any]) -> str:
    """Why the direction of table 2 depends on the size of a suite."""
    ours, theirs = table["setting"]["train_per_class"], table["published_setting"]["train_per_class"]
    rates = {arm: row["arms"][arm]["lr"] for row in table["rows"] for arm in row["arms"]}
    return (
        f"The paper changes two things at once: pre-trained networks also learn at {rates[PRETRAINED]:g} instead of "
        f"{rates[SCRATCH]:g}, both falling epoch by epoch. An epoch has {ours:,} images per class here and "
        f"{theirs:,} there, so at the lower rate a network gets much less far here than in the paper, whatever it "
        "starts from. The column 'rate of scratch' (option `--same-rate`) keeps the rate and changes the start alone."
    )


def _table3(table: dict[str, Any]) -> str:
    seen = list(dict.fromkeys(a for row in table["rows"] for a in row["f1"]))
    unseen = list(dict.fromkeys(a for row in table["rows"] for a in row["crr_each"]))
    lines = _header(["method", "", *(f"{a} F1" for a in seen), "aF1", *(f"{a} CRR" for a in unseen), "CRR", "accuracy"])
    for row in table["rows"]:
        values = [*(row["f1"][a] for a in seen), row["af1"], *(row["crr_each"][a] for a in unseen), row["crr"]]
        name = row["method"] if row["rejection"] == "native" else f"{row['method']}, {row['rejection']}"
        lines.append(_line([name, "published", *(_plain(v["published"]) for v in values), ""]))
        lines.append(_line(["", "here", *(_estimate(v) for v in values), _plain(row["accuracy"]["reproduced"])]))
        lines.append(_line(["", "difference", *(_signed(v["difference"]) for v in values), ""]))
    lines += ["", "The proposed method against the others (proposed minus this, paired):", ""]
    lines += _header(["method", "aF1 published", "aF1 here", "direction", "CRR published", "CRR here", "direction"])
    for row in table["rows"]:
        against = row["proposed_minus_this"]
        if against:
            cells = [
                cell
                for name in ("af1", "crr")
                for cell in (_signed(against[name]["published"]), _difference(against[name]), against[name]["verdict"])
            ]
            lines.append(_line([row["method"], *cells]))
    lines += ["", "Classifiers never reject in this table, as in the paper; the board has their other rejection rules."]
    return "\n".join(lines)


def _made(table: dict[str, Any]) -> str:
    made = table["made"]
    epochs = "each method's own number of epochs" if table["epochs"] is None else _counted(table["epochs"], "epoch")
    git = made["git"]
    revision = f", revision {git['revision'][:10]}{' with changes' if git['dirty'] else ''}" if git else ""
    return (
        f"{_counted(table['seeds'], 'seed')}, {epochs}, ProxyNCA++ preset `{table['preset']}`, "
        f"threshold `{table['threshold_rule']}`, manifest `{table['manifest_id'][:12]}`, "
        f"{table['replicates']} bootstrap replicates. "
        f"{made['created'][:10]}, {made['hardware']['device_name']}, torch {made['versions']['torch']}{revision}."
    )


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _header(cells: list[str]) -> list[str]:
    return [_line(cells), "|---" * len(cells) + "|"]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def _estimate(value: dict[str, float | None]) -> str:
    if value["low"] is None or value["high"] is None:
        return _plain(value["reproduced"])
    return f"{value['reproduced']:.3f} ({value['low']:.3f} to {value['high']:.3f})"


def _difference(value: dict[str, Any]) -> str:
    if value["low"] is None or value["high"] is None:
        return _signed(value["reproduced"])
    return f"{value['reproduced']:+.3f} ({value['low']:+.3f} to {value['high']:+.3f})"
