"""What the audit says of the suites that are shipped, on fewer pictures than they have."""

from __future__ import annotations

from pathlib import Path

from osbench.benchmark.audit.report import audit_dataset
from osbench.generation.generate import generate


def test_mini_matched_passes_every_gate(tmp_path: Path) -> None:
    dataset = generate("mini-matched", tmp_path, count=100, workers=1)
    found = audit_dataset(dataset, "cross-weights")
    assert {gate.name: (gate.value, gate.limit) for gate in found.gates if not gate.ok} == {}


def test_mini_fails_and_is_not_attributable(tmp_path: Path) -> None:
    dataset = generate("mini", tmp_path, count=40, workers=1)
    found = audit_dataset(dataset, "fang2023")
    assert {"colour", "file-size", "low-frequencies", "trace"} <= {gate.name for gate in found.gates if not gate.ok}
