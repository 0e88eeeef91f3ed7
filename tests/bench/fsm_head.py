"""FSM: similarity of 48 images to 24 references, pair by pair against the split head.

The public code tiles queries and references into pairs and runs the whole siamese network, both trunks and the head, on
batches of 48 pairs: 2 N R trunk runs, and the head's shared layer again for every pair. Ours runs the trunk N + R times
and everything in the head that concerns one image once per image. Images of 48 px, as in the mini suite.

``head_ratio`` compares the heads alone, both from cached trunk features: 1.2 M multiply-adds a pair against 0.13 M, so
that about 9x is what there is to gain on that part.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from osbench.baselines.methods.fsm import SimilarityHead
from osbench.baselines.networks import EmbeddingNetwork, build_network

from ._pairs import measure_sides

QUERIES, REFERENCES, SIZE, PUBLIC_BATCH = 48, 24, 48, 48


def published_similarity(
    head: SimilarityHead, trunk: Callable[[Tensor], Tensor], queries: Tensor, references: Tensor
) -> Tensor:
    """(N, R) probabilities, in batches of pairs; ``trunk`` is applied to both members of every pair."""
    a = queries.repeat_interleave(len(references), dim=0)
    b = references.repeat(len(queries), *[1] * (references.ndim - 1))
    batches = zip(a.split(PUBLIC_BATCH), b.split(PUBLIC_BATCH), strict=True)
    parts = [head.pairwise(trunk(x), trunk(y)) for x, y in batches]
    return torch.cat(parts).sigmoid().unflatten(0, (len(queries), len(references)))


def settled_trunk(images: Tensor) -> EmbeddingNetwork:
    """A random trunk whose batch statistics are those of ``images``, so that features differ between them."""
    trunk = build_network("mislnet", SIZE)
    for module in trunk.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    trunk(images)
    return trunk.eval()


def run() -> dict[str, float | bool]:
    """CPU seconds on one thread: on a busy machine, the many small products of the public way would suffer most."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measure()
    finally:
        torch.set_num_threads(threads)


@torch.inference_mode()
def _measure() -> dict[str, float | bool]:
    """The four sides of :func:`measure_sides` on random images and a random network."""
    torch.manual_seed(0)
    queries, references = (torch.rand(n, 3, SIZE, SIZE) * 255 for n in (QUERIES, REFERENCES))
    trunk = settled_trunk(queries)
    head = SimilarityHead(2, trunk.embedding_dim).eval()
    features = trunk(queries), trunk(references)
    sides: dict[str, Callable[[], Tensor]] = {
        "ours": lambda: head.against(trunk(queries), trunk(references)).sigmoid(),
        "published": lambda: published_similarity(head, trunk, queries, references),
        "our head": lambda: head.against(*features).sigmoid(),
        "published head": lambda: published_similarity(head, torch.nn.Identity(), *features),
    }
    return measure_sides(sides)
