"""What an answer about a picture rests on, in words: whom a run knows, on what content, how often it errs, and where.

Whoever reads "unknown" or a name has to know what was compared with what. So this stands with every answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.documents import to_json
from ..core.text import printable
from ..generation.catalog import load_suite, packaged_suites
from .answers import Answers
from .runs import Run

CAMERAS_OUTSIDE = (
    'It knows no camera: a camera picture is outside the question, and "unknown" does not mean "photograph".'
)
NO_PROOF = "It is a measurement of one method, and no proof about one picture."


@dataclass(frozen=True)
class Scope:
    """What a run knows, and how often its answers hold.

    Parameters
    ----------
    run, method, rule, threshold_rule : str
        Who was asked, and how the threshold is chosen.
    knows : tuple of str
        The sources that it can name.
    cameras : tuple of str
        Those of them that are camera pictures.
    joined : tuple of str
        Those of them that joined after the fit; no rate below counts them.
    suite : str
        The data set that it was fitted on.
    content : tuple of str
        Sources with what they were trained on or show: ``stylegan2/ffhq``.
    pictures : int
        That it was fitted on.
    crop_size : int
        Side in pixels of a crop; larger traces are not seen.
    seen_refused : float
        Share of test pictures of known sources that it called unknown, 0..1.
    seen_named : float
        Share of test pictures of known sources that it named rightly, 0..1.
    unseen_refused : dict of str to float
        Source that it had never seen -> share of its test pictures that it called unknown, 0..1.
    """

    run: str
    method: str
    rule: str
    threshold_rule: str
    knows: tuple[str, ...]
    cameras: tuple[str, ...]
    joined: tuple[str, ...]
    suite: str
    content: tuple[str, ...]
    pictures: int
    crop_size: int
    seen_refused: float
    seen_named: float
    unseen_refused: dict[str, float]

    @property
    def refusing(self) -> float:
        """Mean of ``unseen_refused``; NaN where the run was never asked about a source that it does not know."""
        return float(np.mean(list(self.unseen_refused.values()))) if self.unseen_refused else float("nan")

    @property
    def sentences(self) -> tuple[str, ...]:
        """The scope for people."""
        joined = f" {_listed(self.joined)} joined later and was never tested." if self.joined else ""
        knows = f"This run ({self.method}, {self.run}) knows {len(self.knows)} sources and no other: "
        content = f"{self.pictures:,} pictures of {self.suite} ({_listed(self._content())})"
        cameras = (
            f"Camera pictures that it knows: {_listed(self.cameras)}. Of others it speaks as far as they are alike."
        )
        return (
            f"{knows}{_listed(self.knows)}.{joined}",
            f"It was fitted on {content}, in crops of {self.crop_size} px. Nothing else was tested.",
            self._rates(),
            cameras if self.cameras else CAMERAS_OUTSIDE,
            NO_PROOF,
        )

    def _content(self) -> list[str]:
        """Each training set once, in the order of the sources."""
        return list(dict.fromkeys(source.partition("/")[2] or source for source in self.content))

    def _rates(self) -> str:
        seen = (
            f"Asked about single crops of new pictures of these sources, it named {self.seen_named:.0%} rightly and "
            f"called {self.seen_refused:.0%} unknown."
        )
        if not self.unseen_refused:
            return f"{seen} It was never asked about a source that it does not know."
        each = _listed([f"{name} {rate:.0%}" for name, rate in self.unseen_refused.items()])
        return (
            f"{seen} Of pictures of sources that it had never seen it refused {self.refusing:.0%} ({each}): "
            "the others got a wrong name."
        )

    def to_json(self) -> dict[str, Any]:
        """The fields, and ``sentences``."""
        return {**to_json(self), "sentences": list(self.sentences)}


def scope_of(run: Run, answers: Answers, threshold: float, threshold_rule: str, cameras: Sequence[str] = ()) -> Scope:
    """The scope of a run by one rejection rule.

    Parameters
    ----------
    run : Run
        Who is asked.
    answers : Answers
        Its own answers by the rule.
    threshold : float
        At which they are read.
    threshold_rule : str
        How it was chosen.
    cameras : sequence of str
        Known sources that are camera pictures, beside those that the suite says to be.
    """
    manifest, test = answers.manifest, answers.test
    accepted = test.known_score >= threshold
    seen = test.truth >= 0
    counts = manifest.counts()
    fitted = {source: n["train"] for source, n in counts.items() if n.get("train")}
    known = {*_cameras_of(manifest.suite), *cameras}
    return Scope(
        run=printable(run.folder.name, 80),
        method=run.method,
        rule=answers.rule,
        threshold_rule=threshold_rule,
        knows=tuple(printable(name) for name in run.class_names),
        cameras=tuple(printable(name) for name in run.class_names if name in known),
        joined=tuple(printable(one.name) for one in run.info.enrolled),
        suite=printable(manifest.suite),
        content=tuple(printable(source) for source in fitted),
        pictures=sum(fitted.values()),
        crop_size=run.info.config.crop_size,
        seen_refused=float((~accepted[seen]).mean()),
        seen_named=float((accepted & (test.candidate == test.truth))[seen].mean()),
        unseen_refused={
            printable(name): float((~accepted[test.unseen_group == k]).mean()) for k, name in enumerate(manifest.unseen)
        },
    )


def _cameras_of(suite: str) -> set[str]:
    """Generators of a packaged suite that are pictures as a camera takes them."""
    if suite not in packaged_suites():
        return set()
    return {source.generator for source in load_suite(suite).sources if source.shows is not None}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
