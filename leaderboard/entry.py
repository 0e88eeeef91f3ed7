"""One entry of a board: one method by one rejection rule, over its seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from ..benchmark.answers import DEFAULT_THRESHOLD_RULE, Answers
from ..benchmark.card import MethodCard
from ..benchmark.content import ContentRow, content_rows
from ..benchmark.metrics import Outcome, defined_metrics, defined_per_generator, primary_metric
from ..benchmark.metrics.intervals import Interval, interval_of
from ..benchmark.metrics.paired import Side, side_of
from ..benchmark.metrics.resampling import Resamples, replicate
from ..benchmark.primary_rule import Separation, separation_of
from ..benchmark.robustness.laundering_score import LAUNDERING, Af1, laundering_replicates, shared_cells
from ..benchmark.robustness.surface import SURFACE_METRICS, SurfaceRow
from ..benchmark.robustness.treatments import Cell
from ..benchmark.run_info import Config, Git, Hardware, RunInfo, Seconds
from ..benchmark.score import Confusion, GeneratorScore, confusion, generator_scores, new_generator_intervals
from ..core.documents import Limits, from_json, to_json
from ..core.errors import RunError
from ..core.text import printable
from .checklist import ChecklistItem, checklist
from .curves import EntryCurve, Histogram, entry_curve, entry_histogram

Surface = Sequence[SurfaceRow]


@dataclass(frozen=True)
class Robustness:
    """What one fit answers to laundered images by one rule: its surface, and its aF1 on resamples of the images."""

    rows: Surface = ()
    af1: Af1 = field(default_factory=dict)


@dataclass(frozen=True)
class Sides:
    """An entry as one side of every pair, by each score that ranks."""

    primary: Side
    laundering: Side | None = None


@dataclass(frozen=True)
class Laundering:
    """What laundering leaves of an entry, the second score that ranks.

    Parameters
    ----------
    score : Interval
        Mean aF1 over the treatments, at the threshold of the clean validation images.
    cells : tuple of Cell
        The treatments, without the clean one.
    rank, rank_low, rank_high : int, optional
        As those of an entry, by this score.
    unranked : str
        Why it is not ranked; empty if it is.
    """

    score: Interval
    cells: Annotated[tuple[Cell, ...], Limits(longest=10_000)]
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    unranked: str = ""


@dataclass(frozen=True)
class Entry:
    """One method by one rejection rule over its seeds, with all that a board says of it.

    Parameters
    ----------
    id : str
        For links: the same for the same method, rule, settings and code on every board.
    rank : int, optional
        1 is best; entries that cannot be separated share one. None if it is not ranked.
    rank_low, rank_high : int, optional
        The ranks that are possible.
    probability_best : float, optional
        Of being the best of the ranked entries on these generators (:mod:`~osbench.benchmark.metrics.best`); None if it
        is not ranked, or on a board from before there was one.
    unranked : str
        Why it is not ranked; empty if it is.
    method, rule : str
        The method and its rejection rule.
    primary_rule : bool
        Whether its fit is ranked by this rule (:mod:`~osbench.benchmark.primary_rule`).
    separation : Separation
        What the seen validation images say about the rule, by which one is chosen.
    name : str
        What the entry is called: the method, or the label that an experiment gives to its configuration.
    variant : str
        What tells this entry from others of its name and rule on the same board: settings, crop size, code. Empty
        for a lone one.
    seeds : tuple of int
        Of the fits that it is the mean of.
    trainings : int
        How many different answers these fits gave: seeds that answer alike are one training.
    runs : tuple of str
        Their folders, below the folder that the board was built from.
    config : Config
        Settings and crop size.
    code_sha256 : str
        Of the code that fitted the models.
    git : Git, optional
        Revision of the source tree at the first seed.
    osbench_version, precision, hardware : str
        Of the first seed.
    wall_time_s : float
        Mean seconds of a seed.
    created : str
        When the newest run was made, ISO 8601.
    threshold_rule : str
        How the threshold of each seed was chosen on its seen validation images.
    normalised_distance : bool
        Whether the known score is minus a distance divided by the standard deviation of its class.
    metrics : dict of str to Interval
        Means over the seeds, with intervals over images and seeds (*these generators*).
    new_generator : dict of str to Interval
        ``crr`` and ``auroc_macro`` with prediction intervals (*a generator nobody has tested*); empty where nobody is
        unseen.
    per_generator : dict of str to GeneratorScore
        Seen generators, then unseen ones.
    card : MethodCard
        What the method says about itself.
    checklist : tuple of ChecklistItem
        What is needed to get its numbers again, and whether its runs say it.
    confusion : Confusion
        Who was taken for whom, all seeds together.
    curve : EntryCurve, optional
        aF1 over CRR; None where nobody is unseen.
    histogram : Histogram, optional
        Known scores of every source, of the first seed.
    content : tuple of ContentRow
        Answers by training set, where the manifest holds one out.
    laundering : Laundering, optional
        One number for that, where all seeds were asked.
    robustness : tuple of SurfaceRow
        Means over the seeds under every treatment that all of them were asked about.
    seconds_per_image : dict
        Part of the method -> seconds that it took for each image, mean over the seeds.
    """

    id: str
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    unranked: str
    method: str
    rule: str
    primary_rule: bool
    separation: Separation
    name: str
    variant: str
    seeds: tuple[int, ...]
    trainings: int
    runs: tuple[str, ...]
    config: Config
    code_sha256: str
    git: Git | None
    osbench_version: str
    precision: str
    hardware: str
    wall_time_s: float
    created: str
    threshold_rule: str
    normalised_distance: bool
    metrics: dict[str, Interval]
    new_generator: dict[str, Interval]
    per_generator: dict[str, GeneratorScore]
    card: MethodCard
    checklist: tuple[ChecklistItem, ...]
    confusion: Confusion
    curve: EntryCurve | None
    histogram: Histogram | None
    laundering: Laundering | None = None
    content: Annotated[tuple[ContentRow, ...], Limits(longest=100_000)] = ()
    robustness: Annotated[tuple[SurfaceRow, ...], Limits(longest=10_000)] = ()
    seconds_per_image: Seconds = field(default_factory=dict)
    probability_best: float | None = None

    @property
    def label(self) -> str:
        """For people: name, rule, and what tells it from others."""
        return " ".join(part for part in (self.name, self.rule, self.variant) if part)

    def to_json(self) -> dict[str, Any]:
        """The entry as a JSON document; undefined numbers are None."""
        return to_json(self)

    @classmethod
    def from_json(cls, document: Any, where: str = "entry") -> Entry:
        """The entry of a document that :meth:`to_json` made; RunError names the first wrong key."""
        return from_json(cls, document, where, RunError)

    def to_frame(self) -> pd.DataFrame:
        """One row: the entry, ``<metric>``, ``<metric>_low``, ``<metric>_high``, and the same for every generator."""
        row: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("rank", "rank_low", "rank_high", "name", "method", "rule", "variant", "id", "code_sha256")
        }
        row |= {"probability_best": self.probability_best}
        row |= {"unranked": self.unranked, "primary_rule": self.primary_rule, "trainings": self.trainings}
        row |= {"crop_size": self.config.crop_size, "seeds": list(self.seeds)}
        named = self.metrics | ({LAUNDERING: self.laundering.score} if self.laundering else {})
        for generator, score in self.per_generator.items():
            for name in ("f1", "crr", "auroc"):
                interval = getattr(score, name)
                if interval is not None:
                    named[f"{generator}/{name}"] = interval
        for name, interval in named.items():
            row |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
        ranks = ["rank", "rank_low", "rank_high"]
        if self.laundering is not None:
            row |= {f"{LAUNDERING}_{name}": getattr(self.laundering, name) for name in ranks}
            ranks += [f"{LAUNDERING}_{name}" for name in ranks]
        return pd.DataFrame([row]).astype(dict.fromkeys(ranks, "Int64"))


def entry_of(
    seeds: Sequence[Answers],
    robustness: Sequence[Robustness],
    resamples: Resamples,
    pool: Executor | None = None,
) -> tuple[Entry, Sides]:
    """An entry without its place on a board (:mod:`.placing`), and itself as one side of every pair.

    Parameters
    ----------
    seeds : sequence of Answers
        Of one method by one rule, one for each seed.
    robustness : sequence of Robustness
        Of each seed; an empty one where it was never asked.
    resamples : Resamples
        Shared by the whole board.
    pool : concurrent.futures.Executor, optional
        Threads to count with.
    """
    first, manifest = seeds[0].info, seeds[0].manifest
    thresholds = [answers.threshold(DEFAULT_THRESHOLD_RULE) for answers in seeds]
    tests = [answers.test for answers in seeds]
    metrics = defined_metrics(len(manifest.unseen))
    found = replicate(tests, thresholds, metrics | defined_per_generator(len(manifest.unseen)), resamples, pool)
    under = [own.af1 for own in robustness]
    left = laundering_replicates(under, resamples.seed)
    entry = Entry(
        id=_identity(first, seeds[0].rule),
        rank=None,
        rank_low=None,
        rank_high=None,
        unranked="",
        method=first.method,
        rule=seeds[0].rule,
        primary_rule=False,
        separation=separation_of([answers.validation for answers in seeds]),
        name=printable(first.label) or first.method,
        variant="",
        seeds=tuple(answers.info.seed for answers in seeds),
        trainings=len({_answer_hash(test) for test in tests}),
        runs=(),
        config=first.config,
        code_sha256=first.code_sha256,
        git=first.git,
        osbench_version=printable(first.versions.get("osbench", ""), 40),
        precision=printable(first.precision, 40),
        hardware=hardware_text(first.hardware),
        wall_time_s=float(np.mean([answers.info.wall_time_s for answers in seeds])),
        created=max(answers.info.created for answers in seeds),
        threshold_rule=DEFAULT_THRESHOLD_RULE,
        normalised_distance=seeds[0].rule in first.normalised_distances,
        metrics={name: interval_of(found, name) for name in metrics},
        new_generator=new_generator_intervals(found, manifest),
        per_generator=generator_scores(found, manifest),
        card=first.card,
        checklist=checklist([answers.info for answers in seeds]),
        confusion=_confusion(seeds, thresholds),
        curve=entry_curve(tests) if manifest.unseen else None,
        histogram=entry_histogram(seeds[0], thresholds[0]),
        content=_content(seeds, thresholds),
        laundering=Laundering(interval_of(left, LAUNDERING), shared_cells(under)) if left else None,
        robustness=mean_surface([own.rows for own in robustness]),
        seconds_per_image=_seconds_per_image([answers.info for answers in seeds]),
    )
    primary = side_of(found, primary_metric(len(manifest.unseen)))
    return entry, Sides(primary, side_of(left, LAUNDERING) if left else None)


def _answer_hash(test: Outcome) -> bytes:
    return hashlib.sha256(test.candidate.tobytes() + test.known_score.tobytes()).digest()


def _seconds_per_image(infos: Sequence[RunInfo]) -> dict[str, float]:
    """Part of the method -> mean over the seeds that name it."""
    parts = sorted({part for info in infos for part in info.seconds_per_image})
    seconds = {part: [i.seconds_per_image[part] for i in infos if part in i.seconds_per_image] for part in parts}
    return {printable(part, 100): float(np.mean(found)) for part, found in seconds.items()}


def _identity(info: RunInfo, rule: str) -> str:
    key = hashlib.sha256(f"{info.config.key} {info.code_sha256}".encode()).hexdigest()[:8]
    return "/".join(quote(part, safe="") for part in (info.method, rule, key))


def with_variants(entries: Sequence[Entry]) -> list[Entry]:
    """The entries with what tells each from others of its name and rule: only what differs between them."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.name, entry.rule), []).append(entry)
    return [replace(entry, variant=_variant(entry, groups[entry.name, entry.rule])) for entry in entries]


