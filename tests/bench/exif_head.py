"""EXIF-Net: consistency of 16 images with 16 references, pair by pair against the split head.

The public demo tiles one reference into a batch and runs the whole siamese network, both trunks and the head, on every
pair: 2 N R trunk runs, and a first dense layer of 8192 x 4096 per pair. Ours runs the trunk N + R times, each half of
that layer once per image, and only the smaller layers behind it once per pair. Images of 48 px, as in the mini suite.

``head_ratio`` compares the heads alone, both from cached trunk features: the public way needs 44.2 M multiply-adds a
pair and ours 10.6 M, and reads all weights again for each reference.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from osbench.baselines.methods.exif_net import ConsistencyHead
from osbench.baselines.networks.resnet50_v2 import ResNet50V2

from ._pairs import measure_sides

QUERIES, REFERENCES, SIZE = 16, 16, 48


def published_consistency(
    head: ConsistencyHead, trunk: Callable[[Tensor], Tensor], queries: Tensor, references: Tensor
) -> Tensor:
    """(N, R) probabilities; ``trunk`` is applied to both members of every pair, one reference after the other."""
    columns = [head.pairwise(trunk(queries), trunk(one.expand_as(queries).contiguous())) for one in references]
    return torch.stack(columns, dim=1).sigmoid()


def settled_trunk(images: Tensor) -> ResNet50V2:
    """A random trunk whose batch statistics are those of ``images``; without them activations grow with depth."""
    trunk = ResNet50V2(SIZE).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
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
    queries, references = torch.rand(QUERIES, 3, SIZE, SIZE) * 2 - 1, torch.rand(REFERENCES, 3, SIZE, SIZE) * 2 - 1
    trunk = settled_trunk(queries)
    head = ConsistencyHead(2, trunk.embedding_dim).eval()
    features = trunk(queries), trunk(references)
    sides: dict[str, Callable[[], Tensor]] = {
        "ours": lambda: head.against(trunk(queries), trunk(references)).sigmoid(),
        "published": lambda: published_consistency(head, trunk, queries, references),
        "our head": lambda: head.against(*features).sigmoid(),
        "published head": lambda: published_consistency(head, torch.nn.Identity(), *features),
    }
    return measure_sides(sides)
