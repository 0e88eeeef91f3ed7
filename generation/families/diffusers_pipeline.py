"""Text-to-image pipelines of diffusers: SD 1.x, SDXL (and Playground), SD 3, FLUX, PixArt, AuraFlow, Hunyuan-DiT.

The networks, schedulers and samplers are diffusers' own. This module decides what a forensic data set needs decided:
only safetensors are read, no Python that lies beside them is run, the safety checker is left out (it would replace
pictures by black ones) and so is SDXL's invisible watermark; no picture is resampled after it was made; every image has
its own random generator on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import CheckpointError, UsageError
from ...core.foreign import check_regular, printable, read_json
from .base import Generator, NoiseMode, register_family
from .bounded import at_most_layers
from .noise import image_generator

_UNCHECKED: dict[str, Any] = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
PIPELINES: dict[str, dict[str, Any]] = {
    "StableDiffusionPipeline": _UNCHECKED,
    "StableDiffusionXLPipeline": {"add_watermarker": False},
    "StableDiffusion3Pipeline": {},
    "FluxPipeline": {},
    "PixArtAlphaPipeline": {},
    "PixArtSigmaPipeline": {},
    "AuraFlowPipeline": {},
    "HunyuanDiTPipeline": _UNCHECKED,
}
"""Pipeline class -> what it is told besides the folder."""

# Binning makes a picture of another size and resamples it; what a caption is cleaned of depends on installed packages.
_PIXART: dict[str, Any] = {"use_resolution_binning": False, "clean_caption": False}
_CALLED_WITH: dict[str, dict[str, Any]] = {
    "PixArtAlphaPipeline": _PIXART,
    "PixArtSigmaPipeline": _PIXART,
    "HunyuanDiTPipeline": {"use_resolution_binning": False},
}
"""Pipeline class -> what every call of it says besides prompts, seeds and size."""

_LIBRARIES = {"diffusers", "transformers", "stable_diffusion", None}
_MAX_INDEX_BYTES = 1 << 20
_MAX_LAYERS = 200_000
WEIGHT_SUFFIXES = {".json", ".safetensors", ".txt", ".model"}
"""Files of a pipeline's folder that it is made of."""


@register_family("diffusers")
class DiffusersPipeline(Generator):
    """A text-to-image pipeline in a folder, sampled in float32.

    folder: as ``save_pretrained`` writes it. ``config`` describes the pipeline; it is the folder that rebuilds it.
    CheckpointError if it is none of :data:`PIPELINES` or holds anything but safetensors and settings.

    ``z_dim`` is 0: everything random comes from one CPU generator per image, seeded with the image's seed, as
    diffusers' documentation recommends. ``truncation_psi`` and ``noise_mode`` change nothing. Images of one call do
    not depend on each other beyond floating-point order; ``images_per_call`` bounds the memory.
    """

    text_conditioned: ClassVar[bool] = True
    may_blank: ClassVar[bool] = True
    autoencodes: ClassVar[bool] = True

    def __init__(self, folder: str) -> None:
        super().__init__()
        path = Path(folder)
        index = _checked_index(path)
        self.pipeline = _load(path, index["_class_name"])
        parts: dict[str, Any] = self.pipeline.components
        self.config = {"pipeline": index["_class_name"], "scheduler": type(self.pipeline.scheduler).__name__}
        self.networks = nn.ModuleDict({k: part for k, part in parts.items() if isinstance(part, nn.Module)})
        backbone = parts.get("unet") or parts["transformer"]
        # A latent of FLUX is packed in 2 x 2 patches, which its own default resolution accounts for.
        self.resolution = int(getattr(self.pipeline, "default_sample_size", None) or backbone.config.sample_size) * int(
            self.pipeline.vae_scale_factor
        )
        self.z_dim, self.c_dim = 0, 0
        size = {"height": self.resolution, "width": self.resolution}
        self._options = {**size, **_CALLED_WITH.get(index["_class_name"], {})}
        if index["_class_name"] == "HunyuanDiTPipeline":  # it is told of which size the picture was and should be
            self._options |= dict.fromkeys(("original_size", "target_size"), (self.resolution, self.resolution))

    def latents(self, seeds: Sequence[int]) -> np.ndarray:
        """(N, 0): the pipeline draws from the seeds itself."""
        return np.zeros((len(seeds), 0))

    def encode(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] to the means of the autoencoder's latents, as it gives them."""
        return self.pipeline.vae.encode(images).latent_dist.mode()

    def decode(self, codes: Tensor) -> Tensor:
        """What :meth:`encode` gives, to images."""
        return self.pipeline.vae.decode(codes).sample

    def _pictures(
        self,
        seeds: Sequence[int],
        prompts: Sequence[str],
        steps: int | None,
        guidance: float | None,
        images_per_call: int,
    ) -> np.ndarray:
        """float32 (N, H, W, 3) in [0, 1], as the pipeline gives them."""
        if len(prompts) != len(seeds):
            raise UsageError(f"{len(seeds)} images need {len(seeds)} prompts, not {len(prompts)}.")
        options = {"num_inference_steps": steps, "guidance_scale": guidance}
        given = {**self._options, **{name: value for name, value in options.items() if value is not None}}
        pictures = []
        for start in range(0, len(seeds), images_per_call):
            call = slice(start, start + images_per_call)
            with _silent_libraries():  # they remark on every long prompt, at every call
                made = self.pipeline(
                    prompt=list(prompts[call]),
                    generator=[image_generator(seed) for seed in seeds[call]],
                    output_type="np",
                    **given,
                )
            pictures.append(np.asarray(made.images, np.float32))
        return np.concatenate(pictures)

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
        """Images (N, 3, H, W) in [-1, 1] for N seeds; prompts default to empty texts."""
        if seeds is None:
            raise UsageError("a text-to-image pipeline draws from seeds: give one for every image.")
        unit = self._pictures(seeds, prompts or [""] * len(seeds), None, None, 4)
        return torch.from_numpy(unit).permute(0, 3, 1, 2).mul(2).sub(1).to(z.device)

    def sample(
        self,
        seeds: Sequence[int],
        class_labels: Sequence[int] | None = None,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        *,
        prompts: Sequence[str] | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        images_per_call: int = 4,
    ) -> np.ndarray:
        """uint8 (N, H, W, 3), one prompt an image.

        steps, guidance: the pipeline's own defaults if None.
        """
        with torch.no_grad():
            pictures = self._pictures(seeds, prompts or [""] * len(seeds), steps, guidance, images_per_call)
        return (np.nan_to_num(pictures).clip(0, 1) * np.float32(255)).round().astype(np.uint8)

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """``(x / 2 + 0.5)`` clamped to 0..1, times 255, rounded (ties to even)."""
        pixels = np.clip(np.asarray(images, np.float32) / 2 + np.float32(0.5), 0, 1) * 255
        return np.ascontiguousarray(pixels.round().astype(np.uint8).transpose(0, 2, 3, 1))


