"""What a fit decides once: how the sources show pictures, and which sources these are. A model keeps it as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...benchmark.images import ImageSet
from ...benchmark.method import Context
from ...core.errors import CheckpointError, DatasetError, UsageError
from ...core.text import printable
from ...generation.catalog import suite_names
from ...generation.dataset import RECORD
from .candidates import HINT, Candidate, find_candidates, is_in_catalog
from .folder import Folder
from .inversion import Inversion, Search, can_invert
from .prompt import Prompt, takes_text
from .reference import Reference, made_by, taken_from
from .stored import Stored
from .way import Comparison, Way

AUTO = "auto"
WAYS = ("prompt", "inversion", "reference")
FOLDER, STORED = "folder", "stored"
TRAIN = "train"


@dataclass(frozen=True)
class KnownSource:
    """A source that a method was fitted with: its name, its class, and the SHA-256 of its weights (empty: none)."""

    name: str
    class_index: int
    sha256: str = ""


@dataclass(frozen=True)
class Setup:
    """How the sources show pictures, and who they are.

    Parameters
    ----------
    way : str
        One of :data:`WAYS`, or where the resyntheses were made before: :data:`FOLDER`, :data:`STORED`.
    suite : str
        The suite, or suite file, that describes the sources; the folder or data set; :data:`TRAIN`: training images.
    seed : int
        Of all draws.
    sources : tuple of KnownSource
        The candidates.
    """

    way: str
    suite: str
    seed: int
    sources: tuple[KnownSource, ...]

    @classmethod
    def of(cls, options: Mapping[str, Any], train: ImageSet, context: Context) -> Setup:
        """The way and the sources that some options mean for a fit.

        UsageError for options that contradict each other, or a source that cannot do what is asked; DatasetError for a
        generator that the suite does not have, or missing weights.
        """
        via, source, names = options["via"], options["source"], context.class_names
        own = tuple(KnownSource(name, k) for k, name in enumerate(names))
        if source and Path(source).is_dir():
            if via not in (AUTO, "prompt"):
                raise UsageError(f"via={via}: a folder holds resyntheses that were made before; leave via out.")
            return cls(STORED if (Path(source) / RECORD).exists() else FOLDER, source, context.seed, own)
        suite = source or context.suite
        in_catalog = bool(source) or is_in_catalog(suite, names)
        if source == TRAIN or (not in_catalog and via in (AUTO, "reference")):
            if via not in (AUTO, "reference"):
                raise UsageError(f"via={via}: training images (source=train) show nothing again; take via=reference.")
            return cls("reference", TRAIN, context.seed, own)
        if not source and suite not in suite_names():
            raise DatasetError(f"no catalog knows the suite of these images ('{printable(suite)}'); {HINT}.")
        candidates = find_candidates(suite, names, context.sources)
        if via == AUTO:
            via = _first_possible(candidates, train.captions is not None)
        known = tuple(KnownSource(one.name, one.class_index, one.sha256) for one in candidates)
        return cls(via, suite, context.seed, known)

    def candidates(self, class_names: Sequence[str]) -> tuple[Candidate, ...]:
        """The networks; CheckpointError if one has other weights than when the method was fitted."""
        found = {one.name: one for one in find_candidates(self.suite, class_names, [k.name for k in self.sources])}
        for known in self.sources:
            if known.name not in found or found[known.name].sha256 != known.sha256:
                raise CheckpointError(f"source {known.name} has other weights than this method was fitted with.")
        return tuple(found[known.name] for known in self.sources)

    def open(
        self,
        options: Mapping[str, Any],
        class_names: Sequence[str],
        size: int,
        comparison: Comparison,
        device: torch.device,
        train: ImageSet | None = None,
    ) -> Way:
        """The way itself; references are made (or taken from ``train``)."""
        if self.way == STORED:
            return Stored(Path(self.suite), class_names, comparison)
        if self.way == FOLDER:
            return Folder(Path(self.suite), class_names, comparison)
        if self.suite == TRAIN:
            assert train is not None
            return taken_from(train, class_names, comparison, options["references"], self.seed)
        candidates = self.candidates(class_names)
        if self.way == "prompt":
            return Prompt(candidates, comparison, options["draws"], self.seed, device)
        if self.way == "inversion":
            search = Search(*(options[key] for key in ("space", "pool", "starts", "steps", "rate")))
            return Inversion(candidates, comparison, search, self.seed, device)
        return made_by(candidates, comparison, options["references"], size, self.seed, device)

    def kept(self, comparison: Comparison, layer: str, arrays: Mapping[str, np.ndarray]) -> Reference:
        """References whose features a model kept; no network is needed for them."""
        return Reference(
            [known.name for known in self.sources],
            [known.class_index for known in self.sources],
            comparison,
            features={layer: arrays["references"]},
            number=arrays["reference_source"],
            lift=arrays.get("lift"),
        )


def _first_possible(candidates: Sequence[Candidate], captions: bool) -> str:
    if captions and all(takes_text(one) for one in candidates):
        return "prompt"
    return "inversion" if all(can_invert(one) for one in candidates) else "reference"
