"""The cue report of a fitted run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...core.columns import text_columns
from ...core.documents import to_json
from ...core.errors import OsbenchError, RunError, UsageError
from ...core.progress import get_logger, progress_bar
from ...core.text import printable
from ...generation.catalog import Suite, load_suite
from ...generation.dataset import Dataset
from ...generation.other_noise import MODES, crops_with_noise
from ..evaluate import ask
from ..images import index_positions, load_images
from ..manifest import Manifest
from ..manifest_columns import cells
from ..models import load_model
from ..runs import NATIVE, Run
from ..splitting import originals
from .changes import CUTOFFS, TREATMENTS, hybrid, partners

MOST_IMAGES = 600
"""Seen test images that are asked about."""

NOISE_IMAGES = 40
"""Images of a source that are made again with other noise."""

_BATCH = 256


@dataclass(frozen=True)
class Treated:
    """Seen test images after one change.

    Parameters
    ----------
    name : str
        The change.
    accuracy : float
        Share whose candidate is the right generator.
    accepted : float
        Share at or above the threshold.
    unchanged : float
        Share with the same candidate as before the change.
    """

    name: str
    accuracy: float
    accepted: float
    unchanged: float


@dataclass(frozen=True)
class Conflict:
    """Hybrids: low frequencies of one image, high frequencies of an image of another generator.

    Parameters
    ----------
    cutoff : float
        In cycles per pixel.
    low, high, other : float
        Shares that are named after the one, the other, or a third generator.
    """

    cutoff: float
    low: float
    high: float
    other: float


@dataclass(frozen=True)
class OfWeights:
    """Images of seen generators that show pictures of the test split, by their weights.

    Parameters
    ----------
    weights : str
        Which.
    trained : bool
        Whether training images came from these weights.
    images : int
        How many.
    accuracy, accepted : float
        As of :class:`Treated`.
    """

    weights: str
    trained: bool
    images: int
    accuracy: float
    accepted: float


@dataclass(frozen=True)
class OfNoise:
    """Test images of one seen source, made again with other noise.

    Parameters
    ----------
    source : str
        Which.
    noise : str
        ``as stored``, or the mode: drawn anew for every image (``random``), one constant plane (``const``), ``none``.
    images : int
        How many.
    accuracy : float
        Share whose candidate is the right generator.
    """

    source: str
    noise: str
    images: int
    accuracy: float


@dataclass(frozen=True)
class CueReport:
    """What a fitted method looks at.

    Parameters
    ----------
    run, method, rule : str
        Folder, method, and the rule whose threshold accepts.
    images : int
        Seen test images that were asked about.
    treatments : tuple of Treated
        One row for each change.
    conflicts : tuple of Conflict
        One row for each cutoff.
    weights : tuple of OfWeights
        Where the data set has several weights.
    noise : tuple of OfNoise
        Of seen sources that inject noise, where their weights are there.
    notes : tuple of str
        What could not be asked, and why.
    """

    run: str
    method: str
    rule: str
    images: int
    treatments: tuple[Treated, ...]
    conflicts: tuple[Conflict, ...]
    weights: tuple[OfWeights, ...]
    noise: tuple[OfNoise, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON document."""
        return to_json(self)


@dataclass(frozen=True)
class _Asked:
    candidate: np.ndarray
    accepted: np.ndarray


Ask = Callable[[np.ndarray], _Asked]


