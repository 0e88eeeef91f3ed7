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
class Mean:
    """A mean over fits, with a 95 % interval for which generators or folds are resampled; NaN if there is no fit."""

    estimate: Number
    low: Number
    high: Number


@dataclass(frozen=True)
class Joined:
    """Means over all fits of what :class:`Enrolled` says, for one number of shots; ``change`` is of aF1."""

    shots: Annotated[int, Limits(least=1)]
    accuracy: Mean
    named: Mean
    af1_before: Mean
    change: Mean
    taken: Mean


@dataclass(frozen=True)
class Grouped:
    """Means over all fits of what :class:`Discovered` says.

    Parameters
    ----------
    rejected : Mean
        Share of the unseen generators' test images that a fit rejects.
    images, nmi, purity, found : Mean
        Of the fits with enough rejected images.
    right : Mean
        Share of these fits in which there are as many groups as generators.
    tally : dict of str to int
        Number of groups -> fits.
    """

    rejected: Mean
    images: Mean
    nmi: Mean
    purity: Mean
    found: Mean
    right: Mean
    tally: dict[str, int]


@dataclass(frozen=True)
class NewSources:
    """What enrolling and discovering are worth with one method.

    Parameters
    ----------
    method, settings : str
        What a board calls it, and the options that are not its defaults.
    rule, threshold_rule : str
        How images are accepted.
    suite, suite_version, protocol : str
        What was measured on.
    crop_size : int
        Side of the crops in pixels.
    folds, seeds, generators : int
        How many; every generator joined in every fold in which it is unseen.
    code_sha256, osbench : str
        Which code measured: of the method, and the version.
    joined : tuple of Joined
        By shots, ascending.
    grouped : Grouped
        The rejected images.
    """

    method: Label
    settings: Annotated[str, Limits(longest=2000)]
    rule: Label
    threshold_rule: Label
    suite: Label
    suite_version: Label
    protocol: Label
    crop_size: int
    folds: int
    seeds: int
    generators: int
    code_sha256: str
    osbench: str
    joined: Annotated[tuple[Joined, ...], Limits(longest=100)]
    grouped: Grouped

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What a newer one replaces."""
        return self.method, self.settings, self.suite, self.protocol
