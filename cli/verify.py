"""``osbench verify``: is this dataset what it says it is?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.defaults import DATA
from .options import emit, handle_errors, json_option, names_and_paths

if TYPE_CHECKING:
    from ..generation.dataset import Dataset


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path), default=DATA)
@click.option("--pixels", is_flag=True, help="Decode every image and check the hash of its crop too.")
@click.option("--regenerate", "images", type=int, metavar="N", help="Make N images of each source again and compare.")
@click.option("--record", is_flag=True, help="With --regenerate: keep the finding in the dataset and on its card.")
@click.option("--suite", help="Suite (name or YAML) that holds the weights.  [default: the dataset's own]")
@click.option("--weights", multiple=True, metavar="SOURCE=FILE", help="For --regenerate: weights you brought.")
@click.option("--device", default="cpu", show_default=True, help="For --regenerate.")
@json_option
@handle_errors
def command(
    dataset: Path,
    pixels: bool,
    images: int | None,
    record: bool,
    suite: str | None,
    weights: tuple[str, ...],
    device: str,
    as_json: bool,
) -> None:
    """Check every shard of DATASET (default: data) against the ledger and its own hashes; exit code 1 if one is wrong.

    'osbench generate' with the same options rebuilds wrong and missing shards.
    """
    from ..generation.dataset import Dataset

    opened = Dataset.open(dataset)
    problems = opened.verify(pixels=pixels)
    given = names_and_paths("--weights", "SOURCE=FILE", weights)
    again = _regenerate(opened, images, record, suite, device, given) if images is not None and not problems else []
    lines = [str(problem) for problem in problems] + [_sentence(row) for row in again]
    found = f"{len(problems)} problem{'s' * (len(problems) != 1)}"
    summary = found if problems else f"{len(opened.expected_shards())} shards, all sound"
    document = {
        "dataset": str(dataset),
        "problems": [{"file": problem.file, "reason": problem.reason} for problem in problems],
        "regenerated": again,
    }
    emit(as_json, document, "\n".join([*lines, f"{dataset}: {summary}"]))
    if problems:
        sys.exit(1)


def _regenerate(
    dataset: Dataset, images: int, record: bool, suite: str | None, device: str, weights: dict[str, str]
) -> list[dict]:
    from ..core.progress import track
    from ..generation.card import write_card
    from ..generation.regenerate import record_reproduction, regenerate

    total = sum("weights" in source for source in dataset.info["sources"])
    found = regenerate(dataset, images, suite=suite, device=device, weights=weights)
    rows = list(track(found, description="make again", total=total, unit="source"))
    if record:
        record_reproduction(dataset, rows, device)
        write_card(dataset)
    return [row.document() for row in rows]


def _sentence(row: dict) -> str:
    text = f"{row['source']}: {row['verdict']} ({row['bit_exact']} of {row['images']} images bit-exact"
    text += f", {row['within_one']} within one level"
    return text + (f", worst PSNR {row['psnr_db']:.1f} dB)" if row["psnr_db"] is not None else ")")
