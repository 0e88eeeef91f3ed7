"""How a method's options are chosen without any unseen generator and without any test image.

::

    python -m osbench.baselines.choice osbench-2 --data data --variant "" --variant axes=10 --variant axes=60

Every seen generator is left out in turn and plays the unseen one. A method is fitted on training images of the others.
Their validation images are divided: one half calibrates the method and sets the threshold, the other half and the
validation images of the generator that was left out are the questions. All methods have this one way of being tuned, so
their budgets can be compared: what is printed is what was tried.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
import torch

from ..benchmark.images import ImageSet, load_images
from ..benchmark.manifest import open_manifests
from ..benchmark.method import Context, Method, get_method, parse_options
from ..benchmark.metrics import (
    Outcome,
    accept_threshold,
    auc_af1_crr,
    auroc_macro,
    closed_set_accuracy,
    crr,
)
from ..core.errors import DatasetError
from ..core.markdown import markdown_table
from ..core.progress import get_logger
from ..generation.dataset import Dataset

ACCEPTED = 0.95


@dataclass(frozen=True)
class Choice:
    """Means of one variant over seeds and over the generators that were left out.

    Parameters
    ----------
    variant : str
        The options that differ from the defaults.
    auc_af1_crr, auroc, accuracy, crr : float
        On the questions, in 0..1; ``crr`` at the threshold that accepts 95 % of the other half.
    seen_rejected : float
        Share of seen questions that are rejected at that threshold; 0.05 is right.
    fits : int
        How many fits the means are of.
    """

    variant: str
    auc_af1_crr: float
    auroc: float
    accuracy: float
    crr: float
    seen_rejected: float
    fits: int


def choose(
    method: type[Method], variants: Sequence[str], train: ImageSet, val: ImageSet, names: Sequence[str], seeds: int
) -> list[Choice]:
    """Measure variants of a method on seen images alone.

    Parameters
    ----------
    method : type
        The class of the method.
    variants : sequence of str
        ``"axes=10 axes=60"``; empty for the defaults.
    train, val : ImageSet
        Training and validation images of the seen generators.
    names : sequence of str
        The seen generators, at least three.
    seeds : int
        Fits of every variant with each generator left out.
    """
    if len(names) < 3:
        raise DatasetError(
            f"leaving one of {len(names)} seen generators out leaves nothing to tell apart; 3 are needed."
        )
    found = []
    for variant in variants:
        options = parse_options(method, variant.split())
        rows = []
        for seed in range(seeds):
            for left_out in range(len(names)):
                rows.append(_numbers(method(**options), train, val, names, left_out, seed))
                get_logger().info("%s without %s: AUC %.3f", variant or "defaults", names[left_out], rows[-1][0])
        means = np.mean(rows, axis=0)
        found.append(Choice(variant or "defaults", *(round(float(value), 4) for value in means), fits=len(rows)))
    return found


def _numbers(
    method: Method, train: ImageSet, val: ImageSet, names: Sequence[str], left_out: int, seed: int
) -> tuple[float, float, float, float, float]:
    kept = [k for k in range(len(names)) if k != left_out]
    first = np.random.default_rng(seed).permutation(len(val)) % 2 == 0
    known = val.class_index != left_out
    halves = [_relabelled(val.subset(known & half), kept) for half in (first, ~first)]
    strangers = val.subset(~known)
    with tempfile.TemporaryDirectory() as folder:
        method.fit(
            _relabelled(train.subset(train.class_index != left_out), kept),
            halves[0],
            Context(
                seed,
                torch.device("cpu"),
                Path(folder),
                tuple(names[k] for k in kept),
                train.crop_size,
                options=method.options,
            ),
        )
    calibration, questions, strange = (method.predict(part.pixels) for part in (*halves, strangers))
    rule = method.rejections[0]
    candidate = np.concatenate([questions[rule].candidate, strange[rule].candidate])
    score = np.concatenate([questions[rule].known_score, strange[rule].known_score])
    truth = np.concatenate([halves[1].class_index, np.full(len(strangers), -1)])
    outcome = Outcome(truth, np.where(truth < 0, 0, -1), candidate, score, len(kept), 1)
    threshold = accept_threshold(calibration[rule].known_score, ACCEPTED)
    rejected = float((questions[rule].known_score < threshold).mean())
    return (
        auc_af1_crr(outcome),
        auroc_macro(outcome),
        closed_set_accuracy(outcome),
        crr(outcome, threshold),
        rejected,
    )


def _relabelled(images: ImageSet, kept: Sequence[int]) -> ImageSet:
    return replace(images, class_index=np.searchsorted(np.asarray(kept), images.class_index))


def choices_table(found: Sequence[Choice]) -> str:
    """The choices as a Markdown table, in the order in which they were measured."""
    header = ["variant", "AUC", "AUROC", "accuracy", "CRR", "seen rejected", "fits"]
    rows = [
        [c.variant, *(f"{v:.3f}" for v in (c.auc_af1_crr, c.auroc, c.accuracy, c.crr, c.seen_rejected)), str(c.fits)]
        for c in found
    ]
    return markdown_table(header, rows)


def _parts(data: Path, protocol: str) -> Iterator[tuple[ImageSet, ImageSet, tuple[str, ...]]]:
    dataset = Dataset.open(data)
    for manifest in open_manifests(dataset, protocol, None):
        images = load_images(dataset, manifest)
        yield images.split("train"), images.split("val"), manifest.seen


@click.command()
@click.argument("method")
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--protocol", default="fang2023", show_default=True, help="Says who is seen; test images are never read.")
@click.option("--variant", "variants", multiple=True, default=[""], help='Options, "axes=10 axes=60"; "" = defaults.')
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(method: str, data: Path, protocol: str, variants: tuple[str, ...], seeds: int, as_json: bool) -> None:
    """Compare variants of METHOD with each seen generator left out in turn, on training and validation images."""
    train, val, names = next(_parts(data, protocol))
    found = choose(get_method(method), variants, train, val, names, seeds)
    click.echo(json.dumps([asdict(choice) for choice in found], indent=1) if as_json else choices_table(found))


if __name__ == "__main__":
    main()
