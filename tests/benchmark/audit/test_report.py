from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from osbench.benchmark.audit import audit_dataset, audit_text, probe_names
from osbench.core.errors import DatasetError
from osbench.generation.audit_record import Audit
from osbench.generation.dataset import Dataset


def by_name(audit: Audit) -> tuple[dict, dict]:
    return {gate.name: gate for gate in audit.gates}, {probe.name: probe for probe in audit.probes}


@pytest.mark.numeric
def test_traces_are_found_across_weights_and_content_is_not(audit: Audit) -> None:
    """Same scenes, other up-sampling: a trace that survives a change of weights, and no colour that names it."""
    gates, probes = by_name(audit)
    assert gates["trace"].ok
    assert probes["trace across weights"].accuracy > 0.9
    for name in ("metadata", "file-structure", "colour", "layout"):
        # 36 test images of three classes: a standard error of .08 around chance.
        assert probes[f"{name} across weights"].accuracy < 0.6
        assert probes[f"{name} across weights"].chance == pytest.approx(1 / 3)


def test_every_probe_answers_both_questions(audit: Audit) -> None:
    _, probes = by_name(audit)
    assert set(probes) == {name + more for name in probe_names() for more in ("", " across weights")}
    assert probes["colour"].folds == ("fang2023",)
    assert probes["colour across weights"].folds == tuple(f"cross-weights/w{k}" for k in range(3))
    for probe in probes.values():
        assert 0 <= probe.low <= probe.accuracy <= probe.high <= 1
        assert probe.auc_low - 1e-12 <= probe.auc_af1_crr <= probe.auc_high + 1e-12


def test_gates_look_across_weights(audit: Audit) -> None:
    gates, probes = by_name(audit)
    assert [gate.name for gate in audit.gates] == probe_names()
    for name, margin in (("colour", 0.05), ("layout", 0.05), ("low-frequencies", 0.05), ("metadata", 0.05)):
        assert gates[name].value == probes[f"{name} across weights"].accuracy
        assert gates[name].limit == pytest.approx(1 / 3 + margin)
    for name in ("file-size", "file-structure", "fixed-pattern"):
        assert gates[name].limit == pytest.approx(1 / 3 + 0.10)
    assert gates["trace"].limit == 0.5
    for gate in audit.gates:
        assert gate.value is not None
        assert gate.ok == (gate.value >= gate.limit if gate.name == "trace" else gate.value <= gate.limit)


def test_a_dataset_of_one_weight_each_fails_and_is_not_attributable(dataset: Dataset) -> None:
    """Every generator of it has a colour of its own."""
    audit = audit_dataset(dataset)
    gates, probes = by_name(audit)
    assert not audit.ok
    assert not gates["colour"].ok
    assert gates["colour"].value == probes["colour"].accuracy > 0.9
    assert (gates["trace"].value, gates["trace"].ok) == (None, False)
    assert gates["trace"].reason.startswith("not attributable: every generator has one file of weights")
    assert gates["file-structure"].ok
    assert set(probes) == set(probe_names())
    assert "gates fail" in audit_text(audit)


def test_the_document_has_the_promised_keys_and_the_same_images_give_the_same_numbers(
    dataset: Dataset,
) -> None:
    first, again = audit_dataset(dataset, "rotate-one"), audit_dataset(dataset, "rotate-one")
    assert first == again
    document = json.loads(json.dumps(first.to_json(), allow_nan=False))
    assert {"name", "value", "limit", "ok"} <= set(document["gates"][0])
    assert {"name", "accuracy", "auc_af1_crr", "low", "high"} <= set(document["probes"][0])
    assert len(document["probes"][0]["folds"]) == 4


def test_a_dataset_with_one_source_in_one_line(dataset: Dataset) -> None:
    info = {**dataset.info, "sources": [s for s in dataset.info["sources"] if s["generator"] == "progan"]}
    with pytest.raises(DatasetError, match=r"needs three generators, .* has progan: generate others") as caught:
        audit_dataset(replace(dataset, info=info))
    assert "\n" not in str(caught.value)


def test_no_torch_is_loaded(dataset: Dataset) -> None:
    code = (
        "import sys\n"
        "from osbench.benchmark.audit import audit_dataset\n"
        "from osbench.generation.dataset import Dataset\n"
        f"audit_dataset(Dataset.open({str(dataset.path)!r}))\n"
        "assert 'torch' not in sys.modules, 'torch was loaded'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
