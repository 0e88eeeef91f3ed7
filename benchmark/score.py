"""A score: every number of a run by one rejection rule. Always computed from its answers, never stored as the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd

from ..core.documents import Limits, from_json, to_json
from ..core.errors import RunError, UsageError
from .answers import DEFAULT_THRESHOLD_RULE, Answers
from .content import ContentRow, content_rows
from .manifest import Manifest
from .metrics import Outcome, af1_crr_curve, defined_metrics, defined_per_generator, generator_interval
from .metrics import threshold_rule as threshold_rule_of
from .metrics.intervals import Interval, interval_of, intervals_of
from .metrics.resampling import Replicates, Resamples, replicate
from .robustness.surface import SurfaceRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNKNOWN = "unknown"

_GRID = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class ScoredManifest:
    """What was answered."""

    manifest_id: str
    protocol: str
    fold: str
    suite: str


@dataclass(frozen=True)
class Threshold:
    """A threshold, the rule that chose it, and whether that rule looked at test labels (then it is never ranked)."""

    rule: str
    value: float
    oracle: bool


@dataclass(frozen=True)
class GeneratorScore:
    """The numbers of one generator: ``f1`` of a seen one, ``crr`` and ``auroc`` of an unseen one."""

    openness: Literal["seen", "unseen"]
    images: int
    f1: Interval | None = None
    crr: Interval | None = None
    auroc: Interval | None = None


@dataclass(frozen=True)
class Confusion:
    """Counts of test images: rows = true generator (seen, then unseen), columns = answer, the last one ``unknown``."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Curve:
    """aF1 over CRR: points (101,) for drawing. Where one CRR has several thresholds the best aF1 is drawn.

    The exact area is the metric ``auc_af1_crr``, not the area under this drawing.
    """

    crr: Annotated[tuple[float, ...], Limits(longest=1000)]
    af1: Annotated[tuple[float, ...], Limits(longest=1000)]


@dataclass(frozen=True)
class Bootstrap:
    """How the intervals were resampled."""

    replicates: int
    seed: int


