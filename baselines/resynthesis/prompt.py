"""``via=prompt``: every source draws the picture from its description, as in the paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ...core.errors import DatasetError
from ...generation.families import family_class
from ...generation.seeds import image_seed
from ...generation.shards import sample_checked
from .candidates import Candidate, refuse_silent
from .made import Made
from .way import Comparison, Shown, Way

NEED = "take no text: via=prompt asks every source for a description. Use via=inversion or via=reference."


class Prompt(Way):
    """Pictures of a text, by the recipe of the source's suite (its compression and crop).

    A picture depends on its text, the draw and the seed alone: images with one description are compared with the same
    pictures.

    Parameters
    ----------
    candidates : sequence of Candidate
        The sources. UsageError if one takes no text.
    comparison : Comparison
        By what pictures are compared.
    draws : int
        Pictures for each text.
    seed : int
        Of the draws.
    device : torch.device
        Where the networks run.
    """

    name = "prompt"
    reads_texts = True

    def __init__(
        self,
        candidates: Sequence[Candidate],
        comparison: Comparison,
        draws: int,
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__([one.name for one in candidates], [one.class_index for one in candidates], comparison)
        refuse_silent(candidates, [takes_text(one) for one in candidates], NEED)
        self.candidates, self.draws, self.seed, self.device = tuple(candidates), draws, seed, device

    def show(self, number: int, images: np.ndarray, texts: Sequence[str]) -> Shown:
        empty = [i for i, text in enumerate(texts) if not text.strip()]
        if empty:
            raise DatasetError(
                f"{len(empty)} of {len(texts)} images have an empty caption (the first is image {empty[0]}): give "
                "captions of your own with captions=FILE, or take captions=nearest."
            )
        candidate, size = self.candidates[number], images.shape[1]
        wanted = [(text, draw) for text in texts for draw in range(self.draws)]

        def make(positions: np.ndarray) -> np.ndarray:
            return self._drawn(candidate, [wanted[i] for i in positions], size)

        recipe = candidate.suite.recipe
        made = Made(candidate, self.name, {"seed": self.seed, "recipe": recipe.document()}, size)
        keys = [f"{draw}\n{text}".encode() for text, draw in wanted]
        pictures, seconds = made.pictures(keys, make, recipe.batch_size)
        return Shown(pictures.reshape(len(texts), self.draws, size, size, 3), seconds)

    def _drawn(self, candidate: Candidate, wanted: Sequence[tuple[str, int]], size: int) -> np.ndarray:
        source, namespace = candidate.source, f"{candidate.suite.version}/resyntheses-{self.seed}"
        seeds = [image_seed(namespace, source.name, text, draw) for text, draw in wanted]
        network = candidate.network(self.device)
        options = source.sampling | {"prompts": [text for text, _ in wanted]}
        native = sample_checked(network, source, seeds, None, options)
        return np.stack([candidate.stored(image, seed, size) for image, seed in zip(native, seeds, strict=True)])


def takes_text(candidate: Candidate) -> bool:
    """Whether a source draws pictures of texts."""
    family = candidate.source.family
    return bool(candidate.source.prompts) if family is None else family_class(family).text_conditioned
