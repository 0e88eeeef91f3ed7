"""The document of the measurement: what ``new-sources.json`` holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...core.schema import Limits, Number
from ..run_info import Label


@dataclass(frozen=True)
class Enrolled:
    """One unseen generator that joined one fit from some of its images.

    Parameters
    ----------
    generator : str
        Who joined.
    shots : int
        From how many images.
    accuracy : float
        Share of its other test images that are accepted and attributed to it; nothing is before it joined.
    named : float
        Share that would be attributed to it if everything were accepted.
    af1_before, af1_after : float
        aF1 of the generators that were known before, on the same test images; unseen images that are attributed to the
        new source are no false positives of the others.
    taken : float
        Share of the other unseen generators' images that are attributed to it: by mistake.
    """

    generator: Label
    shots: Annotated[int, Limits(least=1)]
    accuracy: float
    named: float
    af1_before: float
    af1_after: float
    taken: float


@dataclass(frozen=True)
class Discovered:
    """How the rejected images of one fit's unseen generators were grouped.

    Parameters
    ----------
    images : int
        How many were grouped.
    sources : int
        From how many generators they are.
    found : int
        Groups.
    nmi : float
        Normalised mutual information of groups and generators (arithmetic mean), 0..1.
    purity : float
        Share of the images that are of the most frequent generator of their group.
    silhouette : float
        Of the grouping; NaN for one group.
    """

    images: Annotated[int, Limits(least=0)]
    sources: Annotated[int, Limits(least=0)]
    found: Annotated[int, Limits(least=0)]
    nmi: Number
    purity: Number
    silhouette: Number


@dataclass(frozen=True)
class Part:
    """One fit: a fold and a seed.

    Parameters
    ----------
    fold : str
        Its name.
    seed : int
        Of the fit, and of which images are drawn.
    unseen : tuple of str
        Generators that joined, one at a time.
    rejected : float
        Share of their test images that the fit rejects.
    enrolled : tuple of Enrolled
        For every unseen generator and number of shots.
    discovered : Discovered
        The rejected images of all unseen generators together.
    """

    fold: Label
    seed: Annotated[int, Limits(least=0)]
    unseen: tuple[Label, ...]
    rejected: float
    enrolled: tuple[Enrolled, ...]
    discovered: Discovered


@dataclass(frozen=True)
class NewSources:
    """The whole measurement of one method.

    Parameters
    ----------
    method : str
        What a board calls it.
    rule, threshold_rule : str
        How images are accepted.
    suite, suite_version, protocol : str
        What was measured on.
    crop_size, images : int
        Side of the crops in pixels; test images of each unseen generator that are asked about.
    code_sha256, osbench : str
        Which code measured: of the method, and the version.
    parts : tuple of Part
        Every fold and seed.
    """

    method: Label
    rule: Label
    threshold_rule: Label
    suite: Label
    suite_version: Label
    protocol: Label
    crop_size: int
    images: int
    code_sha256: str
    osbench: str
    parts: Annotated[tuple[Part, ...], Limits(longest=100_000)]
