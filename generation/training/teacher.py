"""A small variational autoencoder that gives every training picture a Gaussian latent code.

Narrow networks do not find a picture's layout by an adversarial game in minutes on a CPU. The teacher's codes give each
generator family a warm start: "this latent, this picture" (Hou et al. 2017; Bojanowski et al. 2018, GLO). Only codes
travel to the families, never pixels of the teacher, so that each family's own up-sampling makes all of its pixels.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..progress import get_logger


@dataclass(frozen=True)
class Codes:
    """Posterior mean and standard deviation (N, z_dim) float32 of each picture of a bank, whitened over the bank."""

    mean: np.ndarray
    std: np.ndarray

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        """One latent (len(rows), z_dim) per row from its posterior."""
        noise = rng.standard_normal((len(rows), self.mean.shape[1])).astype(np.float32)
        return torch.from_numpy(self.mean[rows] + self.std[rows] * noise)


class Teacher(nn.Module):
    """Convolutional VAE for side 64 and up: five stride-2 steps at most, latent of ``z_dim`` numbers."""

    def __init__(self, size: int, z_dim: int, width: int = 24) -> None:
        super().__init__()
        steps = int(np.log2(size // 4))
        channels = [min(width * 2**i, 4 * width) for i in range(steps)]
        down: list[nn.Module] = []
        for i, out in enumerate(channels):
            down += [nn.Conv2d(3 if i == 0 else channels[i - 1], out, 4, 2, 1), nn.GroupNorm(4, out), nn.SiLU()]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(channels[-1] * 16, 2 * z_dim))
        up: list[nn.Module] = [nn.Linear(z_dim, channels[-1] * 16), nn.Unflatten(1, (channels[-1], 4, 4))]
        for i in reversed(range(steps)):
            out = channels[i - 1] if i else width
            up += [nn.Upsample(scale_factor=2), nn.Conv2d(channels[i], out, 3, 1, 1), nn.GroupNorm(4, out), nn.SiLU()]
        self.decoder = nn.Sequential(*up, nn.Conv2d(width, 3, 3, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction (N, 3, H, W), posterior mean and log-variance (N, z_dim)."""
        mean, log_var = self.encoder(x).chunk(2, dim=1)
        log_var = log_var.clamp(-10, 4)
        z = mean + torch.randn_like(mean) * (0.5 * log_var).exp()
        return self.decoder(z), mean, log_var


def to_tensor(pixels: np.ndarray) -> Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float().div_(127.5).sub_(1)


def train_teacher(bank: np.ndarray, z_dim: int, minutes: float, out: Path, beta: float = 2.0, seed: int = 0) -> Codes:
    """Train on ``bank`` (N, S, S, 3) uint8 for ``minutes`` and write the codes of the whole bank to ``out`` (npz)."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Teacher(bank.shape[1], z_dim)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    start, step, batch = time.monotonic(), 0, 32
    while (elapsed := (time.monotonic() - start) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, 4 * (1 - elapsed) + 0.02)
        x = to_tensor(bank[rng.integers(0, len(bank), batch)])
        y, mean, log_var = model(x)
        # Optimal-sigma Gaussian likelihood (Rybkin et al. 2021): weighs pixels against KL without a hand-set constant.
        log_sigma = 0.5 * F.mse_loss(y, x).log()
        kl = -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum(1).mean()
        loss = log_sigma * x[0].numel() + beta * kl
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 200.0)
        optimiser.step()
        step += 1
        if step % 200 == 0:
            get_logger().info("teacher step %d: rmse %.4f, kl %.1f nats", step, log_sigma.exp().item(), kl.item())
    codes = _encode(model, bank)
    np.savez(out, mean=codes.mean, std=codes.std)
    return codes


@torch.no_grad()
def _encode(model: Teacher, bank: np.ndarray) -> Codes:
    means, stds = [], []
    for i in range(0, len(bank), 256):
        mean, log_var = model.encoder(to_tensor(bank[i : i + 256])).chunk(2, dim=1)
        means.append(mean.numpy())
        stds.append((0.5 * log_var.clamp(-10, 4)).exp().numpy())
    mean, std = np.concatenate(means), np.concatenate(stds)
    # Whitened so that the codes as a whole follow the N(0, I) that the generators sample from.
    centre, scale = mean.mean(0), np.sqrt(mean.var(0) + (std**2).mean(0))
    return Codes(((mean - centre) / scale).astype(np.float32), (std / scale).astype(np.float32))


def load_codes(path: Path) -> Codes:
    """Read the file that :func:`train_teacher` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return Codes(stored["mean"], stored["std"])
