"""Training of the latent-diffusion family: the autoencoder first, then the class-conditioned U-Net on its latents."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..families.latent_diffusion import LatentDiffusion
from ..progress import get_logger
from .adversarial import CHECKPOINT_SECONDS, Progress
from .distance import sliced_wasserstein
from .losses import Discriminator, discriminator_loss, generator_loss, pyramid_loss, r1_penalty
from .optimise import average, descend, set_rate
from .teacher import to_tensor

AUTOENCODER_SHARE = 0.35  # of the time; the rest is the U-Net's
WARM_UP_SHARE = 0.5  # of the autoencoder's time without a discriminator
KL_WEIGHT = 1e-4
CLASS_DROPOUT = 0.15  # images shown without their class, for classifier-free guidance


class DiffusionTraining:
    """One latent diffusion model in training, resumable from ``folder``."""

    def __init__(
        self, entry: dict[str, Any], bank: np.ndarray, labels: np.ndarray, held_out: np.ndarray, folder: Path
    ) -> None:
        torch.manual_seed(0)
        self.bank, self.labels, self.folder = bank, torch.from_numpy(labels), folder
        self.model = LatentDiffusion(**entry["config"], classes=int(labels.max()) + 1)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.discriminator = Discriminator(bank.shape[1])
        unet = [*self.model.unet.parameters(), *self.model.class_embedding.parameters()]
        self.a_optimiser = torch.optim.Adam(self.model.autoencoder.parameters(), lr=1e-3, betas=(0.5, 0.9))
        self.d_optimiser = torch.optim.Adam(self.discriminator.parameters(), lr=1e-3, betas=(0.0, 0.99))
        self.u_optimiser = torch.optim.AdamW(unet, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0)
        self.rng = np.random.default_rng(0)
        self.real_reference = to_tensor(held_out)
        self.progress = Progress()
        self.latents: torch.Tensor | None = None
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "state.pt").exists():
            self._resume()

    def run(self, minutes: float) -> LatentDiffusion:
        """Train until ``minutes`` in all are spent; return the averaged model."""
        budget, last, saved = 60 * minutes, time.monotonic(), time.monotonic()
        report_at = self.progress.seconds
        while self.progress.seconds < budget:
            elapsed = self.progress.seconds / budget
            if elapsed < AUTOENCODER_SHARE:
                losses = self._autoencoder_step(elapsed / AUTOENCODER_SHARE)
            else:
                losses = self._unet_step((elapsed - AUTOENCODER_SHARE) / (1 - AUTOENCODER_SHARE))
            self.progress.step += 1
            now = time.monotonic()
            self.progress.seconds += now - last
            last = now
            if self.progress.seconds >= report_at:
                report_at += max(60.0, budget / 16)
                self._report(losses, elapsed < AUTOENCODER_SHARE)
                last = time.monotonic()
            if now - saved > CHECKPOINT_SECONDS:
                self._save()
                saved = time.monotonic()
        self._report({}, reconstruct=False)
        self._save()
        return self.average

    def _autoencoder_step(self, elapsed: float) -> dict[str, float]:
        set_rate(self.a_optimiser, 1e-3 * min(1.0, 5 * (1 - elapsed) + 0.05))
        real = to_tensor(self.bank[self.rng.integers(0, len(self.bank), 32)])
        self.model.train()
        posterior = self.model.autoencoder.encode(real).latent_dist
        fake = self.model.autoencoder.decode(posterior.sample()).sample
        reconstruction = pyramid_loss(fake, real)
        loss = 10 * reconstruction + KL_WEIGHT * posterior.kl().mean()
        losses = {"reconstruction": reconstruction.item(), "kl": posterior.kl().mean().item()}
        game = elapsed > WARM_UP_SHARE
        if game:
            self.discriminator.requires_grad_(False)
            loss = loss + 0.5 * generator_loss(self.discriminator(fake))
        descend(self.a_optimiser, loss, self.model.autoencoder)
        if game:
            self.discriminator.requires_grad_(True)
            d_loss = discriminator_loss(self.discriminator(real), self.discriminator(fake.detach()))
            if self.progress.step % 8 == 0:
                d_loss = d_loss + 4 * r1_penalty(self.discriminator, real)
            descend(self.d_optimiser, d_loss, self.discriminator)
            losses["discriminator"] = d_loss.item()
        decay = min(0.998, (1 + self.progress.step) / (10 + self.progress.step))
        average(self.average.autoencoder, self.model.autoencoder, decay)
        self.progress.images += len(real)
        return losses

    @torch.no_grad()
    def _encode_bank(self) -> torch.Tensor:
        """Latents of the whole bank under the finished autoencoder, scaled to unit deviation."""
        self.model.autoencoder.load_state_dict(self.average.autoencoder.state_dict())
        for model in (self.model, self.average):
            model.config["scaling_factor"] = 1.0
        batches = [self.average.encode(to_tensor(self.bank[i : i + 64])) for i in range(0, len(self.bank), 64)]
        latents = torch.cat(batches)
        scale = round(1 / latents.std().item(), 5)
        for model in (self.model, self.average):
            model.config["scaling_factor"] = scale
        return latents * scale

    def _unet_step(self, elapsed: float) -> dict[str, float]:
        if self.latents is None:
            self.latents = self._encode_bank()
        set_rate(self.u_optimiser, 1e-3 * min(1.0, 2 * (1 - elapsed) + 0.02))
        rows = torch.from_numpy(self.rng.integers(0, len(self.latents), 48))
        labels = self.labels[rows].clone()
        labels[torch.rand(len(rows)) < CLASS_DROPOUT] = self.model.c_dim
        self.model.train()
        loss = self.model.diffusion_loss(self.latents[rows], labels)
        descend(self.u_optimiser, loss, self.model.unet, clip=1.0)
        average(self.average.unet, self.model.unet, 0.998)
        average(self.average.class_embedding, self.model.class_embedding, 0.998)
        self.progress.images += len(rows)
        return {"noise_mse": loss.item()}

    def samples(self, count: int, seed: int = 1) -> np.ndarray:
        """uint8 (count, S, S, 3) from the averaged model, classes as frequent as in the training set."""
        labels = np.random.default_rng(seed).choice(self.labels.numpy(), count)
        seeds = [seed * 100_000 + i for i in range(count)]
        batches = [self.average.sample(seeds[i : i + 64], labels[i : i + 64]) for i in range(0, count, 64)]
        return np.concatenate(batches)

    @torch.no_grad()
    def _report(self, losses: dict[str, float], reconstruct: bool) -> None:
        real = self.real_reference
        if reconstruct:
            fake = torch.cat([self.average.autoencoder(real[i : i + 64]).sample for i in range(0, len(real), 64)])
        else:
            real = real[:128]
            fake = to_tensor(self.samples(len(real)))
        point = {
            "seconds": round(self.progress.seconds, 1),
            "images": self.progress.images,
            ("swd_reconstruction" if reconstruct else "swd"): round(sliced_wasserstein(fake, real), 2),
            **{k: round(v, 4) for k, v in losses.items()},
        }
        self.progress.curve.append(point)
        get_logger().info("%s: %s", self.folder.name, json.dumps(point))

    def _save(self) -> None:
        state = {name: getattr(self, name).state_dict() for name in _STATEFUL}
        state |= {
            "progress": asdict(self.progress),
            "scaling_factor": self.average.config["scaling_factor"],
            "rng": json.dumps(self.rng.bit_generator.state),
        }
        partial = self.folder / "state.pt.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")

    def _resume(self) -> None:
        state = torch.load(self.folder / "state.pt", weights_only=True)
        for name in _STATEFUL:
            getattr(self, name).load_state_dict(state[name])
        for model in (self.model, self.average):
            model.config["scaling_factor"] = state["scaling_factor"]
        self.progress = Progress(**state["progress"])
        self.rng.bit_generator.state = json.loads(state["rng"])


_STATEFUL = ("model", "average", "discriminator", "a_optimiser", "d_optimiser", "u_optimiser")
