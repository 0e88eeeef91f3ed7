"""Two entries on the same images: is one better, by how much, how sure is that, and where does the difference lie?

The difference of a metric is taken on joint resamples of the test images, with what training again would change in
either (:mod:`..benchmark.metrics.paired`). For each generator, McNemar's exact test asks whether the images that only
one of the two answers rightly are as many on both sides; a method with several seeds answers rightly where most of them
do, and the p-values are corrected for the number of generators (Holm, 1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import bdtr  # pyright: ignore[reportMissingTypeStubs]

from ..benchmark.answers import DEFAULT_THRESHOLD_RULE, Answers
from ..benchmark.manifest import Manifest
from ..benchmark.metrics import METRICS, Outcome, paired_difference, primary_metric
from ..benchmark.primary_rule import primary_rule, separation_of
from ..benchmark.run_info import RUN_FILE
from ..benchmark.runs import Run
from ..core.defaults import RUNS
from ..core.documents import to_json
from ..core.errors import RunError, UsageError, unknown_name
from ..core.text import printable
from .collect import Unit, choose, collect

LEVEL = 0.95


@dataclass(frozen=True)
class GeneratorTest:
    """The images of one generator that only one of two entries answers rightly.

    Parameters
    ----------
    generator : str
        Its name.
    openness : str
        ``seen``: rightly is accepted and named; ``unseen``: rightly is rejected.
    images : int
        Test images of it.
    only_a, only_b : int
        Images that only the first, only the second answers rightly.
    p : float
        Of McNemar's exact two-sided test.
    p_corrected : float
        Corrected for the number of generators.
    """

    generator: str
    openness: Literal["seen", "unseen"]
    images: int
    only_a: int
    only_b: int
    p: float
    p_corrected: float


@dataclass(frozen=True)
class Comparison:
    """A minus B on the same images.

    Parameters
    ----------
    a, b : str
        What the two are called, with their rejection rules.
    metric : str
        What is compared.
    difference : float
        A minus B, means over training seeds.
    low, high : float
        Bounds at ``level``.
    level : float
        Coverage of the interval.
    p : float
        Two-sided, of no difference.
    scope : str
        On what this holds, and on what not.
    verdict : str
        One sentence for people.
    per_generator : tuple of GeneratorTest
        Seen generators, then unseen ones.
    """

    a: str
    b: str
    metric: str
    difference: float
    low: float
    high: float
    level: float
    p: float
    scope: str
    verdict: str
    per_generator: tuple[GeneratorTest, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-able form; undefined numbers are None."""
        return to_json(self)

    def to_frame(self) -> pd.DataFrame:
        """One row for each generator, as :class:`GeneratorTest`."""
        return pd.DataFrame([vars(test) for test in self.per_generator])


@dataclass(frozen=True)
class _Entry:
    """The runs of one side, one for each seed, and the rule that was named with it, if one was."""

    runs: tuple[Run, ...]
    rule: str | None

    def fold(self, manifest_id: str) -> list[Run]:
        """The runs on one manifest."""
        return [run for run in self.runs if run.manifest_id == manifest_id]


