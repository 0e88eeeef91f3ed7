"""One call from a paper's name to ``RESULTS.md``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...benchmark.manifest import open_manifests
from ...core.errors import unknown_name
from ...core.progress import get_logger
from ...generation.dataset import Dataset
from ...generation.generate import generate
from ..cameras.pretraining import CameraPretraining
from ..losses.proxy_nca import PRESETS
from .experiment import Experiment
from .published import Paper, load_paper, paper_names
from .report import PAGE_FILE, table_document, write_results
from .table2 import make_table2
from .table3 import make_table3

SUITE = "mini"
"""What is generated where no suite is at hand."""


def reproduce(
    paper_name: str,
    tables: Sequence[int] = (),
    *,
    rows: Sequence[str] = (),
    data: Path | None = None,
    out: Path,
    results: Path,
    seeds: int = 3,
    epochs: int | None = None,
    preset: str = "paper-literal",
    same_rate: Sequence[str] = (),
    scenes: Path | None = None,
    pretrain_epochs: int | None = None,
    device: str = "cpu",
    jobs: int = 1,
) -> tuple[dict[str, Any], Path]:
    """Make the tables of a paper on the suite at hand; returns the new tables' document and the path of RESULTS.md.

    tables: their numbers, empty = all. rows: only these, of whichever table has them. data: a dataset folder, None =
    ``out/data``, where the mini suite is generated if it is not there. The other parameters are those of
    :class:`Experiment` and :class:`CameraPretraining`. UsageError for an unknown paper, table, row or preset, before
    anything is made.
    """
    paper = load_paper(paper_name)
    chosen = list(dict.fromkeys(tables)) or sorted(paper.tables)
    _check(paper, chosen, rows, same_rate, preset)
    dataset = _dataset(out / "data") if data is None else Dataset.open(data)
    (manifest,) = open_manifests(dataset, paper.protocol)
    pretraining = CameraPretraining(pretrain_epochs or CameraPretraining.epochs, scenes)
    experiment = Experiment(dataset, manifest, out, seeds, epochs, preset, device, pretraining, jobs=jobs)
    papers = {name: load_paper(name) for name in paper_names()}
    made = []
    for number in chosen:
        get_logger().info("%s, table %d: %s", paper.name, number, paper.table(number)["caption"])
        own = [name for name in rows if name in paper.table(number)["rows"]]
        if rows and not own:
            continue
        if number == 2:
            body = make_table2(paper, experiment, rows=own, same_rate=same_rate)
        else:
            body = make_table3(paper, experiment, rows=own)
        made.append(table_document(paper, number, body, experiment))
        write_results(results, made[-1:], papers)  # now, so that no failure in the next table loses this one
    return {"tables": made}, results / PAGE_FILE


def _check(paper: Paper, tables: Sequence[int], rows: Sequence[str], same_rate: Sequence[str], preset: str) -> None:
    known = {name for number in tables for name in paper.table(number)["rows"]}
    for name in rows:
        if name not in known:
            raise unknown_name("row", name, known)
    paper.chosen_rows(2, same_rate)
    if preset not in PRESETS:
        raise unknown_name("preset", preset, PRESETS)


def _dataset(folder: Path) -> Dataset:
    return generate(SUITE, folder, workers=os.cpu_count() or 1)
