from __future__ import annotations

from pathlib import Path

import pytest

from osbench.core.errors import DatasetError
from osbench.generation.audit_record import AUDIT, Audit, GateResult, ProbeResult, content_of, read_audit, write_audit
from osbench.generation.card import card_text
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate


def made(dataset: Dataset, *, ok: bool = True) -> Audit:
    gate = GateResult("colour", 0.31, 0.25 if not ok else 0.35, ok, "chance 0.200 + 0.05")
    probe = ProbeResult("colour", "colours", "fang2023", ("fang2023",), "random forest", 0.2, 0.31, None, 0.25, 0.37)
    return Audit(dataset.suite, dataset.suite_version, content_of(dataset), 20, (gate,), (probe,))


def test_an_audit_is_kept_and_read_again(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = generate(tiny_suite, tmp_path / "data")
    assert read_audit(dataset) is None
    assert "Not audited as it is now" in card_text(dataset)
    write_audit(dataset, made(dataset))
    assert read_audit(dataset) == made(dataset)
    text = card_text(dataset)
    assert "Every gate holds." in text
    assert "| colour | 0.310 | 0.350 | holds |" in text
    assert "| colour | colours | 0.310 (0.250 to 0.370) | - |" in text
    write_audit(dataset, made(dataset, ok=False))
    assert "**Gates that fail: colour.**" in card_text(dataset)


def test_an_audit_of_fewer_images_is_none(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = generate(tiny_suite, tmp_path / "data", count=4)
    write_audit(dataset, made(dataset))
    grown = generate(tiny_suite, tmp_path / "data", count=8)
    assert read_audit(grown) is None
    assert "Not audited as it is now" in (grown.path / "README.md").read_text()


def test_a_file_that_is_no_audit_costs_its_section_alone(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = generate(tiny_suite, tmp_path / "data", count=4)
    (dataset.path / AUDIT).write_text('{"suite": 3}')
    with pytest.raises(DatasetError, match=r"audit\.json"):
        read_audit(dataset)
    assert "Not audited as it is now" in card_text(dataset)
