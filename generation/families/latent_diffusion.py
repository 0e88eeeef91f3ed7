"""Latent diffusion, the design of Stable Diffusion, conditioned on classes instead of text.

Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (CVPR 2022). The networks and the
sampler are those of diffusers: ``AutoencoderKL``, ``UNet2DConditionModel``, ``DDIMScheduler``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import UsageError
from .base import Generator, NoiseMode, register_family
from .noise import image_generator

STABLE_DIFFUSION_SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
"""DDIM settings of Stable Diffusion 1; a config's ``scheduler`` entries override them."""


@register_family("latent_diffusion")
class LatentDiffusion(Generator):
    """Diffusion in the latent space of an autoencoder, sampled by deterministic DDIM (eta 0).

    z is the flattened initial noise, ``z_dim = C * h * w``. ``truncation_psi`` and ``noise_mode`` change nothing.

    Parameters
    ----------
    autoencoder : Mapping[str, Any]
        Keywords of ``diffusers.AutoencoderKL``; ``sample_size`` (pixels) gives the resolution.
    unet : Mapping[str, Any]
        Keywords of ``diffusers.UNet2DConditionModel``; ``sample_size`` and ``in_channels`` are those of the latent.
    scheduler : Mapping[str, Any] or None, optional
        Keywords of ``diffusers.DDIMScheduler`` over :data:`STABLE_DIFFUSION_SCHEDULE`.
    steps : int, optional
        DDIM steps.
    guidance : float, optional
        Scale of classifier-free guidance (Ho & Salimans, 2022); 1 is none. Used when a class is given.
    classes : int, optional
        Number of classes. The learned table ``class_embedding`` has one row more, the last, for "no class".
    scaling_factor : float, optional
        Latents are multiplied by it before diffusion (1 / their standard deviation). Trainers may set
        ``generator.config["scaling_factor"]`` once the autoencoder is trained; it is read from there only.
    """

    autoencodes: ClassVar[bool] = True

    def __init__(
        self,
        autoencoder: Mapping[str, Any],
        unet: Mapping[str, Any],
        scheduler: Mapping[str, Any] | None = None,
        steps: int = 50,
        guidance: float = 1.0,
        classes: int = 0,
        scaling_factor: float = 0.18215,
    ) -> None:
        # Importing them takes seconds, which nobody should pay who only lists the families.
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler

        super().__init__()
        self.config = {
            "autoencoder": dict(autoencoder),
            "unet": dict(unet),
            "scheduler": dict(scheduler or {}),
            "steps": steps,
            "guidance": guidance,
            "classes": classes,
            "scaling_factor": scaling_factor,
        }
        channels, side = int(unet["in_channels"]), int(unet["sample_size"])
        self.latent_shape = channels, side, side
        self.z_dim, self.c_dim, self.resolution = channels * side * side, classes, int(autoencoder["sample_size"])
        self.steps, self.guidance = steps, guidance
        self.autoencoder = AutoencoderKL(**autoencoder)
        self.unet = UNet2DConditionModel(**unet)
        self.class_embedding = nn.Embedding(classes + 1, self.unet.config["cross_attention_dim"])
        self.scheduler = DDIMScheduler(**{**STABLE_DIFFUSION_SCHEDULE, **(scheduler or {})})
        reduction = 2 ** (len(self.autoencoder.config["block_out_channels"]) - 1)
        latent_channels = self.autoencoder.config["latent_channels"]
        if (latent_channels, self.resolution // reduction) != (channels, side):
            raise UsageError(
                f"the autoencoder's latents are {latent_channels} x {self.resolution // reduction}**2, "
                f"but the unet expects {channels} x {side}**2."
            )

    def latents(self, seeds: Sequence[int]) -> np.ndarray:
        """(N, z_dim) float64, row i the float32 draws of ``torch.Generator("cpu")`` seeded with ``seeds[i]``."""
        generators = [image_generator(s) for s in seeds]
        return np.stack([torch.randn(self.z_dim, generator=g).double().numpy() for g in generators])

    def encode(self, images: Tensor, sample: bool = False) -> Tensor:
        """Images (N, 3, R, R) in [-1, 1] to scaled latents (N, C, h, w): posterior mean, or a draw from it."""
        (posterior,) = self.autoencoder.encode(images, return_dict=False)
        return (posterior.sample() if sample else posterior.mode()) * self.config["scaling_factor"]

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents (N, C, h, w) to images (N, 3, R, R)."""
        (images,) = self.autoencoder.decode(latents / self.config["scaling_factor"], return_dict=False)
        return images

    def predict(self, noisy: Tensor, timesteps: Tensor, labels: Tensor | None = None) -> Tensor:
        """The U-Net's prediction (N, C, h, w) for noisy latents at timesteps (N,) or ().

        ``labels`` (N,) are class ids, ``classes`` standing for "no class"; None is no class for all.
        """
        if labels is None:
            labels = torch.full((len(noisy),), self.c_dim, device=noisy.device)
        condition = self.class_embedding(labels)[:, None]
        return self.unet(noisy, timesteps, encoder_hidden_states=condition, return_dict=False)[0]

    def diffusion_loss(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Mean squared error of the noise at random timesteps (equation 2), from the global torch generator.

        For schedulers of ``prediction_type`` "v_prediction" the target is the velocity instead.
        """
        noise = torch.randn_like(latents)
        total = self.scheduler.config["num_train_timesteps"]
        timesteps: Any = torch.randint(0, total, (len(latents),), device=latents.device)
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        velocity = self.scheduler.config["prediction_type"] == "v_prediction"
        target = self.scheduler.get_velocity(latents, noise, timesteps) if velocity else noise
        return (self.predict(noisy, timesteps, labels) - target).square().mean()

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
    ) -> Tensor:
        """Initial noise (N, z_dim) and optional one-hot classes (N, c_dim) to images (N, 3, H, W)."""
        labels = None if c is None or not self.c_dim else c.argmax(1)
        self.scheduler.set_timesteps(self.steps, device=z.device)
        x = z.float().view(len(z), *self.latent_shape) * self.scheduler.init_noise_sigma
        t: Any
        for t in self.scheduler.timesteps:
            prediction = self.predict(x, t, labels)
            if labels is not None and self.guidance != 1:
                unconditional = self.predict(x, t)
                prediction = unconditional + self.guidance * (prediction - unconditional)
            x = self.scheduler.step(prediction, t, x, eta=0.0, return_dict=False)[0]
        return self.decode(x)

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """``(x / 2 + 0.5)`` clamped to 0..1, times 255, rounded (ties to even)."""
        pixels = np.clip(np.asarray(images, np.float32) / 2 + np.float32(0.5), 0, 1) * 255
        return np.ascontiguousarray(pixels.round().astype(np.uint8).transpose(0, 2, 3, 1))
