"""ProxyNCA++ (Teh, DeVries and Taylor, ECCV 2020) in the readings that paper 1 leaves open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class ProxyPreset:
    """One reading of paper 1's eqs. 2-3.

    squared: squared L2 distance, as the published code of ProxyNCA++; ``False`` is plain L2, as paper 1 writes.
    normalize: unit norm for embeddings and proxies, in the loss and at test time.
    scale: factor on the distance (the inverse temperature).
    proxy_lr_factor: learning rate of the proxies as a multiple of the network's; their weight decay is 0.
    proxy_eps: Adam's epsilon for the proxies.
    layer_norm: parameter-free layer norm on the features before the loss and at test time.
    pool: global pooling of networks that pool.
    warmup_epochs: first epochs in which only the proxies move.
    clip_value: gradients are clipped to this absolute value.
    """

    squared: bool = True
    normalize: bool = True
    scale: float = 9.0
    proxy_lr_factor: float = 100.0
    proxy_eps: float = 1e-8
    layer_norm: bool = False
    pool: str = "avg"
    warmup_epochs: int = 0
    clip_value: float | None = None


PRESETS = {
    "osbench": ProxyPreset(),
    "paper-literal": ProxyPreset(squared=False, normalize=False, scale=1.0, proxy_lr_factor=1.0),
    "official": ProxyPreset(
        proxy_lr_factor=1e5, proxy_eps=1.0, layer_norm=True, pool="max", warmup_epochs=5, clip_value=10.0
    ),
}


class ProxyNCA(nn.Module):
    """One learned proxy per class; the loss is -log of eq. 2: softmax over the negative scaled distances.

    The log-softmax is computed from the distances themselves, never from probabilities: a row far from every proxy
    keeps its exact loss instead of underflowing to zero probability.
    """

    def __init__(self, n_classes: int, embedding_dim: int, preset: ProxyPreset) -> None:
        super().__init__()
        self.preset = preset
        self.proxies = nn.Parameter(torch.randn(n_classes, embedding_dim) / 8)

    def with_proxy(self, proxy: np.ndarray) -> ProxyNCA:
        """These proxies and one more (D,), as the last class."""
        joined = ProxyNCA(len(self.proxies) + 1, self.proxies.shape[1], self.preset).to(self.proxies.device)
        with torch.no_grad():
            joined.proxies[:-1] = self.proxies
            joined.proxies[-1] = torch.from_numpy(proxy)
        return joined.eval()

    def embed(self, features: Tensor) -> Tensor:
        """Network features (B, D) -> the embeddings (B, D) that the distances are measured on."""
        if self.preset.layer_norm:
            features = F.layer_norm(features, features.shape[-1:])
        return F.normalize(features, dim=-1) if self.preset.normalize else features

    def logits(self, embeddings: Tensor) -> Tensor:
        """Negative scaled distances (B, K) of embeddings (B, D) to the proxies."""
        proxies = F.normalize(self.proxies, dim=-1) if self.preset.normalize else self.proxies
        distance = torch.cdist(embeddings, proxies, compute_mode="donot_use_mm_for_euclid_dist")
        return -self.preset.scale * (distance.square() if self.preset.squared else distance)

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean of eq. 3 over the batch."""
        return F.cross_entropy(self.logits(embeddings), labels)
