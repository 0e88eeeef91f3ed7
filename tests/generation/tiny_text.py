"""A suite of two tiny random text-to-image networks that draw twenty characters, with resyntheses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml

from osbench.generation.families import save_generator
from osbench.generation.families.captions import vocabulary_of
from osbench.generation.families.text_gan import TextGAN

CHARACTERS = tuple(f"character {chr(ord('a') + k)}" for k in range(20))


def write_tiny_text_suite(folder: Path, **keys: Any) -> Path:
    """Sources ``red`` and ``blue``, 32 px, crops of 24 px, 4 images a shard, 2 a batch, 40 of each source; the path.

    The originals of test characters are made again twice by both; ``keys`` of the suite's file take precedence.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(("red", "blue")):
        torch.manual_seed(seed)
        network = TextGAN(
            32, vocabulary_of(CHARACTERS), 8, 8, 8, 4, {"num_layers": 1}, {"channel_base": 64, "channel_max": 8}
        )
        for parameter in network.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
        save_generator(network, folder / f"{name}.safetensors")
    (folder / "characters.txt").write_text("# whom they draw\n" + "\n".join(CHARACTERS))
    document = {
        "name": "tiny-text",
        "version": "tiny-text-v1",
        "count": 40,
        "recipe": {"crop_size": 24, "shard_rows": 4, "batch_size": 2},
        "resyntheses": {"draws": 2, "of": "test"},
        "defaults": {
            "training_set": "letters",
            "native_size": 32,
            "licence": "CC0-1.0",
            "family": "text_gan",
            "weights": "{generator}.safetensors",
            "characters": "characters.txt",
        },
        "sources": [{"generator": name, "architecture": name.title()} for name in ("red", "blue")],
    }
    path = folder / "tiny-text.yaml"
    path.write_text(yaml.safe_dump({**document, **keys}))
    return path
