"""Floors of a board: the answers of an audit's probes as runs, scored like any other and never ranked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ..card import MethodCard
from ..environment import git_revision, hardware, library_versions
from ..manifest import Manifest
from ..method_code import code_sha256
from ..predictions import Predictions
from ..run_info import Config, ManifestInfo, RunInfo
from ..runs import Run, run_id, store_manifest
from ..scores import Scores
from .attributors import SEED
from .probe import Probe

PREFIX = "floor-"
RULE = "msp"


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
    config = Config(given={}, defaults={}, options={}, crop_size=manifest.crop_size)
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
    folder = out / name / run_id(SEED, config.hash_on(manifest.manifest_id))
    return Run.write(folder, info, Predictions.of(ids, {RULE: scores}))


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
