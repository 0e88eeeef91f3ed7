"""Characters: whom the pictures of a text-to-image suite show, how they are split, and the roles of the pictures.

Bongini et al., "Training-free Source Attribution of AI-generated Images via Resynthesis", WIFS 2025: every source draws
every character (the originals); every original is described, and every source draws the description (resyntheses).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.text import natural_order

ORIGINAL, RESYNTHESIS = "original", "resynthesis"
ROLES = (ORIGINAL, RESYNTHESIS)

SPLIT_SEED = 8375
"""Of the published code."""


def split_of_characters(characters: Sequence[str]) -> dict[str, str]:
    """Character -> ``train``, ``val`` or ``test``, exactly as the authors' code splits its hundred.

    The characters, sorted with numbers in their names counting as numbers, are shuffled by
    ``numpy.random.RandomState(8375)``; the first 80 % train, the next 10 % test, the others are for validation (a tenth
    is rounded half up where there are not a hundred). Whoever splits by the names alone finds the same.

    Parameters
    ----------
    characters : sequence of str
        All of them, each once.

    Returns
    -------
    dict of str to str
        In the order given.

    Examples
    --------
    >>> split = split_of_characters([str(number) for number in range(1, 101)])
    >>> [name for name, part in split.items() if part == "test"]
    ['12', '25', '26', '30', '35', '47', '61', '90', '96', '100']
    >>> [name for name, part in split.items() if part == "val"]
    ['13', '28', '46', '48', '51', '60', '63', '77', '80', '89']
    """
    names = sorted(characters, key=natural_order)
    np.random.RandomState(SPLIT_SEED).shuffle(names)
    tenth = int(len(names) / 10 + 0.5)
    parts = ["train"] * (len(names) - 2 * tenth) + ["test"] * tenth + ["val"] * tenth
    part = dict(zip(names, parts, strict=True))
    return {name: part[name] for name in characters}