def cue_report(
    run: Run, dataset: Dataset, *, rule: str = NATIVE, suite: str | Path | None = None, method_file: str | None = None
) -> CueReport:
    """Ask the fitted method of a run about changed test images.

    Parameters
    ----------
    run : Run
        With its model.
    dataset : Dataset
        That it was evaluated on.
    rule : str
        Whose threshold accepts.
    suite : str or Path, optional
        Where the generators' weights are, for images with other noise; the dataset's own suite without it.
    method_file : str, optional
        The user's own file where the method is defined, if it is not registered.

    Raises
    ------
    RunError
        A run without a model, or of another dataset.
    DatasetError
        Damaged images.
    """
    manifest = run.manifest()
    answers = run.answers(rule, manifest)
    threshold, chosen = answers.threshold(), answers.rule
    method = load_model(run, method_file)
    images = load_images(dataset, manifest, crop_size=run.info.config.crop_size)
    rows = _seen_test_rows(manifest)
    labels = np.asarray(rows["class_index"], np.int64)
    if len(set(labels.tolist())) < 2:
        raise RunError(f"{printable(run.folder)}: one seen generator in test, so that no two cues can be set against.")
    index = dataset.index()
    pixels = images.store[index_positions(cells(rows, "image_id"), index, dataset)]

    def answered(changed: np.ndarray) -> _Asked:
        parts = [ask(method, changed[i : i + _BATCH])[chosen] for i in range(0, len(changed), _BATCH)]
        candidate = np.concatenate([part.candidate for part in parts])
        return _Asked(candidate, np.concatenate([part.known_score for part in parts]) >= threshold)

    notes: list[str] = []
    with progress_bar("cues", len(TREATMENTS) + len(CUTOFFS), "change") as bar:
        treatments = _treated(pixels, labels, answered, bar.update)
        conflicts = _conflicts(pixels, labels, cells(rows, "group"), answered, bar.update)
    weights = _weights(dataset, manifest, index, images.store, answered)
    if not weights:
        notes.append("weights: the data set has one file of weights for every generator")
    noise = _noise(dataset, manifest, index, images.store, suite, answered, notes)
    return CueReport(
        run=str(run.folder),
        method=run.method,
        rule=chosen,
        images=len(rows),
        treatments=treatments,
        conflicts=conflicts,
        weights=weights,
        noise=noise,
        notes=tuple(notes),
    )


def _seen_test_rows(manifest: Manifest) -> pd.DataFrame:
    """At most :data:`MOST_IMAGES` seen test images, spread over all."""
    rows = manifest.rows("test")
    seen = np.flatnonzero(cells(rows, "openness") == "seen")
    if len(seen) > MOST_IMAGES:
        seen = seen[np.linspace(0, len(seen) - 1, MOST_IMAGES).astype(np.int64)]
    return pd.DataFrame(rows.iloc[seen]).reset_index(drop=True)


def _treated(pixels: np.ndarray, labels: np.ndarray, answered: Ask, done: Callable[[int], None]) -> tuple[Treated, ...]:
    rows: list[Treated] = []
    first: np.ndarray | None = None
    for name, change in TREATMENTS.items():
        found = answered(change(pixels))
        first = found.candidate if first is None else first
        right, same = _share(found.candidate == labels), _share(found.candidate == first)
        rows.append(Treated(name, right, _share(found.accepted), same))
        done(1)
    return tuple(rows)


def _conflicts(
    pixels: np.ndarray, labels: np.ndarray, groups: np.ndarray, answered: Ask, done: Callable[[int], None]
) -> tuple[Conflict, ...]:
    other = partners(labels, groups)
    rows: list[Conflict] = []
    for cutoff in CUTOFFS:
        candidate = answered(hybrid(pixels, pixels[other], cutoff)).candidate
        low, high = _share(candidate == labels), _share(candidate == labels[other])
        rows.append(Conflict(cutoff, low, high, 1.0 - low - high))
        done(1)
    return tuple(rows)


def _weights(
    dataset: Dataset, manifest: Manifest, index: pd.DataFrame, store: np.ndarray, answered: Ask
) -> tuple[OfWeights, ...]:
    """By weights, pictures of the test split: those of trained weights too, which no manifest of such a fold has."""
    if "weights" not in manifest.table:
        return ()
    split = manifest.column("split")
    trained = set(manifest.column("weights")[split == "train"].tolist())
    tested = set(manifest.column("group")[split == "test"].tolist()) - {""}
    rows = originals(index)
    classes = {name: i for i, name in enumerate(manifest.seen)}
    group = cells(rows, "group")
    known = np.isin(np.asarray(rows["generator"], str), manifest.seen) & (cells(rows, "weights") != "")
    in_test = np.isin(np.asarray(rows["image_id"], str), manifest.column("image_id")[split == "test"])
    asked: np.ndarray = known & (np.isin(group, sorted(tested)) | in_test)
    rows = pd.DataFrame(rows[asked])
    out: list[OfWeights] = []
    for weights, part in rows.groupby("weights", sort=True):
        labels = np.array([classes[name] for name in cells(pd.DataFrame(part), "generator").tolist()], np.int64)
        found = answered(store[index_positions(np.asarray(part["image_id"], str), index, dataset)])
        right = _share(found.candidate == labels)
        out.append(OfWeights(str(weights), str(weights) in trained, len(part), right, _share(found.accepted)))
    return tuple(out)