@dataclass(frozen=True)
class Score:
    """Every number of one run, or of one method over its seeds, by one rejection rule.

    A metric is also an attribute: ``score.auc_af1_crr.estimate``.

    Parameters
    ----------
    method, rule : str
        The method and its rejection rule.
    seeds : tuple of int
        Of the fits.
    manifest : ScoredManifest
        What was answered.
    threshold : Threshold
        Where images are accepted; the mean over seeds.
    metrics : dict of str to Interval
        All of :data:`~osbench.benchmark.metrics.METRICS`, means over seeds, with intervals over images (*these
        generators*) and, of several seeds, over training (*this method*). Where nobody is unseen, those that need no
        unseen image.
    new_generator : dict of str to Interval
        ``crr`` and ``auroc_macro`` with prediction intervals (*a generator nobody has tested*); empty where nobody is
        unseen.
    per_generator : dict of str to GeneratorScore
        Seen generators, then unseen ones.
    confusion : Confusion
        Who was taken for whom; the sum over seeds.
    curve : Curve, optional
        aF1 over CRR, mean over seeds; None where nobody is unseen.
    composition : dict
        Images by source and split.
    bootstrap : Bootstrap
        How the intervals were resampled.
    content : tuple of ContentRow
        Answers by training set, where the manifest holds one out.
    robustness : tuple of SurfaceRow
        Metrics under every treatment that the run was asked about.
    """

    method: str
    rule: str
    seeds: tuple[int, ...]
    manifest: ScoredManifest
    threshold: Threshold
    metrics: dict[str, Interval]
    new_generator: dict[str, Interval]
    per_generator: dict[str, GeneratorScore]
    confusion: Confusion
    curve: Curve | None
    composition: dict[str, dict[str, int]]
    bootstrap: Bootstrap
    content: tuple[ContentRow, ...] = ()
    robustness: tuple[SurfaceRow, ...] = ()

    @classmethod
    def of(
        cls,
        answers: Answers | Sequence[Answers],
        *,
        threshold_rule: str = DEFAULT_THRESHOLD_RULE,
        bootstrap: int = 1000,
        seed: int = 0,
        robustness: Sequence[SurfaceRow] = (),
    ) -> Score:
        """Compute every number of some answers.

        Parameters
        ----------
        answers : Answers or sequence of Answers
            Of one run by one rejection rule, or of one method's runs, one per seed.
        threshold_rule : str
            How the threshold is chosen; UsageError for an unknown one.
        bootstrap : int
            Replicates of every interval.
        seed : int
            Of the resampling.
        robustness : sequence of SurfaceRow
            The run's robustness surface, if it has one.
        """
        several = [answers] if isinstance(answers, Answers) else list(answers)
        first, manifest = several[0], several[0].manifest
        tests, thresholds = [a.test for a in several], [a.threshold(threshold_rule) for a in several]
        names, each = defined_metrics(len(manifest.unseen)), defined_per_generator(len(manifest.unseen))
        found = replicate(tests, thresholds, names | each, Resamples(tests[0], bootstrap, seed))
        tables = [confusion(test, manifest, cut) for test, cut in zip(tests, thresholds, strict=True)]
        counts = np.sum([table.counts for table in tables], axis=0)
        return cls(
            method=first.info.method,
            rule=first.rule,
            seeds=tuple(a.info.seed for a in several),
            manifest=ScoredManifest(manifest.manifest_id, manifest.protocol, manifest.fold, manifest.suite),
            threshold=Threshold(threshold_rule, float(np.mean(thresholds)), threshold_rule_of(threshold_rule).oracle),
            metrics={name: interval_of(found, name) for name in names},
            new_generator=new_generator_intervals(found, manifest),
            per_generator=generator_scores(found, manifest),
            confusion=replace(tables[0], counts=tuple(tuple(row) for row in counts.tolist())),
            curve=_mean_curve(tests) if manifest.unseen else None,
            composition=manifest.counts(),
            bootstrap=Bootstrap(bootstrap, seed),
            content=tuple(content_rows(first.validation, tests[0], manifest, thresholds[0])) if not tests[1:] else (),
            robustness=tuple(robustness),
        )

    def __getattr__(self, name: str) -> Interval:
        metrics = self.__dict__.get("metrics", {})
        if name in metrics:
            return metrics[name]
        raise AttributeError(f"a score has no '{name}'; its metrics are {', '.join(metrics)}.")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(name for name in self.metrics if name.isidentifier())]

    def to_json(self) -> dict[str, Any]:
        """The score as a JSON document; undefined numbers are None."""
        return to_json(self)

    @classmethod
    def from_json(cls, document: Any, where: str = "score") -> Score:
        """The score of a document that :meth:`to_json` made; RunError names the first wrong key."""
        return from_json(cls, document, where, RunError)

    def to_frame(self) -> pd.DataFrame:
        """The metrics, one row each: ``metric``, ``estimate``, ``low``, ``high``."""
        rows = [(name, i.estimate, i.low, i.high) for name, i in self.metrics.items()]
        return pd.DataFrame(rows, columns=["metric", "estimate", "low", "high"])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw aF1 over CRR.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure without it.

        Returns
        -------
        matplotlib.axes.Axes
            With the curve. UsageError if matplotlib is not installed (it is the extra ``plot``), or nobody is unseen.
        """
        if self.curve is None:
            raise UsageError(f"{self.manifest.fold} is a closed set: without unseen images there is no aF1-CRR curve.")
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise UsageError("drawing needs matplotlib: pip install 'osbench[plot]'.") from error
        axes: Any = ax if ax is not None else pyplot.subplots()[1]
        label = f"{self.method}, {self.rule} (area {_number(self.auc_af1_crr.estimate)})"
        axes.plot([*self.curve.crr, 1.0], [*self.curve.af1, 0.0], label=label)
        axes.plot(self.crr.estimate, self.af1.estimate, "o", color=axes.lines[-1].get_color())
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="CRR", ylabel="aF1", title=self.manifest.fold)
        axes.legend()
        return axes


def new_generator_intervals(found: Replicates, manifest: Manifest) -> dict[str, Interval]:
    """``crr`` and ``auroc_macro`` of a generator that nobody has tested, from the means over seeds; none if closed."""
    if not manifest.unseen:
        return {}
    means = {name: found.each[name].mean(axis=0) for name in ("crr_per_generator", "auroc_per_generator")}
    return {
        "crr": generator_interval(means["crr_per_generator"]),
        "auroc_macro": generator_interval(means["auroc_per_generator"]),
    }


def generator_scores(found: Replicates, manifest: Manifest) -> dict[str, GeneratorScore]:
    """The numbers of every generator, seen ones first."""
    images = Counter(manifest.rows("test")["generator"])
    f1 = intervals_of(found, "f1_per_class")
    seen = {name: GeneratorScore("seen", images[name], f1=own) for name, own in zip(manifest.seen, f1, strict=True)}
    if not manifest.unseen:
        return seen
    crr, auroc = (intervals_of(found, f"{name}_per_generator") for name in ("crr", "auroc"))
    unseen = {
        name: GeneratorScore("unseen", images[name], crr=rejected, auroc=area)
        for name, rejected, area in zip(manifest.unseen, crr, auroc, strict=True)
    }
    return seen | unseen


def _mean_curve(tests: Sequence[Outcome]) -> Curve:
    curves = [drawn_curve(test) for test in tests]
    return Curve(curves[0].crr, tuple(np.mean([curve.af1 for curve in curves], axis=0).tolist()))


def confusion(test: Outcome, manifest: Manifest, threshold: float) -> Confusion:
    """Which generator was taken for which, at a threshold."""
    n = test.n_classes
    truth = np.where(test.truth >= 0, test.truth, n + test.unseen_group)
    answer = np.where(test.known_score >= threshold, test.candidate, n)
    counts = np.zeros((n + test.n_unseen, n + 1), np.int64)
    np.add.at(counts, (truth, answer), 1)
    rows = tuple(tuple(row) for row in counts.tolist())
    return Confusion((*manifest.seen, *manifest.unseen), (*manifest.seen, UNKNOWN), rows)


def drawn_curve(test: Outcome) -> Curve:
    """The aF1-CRR curve of some answers at 101 equal steps of CRR."""
    _, crr, af1 = af1_crr_curve(test)
    levels, first = np.unique(crr, return_index=True)
    values = np.interp(_GRID, levels, np.maximum.reduceat(af1, first))
    return Curve(tuple(_GRID.tolist()), tuple(values.tolist()))


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "-"