def _variant(entry: Entry, group: Sequence[Entry]) -> str:
    return ", ".join(
        text(entry)
        for text in (_method_text, _settings_text, _crop_text, _code_text)
        if len({text(other) for other in group}) > 1
    )


def _method_text(entry: Entry) -> str:
    return entry.method


def _settings_text(entry: Entry) -> str:
    return settings_text(entry.config) or "defaults"


def _crop_text(entry: Entry) -> str:
    return f"crop {entry.config.crop_size} px"


def _code_text(entry: Entry) -> str:
    return f"code {entry.code_sha256[:8]}"


def settings_text(config: Config) -> str:
    """The settings that differ from the defaults, e.g. ``epochs=5, network=resnet50``; may be empty."""
    changed = {k: v for k, v in config.options.items() if k not in config.defaults or config.defaults[k] != v}
    return ", ".join(printable(f"{key}={value}", 60) for key, value in sorted(changed.items()))


def hardware_text(hardware: Hardware) -> str:
    """The device and its cores in words."""
    name = printable(hardware.device_name, 100)
    cores = f"{hardware.cores} cores" if hardware.device == "cpu" and hardware.cores else ""
    return ", ".join(part for part in (name, cores) if part)


def _confusion(seeds: Sequence[Answers], thresholds: Sequence[float]) -> Confusion:
    tables = [confusion(s.test, s.manifest, threshold) for s, threshold in zip(seeds, thresholds, strict=True)]
    counts = np.sum([table.counts for table in tables], axis=0)
    return replace(tables[0], counts=tuple(tuple(row) for row in counts.tolist()))


def _content(seeds: Sequence[Answers], thresholds: Sequence[float]) -> tuple[ContentRow, ...]:
    """The rows of each seed at its own threshold, as means."""
    each = [content_rows(s.validation, s.test, s.manifest, t) for s, t in zip(seeds, thresholds, strict=True)]
    return tuple(
        replace(
            rows[0],
            accuracy=None if rows[0].accuracy is None else float(np.mean([row.accuracy for row in rows])),
            rejected=float(np.mean([row.rejected for row in rows])),
        )
        for rows in zip(*each, strict=True)
    )


def mean_surface(surfaces: Sequence[Surface]) -> tuple[SurfaceRow, ...]:
    """The treatments that every seed was asked about, with the means of their metrics."""
    seeds = [{row.cell: row for row in rows} for rows in surfaces]
    shared = [cell for cell in seeds[0] if all(cell in other for other in seeds)] if seeds else []
    return tuple(
        replace(
            seeds[0][cell],
            **{name: float(np.mean([getattr(seed[cell], name) for seed in seeds])) for name in SURFACE_METRICS},
        )
        for cell in shared
    )