def compare(
    a: str | Path,
    b: str | Path,
    *,
    runs: str | Path = RUNS,
    metric: str | None = None,
    rule: str | None = None,
    manifest_id: str | None = None,
    bootstrap: int = 1000,
) -> Comparison:
    """Compare two entries.

    Parameters
    ----------
    a, b : str or Path
        Each a folder of one method's runs, a run folder, or a label of the board of ``runs``: an entry's name, also
        followed by its rejection rule (``resnet50 msp``).
    runs : str or Path
        Where labels are looked up.
    metric : str, optional
        A metric with one value; without it the one that ranks.
    rule : str, optional
        Rejection rule of both sides; without it, of each the one that it is ranked by.
    manifest_id : str, optional
        The manifest, or the first characters of its id, where both sides answer several.
    bootstrap : int
        Joint resamples.

    Raises
    ------
    UsageError
        Unknown labels, rules and metrics, and labels that mean several entries.
    RunError
        Two sides that answer no manifest in common.
    """
    sides = [_find(a, Path(runs)), _find(b, Path(runs))]
    manifest = _shared_manifest(sides, manifest_id)
    rows = [side.fold(manifest.manifest_id) for side in sides]
    rules = [_rule(found, rule or side.rule, manifest) for found, side in zip(rows, sides, strict=True)]
    answers = [[run.answers(name, manifest) for run in found] for found, name in zip(rows, rules, strict=True)]
    name = metric or primary_metric(len(manifest.unseen))
    outcomes = [[one.test for one in side] for side in answers]
    cuts = [[one.threshold(DEFAULT_THRESHOLD_RULE) for one in side] for side in answers]
    same = [run.folder.resolve() for run in rows[0]] == [run.folder.resolve() for run in rows[1]]
    try:
        found = paired_difference(
            outcomes[0],
            outcomes[1],
            name,
            thresholds=(cuts[0], cuts[1]),
            replicates=bootstrap,
            level=LEVEL,
            same_fits=same,
        )
    except ValueError as error:
        raise UsageError(printable(error)) from error
    labels = [_label(run[0], one) for run, one in zip(rows, rules, strict=True)]
    if labels[0] == labels[1]:
        labels = [f"{label} ({which})" for label, which in zip(labels, "AB", strict=True)]
    scope = _scope(name, manifest, answers)
    return Comparison(
        a=labels[0],
        b=labels[1],
        metric=name,
        difference=found.difference,
        low=found.low,
        high=found.high,
        level=LEVEL,
        p=found.p_value,
        scope=scope,
        verdict=_verdict(labels, name, found.difference, found.low, found.high, found.p_value, manifest),
        per_generator=_generator_tests(outcomes, cuts, manifest),
    )


def _find(text: str | Path, folder: Path) -> _Entry:
    """The runs that somebody means by a folder or a label."""
    path = Path(text)
    if (path / RUN_FILE).exists():
        return _Entry((Run.open(path),), None)
    if path.is_dir():
        inside = sorted(one.parent for one in path.glob(f"[!.]*/{RUN_FILE}"))
        units = [Unit(one, (Run.open(one),)) for one in inside] if inside else collect(path)[0]
        return _Entry(_of_one_entry(units, str(text)), None)
    units, _ = collect(folder)
    labels = sorted({name for unit in units for name in _names(unit.runs[0])})
    words = str(text).split()
    for cut in range(len(words), 0, -1):
        name, more = " ".join(words[:cut]), " ".join(words[cut:])
        meant = [unit for unit in units if name in _names(unit.runs[0])]
        if meant and len(words) - cut <= 1:
            runs = _of_one_entry(meant, name)
            if more and more not in runs[0].rules:
                raise unknown_name(f"rejection rule of {name}", more, runs[0].rules)
            return _Entry(runs, more or None)
    raise unknown_name(f"entry of {folder}", str(text), labels)


def _names(run: Run) -> set[str]:
    return {name for name in (run.info.label, run.method) if name}


def _of_one_entry(units: Sequence[Unit], text: str) -> tuple[Run, ...]:
    entries: dict[tuple[str, str, str], list[Unit]] = {}
    for unit in units:
        entries.setdefault(unit.key, []).append(unit)
    if len(entries) != 1:
        some = ", ".join(printable(found[0].folder) for found in entries.values())
        raise UsageError(f"'{printable(text)}' means {len(entries)} entries: give a folder of one ({some}).")
    (found,) = entries.values()
    folds: dict[str, list[Unit]] = {}
    for unit in found:
        folds.setdefault(unit.runs[0].manifest_id, []).append(unit)
    return tuple(run for fold in folds.values() for run in choose(fold)[0])


def _shared_manifest(sides: Sequence[_Entry], manifest_id: str | None) -> Manifest:
    ids = [{run.manifest_id for run in side.runs} for side in sides]
    shared = sorted(one for one in ids[0] & ids[1] if one.startswith(manifest_id or ""))
    if not shared:
        raise RunError(
            "the two answer no manifest in common"
            + (f" that begins with {printable(manifest_id)}" if manifest_id else "")
            + f": {_short(ids[0])} and {_short(ids[1])}. Scores of different images do not compare."
        )
    if len(shared) > 1:
        raise UsageError(f"the two share {len(shared)} manifests: say which one, --manifest ID ({_short(shared)}).")
    return next(run for run in sides[0].runs if run.manifest_id == shared[0]).manifest()


def _short(ids: Sequence[str] | set[str]) -> str:
    return ", ".join(one[:12] for one in sorted(ids)[:10])


