"""What an audit found about a dataset: ``audit.json`` in it, for its card and for boards.

Whoever makes the audit is :mod:`osbench.benchmark.audit`; this is the document, which needs nothing to be read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any

from ..core.documents import Limits, from_json, to_json
from ..core.errors import DatasetError
from ..core.foreign import read_json
from ..core.markdown import markdown_table
from ..core.publish import write_atomically
from .dataset import Dataset

AUDIT = "audit.json"
_MAX_BYTES = 4 << 20

Name = Annotated[str, Limits(shortest=1, longest=200)]
Text = Annotated[str, Limits(longest=1000)]


@dataclass(frozen=True)
class GateResult:
    """One demand on a dataset.

    Parameters
    ----------
    name : str
        Of the probe.
    value : float, optional
        Its accuracy; None if it could not be asked.
    limit : float
        The highest accuracy that is allowed; of the gate ``trace`` the lowest.
    ok : bool
        Whether it holds.
    reason : str
        What the value is compared with, or why there is none.
    """

    name: Name
    value: float | None
    limit: float
    ok: bool
    reason: Text


@dataclass(frozen=True)
class ProbeResult:
    """How well one trivial attributor does on one question.

    Parameters
    ----------
    name : str
        The probe; across weights, ``probe across weights``.
    title : str
        What it looks at.
    protocol : str
        The question.
    folds : tuple of str
        Folds of it that were asked; the numbers are means over them.
    classifier : str
        Of three, the one that was best on validation images.
    chance : float
        Accuracy of an answer that never changes.
    accuracy : float
        Share of the seen test images that get their generator.
    auc_af1_crr : float, optional
        Area under aF1 over CRR, the known score being the highest probability; None where nobody is unseen.
    low, high : float
        95 % interval of the accuracy.
    auc_low, auc_high : float, optional
        Of the area.
    """

    name: Name
    title: Text
    protocol: Name
    folds: Annotated[tuple[Name, ...], Limits(longest=10_000)]
    classifier: Name
    chance: float
    accuracy: float
    auc_af1_crr: float | None
    low: float
    high: float
    auc_low: float | None = None
    auc_high: float | None = None


@dataclass(frozen=True)
class Audit:
    """The report on a dataset.

    Parameters
    ----------
    suite, suite_version : str
        Of the dataset.
    content : str
        SHA-256 of what the ledger says of its shards: an audit of another state is none.
    images : int
        How many were looked at.
    gates : tuple of GateResult
        What the dataset must keep.
    probes : tuple of ProbeResult
        Every probe on every question.
    """

    suite: Name
    suite_version: Name
    content: Name
    images: int
    gates: Annotated[tuple[GateResult, ...], Limits(longest=100)]
    probes: Annotated[tuple[ProbeResult, ...], Limits(longest=1000)]

    @property
    def ok(self) -> bool:
        """Whether every gate holds."""
        return all(gate.ok for gate in self.gates)

    def to_json(self) -> dict[str, Any]:
        """The document of ``audit.json``."""
        return to_json(self)


def content_of(dataset: Dataset) -> str:
    """SHA-256 over the files of a complete dataset, as its ledger states them."""
    lines = [f"{entry.file} {entry.sha256}\n" for entry in dataset.shards()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_audit(dataset: Dataset, audit: Audit) -> None:
    """Store an audit with its dataset."""
    text = json.dumps(audit.to_json(), indent=2, allow_nan=False) + "\n"
    write_atomically(dataset.path / AUDIT, text.encode())


def read_audit(dataset: Dataset) -> Audit | None:
    """The audit that lies with a dataset; None if there is none, or one of another state of the dataset.

    DatasetError for a file that is no audit.
    """
    path = dataset.path / AUDIT
    if not path.exists():
        return None
    audit = from_json(Audit, read_json(path, DatasetError, _MAX_BYTES), str(path), DatasetError)
    return audit if audit.content == content_of(dataset) else None


def audit_markdown(audit: Audit) -> str:
    """An audit for people: what it is, the gates, every probe."""
    failed = [gate.name for gate in audit.gates if not gate.ok]
    verdict = f"**Gates that fail: {', '.join(failed)}.**" if failed else "Every gate holds."
    gates = [
        [gate.name, _rate(gate.value), f"{gate.limit:.3f}", "holds" if gate.ok else "**fails**", gate.reason]
        for gate in audit.gates
    ]
    probes = [
        [probe.name, probe.title, f"{_rate(probe.accuracy)} ({_rate(probe.low)} to {_rate(probe.high)})", _area(probe)]
        for probe in audit.probes
    ]
    said = (
        f"What attributors that look at no trace can do, on {audit.images:,} images: each row is, of three standard"
        " classifiers, the best on validation images. Where colours or file sizes name the source, a high score of a"
        f" method says nothing about traces. {verdict}"
    )
    first = markdown_table(["gate", "accuracy", "limit", "", "against"], gates)
    second = markdown_table(["probe", "looks at", "accuracy (95 %)", "AUC aF1-CRR (95 %)"], probes)
    return "\n\n".join([said, first, second])


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _area(probe: ProbeResult) -> str:
    if probe.auc_af1_crr is None:
        return "-"
    return f"{_rate(probe.auc_af1_crr)} ({_rate(probe.auc_low)} to {_rate(probe.auc_high)})"
