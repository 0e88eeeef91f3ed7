"""CamID-CNN: the camera identification network of Tuama, Comby and Chaumont (WIFS 2016)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .high_pass import HighPass
from .registry import EmbeddingNetwork, register_network

KERNELS = (64, 48, 48)
HIDDEN = 128


@register_network("camid-cnn")
class CamIdCnn(EmbeddingNetwork):
    """High pass, three convolutions with ReLU and max pooling, two dense ReLU layers; features (B, 128), all >= 0.

    No code or weights of this network are public, so this is the best reading, not a copy. Known: a fixed high-pass
    filter, 256 px, three convolutions with ReLU, max pooling and no batch normalisation, two dense layers with ReLU
    and dropout (table 1 of the review J. Imaging 6(3):9, 2020). Readings: the KV kernel on every colour channel; 64
    kernels of 3x3 with stride 2, then twice 48 of 5x5; padding that halves the map exactly (256 -> 128 -> 64 -> 32 ->
    16); dense layers of 128; the second dense layer is the embedding, and the dropout behind it belongs to the
    classification layer that paper 1 drops. 1.73 M parameters and 0.41 G multiply-adds at 256 px.
    """

    input_range = (0.0, 255.0)
    minimum_size = 32

    def __init__(self, input_size: int, *, pool: str = "avg") -> None:
        super().__init__()
        self.embedding_dim = HIDDEN
        first, second, third = KERNELS
        self.high_pass = HighPass()
        self.conv1 = nn.Conv2d(3, first, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(first, second, 5, padding=2)
        self.conv3 = nn.Conv2d(second, third, 5, padding=2)
        side = input_size
        for _ in range(4):
            side = -(-side // 2)
        self.fc1 = nn.Linear(third * side * side, HIDDEN)
        self.fc2 = nn.Linear(HIDDEN, HIDDEN)

    def forward(self, images: Tensor) -> Tensor:
        x = self.high_pass(images)
        for convolution in (self.conv1, self.conv2, self.conv3):
            x = F.max_pool2d(F.relu(convolution(x)), 3, stride=2, padding=1)
        x = F.dropout(F.relu(self.fc1(x.flatten(1))), 0.5, self.training)
        return F.relu(self.fc2(x))
