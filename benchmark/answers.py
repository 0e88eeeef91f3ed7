"""Answers: what a run said by one rejection rule, with the truth; the input of every metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.errors import UsageError
from .manifest import Manifest
from .metrics import Outcome, choose_threshold
from .metrics import threshold_rule as threshold_rule_of
from .predictions import Predictions
from .run_info import RunInfo
from .scores import Scores

DEFAULT_THRESHOLD_RULE = "accept-95"


@dataclass(frozen=True, eq=False)
class Answers:
    """A run's answers by one rejection rule.

    Parameters
    ----------
    info : RunInfo
        How the run was made.
    rule : str
        The rejection rule.
    manifest : Manifest
        What was asked.
    validation : Outcome
        Seen validation images, in the order of the manifest.
    test : Outcome
        All test images, in the order of the manifest.
    """

    info: RunInfo
    rule: str
    manifest: Manifest
    validation: Outcome
    test: Outcome

    @classmethod
    def of(cls, info: RunInfo, rule: str, predictions: Predictions, manifest: Manifest) -> Answers:
        """Join predictions in the order of the manifest's val and test rows with the truth."""
        is_test = np.asarray(manifest.rows("val", "test")["split"] == "test")
        scores = predictions.scores(rule)
        return cls(
            info=info,
            rule=rule,
            manifest=manifest,
            validation=outcome_of(_take(scores, ~is_test), manifest, "val"),
            test=outcome_of(_take(scores, is_test), manifest, "test"),
        )

    @property
    def never_rejects(self) -> bool:
        """Whether all known scores are one number: no threshold tells images apart, whatever was trained."""
        scores = np.concatenate([self.validation.known_score, self.test.known_score])
        return bool(np.ptp(scores) == 0)

    def threshold(self, threshold_rule: str = DEFAULT_THRESHOLD_RULE) -> float:
        """The threshold that a rule chooses; an oracle looks at the test images. UsageError for an unknown rule."""
        return choose_threshold(threshold_rule, self.validation, self.test)

    def blind_threshold(self, threshold_rule: str = DEFAULT_THRESHOLD_RULE) -> float:
        """The threshold for images that nobody has labelled.

        UsageError for an oracle: it needs the labels of the very images that are asked about.
        """
        if threshold_rule_of(threshold_rule).oracle:
            raise UsageError(
                f"threshold rule '{threshold_rule}' looks at test labels; choose one that does not, e.g. "
                f"{DEFAULT_THRESHOLD_RULE}."
            )
        return choose_threshold(threshold_rule, self.validation)

    def to_frame(self) -> pd.DataFrame:
        """One row per validation and test image.

        Returns
        -------
        pandas.DataFrame
            ``image_id``, ``split``, ``generator``, ``training_set``, ``openness``, ``candidate`` (a name) and
            ``known_score``.
        """
        names = np.array(self.manifest.seen)
        frames: list[pd.DataFrame] = []
        for split, outcome in (("val", self.validation), ("test", self.test)):
            rows = self.manifest.rows(split)[["image_id", "split", "generator", "training_set", "openness"]]
            frames.append(rows.assign(candidate=names[outcome.candidate], known_score=outcome.known_score))
        return pd.concat(frames, ignore_index=True)


def outcome_of(scores: Scores, manifest: Manifest, split: str) -> Outcome:
    """Answers to all images of ``val`` or ``test``, in the order of the manifest, with the truth."""
    rows = manifest.rows(split)
    unseen_group = pd.Index(manifest.unseen, dtype=object).get_indexer(pd.Index(rows["generator"]))
    return Outcome(
        truth=np.asarray(rows["class_index"], dtype=np.int64),
        unseen_group=unseen_group,
        candidate=scores.candidate,
        known_score=scores.known_score.astype(np.float64),
        n_classes=len(manifest.seen),
        n_unseen=len(manifest.unseen) if split == "test" else 0,
    )


def _take(scores: Scores, rows: np.ndarray) -> Scores:
    return Scores(scores.class_scores[rows], scores.known_score[rows], scores.candidate[rows])
