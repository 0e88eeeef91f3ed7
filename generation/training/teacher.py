"""A small variational autoencoder that gives every training picture a Gaussian latent code.

Narrow networks do not find a picture's layout by an adversarial game in minutes on a CPU. The teacher's codes give each
generator family a warm start: "this latent, this picture" (Hou et al. 2017; Bojanowski et al. 2018, GLO). Only codes
travel to the families, never pixels of the teacher, so that each family's own up-sampling makes all of its pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...core.errors import DatasetError
from ...core.progress import get_logger
from .bank import Bank
from .hardware import Hardware
from .optimise import adam, descend, set_rate

BATCH = 32
LEARNING_RATE = 2e-3


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
    """Convolutional VAE for sides that are powers of two: stride-2 steps down to 4x4, latent of ``z_dim`` numbers."""

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

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance (N, z_dim)."""
        mean, log_var = self.encoder(x).float().chunk(2, dim=1)
        return mean, log_var.clamp(-10, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction (N, 3, H, W), posterior mean and log-variance (N, z_dim)."""
        mean, log_var = self.encode(x)
        z = mean + torch.randn_like(mean) * (0.5 * log_var).exp()
        return self.decoder(z), mean, log_var


def train_teacher(
    bank: Bank,
    z_dim: int,
    minutes: float,
    out: Path,
    hardware: Hardware | None = None,
    *,
    width: int = 24,
    beta: float = 2.0,
    seed: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> Codes:
    """Train on ``bank`` for ``minutes`` and write the codes of the whole bank to ``out`` (npz)."""
    hardware = hardware or Hardware()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = hardware.place(Teacher(bank.size, z_dim, width))
    forward = hardware.compile(model)
    optimiser = adam(model.parameters(), LEARNING_RATE, (0.9, 0.999), hardware)
    start, step = clock(), 0
    while (elapsed := (clock() - start) / (60 * minutes)) < 1:
        set_rate(optimiser, LEARNING_RATE * min(1.0, 4 * (1 - elapsed) + 0.02))
        x = bank.images(rng.integers(0, len(bank), BATCH))
        with hardware.autocast():
            y, mean, log_var = forward(x)
        log_sigma, kl = _terms(x, y.float(), mean, log_var)
        descend(optimiser, log_sigma * x[0].numel() + beta * kl, model, clip=200.0)
        step += 1
        if step % 200 == 0:
            get_logger().info("teacher step %d: rmse %.4f, kl %.1f nats", step, log_sigma.exp().item(), kl.item())
    codes = _encode(model, bank)
    np.savez(out, mean=codes.mean, std=codes.std)
    return codes


def _terms(x: Tensor, y: Tensor, mean: Tensor, log_var: Tensor) -> tuple[Tensor, Tensor]:
    """Log of the reconstruction's deviation, and the mean Kullback-Leibler divergence of the posteriors in nats.

    Optimal-sigma Gaussian likelihood (Rybkin et al. 2021): weighs pixels against KL without a hand-set constant.
    """
    kl = -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum(1).mean()
    return 0.5 * F.mse_loss(y, x).log(), kl


@torch.no_grad()
def _encode(model: Teacher, bank: Bank) -> Codes:
    means, stds = [], []
    for rows in bank.batches(256):
        mean, log_var = model.encode(bank.images(rows))
        means.append(mean.cpu().numpy())
        stds.append((0.5 * log_var).exp().cpu().numpy())
    return whiten(np.concatenate(means), np.concatenate(stds))


def whiten(mean: np.ndarray, std: np.ndarray) -> Codes:
    """Shift and scale each dimension so that the posteriors as a whole have mean 0 and variance 1.

    The generators sample from N(0, I); so do the codes then, in their first two moments.
    """
    centre, scale = mean.mean(0), np.sqrt(mean.var(0) + (std**2).mean(0))
    return Codes(((mean - centre) / scale).astype(np.float32), (std / scale).astype(np.float32))


def load_codes(path: Path) -> Codes:
    """Read the file that :func:`train_teacher` wrote; DatasetError if it is not one."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Codes(stored["mean"], stored["std"])
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(f"{path}: not a file of codes ({error}); make it with the 'teach' step.") from error
