"""FSM: similarity of 128 images to 64 references, from cached trunk features, pair by pair against the split head.

The public code (and every port of it) tiles queries and references into pairs and runs the head on batches of 48 pairs:
the shared layer again for each pair, then a layer on 3 x 2048 concatenated numbers. Both sides start from trunk
features, so the larger gain (N + R trunk runs instead of 2 N R) is *not* counted.
"""

from __future__ import annotations

import time

import torch
from osbench.baselines.fsm import SimilarityHead
from torch import Tensor

QUERIES, REFERENCES, DIM, PUBLIC_BATCH, REPEATS = 128, 64, 200, 48, 3


def published_similarity(head: SimilarityHead, queries: Tensor, references: Tensor) -> Tensor:
    """(N, R) probabilities, in batches of pairs."""
    a = queries.repeat_interleave(len(references), dim=0)
    b = references.repeat(len(queries), 1)
    parts = [head.pairwise(x, y) for x, y in zip(a.split(PUBLIC_BATCH), b.split(PUBLIC_BATCH), strict=True)]
    return torch.cat(parts).sigmoid().unflatten(0, (len(queries), len(references)))


@torch.inference_mode()
def run() -> dict[str, float | bool]:
    """Interleaved repeats, minimum of each; equality of the probabilities to 1e-6."""
    torch.manual_seed(0)
    head = SimilarityHead(2, DIM).eval()
    queries, references = torch.tanh(torch.randn(QUERIES, DIM)), torch.tanh(torch.randn(REFERENCES, DIM))
    expected = published_similarity(head, queries, references)
    equal = bool((head.against(queries, references).sigmoid() - expected).abs().max() < 1e-6)
    ours_s, reference_s = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        head.against(queries, references).sigmoid()
        ours_s.append(time.perf_counter() - start)
        start = time.perf_counter()
        published_similarity(head, queries, references)
        reference_s.append(time.perf_counter() - start)
    return {
        "ratio": min(reference_s) / min(ours_s),
        "ours_s": min(ours_s),
        "reference_s": min(reference_s),
        "equal": equal,
        "spread": float(expected.std()),
    }