def _noise(
    dataset: Dataset,
    manifest: Manifest,
    index: pd.DataFrame,
    store: np.ndarray,
    suite: str | Path | None,
    answered: Ask,
    notes: list[str],
) -> tuple[OfNoise, ...]:
    """Seen sources whose pictures change with their noise, in every mode that the family has."""
    try:
        catalog = load_suite(suite or dataset.suite)
    except OsbenchError as error:
        notes.append(f"noise: {printable(error, 300)} Say where the weights are: --suite FILE")
        return ()
    rows: list[OfNoise] = []
    tested = np.isin(
        np.asarray(index["image_id"], str), manifest.column("image_id")[manifest.column("split") == "test"]
    )
    for record in dataset.info["sources"]:
        if record["generator"] not in manifest.seen or "weights" not in record:
            continue
        own = np.array([str(shard).startswith(f"shards/{record['name']}/") for shard in index["shard"]])
        part = _few_batches(pd.DataFrame(index[own & tested]), dataset.info["recipe"]["batch_size"])
        if not len(part):
            continue
        try:
            rows += _noise_of(dataset, record, part, index, store, catalog, manifest, answered)
        except (OsbenchError, OSError) as error:
            notes.append(f"noise of {record['name']}: {printable(error, 300)}")
            get_logger().warning("%s", notes[-1])
    return tuple(rows)


def _few_batches(part: pd.DataFrame, size: int) -> pd.DataFrame:
    """At most :data:`NOISE_IMAGES` images, of the batches that hold most: a network makes whole batches."""
    batches = part["index"] // size
    order = batches.value_counts(sort=True).index
    kept = part.iloc[np.argsort(pd.Index(order).get_indexer(pd.Index(batches)), kind="stable")]
    return pd.DataFrame(kept[:NOISE_IMAGES])


def _noise_of(
    dataset: Dataset,
    record: dict[str, Any],
    part: pd.DataFrame,
    index: pd.DataFrame,
    store: np.ndarray,
    catalog: Suite,
    manifest: Manifest,
    answered: Ask,
) -> list[OfNoise]:
    name = record["name"]
    label = manifest.seen.index(record["generator"])
    size = store.shape[1]
    margin = (dataset.crop_size - size) // 2
    stored = store[index_positions(np.asarray(part["image_id"], str), index, dataset)]
    indices = [int(i) for i in part["index"]]

    def row(mode: str, crops: np.ndarray) -> OfNoise:
        return OfNoise(name, mode, len(crops), _share(answered(crops).candidate == label))

    def made(mode: str, count: int) -> np.ndarray:
        crops = crops_with_noise(dataset, record, indices[:count], mode, catalog)
        return crops[:, margin : margin + size, margin : margin + size]

    # One batch tells whether the family injects noise at all; some families are slow.
    if (made("none", 1) == stored[:1]).all():
        return []
    rows = [row("as stored", stored)]
    for mode in MODES:
        try:
            rows.append(row(mode, made(mode, len(indices))))
        except UsageError:  # a mode that the family does not have
            continue
    return rows


def _share(found: np.ndarray) -> float:
    return float(np.mean(found))


def cue_text(report: CueReport) -> str:
    """A report for people."""
    treated: list[Sequence[str]] = [["seen test images", "accuracy", "accepted", "same answer"]]
    treated += [[r.name, *(f"{v:.3f}" for v in (r.accuracy, r.accepted, r.unchanged))] for r in report.treatments]
    conflicts: list[Sequence[str]] = [["hybrids cut at", "named after the low part", "the high part", "another"]]
    conflicts += [[f"{r.cutoff:g} c/px", *(f"{v:.3f}" for v in (r.low, r.high, r.other))] for r in report.conflicts]
    parts = [
        f"{report.method} ({report.rule}), {report.images} seen test images: {report.run}",
        text_columns(treated),
        text_columns(conflicts),
    ]
    if report.weights:
        table: list[Sequence[str]] = [["weights, pictures of test", "trained", "images", "accuracy", "accepted"]]
        for row in report.weights:
            said = ["yes" if row.trained else "no", str(row.images), f"{row.accuracy:.3f}", f"{row.accepted:.3f}"]
            table.append([row.weights, *said])
        parts.append(text_columns(table))
    if report.noise:
        noise: list[Sequence[str]] = [["source", "noise", "images", "accuracy"]]
        noise += [[r.source, r.noise, str(r.images), f"{r.accuracy:.3f}"] for r in report.noise]
        parts.append(text_columns(noise))
    return "\n\n".join([*parts, *(f"Not asked: {note}." for note in report.notes)])