def _rule(runs: Sequence[Run], name: str | None, manifest: Manifest) -> str:
    """The rule that a side is read by: the one that was named, else the one that it is ranked by."""
    if name is not None:
        return runs[0].rule(name)
    every = [run.every_answer(manifest) for run in runs]
    shared = [rule for rule in runs[0].rules if all(rule in one for one in every)]
    return primary_rule({rule: separation_of([one[rule].validation for one in every]) for rule in shared})


def _label(run: Run, rule: str) -> str:
    return f"{printable(run.info.label) or run.method} {rule}"


def _generator_tests(
    outcomes: Sequence[Sequence[Outcome]], cuts: Sequence[Sequence[float]], manifest: Manifest
) -> tuple[GeneratorTest, ...]:
    first, second = (_mostly_right(side, own) for side, own in zip(outcomes, cuts, strict=True))
    test = outcomes[0][0]
    groups = [("seen", name, test.truth == k) for k, name in enumerate(manifest.seen)]
    groups += [("unseen", name, test.unseen_group == k) for k, name in enumerate(manifest.unseen)]
    counts = [(int((first & ~second)[rows].sum()), int((second & ~first)[rows].sum())) for _, _, rows in groups]
    p_values = [mcnemar(only_a, only_b) for only_a, only_b in counts]
    return tuple(
        GeneratorTest(name, "seen" if openness == "seen" else "unseen", int(rows.sum()), *count, p, corrected)
        for (openness, name, rows), count, p, corrected in zip(groups, counts, p_values, holm(p_values), strict=True)
    )


def _mostly_right(outcomes: Sequence[Outcome], cuts: Sequence[float]) -> np.ndarray:
    """Which images most seeds answer rightly: bool (N,)."""
    votes = np.zeros(len(outcomes[0]))
    for outcome, cut in zip(outcomes, cuts, strict=True):
        accepted = outcome.known_score >= cut
        votes += np.where(outcome.truth >= 0, accepted & (outcome.candidate == outcome.truth), ~accepted)
    return votes > len(outcomes) / 2


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p-value: of ``only_a + only_b`` fair coins, so many or fewer on the rarer side (McNemar, 1947).

    Examples
    --------
    >>> mcnemar(5, 0), mcnemar(3, 3)
    (0.0625, 1.0)
    """
    total = only_a + only_b
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), total, 0.5))) if total else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, in the order given (Holm, 1979).

    Examples
    --------
    >>> holm([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.04]
    """
    order = np.argsort(p_values, kind="stable")
    corrected, largest = [0.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[i]))
        corrected[i] = largest
    return corrected


def _scope(metric: str, manifest: Manifest, answers: Sequence[Sequence[Answers]]) -> str:
    test = answers[0][0].test
    seen = int((test.truth >= 0).sum())
    unseen = f" and {len(test) - seen} of {len(manifest.unseen)} unseen ({', '.join(manifest.unseen)})"
    seeds = [len(side) for side in answers]
    trained = (
        "One training each: two fitted models are compared, not two ways of training."
        if max(seeds) == 1
        else f"{seeds[0]} and {seeds[1]} training seeds."
    )
    return (
        f"{METRICS[metric].title} on {printable(manifest.suite)}, {printable(manifest.fold)}: {seen} test images of "
        f"{len(manifest.seen)} seen generators{unseen if manifest.unseen else ''}. {trained} It holds for these "
        "generators and this content; others may turn it round."
    )


def _verdict(
    labels: Sequence[str], metric: str, difference: float, low: float, high: float, p: float, manifest: Manifest
) -> str:
    where = f"on these {len(manifest.seen) + len(manifest.unseen)} generators of {printable(manifest.suite)}"
    title = METRICS[metric].title
    if not math.isfinite(p):
        return f"{labels[0]} and {labels[1]} cannot be compared by {title} {where}: it is undefined."
    numbers = f"{abs(difference):.3f} (interval {low:.3f} to {high:.3f} of A minus B, p = {p:.2g})"
    if p > 1 - LEVEL:
        return f"No difference between {labels[0]} and {labels[1]} can be told in {title} {where}: {numbers}."
    better = (difference > 0) != METRICS[metric].lower_is_better
    first, second = labels if better else reversed(labels)
    return f"{first} is better than {second} in {title} {where}, by {numbers}."
