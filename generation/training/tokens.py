"""Training of the taming family: a VQGAN first, then the transformer over its codes."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..families.taming import TamingTransformer
from ..progress import get_logger
from .adversarial import CHECKPOINT_SECONDS, Progress
from .distance import sliced_wasserstein
from .losses import Discriminator, discriminator_loss, generator_loss, pyramid_loss, r1_penalty
from .optimise import average, descend, set_rate
from .teacher import to_tensor

VQGAN_SHARE = 0.55  # of the time; the rest is the transformer's
WARM_UP_SHARE = 0.4  # of the VQGAN's time without a discriminator
REVIVE_EVERY = 100


class TokenTraining:
    """One taming model in training, resumable from ``folder``."""

    def __init__(self, entry: dict[str, Any], bank: np.ndarray, held_out: np.ndarray, folder: Path) -> None:
        torch.manual_seed(0)
        self.bank, self.folder = bank, folder
        self.model = TamingTransformer(**entry["config"])
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.discriminator = Discriminator(bank.shape[1])
        self.g_optimiser = torch.optim.Adam(self.model.vqgan.parameters(), lr=1e-3, betas=(0.5, 0.9))
        self.d_optimiser = torch.optim.Adam(self.discriminator.parameters(), lr=1e-3, betas=(0.0, 0.99))
        self.t_optimiser = torch.optim.AdamW(
            self.model.transformer.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01
        )
        self.rng = np.random.default_rng(0)
        self.real_reference = to_tensor(held_out)
        self.progress = Progress()
        self.usage = torch.zeros(entry["config"]["vqgan"]["n_embed"])
        self.tokens: torch.Tensor | None = None
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "state.pt").exists():
            self._resume()

    def run(self, minutes: float) -> TamingTransformer:
        """Train until ``minutes`` in all are spent; return the averaged model."""
        budget, last, saved = 60 * minutes, time.monotonic(), time.monotonic()
        report_at = self.progress.seconds
        while self.progress.seconds < budget:
            elapsed = self.progress.seconds / budget
            if elapsed < VQGAN_SHARE:
                losses = self._vqgan_step(elapsed / VQGAN_SHARE)
            else:
                losses = self._transformer_step((elapsed - VQGAN_SHARE) / (1 - VQGAN_SHARE))
            self.progress.step += 1
            now = time.monotonic()
            self.progress.seconds += now - last
            last = now
            if self.progress.seconds >= report_at:
                report_at += max(60.0, budget / 16)
                self._report(losses, elapsed < VQGAN_SHARE)
                last = time.monotonic()
            if now - saved > CHECKPOINT_SECONDS:
                self._save()
                saved = time.monotonic()
        self._report({}, reconstruct=False)
        self._save()
        return self.average

    def _vqgan_step(self, elapsed: float) -> dict[str, float]:
        set_rate(self.g_optimiser, 1e-3 * min(1.0, 5 * (1 - elapsed) + 0.05))
        real = to_tensor(self.bank[self.rng.integers(0, len(self.bank), 32)])
        self.model.train()
        fake, codebook = self.model.reconstruct(real)
        loss = 10 * pyramid_loss(fake, real) + codebook
        losses = {"reconstruction": (loss - codebook).item() / 10, "codebook": codebook.item()}
        game = elapsed > WARM_UP_SHARE
        if game:
            self.discriminator.requires_grad_(False)
            loss = loss + 0.5 * generator_loss(self.discriminator(fake))
        descend(self.g_optimiser, loss, self.model.vqgan)
        if game:
            self.discriminator.requires_grad_(True)
            d_loss = discriminator_loss(self.discriminator(real), self.discriminator(fake.detach()))
            if self.progress.step % 8 == 0:
                d_loss = d_loss + 4 * r1_penalty(self.discriminator, real)
            descend(self.d_optimiser, d_loss, self.discriminator)
            losses["discriminator"] = d_loss.item()
        self._revive_codes(real)
        average(self.average.vqgan, self.model.vqgan, min(0.998, (1 + self.progress.step) / (10 + self.progress.step)))
        self.progress.images += len(real)
        return losses

    @torch.no_grad()
    def _revive_codes(self, real: torch.Tensor) -> None:
        """Move codes that nothing has used for a while onto encoder outputs, so that the codebook does not collapse."""
        self.usage *= 0.98
        self.usage += torch.bincount(self.model.encode(real[:8]).flatten(), minlength=len(self.usage))
        if self.progress.step % REVIVE_EVERY or self.progress.step == 0:
            return
        dead = (self.usage < 0.05).nonzero().squeeze(1)
        vectors = self.model.vqgan.quant_conv(self.model.vqgan.encoder(real)).permute(0, 2, 3, 1).flatten(0, 2)
        chosen = vectors[torch.randint(len(vectors), (len(dead),))]
        for model in (self.model, self.average):
            cast(nn.Embedding, model.vqgan.quantize.embedding).weight[dead] = chosen
        self.usage[dead] = 1.0

    def _transformer_step(self, elapsed: float) -> dict[str, float]:
        if self.tokens is None:
            self.model.vqgan.load_state_dict(self.average.vqgan.state_dict())
            batches = [self.average.encode(to_tensor(self.bank[i : i + 64])) for i in range(0, len(self.bank), 64)]
            self.tokens = torch.cat(batches)
        set_rate(self.t_optimiser, 1e-3 * min(1.0, 2 * (1 - elapsed) + 0.02))
        batch = self.tokens[torch.from_numpy(self.rng.integers(0, len(self.tokens), 48))]
        self.model.train()
        loss = F.cross_entropy(self.model.logits(batch).flatten(0, 1), batch.flatten())
        descend(self.t_optimiser, loss, self.model.transformer)
        average(self.average.transformer, self.model.transformer, 0.995)
        self.progress.images += len(batch)
        return {"nats_per_token": loss.item()}

    def samples(self, count: int, seed: int = 1) -> np.ndarray:
        """uint8 (count, S, S, 3) from the averaged model."""
        seeds = [seed * 100_000 + i for i in range(count)]
        return np.concatenate([self.average.sample(seeds[i : i + 64]) for i in range(0, count, 64)])

    @torch.no_grad()
    def _report(self, losses: dict[str, float], reconstruct: bool) -> None:
        real = self.real_reference
        if reconstruct:
            fake = torch.cat([self.average.reconstruct(real[i : i + 64])[0] for i in range(0, len(real), 64)])
        else:
            fake = to_tensor(self.samples(len(real)))
        point = {
            "seconds": round(self.progress.seconds, 1),
            "images": self.progress.images,
            ("swd_reconstruction" if reconstruct else "swd"): round(sliced_wasserstein(fake, real), 2),
            "codes_in_use": int((self.usage > 0.05).sum()),
            **{k: round(v, 4) for k, v in losses.items()},
        }
        self.progress.curve.append(point)
        get_logger().info("%s: %s", self.folder.name, json.dumps(point))

    def _save(self) -> None:
        state = {name: getattr(self, name).state_dict() for name in _STATEFUL}
        state |= {
            "progress": asdict(self.progress),
            "usage": self.usage,
            "rng": json.dumps(self.rng.bit_generator.state),
        }
        partial = self.folder / "state.pt.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")

    def _resume(self) -> None:
        state = torch.load(self.folder / "state.pt", weights_only=True)
        for name in _STATEFUL:
            getattr(self, name).load_state_dict(state[name])
        self.progress, self.usage = Progress(**state["progress"]), state["usage"]
        self.rng.bit_generator.state = json.loads(state["rng"])


_STATEFUL = ("model", "average", "discriminator", "g_optimiser", "d_optimiser", "t_optimiser")
