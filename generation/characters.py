"""Characters: whom the pictures of a text-to-image suite show, how they are split, and the roles of the pictures.

Bongini et al., "Training-free Source Attribution of AI-generated Images via Resynthesis", WIFS 2025: every source draws
every character (the originals); every original is described, and every source draws the description (resyntheses).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ORIGINAL, RESYNTHESIS = "original", "resynthesis"
ROLES = (ORIGINAL, RESYNTHESIS)

SPLIT_SEED = 8375
"""Of the published code."""


def split_of_characters(characters: Sequence[str]) -> dict[str, str]:
    """Character -> ``train``, ``val`` or ``test``, exactly as the authors' code splits its hundred.

    The positions in the list are shuffled by ``numpy.random.RandomState(8375)``; the first 80 % train, the next 10 %
    test, the rest are for validation.

    Parameters
    ----------
    characters : sequence of str
        All of them, each once, in the order of the suite.

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
    order = list(range(len(characters)))
    np.random.RandomState(SPLIT_SEED).shuffle(order)
    train, test = int(len(order) * 0.8), int(len(order) * 0.1)
    parts = ["train"] * train + ["test"] * test + ["val"] * (len(order) - train - test)
    part = dict(zip(order, parts, strict=True))
    return {name: part[position] for position, name in enumerate(characters)}