def _checked_index(folder: Path) -> dict[str, Any]:
    """``model_index.json`` of a folder that holds a known pipeline and nothing to execute; else CheckpointError."""
    where = printable(folder)
    index = read_json(folder / "model_index.json", CheckpointError, _MAX_INDEX_BYTES)
    name = index.get("_class_name") if isinstance(index, dict) else None
    if name is None:
        raise CheckpointError(f"{where}: no diffusers pipeline (model_index.json names none).")
    if not isinstance(name, str) or name not in PIPELINES:
        raise CheckpointError(f"{where}: pipeline {printable(name, 80)} is not one of {', '.join(PIPELINES)}.")
    parts = {key: value for key, value in index.items() if not key.startswith("_") and isinstance(value, list)}
    for key, value in parts.items():
        if len(value) != 2 or not isinstance(value[0], str | None) or value[0] not in _LIBRARIES:
            origin = printable(value[0] if value else value, 80)
            raise CheckpointError(f"{where}: its {printable(key, 40)} comes from {origin}, which is not loaded.")
    for file in folder.rglob("*"):
        if not file.is_dir():
            check_regular(file, CheckpointError)
        if file.suffix == ".py":
            raise CheckpointError(f"{where}: holds Python files ({printable(file.name, 80)}); a pipeline needs none.")
    return index


def _load(folder: Path, name: str) -> Any:
    with _silent_libraries():
        import diffusers

        try:
            with at_most_layers(_MAX_LAYERS):
                pipeline = getattr(diffusers, name).from_pretrained(
                    str(folder), use_safetensors=True, local_files_only=True, **PIPELINES[name]
                )
        except Exception as error:  # whatever the libraries make of a damaged folder
            text = printable(str(error).strip().split("\n")[0]).rstrip(".") or type(error).__name__
            raise CheckpointError(
                f"{printable(folder)}: cannot be loaded as {name} from safetensors ({text})."
            ) from error
        pipeline.to(torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    if hasattr(pipeline, "vae"):
        pipeline.vae.enable_slicing()  # one image at a time: a batch of large ones would not fit
    return pipeline


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """Without the libraries' own bars and remarks (on parts that no pipeline here uses)."""
    from transformers.utils import logging as transformers_logging

    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    from diffusers.utils import logging as diffusers_logging

    diffusers_level, diffusers_bars = diffusers_logging.get_verbosity(), diffusers_logging.is_progress_bar_enabled()
    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        diffusers_logging.set_verbosity(diffusers_level)
        for library, enabled in ((transformers_logging, bars), (diffusers_logging, diffusers_bars)):
            if enabled:
                library.enable_progress_bar()
