"""Floors of a board: the answers of an audit's probes as runs, scored like any other and never ranked."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ...generation.audit_record import Audit, write_audit
from ...generation.card import write_card
from ...generation.dataset import Dataset
from ..card import MethodCard
from ..environment import git_revision, hardware, library_versions
from ..manifest import Manifest
from ..method_code import code_sha256
from ..predictions import Predictions
from ..protocols import Protocol
from ..run_info import RUN_FILE, Config, ManifestInfo, RunInfo
from ..runs import Run, run_id, store_manifest
from ..scores import Scores
from .attributors import SEED
from .probe import Probe, probe_names
from .report import audit_dataset

PREFIX = "floor-"
RULE = "msp"


def audit_with_floors(
    dataset: Dataset,
    protocol: Protocol | str | Path | None = None,
    *,
    out: Path | None = None,
    manifests: Collection[Manifest] | None = None,
) -> Audit:
    """Audit a dataset and keep the report with it, and the probes' answers as runs.

    Parameters
    ----------
    dataset : Dataset
        It must be complete.
    protocol : Protocol, str or Path, optional
        See :func:`.report.audit_dataset`.
    out : Path, optional
        The runs folder; no runs without it.
    manifests : collection of Manifest, optional
        Only runs on these; on all folds that were asked without it.

    Returns
    -------
    Audit
        Also in ``audit.json`` and on the card of a dataset that can be written. The errors of
        :func:`.report.audit_dataset`.
    """
    wanted = None if manifests is None else {manifest.manifest_id for manifest in manifests}

    def keep(probe: Probe, classifier: str, manifest: Manifest, scores: Scores, seconds: float) -> None:
        if out is not None and (wanted is None or manifest.manifest_id in wanted):
            write_floor(out, probe, classifier, manifest, scores, seconds)

    found = audit_dataset(dataset, protocol, on_answers=None if out is None else keep)
    if os.access(dataset.path, os.W_OK):
        write_audit(dataset, found)
        write_card(dataset)
    return found


def write_floor(out: Path, probe: Probe, classifier: str, manifest: Manifest, scores: Scores, seconds: float) -> Run:
    """Publish the answers of a probe on a fold as the run of a method ``floor-NAME``.

    Parameters
    ----------
    out : Path
        The runs folder.
    probe : Probe
        Whose answers.
    classifier : str
        What learned from it, chosen on validation images.
    manifest : Manifest
        The fold.
    scores : Scores
        To all validation and test images, in its order.
    seconds : float
        That they took.
    """
    config = _config(manifest)
    name = PREFIX + probe.name
    info = RunInfo(
        method=name,
        seed=SEED,
        rules=(RULE,),
        card=_card(probe, classifier),
        config=config,
        manifest=ManifestInfo.of(manifest),
        code_sha256=code_sha256(type(probe)),
        versions=library_versions(),
        git=git_revision(),
        hardware=hardware("cpu"),
        precision="float64",
        wall_time_s=seconds,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    store_manifest(out, manifest)
    ids = np.asarray(manifest.rows("val", "test")["image_id"], str)
    return Run.write(_folder(out, probe.name, manifest), info, Predictions.of(ids, {RULE: scores}))


def has_floors(out: Path, manifest: Manifest) -> bool:
    """Whether every probe has left its answers on a fold in a runs folder."""
    return all((_folder(out, name, manifest) / RUN_FILE).is_file() for name in probe_names())


def _config(manifest: Manifest) -> Config:
    return Config(given={}, defaults={}, options={}, crop_size=manifest.crop_size)


def _folder(out: Path, probe: str, manifest: Manifest) -> Path:
    return out / (PREFIX + probe) / run_id(SEED, _config(manifest).hash_on(manifest.manifest_id))


def _card(probe: Probe, classifier: str) -> MethodCard:
    return MethodCard(
        title=f"Floor: {probe.name}",
        paper="none",
        url="",
        faithful=[
            f"looks at nothing but {probe.title}",
            f"{classifier}: of three standard classifiers the best on validation images",
        ],
        deviations=["no method: what is found here needs no forensic trace"],
        kind="floor",
    )
