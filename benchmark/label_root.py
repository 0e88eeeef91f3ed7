"""The salted Merkle root of the labels of a manifest's test images: published first, it shows later that none moved.

A leaf is SHA-256(0x00, salt, length and bytes of the image id, of the generator and of the training set); a node is
SHA-256(0x01, left, right); an odd node moves up as it is. The leaves lie in the order of the image ids, and their
number is part of the root. 0x00 and 0x01 keep a node from being read as a leaf (RFC 6962, section 2.1). Without the
salt nobody can guess a label and check the guess.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from .manifest import Manifest

SALT_BYTES = 32

Label = tuple[str, str, str]
"""Image id, generator, training set."""


def test_labels(manifest: Manifest) -> list[Label]:
    """The labels of the test images, in the order of their ids."""
    rows = manifest.rows("test")
    columns = (rows[name].astype(str).tolist() for name in ("image_id", "generator", "training_set"))
    return sorted(zip(*columns, strict=True))


def label_root(labels: Iterable[Label], salt: bytes = b"") -> str:
    """The root, hexadecimal.

    Parameters
    ----------
    labels : iterable of tuple of str
        Image id, generator and training set, in any order.
    salt : bytes
        :data:`SALT_BYTES` random bytes where labels are hidden; empty where they are public.

    Examples
    --------
    >>> one = label_root([("a", "stylegan", "ffhq"), ("b", "progan", "lsun")], b"salt")
    >>> one == label_root([("b", "progan", "lsun"), ("a", "stylegan", "ffhq")], b"salt")
    True
    >>> one == label_root([("a", "progan", "lsun"), ("b", "progan", "lsun")], b"salt")
    False
    """
    nodes: Sequence[bytes] = [_leaf(label, salt) for label in sorted(labels)]
    count = len(nodes)
    while len(nodes) > 1:
        pairs = [_hash(b"\x01" + nodes[i] + nodes[i + 1]) for i in range(0, len(nodes) - 1, 2)]
        nodes = pairs + ([nodes[-1]] if len(nodes) % 2 else [])
    return _hash(b"".join(nodes) + count.to_bytes(8, "big")).hex()


def _leaf(label: Label, salt: bytes) -> bytes:
    parts = [len(salt).to_bytes(8, "big") + salt]
    for text in label:
        data = text.encode()
        parts.append(len(data).to_bytes(8, "big") + data)
    return _hash(b"\x00" + b"".join(parts))


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
