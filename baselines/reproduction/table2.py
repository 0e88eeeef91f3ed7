"""Table 2 of paper 1: five embedding networks, from scratch and after pre-training on camera models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...benchmark.metrics import PRIMARY
from ..cameras.pretrained import CAMERA as PRETRAINED
from ..cameras.pretrained import SCRATCH
from ..methods.proposed import Proposed
from .experiment import Entry, Experiment, Trained, beside, comparison, made_with
from .published import Paper

SAME_RATE = "camera-same-rate"
"""The arm that the paper has not: pre-trained weights at the learning rate of training from scratch."""


def make_table2(
    paper: Paper, experiment: Experiment, *, rows: Sequence[str] = (), same_rate: Sequence[str] = ()
) -> dict[str, Any]:
    """Train every network both ways; returns ``rows``, one for each network, and ``made`` (:func:`made_with`).

    Paper 1 changes two things at once: pre-trained networks also learn at 1e-4 instead of 7e-4. For the
    networks in ``same_rate`` there is a third arm with the start of the one and the rate of the other.

    Keys of a row: ``network``; ``arms`` (arm -> ``auc_af1_crr`` as :func:`beside` gives it, ``accuracy`` on seen test
    images, ``lr``, ``seconds`` per seed); ``gains`` (pre-trained arm -> :func:`comparison` with scratch);
    ``pretraining`` (what the weights were trained on). ``rows``: only these networks; UsageError for others.
    """
    printed = paper.chosen_rows(2, rows)
    trained: dict[tuple[str, str], Trained] = {}
    cards = {}
    for name in printed:
        init, cards[name] = experiment.camera_weights(name)
        for arm, how in _arms(name, init, name in same_rate, experiment).items():
            trained[name, arm] = how
    found = experiment.entries(trained)
    arms = {name: {arm: entry for (network, arm), entry in found.items() if network == name} for name in printed}
    return {
        "rows": [_row(name, arms[name], cards[name], printed[name], experiment) for name in printed],
        "made": made_with(found.values()),
    }


def _arms(network: str, init: str, same_rate: bool, experiment: Experiment) -> dict[str, Trained]:
    """Arm -> how it is trained; ``init`` are the pre-trained weights."""
    arms = {SCRATCH: _trained(network, experiment, SCRATCH), PRETRAINED: _trained(network, experiment, init)}
    if same_rate:
        arms[SAME_RATE] = _trained(network, experiment, init, lr=Proposed.defaults["lr"])
    return arms


def _trained(network: str, experiment: Experiment, init: str, **given: Any) -> Trained:
    title = f"{network}, start: {init}" + (f", lr {given['lr']}" if given else "")
    options = {"network": network, "preset": experiment.preset, "init": init, **given}
    return Trained(title, "proposed", "native", options)


def _row(
    network: str, entries: dict[str, Entry], card: dict[str, Any], printed: dict[str, float], experiment: Experiment
) -> dict[str, Any]:
    published_gain = printed[PRETRAINED] - printed[SCRATCH]
    gains = {
        arm: comparison(
            published_gain if arm == PRETRAINED else None,
            entry,
            entries[SCRATCH],
            PRIMARY,
            experiment.replicates,
        )
        for arm, entry in entries.items()
        if arm != SCRATCH
    }
    return {
        "network": network,
        "arms": {arm: _arm(entry, printed.get(arm), experiment) for arm, entry in entries.items()},
        "gains": gains,
        "pretraining": _pretraining(card),
    }


def _arm(entry: Entry, printed: float | None, experiment: Experiment) -> dict[str, Any]:
    found = entry.intervals([PRIMARY, "accuracy"], experiment.replicates)
    return {
        PRIMARY: beside(printed, found[PRIMARY]),
        "accuracy": beside(None, found["accuracy"]),
        "lr": entry.runs[0].info.config.options["lr"],
        "seconds": round(entry.seconds, 1),
    }


def _pretraining(card: dict[str, Any]) -> dict[str, Any]:
    scenes = card["trained_on"].get("scenes", {})
    return {
        "kind": card["trained_on"]["kind"],
        "cameras": card["cameras"],
        "scenes": f"{scenes['count']} {scenes['kind']}" if scenes else "",
        "crops": card["crops"]["train"],
        "epochs": card["recipe"]["epochs"],
        "accuracy": card["accuracy"]["held_out_scenes"],
        "chance": card["accuracy"]["chance"],
    }
