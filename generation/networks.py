"""From a source's weights to the network that makes its images, and what has to be known about it beforehand."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.errors import CheckpointError, UsageError
from ..core.foreign import check_regular, printable
from ..core.hashing import file_sha256
from ..core.schema import check_keywords
from .catalog import Source
from .checkpoints import load_generator
from .families import Generator, family_class
from .families.diffusers_pipeline import WEIGHT_SUFFIXES
from .folders import folder_sha256

_PROBES = (-1.5, -1.0, -0.5, -1 / 255, 0.0, 1 / 255, 0.5, 1.0, 1.5)


@dataclass(frozen=True)
class NetworkFacts:
    """What ``dataset.json`` says about a network.

    width, height: of the images it makes, in pixels, after the source's ``crop_rows``. parameters: how many numbers.
    settings: the constructor arguments that change how it samples (see :data:`_SAMPLING`). uint8_rule: see
    :func:`uint8_rule`.
    """

    family: str
    resolution: int
    width: int
    height: int
    parameters: int
    settings: dict[str, Any]
    uint8_rule: dict[str, int]


_SAMPLING = ("pipeline", "scheduler", "top_k", "top_p", "temperature", "steps", "guidance")


def weights_sha256(path: Path) -> str:
    """SHA-256 of a weight file; of a pipeline's folder, over the names and hashes of the files it is made of.

    CheckpointError for a device, a named pipe and the like.
    """
    if path.is_dir():
        return folder_sha256(path, WEIGHT_SUFFIXES)
    check_regular(path, CheckpointError)
    return file_sha256(path)


def weights_bytes(path: Path) -> int:
    """Size of a weight file, or of everything in a pipeline's folder that it is made of."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if path.is_file() or file.suffix in WEIGHT_SUFFIXES)


def open_network(source: Source, sha256: str, device: str) -> Generator:
    """The network of a source with local weights, ready to sample.

    CheckpointError if it is of another family, UsageError if it cannot be sampled as the source says.

    The last one is kept: shards come source by source, so one network in memory is enough.
    """
    assert source.weights is not None
    network = _open(source.weights, sha256, json.dumps(source.settings), device)
    if source.family not in {None, network.family}:
        raise CheckpointError(
            f"{printable(source.weights)}: holds a {network.family}, but source {source.name} needs a {source.family}."
        )
    check_sampling(source, type(network))
    return network


@functools.lru_cache(maxsize=1)
def _open(weights: Path, sha256: str, settings: str, device: str) -> Generator:
    if weights.is_dir():
        network: Generator = family_class("diffusers")(folder=str(weights))
    else:
        network = load_generator(weights, settings=json.loads(settings)).network
    return network.to(device)


@contextmanager
def repeatable_kernels() -> Iterator[None]:
    """Of a GPU's convolutions only those that give the same bits every time, whatever else this process prefers.

    In full float32: the TensorFloat-32 that torch allows them by default would move pixels by more than rounding.
    """
    cudnn = torch.backends.cudnn
    matmul = torch.backends.cuda.matmul
    before = cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = True, False, False, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before


def kept_rows(source: Source, resolution: int) -> slice:
    """Rows of the output that are picture: the source's ``crop_rows``, in proportion if the network is smaller."""
    if source.crop_rows is None or source.native_size is None:
        return slice(0, resolution)
    first, last = (row * resolution // source.native_size for row in source.crop_rows)
    return slice(first, last)


def check_sampling(source: Source, family: type[Generator]) -> None:
    """UsageError unless a family can be sampled as the source says."""
    where = f"source {source.name}: sampling"
    check_keywords(family.sample, source.sampling, where, given=("self", "seeds", "class_labels", "prompts", "codes"))
    if source.prompts and "prompts" not in inspect.signature(family.sample).parameters:
        raise UsageError(f"source {source.name}: has prompts, but {family.family} draws no pictures of texts.")


def network_facts(source: Source, sha256: str) -> NetworkFacts:
    """Open the source's network (on the CPU) and describe it.

    UsageError if the source's classes or prompts do not fit it.
    """
    network = open_network(source, sha256, "cpu")
    if source.class_labels and max(source.class_labels) >= network.c_dim:
        raise UsageError(
            f"source {source.name}: needs class {max(source.class_labels)}, but {source.weights} knows"
            f" {network.c_dim or 'no'} classes."
        )
    if network.text_conditioned and not source.prompts:
        raise UsageError(f"source {source.name}: a text-to-image pipeline needs a list of prompts.")
    if network.code_conditioned != (source.pictures is not None and source.block_code is not None):
        raise UsageError(
            f"source {source.name}: a renderer needs 'pictures' and a 'block_code', and no other network takes them."
        )
    rows = kept_rows(source, network.resolution)
    return NetworkFacts(
        family=network.family,
        resolution=network.resolution,
        width=network.resolution,
        height=rows.stop - rows.start,
        parameters=sum(p.numel() for p in network.parameters()),
        settings={key: network.config[key] for key in _SAMPLING if key in network.config},
        uint8_rule=uint8_rule(network),
    )


def uint8_rule(network: Generator) -> dict[str, int]:
    """The family's float-to-uint8 rule, shown on values from -1.5 to 1.5 (families differ by half a level)."""
    values = np.broadcast_to(np.array(_PROBES, np.float32).reshape(1, 1, 1, -1), (1, 3, 1, len(_PROBES)))
    levels = network.to_uint8(np.ascontiguousarray(values))[0, 0, :, 0]
    return {f"{value:.4f}": int(level) for value, level in zip(_PROBES, levels, strict=True)}
