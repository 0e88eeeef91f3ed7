"""What an audit asks: the data set's own protocol, and the same across weights where there are several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ...core.defaults import PROTOCOL
from ...core.errors import DatasetError
from ...core.text import printable
from ...generation.dataset import Dataset
from ..manifest import Manifest, build_manifest, folds_of, learned_of
from ..manifest_folder import find_protocol
from ..protocols import Fold, Protocol, load_protocol
from ..splitting import originals

MOST_FOLDS = 4
"""Folds of a protocol that are asked; of more, these are spread over what is held out and who is unseen."""

WEIGHTS = "cross-weights"


@dataclass(frozen=True)
class Question:
    """A protocol on a dataset.

    Parameters
    ----------
    name : str
        Of the protocol.
    manifests : tuple of Manifest
        The folds that are asked.
    """

    name: str
    manifests: tuple[Manifest, ...]


@dataclass(frozen=True)
class Questions:
    """All that is asked of a dataset.

    Parameters
    ----------
    own : Question
        By the dataset's protocol.
    weights : Question, optional
        Trained on some weights of every family and tested on others; the same object as ``own`` if the protocol does.
    why_not : str
        Why there is no such question, in words.
    """

    own: Question
    weights: Question | None
    why_not: str

    def each(self) -> tuple[Question, ...]:
        """The questions, each once."""
        return (self.own,) if self.weights is None or self.weights is self.own else (self.own, self.weights)


def questions(dataset: Dataset, protocol: Protocol | str | Path | None, index: pd.DataFrame) -> Questions:
    """What to ask of a dataset.

    Parameters
    ----------
    dataset : Dataset
        It must be complete.
    protocol : Protocol, str or Path, optional
        Whose folds; without it the only one that is stored with the dataset, else ``fang2023`` where its architectures
        are there, else ``rotate-one``.
    index : pandas.DataFrame
        The dataset's index.

    Raises
    ------
    DatasetError
        Fewer than three generators, or too few images of one.
    """
    index = originals(index)
    generators = sorted(set(index["generator"].tolist()))
    if len(generators) < 3:
        raise DatasetError(
            f"{printable(dataset.path)}: an audit needs three generators, two to tell apart and one that is unseen; "
            f"this dataset has {', '.join(generators)}: generate others, or add folders of images with --from-folder."
        )
    rule = find_protocol(dataset, protocol) if protocol is not None else _own_protocol(dataset, index)
    own = _question(dataset, rule, index)
    if rule.hold_out == "weights":
        return Questions(own, own, "")
    if not any(source.weights for source in learned_of(dataset)):
        return Questions(
            own, None, "every generator has one file of weights, which cannot be told from its architecture"
        )
    if rule.hold_out is not None or rule.shots:
        return Questions(own, None, f"protocol {rule.name} leaves nothing to hold out: audit by fang2023 or rotate-one")
    across = load_protocol(WEIGHTS) if rule.name == PROTOCOL else replace(rule, name=f"{rule.name}-{WEIGHTS}")
    try:
        return Questions(own, _question(dataset, replace(across, hold_out="weights"), index), "")
    except DatasetError as error:
        return Questions(own, None, str(error).rstrip("."))


def _own_protocol(dataset: Dataset, index: pd.DataFrame) -> Protocol:
    stored = sorted((dataset.path / "manifests").glob("*.yaml"))
    if len(stored) == 1:
        return find_protocol(dataset, stored[0].stem)
    try:
        folds_of(dataset, load_protocol(PROTOCOL), index)
    except DatasetError:
        return load_protocol("rotate-one")
    return load_protocol(PROTOCOL)


def _question(dataset: Dataset, rule: Protocol, index: pd.DataFrame) -> Question:
    folds = spread(folds_of(dataset, rule, index), MOST_FOLDS)
    return Question(rule.name, tuple(build_manifest(dataset, rule, fold, index) for fold in folds))


def spread(folds: Sequence[Fold], most: int) -> list[Fold]:
    """At most so many folds, in their order: of everything that is held out, and of the whole list of unseen ones."""
    parts: dict[str, list[Fold]] = {}
    for fold in folds:
        parts.setdefault(fold.held_out, []).append(fold)
    each = list(parts.values())
    chosen = {each[k % len(each)][k * len(each[k % len(each)]) // most].name for k in range(most)}
    return [fold for fold in folds if fold.name in chosen]


def seen_share(manifest: Manifest) -> float:
    """Accuracy of an answer that never changes: the largest share of a class among the seen test images."""
    classes = np.asarray(manifest.rows("test")["class_index"], np.int64)
    counts = np.bincount(classes[classes >= 0])
    return float(counts.max() / counts.sum())
