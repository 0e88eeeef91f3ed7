"""The audit of a dataset: every probe on every question, and the gates."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...core.columns import text_columns
from ...core.progress import progress_bar
from ...generation.audit_record import Audit, GateResult, ProbeResult, content_of
from ...generation.dataset import Dataset
from ..answers import outcome_of
from ..manifest import Manifest
from ..metrics import PRIMARY, Outcome
from ..protocols import Protocol
from ..scores import Scores
from .attributors import attribute, best
from .evidence import Evidence, looked_at, read_evidence
from .intervals import fold_intervals
from .probe import Probe, get_probe, probe_names
from .questions import Question, Questions, questions, seen_share

ACROSS = " across weights"
_SLACK = 1e-9

OnAnswers = Callable[[Probe, str, Manifest, Scores, float], object]
"""Called with a probe, the chosen classifier, a fold, its answers to all validation and test images, and seconds."""


def audit_dataset(
    dataset: Dataset, protocol: Protocol | str | Path | None = None, *, on_answers: OnAnswers | None = None
) -> Audit:
    """Ask every probe about a dataset; nothing is written.

    Parameters
    ----------
    dataset : Dataset
        It must be complete; any one does, imported ones too.
    protocol : Protocol, str or Path, optional
        Under which one, see :func:`.questions.questions`.
    on_answers : callable, optional
        Gets the answers of every probe under the dataset's own protocol, to keep them; all validation and test images
        are then asked about.

    Returns
    -------
    Audit
        Gates and probes.

    Raises
    ------
    DatasetError
        Fewer than three generators, too few images of one, damaged or missing frames.
    """
    index = dataset.index()
    asked = questions(dataset, protocol, index)
    whole = [manifest for question in asked.each() for manifest in question.manifests]
    small = {id(manifest): looked_at(manifest, every=on_answers is not None) for manifest in whole}
    probes = {name: get_probe(name)() for name in probe_names()}
    evidence = read_evidence(dataset, index, list(small.values()), probes)
    findings: dict[tuple[str, str], ProbeResult] = {}
    with progress_bar("audit: ask probes", len(probes) * len(whole), "fold") as bar:
        for question in asked.each():
            manifests = [small[id(manifest)] for manifest in question.manifests]
            for name, probe in probes.items():
                start = time.monotonic()
                classifier, answers = _ask(probe, evidence, manifests, bar.update)
                seconds = (time.monotonic() - start) / len(answers)
                findings[question.name, name] = _result(probe, question, asked, classifier, answers, manifests)
                if on_answers is not None and question is asked.own:
                    for manifest, scores in zip(question.manifests, answers, strict=True):
                        on_answers(probe, classifier, manifest, scores, seconds)
    return Audit(
        suite=dataset.suite,
        suite_version=dataset.suite_version,
        content=content_of(dataset),
        images=len(evidence.position),
        gates=tuple(_gate(probe, asked, findings) for probe in probes.values()),
        probes=tuple(findings.values()),
    )


def _ask(
    probe: Probe, evidence: Evidence, manifests: Sequence[Manifest], done: Callable[[int], None]
) -> tuple[str, list[Scores]]:
    """The classifier that is best on validation images, and its answers in every fold."""
    answers: list[dict[str, Scores]] = []
    for manifest in manifests:
        answers.append(attribute(probe, evidence, manifest))
        done(1)
    classifier = best(answers, manifests)
    return classifier, [found[classifier] for found in answers]


def _result(
    probe: Probe,
    question: Question,
    asked: Questions,
    classifier: str,
    answers: Sequence[Scores],
    manifests: Sequence[Manifest],
) -> ProbeResult:
    outcomes = [_test_outcome(scores, manifest) for scores, manifest in zip(answers, manifests, strict=True)]
    names = ["accuracy", *([PRIMARY] if all(manifest.unseen for manifest in manifests) else [])]
    found = fold_intervals(outcomes, manifests, names)
    accuracy, area = found["accuracy"], found.get(PRIMARY)
    return ProbeResult(
        name=probe.name if question is asked.own else probe.name + ACROSS,
        title=probe.title,
        protocol=question.name,
        folds=tuple(manifest.fold for manifest in manifests),
        classifier=classifier,
        chance=float(np.mean([seen_share(manifest) for manifest in manifests])),
        accuracy=accuracy.estimate,
        auc_af1_crr=None if area is None else area.estimate,
        low=accuracy.low,
        high=accuracy.high,
        auc_low=None if area is None else area.low,
        auc_high=None if area is None else area.high,
    )


def _test_outcome(scores: Scores, manifest: Manifest) -> Outcome:
    test = np.asarray(manifest.rows("val", "test")["split"] == "test")
    own = Scores(scores.class_scores[test], scores.known_score[test], scores.candidate[test])
    return outcome_of(own, manifest, "test")


def _gate(probe: Probe, asked: Questions, findings: dict[tuple[str, str], ProbeResult]) -> GateResult:
    """Whether a probe keeps its gate, across weights where they can be asked about."""
    question = asked.weights or asked.own
    found = findings[question.name, probe.name]
    least, margin = probe.gate.at_least, probe.gate.above_chance
    if least is not None:
        if asked.weights is None:
            return GateResult(probe.name, None, least, False, f"not attributable: {asked.why_not}"[:1000])
        held = found.accuracy >= least - _SLACK
        reason = f"at least {least:.2f} under {question.name}" + ("" if held else ": not attributable")
        return GateResult(probe.name, found.accuracy, least, held, reason)
    assert margin is not None
    limit = found.chance + margin
    reason = f"chance {found.chance:.3f} + {margin:.2f}, under {question.name}"
    return GateResult(probe.name, found.accuracy, limit, found.accuracy <= limit + _SLACK, reason)


def audit_text(audit: Audit) -> str:
    """An audit for people: the gates, then every probe."""
    gates = [["gate", "accuracy", "limit", "", "why"]]
    for gate in audit.gates:
        value = "-" if gate.value is None else f"{gate.value:.3f}"
        gates.append([gate.name, value, f"{gate.limit:.3f}", "holds" if gate.ok else "FAILS", gate.reason])
    rows = [["probe", "accuracy", "95 %", "AUC", "95 %", "by", "folds"]]
    for probe in audit.probes:
        area = ["-", "-"]
        if probe.auc_af1_crr is not None:
            area = [f"{probe.auc_af1_crr:.3f}", _range(probe.auc_low, probe.auc_high)]
        accuracy = [f"{probe.accuracy:.3f}", _range(probe.low, probe.high)]
        rows.append([probe.name, *accuracy, *area, probe.classifier, f"{len(probe.folds)} of {probe.protocol}"])
    failed = sum(not gate.ok for gate in audit.gates)
    verdict = "every gate holds" if audit.ok else f"{failed} of {len(audit.gates)} gates fail"
    head = f"{audit.suite} ({audit.suite_version}), {audit.images:,} images: {verdict}"
    return f"{head}\n\n{text_columns(gates)}\n\n{text_columns(rows)}"


def _range(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.3f}-{high:.3f}"
