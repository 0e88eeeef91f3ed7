"""Texts as features where no text encoder reads them: signed counts of hashed words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from .encoders import unit_norm

HASHED_WORDS = 512
"""Length of a row."""


def hashed_words(texts: Sequence[str]) -> np.ndarray:
    """Feature hashing (Weinberger et al., ICML 2009): float32 (N, 512), unit norm; zeros for a text without words.

    Every word, in lower case, adds +1 or -1 at a place; both come from its SHA-256.
    """
    rows = np.zeros((len(texts), HASHED_WORDS), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in re.findall(r"\w+", text.lower()):
            number = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
            row[number % HASHED_WORDS] += 1 if number >> 63 else -1
    return unit_norm(rows)
