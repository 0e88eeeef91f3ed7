"""The discriminator of an adversarial training: its network, its own loss, and the loss that it gives the generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ...core.errors import DatasetError, unknown_name
from ..efficientnet_lite0 import load_features
from .augment import augment
from .discriminator import Discriminator
from .hardware import Hardware
from .losses import (
    discriminator_loss,
    generator_loss,
    hinge_discriminator_loss,
    hinge_generator_loss,
    r1_penalty,
)
from .optimise import adam, descend
from .projected import ProjectedDiscriminator

R1_EVERY = 8  # lazy regularisation (Karras et al. 2020)


@dataclass(frozen=True)
class Rules:
    """kind: ``plain`` (logistic loss with R1) or ``projected`` (hinge loss in EfficientNet-Lite0's features, no R1).

    augment: show real and generated images with random colours and shifts.
    """

    kind: str = "plain"
    width: int = 24
    rate: float = 2e-3
    r1: float = 1.0
    augment: bool = False
    clip: float = 5.0


class Game:
    """A discriminator and its optimiser."""

    def __init__(self, rules: Rules, size: int, hardware: Hardware, features: Path | None = None) -> None:
        self.rules, self.hardware = rules, hardware
        self.discriminator = hardware.place(_discriminator(rules, size, features))
        self.trained = [p for p in self.discriminator.parameters() if p.requires_grad]
        self.optimiser = adam(self.trained, rules.rate, (0.0, 0.99), hardware)
        self.judge = hardware.compile(self.discriminator)
        hinge = rules.kind == "projected"
        self._loss_of_generator = hinge_generator_loss if hinge else generator_loss
        self._loss_of_discriminator = hinge_discriminator_loss if hinge else discriminator_loss

    def generator_loss(self, fake: Tensor) -> Tensor:
        """The generator's loss at its images (N, 3, S, S); gradients reach the images only."""
        self._learns(False)
        return self._loss_of_generator(self._logits(fake))

    def learn(self, real: Tensor, fake: Tensor, step: int) -> Tensor:
        """One step of the discriminator; returns its loss, without the penalty."""
        self._learns(True)
        loss = self._loss_of_discriminator(self._logits(real), self._logits(fake.detach()))
        penalty = torch.zeros((), device=loss.device)
        if self.rules.kind == "plain" and step % R1_EVERY == 0:
            # In float32 and not compiled: the penalty needs second derivatives.
            penalty = R1_EVERY * 0.5 * self.rules.r1 * r1_penalty(self.discriminator, self._shown(real))
        descend(self.optimiser, loss + penalty, self.discriminator, self.rules.clip)
        return loss.detach()

    def _logits(self, images: Tensor) -> Tensor:
        with self.hardware.autocast():
            return self.judge(self._shown(images)).float()

    def _shown(self, images: Tensor) -> Tensor:
        return augment(images) if self.rules.augment else images

    def _learns(self, yes: bool) -> None:
        for parameter in self.trained:
            parameter.requires_grad_(yes)


def _discriminator(rules: Rules, size: int, features: Path | None) -> nn.Module:
    if rules.kind == "plain":
        return Discriminator(size, rules.width)
    if rules.kind != "projected":
        raise unknown_name("discriminator", rules.kind, ("plain", "projected"))
    if features is None:
        raise DatasetError(
            "a projected discriminator needs the weights of EfficientNet-Lite0: put efficientnet-lite0.pth into the "
            "working folder (generation/training/README.md, section Pictures)."
        )
    return ProjectedDiscriminator(load_features(features), rules.width)
