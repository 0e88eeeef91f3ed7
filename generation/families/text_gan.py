"""A text-conditioned GAN: StyleGAN2's networks, the mapping told by a caption.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (CVPR 2020); the caption enters where a
class does (Karras et al., "Training Generative Adversarial Networks with Limited Data", NeurIPS 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ...core.errors import UsageError
from .base import NoiseMode, register_family
from .captions import Captions, TextGenerator
from .stylegan2 import MappingNetwork, SynthesisNetwork, synthesis_options
from .transformer import Sketch


@register_family("text_gan")
class TextGAN(TextGenerator):
    """StyleGAN2 from a latent and a caption.

    Parameters
    ----------
    resolution : int
        Side of the pictures, a power of two of at least 8.
    vocabulary : str
        Known words, a space between them.
    z_dim, w_dim : int
        Lengths of the latent and of the style.
    caption_dim : int
        Length of the caption's vector.
    sketch_side : int
        Where the caption's :class:`.transformer.Sketch` joins the feature maps; 0 is nowhere, pure StyleGAN2.
    mapping : dict
        Further keywords of :class:`.stylegan2.MappingNetwork`.
    synthesis : dict
        Keywords of :class:`.stylegan2.SynthesisOptions`.
    """

    latent_spaces: ClassVar[tuple[str, ...]] = ("z",)

    def __init__(
        self,
        resolution: int,
        vocabulary: str,
        z_dim: int,
        w_dim: int,
        caption_dim: int,
        sketch_side: int = 0,
        mapping: Mapping[str, Any] | None = None,
        synthesis: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.config = {
            "resolution": resolution,
            "vocabulary": vocabulary,
            "z_dim": z_dim,
            "w_dim": w_dim,
            "caption_dim": caption_dim,
            "sketch_side": sketch_side,
            "mapping": dict(mapping or {}),
            "synthesis": dict(synthesis or {}),
        }
        self.resolution, self.z_dim, self.c_dim = resolution, z_dim, 0
        self.captions = Captions(vocabulary, caption_dim)
        self.mapping = MappingNetwork(z_dim, caption_dim, w_dim, **dict(mapping or {}))
        options = synthesis_options(dict(synthesis or {}), {})
        self.synthesis = SynthesisNetwork(w_dim, resolution, 3, options)
        if sketch_side not in (0, *self.synthesis.sides):
            raise UsageError(f"sketch_side must be 0 or one of {self.synthesis.sides}, not {sketch_side}.")
        self.sketch_side = sketch_side
        if sketch_side:
            self.sketch = Sketch(caption_dim, sketch_side**2, options.width(sketch_side), rank=8)

    def draw(
        self, z: Tensor, bags: Tensor, noise_mode: NoiseMode = "const", seeds: Sequence[int] | None = None
    ) -> Tensor:
        """Latents (N, z_dim) and bags (N, words + 1) to images (N, 3, S, S)."""
        captions = self.captions(bags)
        styles = self.mapping(z, captions)[:, None].expand(-1, self.synthesis.num_ws, -1)
        sketch = None
        if self.sketch_side:
            sketch = self.sketch(captions).transpose(1, 2).unflatten(2, (self.sketch_side, self.sketch_side))
        return self.synthesis(styles, noise_mode, seeds, sketch)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
        prompts: Sequence[str] | None = None,
    ) -> Tensor:
        """Latents (N, z_dim), N prompts (None: no captions) to images (N, 3, S, S); ``truncation_psi`` does nothing."""
        return self.draw(z.float(), self.bags(prompts, len(z)), noise_mode, seeds)

    @torch.no_grad()
    def sample(
        self,
        seeds: Sequence[int],
        class_labels: Sequence[int] | None = None,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        *,
        prompts: Sequence[str] | None = None,
    ) -> np.ndarray:
        """uint8 (N, S, S, 3), one prompt an image."""
        images = self.eval()(self.noise(seeds), noise_mode=noise_mode, seeds=seeds, prompts=prompts)
        return self.to_uint8(images.float().cpu().numpy())
