"""The interface that every generator family fulfils.

A family is one module with one class derived from :class:`Generator` under ``@register_family("its_name")``. Widths
and depths come from the config alone, so that the small zoo and the official checkpoints load into the same modules.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import CheckpointError
from ...core.foreign import check_regular
from ...core.registry import Registry

NoiseMode = Literal["const", "random", "none"]
F = TypeVar("F", bound="type[Generator]")


def seeded_random_state(seed: int, stream: str = "") -> np.random.RandomState:
    """The NumPy generator of one image.

    Seeds below 2**32 with no stream name give upstream's ``RandomState(seed)``; larger (osbench) seeds and
    named streams go through ``SeedSequence``, so that two streams of one image never overlap.
    """
    if 0 <= seed < 2**32 and not stream:
        return np.random.RandomState(seed)
    words = np.frombuffer(stream.encode().ljust(4 * (-(-len(stream) // 4)), b"\0"), dtype=np.uint32)
    entropy = [seed & 0xFFFFFFFF, seed >> 32, *(int(w) for w in words)]
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(entropy)))


class Generator(nn.Module, ABC):
    """A trained image generator.

    Attributes
    ----------
    family : str
        Registered name, e.g. ``"stylegan2"``.
    config : dict[str, Any]
        JSON-able dict that rebuilds the network: ``type(g)(**g.config)``.
    z_dim : int
        Length of one latent row (for latent diffusion: of the flattened initial noise).
    c_dim : int
        Number of classes, 0 if unconditional.
    resolution : int
        Output side in pixels.
    text_conditioned : bool
        Whether ``sample`` takes ``prompts``, one text per image.
    code_conditioned : bool
        Whether ``sample`` takes ``codes``, one picture's code per image (:mod:`..block_code`).
    may_blank : bool
        Whether sound weights may give an empty (constant) picture now and then; a GAN's never do.
    latent_spaces : tuple[str, ...]
        Spaces in which a given picture can be sought by gradient descent, the widest last; empty where there is none.
    autoencodes : bool
        Whether ``encode(images)`` and ``decode(codes)`` send pictures in [-1, 1] through an autoencoder of its own.
    """

    family: ClassVar[str]
    text_conditioned: ClassVar[bool] = False
    code_conditioned: ClassVar[bool] = False
    may_blank: ClassVar[bool] = False
    latent_spaces: ClassVar[tuple[str, ...]] = ()
    autoencodes: ClassVar[bool] = False
    config: dict[str, Any]
    z_dim: int
    c_dim: int = 0
    resolution: int

    @abstractmethod
    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
    ) -> Tensor:
        """Map latents (N, z_dim) and optional one-hot classes (N, c_dim) to images (N, 3, H, W) in about [-1, 1].

        Differentiable where the family is; ``seeds`` (length N) feed every further random draw, one
        generator per image, so that an image never depends on its batch.
        """

    @abstractmethod
    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """The family's official conversion: float32 (N, 3, H, W) -> uint8 (N, H, W, 3)."""

    def latents(self, seeds: Sequence[int]) -> np.ndarray:
        """Latents (N, z_dim) float64, row i drawn from ``seeded_random_state(seeds[i])`` alone."""
        return np.stack([seeded_random_state(s).randn(self.z_dim) for s in seeds])

    def to_space(self, z: Tensor, space: str) -> Tensor:
        """Codes (N, ...) in one of ``latent_spaces`` of the pictures that latents (N, z_dim) give."""
        return z

    def from_space(
        self, codes: Tensor, space: str, *, noise_mode: NoiseMode = "const", seeds: Sequence[int] | None = None
    ) -> Tensor:
        """Pictures (N, 3, H, W) of codes in one of ``latent_spaces``; differentiable, no truncation."""
        return self(codes, noise_mode=noise_mode, seeds=seeds)

    @torch.no_grad()
    def synthesize(
        self,
        z: np.ndarray,
        c: np.ndarray | None = None,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
    ) -> np.ndarray:
        """float32 (N, 3, H, W) *before* the uint8 rule, for latents as upstream gives them (float64 accepted)."""
        device = next(self.parameters()).device
        latents = torch.from_numpy(np.asarray(z)).to(device)
        classes = None if c is None else torch.from_numpy(np.asarray(c)).to(device)
        images = self.eval()(latents, classes, truncation_psi=truncation_psi, noise_mode=noise_mode, seeds=seeds)
        return images.float().cpu().numpy()

    def sample(
        self,
        seeds: Sequence[int],
        class_labels: Sequence[int] | None = None,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
    ) -> np.ndarray:
        """Images for seeds: uint8 (N, H, W, 3), each a function of its own seed (and class) alone."""
        c = None
        if self.c_dim and class_labels is not None:
            c = np.eye(self.c_dim, dtype=np.float32)[np.asarray(class_labels)]
        return self.to_uint8(self.synthesize(self.latents(seeds), c, truncation_psi, noise_mode, seeds))


_FAMILIES: Registry[type[Generator]] = Registry("generator family", "osbench.families")


def register_family(name: str) -> Callable[[F], F]:
    """Class decorator: make a family known under ``name``."""

    def register(cls: F) -> F:
        _FAMILIES.add(name, cls)
        cls.family = name
        return cls

    return register


def family_class(name: str) -> type[Generator]:
    """The class registered for a family name; UsageError with a suggestion otherwise."""
    return _FAMILIES.get(name)


def families() -> list[str]:
    """Names of all families, sorted; none is imported for it."""
    return _FAMILIES.names()


def truncating_uint8(scale: float, shift: float) -> Callable[[np.ndarray], np.ndarray]:
    """``(x * scale + shift)`` clamped to 0..255, truncated towards zero; NCHW float -> NHWC uint8."""

    def convert(images: np.ndarray) -> np.ndarray:
        pixels = np.clip(np.asarray(images, np.float32) * np.float32(scale) + np.float32(shift), 0, 255)
        return np.ascontiguousarray(pixels.astype(np.uint8).transpose(0, 2, 3, 1))

    return convert


def save_generator(generator: Generator, path: Path, extra: dict[str, Any] | None = None) -> None:
    """Write weights as float16 safetensors with family, config and ``extra`` in the header."""
    from safetensors.torch import save_file

    tensors = {
        name: (t.half() if t.is_floating_point() else t).contiguous().clone()
        for name, t in generator.state_dict().items()
    }
    header = {"family": generator.family, "config": json.dumps(generator.config), "extra": json.dumps(extra or {})}
    save_file(tensors, str(path), metadata=header)


def load_safetensors_generator(path: Path) -> Generator:
    """Read a file of :func:`save_generator` into float32, strictly (no missing, extra or mis-shaped tensor)."""
    from safetensors import SafetensorError, safe_open

    check_regular(path, CheckpointError)
    try:
        with safe_open(str(path), framework="pt") as f:
            header = f.metadata() or {}
            tensors = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error}).") from error
    if "family" not in header or "config" not in header:
        raise CheckpointError(f"{path}: the safetensors header names no osbench family; convert the file first.")
    generator = family_class(header["family"])(**json.loads(header["config"]))
    tensors = {n: (t.float() if t.is_floating_point() else t) for n, t in tensors.items()}
    try:
        generator.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise CheckpointError(f"{path}: weights do not fit a {generator.family} of its config: {first}") from error
    return generator.eval().requires_grad_(False)
