"""A random CLIP that is small enough for tests, in a folder as the Hub has them; and images that it tells apart."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPModel

from osbench.benchmark.images import ImageSet
from osbench.benchmark.method import Context

from .conftest import CLASSES, image_set

IMAGE_SIZE, WIDTH, DIM, LAYERS = 32, 16, 12, 2


def byte_symbols() -> list[str]:
    """The 256 printable characters that stand for bytes in CLIP's vocabulary."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = iter(range(256, 512))
    return [chr(b) if b in printable else chr(next(others)) for b in range(256)]


def write_tiny_clip(folder: Path, seed: int = 0) -> Path:
    """config.json, model.safetensors, vocab.json and merges.txt; every letter of a text is a token."""
    symbols = byte_symbols()
    words = ["<|startoftext|>", "<|endoftext|>", *symbols, *(s + "</w>" for s in symbols)]
    vocabulary = {word: i for i, word in enumerate(words)}
    layer = {"hidden_size": WIDTH, "intermediate_size": 32, "num_hidden_layers": LAYERS, "num_attention_heads": 2}
    text = {**layer, "vocab_size": len(vocabulary), "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    vision = {**layer, "image_size": IMAGE_SIZE, "patch_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=DIM, initializer_factor=4.0)
        CLIPModel(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    return folder


def coloured_set(kinds: tuple[int, ...], count: int, seed: int, split: str, size: int = 32) -> ImageSet:
    """:func:`image_set` with a colour for each kind."""
    return image_set(kinds, count, size, seed, split, coloured=True)


def context(folder: Path, epochs: int | None = None, seed: int = 0) -> Context:
    folder.mkdir(exist_ok=True)
    return Context(seed, torch.device("cpu"), folder, CLASSES, 32, epochs)
