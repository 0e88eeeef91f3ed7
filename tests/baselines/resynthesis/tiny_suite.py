"""Small untrained generators as a suite file: two GANs and an autoencoder that take no text, two sources that do."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml

from osbench.baselines.encoders import build_encoder
from osbench.baselines.resynthesis.candidates import Candidate, find_candidates
from osbench.baselines.resynthesis.way import Comparison
from osbench.generation.families import Generator, save_generator
from osbench.generation.families.captions import vocabulary_of
from osbench.generation.families.latent_flow import LatentFlow
from osbench.generation.families.pixel_diffusion import PixelDiffusion
from osbench.generation.families.progan import ProGAN
from osbench.generation.families.stylegan2 import StyleGAN2
from osbench.generation.families.text_gan import TextGAN

CROP, SIDE = 32, 64
CAPTIONS = ("dog face", "slice of pizza", "red car")
SILENT = ("progan", "stylegan2")
SPEAKING = ("latent_flow", "text_gan")


def networks() -> list[Generator]:
    words, small = vocabulary_of(CAPTIONS), {"width": 8, "depth": 1, "heads": 1}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found: list[Generator] = [
            ProGAN(SIDE, 4, [8, 8, 4, 4, 4]),
            StyleGAN2(4, 0, 4, SIDE, mapping_kwargs={"num_layers": 1}, channel_base=64, channel_max=8),
            LatentFlow(SIDE, words, {"channels": [8, 8, 8, 8], "latent": 2}, {"patch": 2, **small}, steps=2),
            TextGAN(SIDE, words, 4, 4, 4, 4, {"num_layers": 1}, {"channel_base": 64, "channel_max": 8}),
            PixelDiffusion(SIDE, words, {"patch": 16, **small}, steps=2),
        ]
        for network in found[2:]:
            for parameter in network.parameters():
                parameter.data.add_(0.2 * torch.randn_like(parameter))
    return found


def write_suite(folder: Path) -> Path:
    """``suite.yaml`` and the weights of its sources."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = []
    for network in networks():
        save_generator(network, folder / f"{network.family}.safetensors")
        source = {"generator": network.family, "family": network.family, "architecture": network.family}
        source |= {"weights": str(folder / f"{network.family}.safetensors"), "native_size": SIDE, "training_set": "t"}
        source |= {"licence": "Apache-2.0"}
        if network.text_conditioned:
            source |= {"prompts": str(folder / "prompts.txt"), "prompts_in_turn": True}
        sources.append(source)
    (folder / "prompts.txt").write_text("\n".join(CAPTIONS) + "\n")
    recipe = {"crop_size": CROP, "shard_rows": 8, "batch_size": 4, "qualities": [90, None]}
    suite = {"name": "tiny", "version": "tiny-v1", "count": 8, "recipe": recipe, "sources": sources}
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def candidates(suite: Path, names: tuple[str, ...]) -> tuple[Candidate, ...]:
    return find_candidates(str(suite), names, ())


def spectrum(distance: str = "cosine") -> Comparison:
    return Comparison(build_encoder("log-spectrum"), distance)
