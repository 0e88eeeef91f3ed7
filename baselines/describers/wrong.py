"""The control of captions: what changes when every picture gets a caption that is not its own?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ...core.errors import DatasetError


def wrong_captions(texts: Sequence[str], known: Sequence[str], seed: int) -> list[str]:
    """For each text another one of the known ones, always the same for one text and seed.

    DatasetError if there is no other one.
    """
    found = []
    for text in texts:
        others = [other for other in known if other != text]
        if not others:
            raise DatasetError("control=wrong-caption needs validation images with at least two captions.")
        digest = hashlib.sha256(f"{seed} {text}".encode()).digest()
        found.append(others[int.from_bytes(digest[:8], "big") % len(others)])
    return found
