"""The candidate sources: the seen generators, as a catalog describes them, with their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...core.errors import CheckpointError, DatasetError, UsageError
from ...generation.catalog import Source, Suite, load_suite, suite_names
from ...generation.families import Generator
from ...generation.networks import open_network, weights_sha256
from ...generation.pixels import decode_crop, encode_frame
from ...generation.shards import Unit, draw_crop, draw_quality
from ...generation.weights import locate_weights

HINT = (
    "give a suite that has it (source=SUITE or source=FILE.yaml), a folder of resyntheses (source=FOLDER), or "
    "source=train with via=reference"
)


@dataclass(frozen=True)
class Candidate:
    """One source that may have made a picture.

    Parameters
    ----------
    class_index : int
        The seen generator that it is.
    suite : Suite
        The suite that describes it.
    source : Source
        The source, its weights on this machine.
    sha256 : str
        Of its weights.
    """

    class_index: int
    suite: Suite
    source: Source
    sha256: str

    @property
    def name(self) -> str:
        """``generator/training_set``."""
        return self.source.name

    def network(self, device: torch.device) -> Generator:
        """Its network in evaluation mode; only the last one that was asked for stays in memory."""
        return open_network(self.source, self.sha256, str(device)).eval()

    def unit(self, namespace: str, count: int, device: torch.device) -> Unit:
        """Its first ``count`` pictures under a namespace of its own, which no data set has."""
        return Unit(Path(), namespace, self.source, self.sha256, self.suite.recipe, count, 0, str(device))

    def stored(self, pixels: np.ndarray, seed: int, size: int) -> np.ndarray:
        """A native picture uint8 (H, W, 3) as a method sees one: compressed and cropped by the suite's recipe."""
        recipe = self.suite.recipe
        self.check_size(size, min(pixels.shape[:2]))
        height, width = pixels.shape[:2]
        crop = draw_crop(seed, width, height, size, min(recipe.margin, (min(height, width) - size) // 2))
        quality = draw_quality(seed, recipe.qualities)
        frame = encode_frame(pixels, crop, quality, order=recipe.order, frame="window", subsampling=recipe.subsampling)
        return decode_crop(frame.bytes, frame.crop_x, frame.crop_y, size)

    def check_size(self, size: int, native: int) -> None:
        """DatasetError if pictures of a side are too small for the crops that are to be attributed."""
        if native < size:
            raise DatasetError(f"source {self.name} makes pictures of {native} px, too small for crops of {size} px.")


def find_candidates(suite: str, class_names: Sequence[str], trained_on: Sequence[str]) -> tuple[Candidate, ...]:
    """The networks behind the seen generators.

    Parameters
    ----------
    suite : str
        Name of a packaged suite, or the path of a suite file.
    class_names : sequence of str
        The seen generators.
    trained_on : sequence of str
        Sources ``generator/training_set`` of the training images. Where they name sources of the suite, only these
        count: what is held out of training is no candidate either.

    Returns
    -------
    tuple of Candidate
        At least one for each generator, in their order.

    Raises
    ------
    UsageError
        There is no such suite.
    DatasetError
        A generator that the suite does not have, or whose pictures no network makes from seeds; missing weights.
    """
    loaded = load_suite(suite)
    chosen: list[tuple[int, Source]] = []
    for index, name in enumerate(class_names):
        of_class = [source for source in loaded.sources if source.generator == name]
        held = [s for s in of_class if {s.name, f"{name}/{s.training_set}"} & set(trained_on)]
        usable = [source for source in held or of_class if source.is_network and source.pictures is None]
        if not usable:
            raise DatasetError(
                f"suite {loaded.name} has no network that makes pictures of generator {name} from seeds; {HINT}."
            )
        chosen += [(index, source) for source in usable]
    located = locate_weights(loaded, [source for _, source in chosen], offline=True)
    return tuple(
        Candidate(index, loaded, source, weights_sha256(_weights(source)))
        for (index, _), source in zip(chosen, located, strict=True)
    )


def is_in_catalog(suite: str, class_names: Sequence[str]) -> bool:
    """Whether a packaged suite has a network for every seen generator that makes pictures from seeds."""
    if suite not in suite_names():
        return False
    usable = {s.generator for s in load_suite(suite).sources if s.is_network and s.pictures is None}
    return set(class_names) <= usable


def _weights(source: Source) -> Path:
    if source.weights is None:
        raise CheckpointError(f"source {source.name}: its weights are not on this machine.")
    return source.weights


def refuse_silent(candidates: Sequence[Candidate], can: Sequence[bool], need: str) -> None:
    """UsageError that names the candidates that cannot do what is asked of all."""
    mute = [one.name for one, able in zip(candidates, can, strict=True) if not able]
    if mute:
        raise UsageError(f"{', '.join(mute)} {need}")
