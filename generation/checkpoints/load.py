"""``load_generator``: any supported weight file to a generator that is ready to sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from ...core.errors import CheckpointError, OsbenchError
from ...core.foreign import printable
from ...core.yaml import read_yaml
from ..families import Generator, family_class
from ..families.base import NoiseMode
from ..families.bounded import at_most_layers
from . import cache as checkpoint_cache
from .inert import describe, mapping_of
from .layouts import LAYOUTS, State, Weights, recognise
from .layouts.lightning import settings_of
from .own_safetensors import OURS, read_own_safetensors
from .reading import checkpoint_sha256, container_of, one_line_errors, read_tree

#: Bounds on constructor arguments taken from a file, checked before anything is built from them.
_LARGEST = {
    "num_layers": 64,
    "mapping_layers": 64,
    "filter_size": 64,
    "lrelu_upsampling": 16,
    "conv_kernel": 9,
    "margin_size": 256,
    "n_layer": 512,
    "resolution": 4096,
    "img_resolution": 4096,
    "num_res_blocks": 64,
    "sample_size": 4096,
    "steps": 1000,
    "num_train_timesteps": 10_000,
}
_LARGEST_NUMBER = 1 << 24
_LONGEST_LIST = 64


@dataclass(frozen=True)
class LoadedGenerator:
    """A generator together with what its file said.

    Attributes
    ----------
    network : Generator
        Our module, in evaluation mode, float32.
    family : str
        Registered family name.
    config : dict[str, Any]
        Constructor arguments as the file states them.
    path : Path
        The source file.
    sha256 : str
        Its hash.
    layout : str
        Published layout of the file, or ``"osbench"`` for our own safetensors.
    warnings : tuple[str, ...]
        Remarks of the reader, one line each.
    """

    network: Generator
    family: str
    config: dict[str, Any]
    path: Path
    sha256: str
    layout: str
    warnings: tuple[str, ...]
    stored: State

    @property
    def z_dim(self) -> int:
        return self.network.z_dim

    @property
    def c_dim(self) -> int:
        return self.network.c_dim

    @property
    def resolution(self) -> int:
        return self.network.resolution

    def tensors(self) -> State:
        """Every array of the generator, exactly as stored in the file and under the file's names."""
        return dict(self.stored)

    def to(self, device: str | torch.device) -> Self:
        """Move the network; returns self."""
        self.network.to(device)
        return self

    def latents(self, seeds: Sequence[int]) -> np.ndarray:
        """See :meth:`Generator.latents`."""
        return self.network.latents(seeds)

    def synthesize(
        self,
        z: np.ndarray,
        c: np.ndarray | None = None,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Latents (N, z_dim) to float32 images (N, C, H, W) before the uint8 rule; see :meth:`Generator.synthesize`."""
        return self.network.synthesize(z, c, truncation_psi, noise_mode, seeds)

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """The family's official conversion: float32 (N, C, H, W) -> uint8 (N, H, W, C)."""
        return self.network.to_uint8(images)

    def sample(
        self,
        seeds: Sequence[int],
        class_labels: Sequence[int] | None = None,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
    ) -> np.ndarray:
        """uint8 images (N, H, W, C), each a function of its own seed (and class); see :meth:`Generator.sample`."""
        return self.network.sample(seeds, class_labels, truncation_psi, noise_mode)


def load_generator(
    path: str | Path,
    *,
    sha256: str | None = None,
    settings: Mapping[str, Any] | None = None,
    cache: Path | bool = True,
) -> LoadedGenerator:
    """Read a weight file without executing anything in it and build its generator.

    Supported: pickles of StyleGAN2-ADA, StyleGAN3 and Projected GAN; TensorFlow ``Network`` pickles of ProGAN,
    StyleGAN and StyleGAN2; ProGAN state dicts of genforce, gandissect and the GAN Zoo; Lightning checkpoints of
    taming-transformers; safetensors of :func:`osbench.generation.families.save_generator`.

    Parameters
    ----------
    path : str or Path
        The file.
    sha256 : str or None, optional
        Expected hash; another one is an error.
    settings : Mapping[str, Any] or None, optional
        Arguments that neither the file nor its ``*-project.yaml`` states (taming: ``n_head``, ``classes``,
        ``top_k``, ``top_p``, ``temperature``; StyleGAN2: ``precision``, ``float32`` or ``official``).
    cache : Path or bool, optional
        Folder of the safetensors cache; True for :func:`~.cache.checkpoint_folder`, False for none.

    Raises
    ------
    CheckpointError
        In one line with file and cause, for anything that is not a sound generator.
    """
    path = Path(path)
    container = container_of(path)
    found = checkpoint_sha256(path)
    if sha256 is not None and found != sha256.lower():
        raise CheckpointError(
            f"{printable(path)}: SHA-256 is {found}, not {printable(sha256)}; download it again or correct the hash."
        )
    folder = checkpoint_cache.checkpoint_folder() if cache is True else cache or None
    if container == "safetensors":
        weights, folder = read_own_safetensors(path), None
    else:
        weights = checkpoint_cache.load(folder, found) if folder else None
    fresh = weights is None
    weights = weights or read_weights(path)
    network = build_network(path, _with_settings(path, weights, settings))
    if fresh and folder:
        checkpoint_cache.store(folder, found, weights)
    return LoadedGenerator(
        network, weights.family, weights.config, path, found, weights.layout, weights.warnings, weights.tensors
    )


def read_weights(path: Path) -> Weights:
    """The generator of a pickle, legacy torch or zip file, still in the file's names. CheckpointError otherwise."""
    tree, budget = read_tree(path)
    with one_line_errors(path):
        weights = recognise(tree, budget)
    if weights is None:
        generator = mapping_of(tree).get("G_ema", tree)
        raise CheckpointError(f"{printable(path)}: holds {describe(generator)}, not a generator of a known family.")
    return weights


def _with_settings(path: Path, weights: Weights, settings: Mapping[str, Any] | None) -> Weights:
    extra = dict(settings or {})
    if weights.family == "taming":
        extra = {**_project_file(path), **extra}
    return replace(weights, hints={**weights.hints, **extra}) if extra else weights


def _project_file(path: Path) -> dict[str, Any]:
    """Settings of the ``*-project.yaml`` that upstream ships beside (or in ``../configs`` of) a checkpoint."""
    places = [*path.parent.glob("*project.yaml"), *(path.parent.parent / "configs").glob("*project.yaml")]
    return settings_of(read_yaml(min(places), CheckpointError)) if places else {}


def build_network(path: Path, weights: Weights) -> Generator:
    """Our module with these weights. Strict: a missing, extra or mis-shaped tensor is a CheckpointError.

    The module is first built without memory, so that sizes a file only claims are never allocated.
    """
    with one_line_errors(path):
        is_ours = weights.layout == OURS
        config, state = (weights.config, weights.tensors) if is_ours else LAYOUTS[weights.layout].network(weights)
        _check_arguments(path, config)
        shapes = _shapes(path, weights.family, config, 2000 + 20 * len(state))
        _check_state(path, weights.family, shapes, state)
        network = family_class(weights.family)(**config)
        network.load_state_dict({name: _tensor(array) for name, array in state.items()}, strict=True)
        return network.eval().requires_grad_(False)


def _shapes(path: Path, family: str, config: dict[str, Any], layers: int) -> dict[str, tuple[int, ...]]:
    """Tensors of a network of at most so many layers and parameters, which is built without memory."""
    try:
        network = family_class(family)
        with torch.device("meta"), at_most_layers(layers):
            return {name: tuple(t.shape) for name, t in network(**config).state_dict().items()}
    except OsbenchError as error:
        raise CheckpointError(f"{printable(path)}: {error}") from error
    except Exception as error:
        text = printable(error, 160).strip() or type(error).__name__
        raise CheckpointError(f"{printable(path)}: no {family} can be built from its settings ({text}).") from error


def _tensor(array: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(np.array(array, order="C"))
    return tensor.float() if tensor.is_floating_point() else tensor


def _check_arguments(path: Path, value: Any, name: str = "") -> None:
    """Numbers and lists within what any published network has."""
    setting = f"{printable(path)}: the setting {printable(name, 40)}"
    if isinstance(value, dict):
        for key, item in value.items():
            _check_arguments(path, item, str(key))
    elif isinstance(value, list | tuple):
        if len(value) > _LONGEST_LIST:
            raise CheckpointError(f"{setting} has {len(value)} entries; no network needs that.")
        for item in value:
            _check_arguments(path, item, name)
    elif isinstance(value, int | float) and not abs(value) <= _LARGEST.get(name, _LARGEST_NUMBER):
        raise CheckpointError(f"{setting} is {printable(value, 24)}; no network needs that.")


def _check_state(path: Path, family: str, shapes: dict[str, tuple[int, ...]], state: State) -> None:
    where = printable(path)
    for name, shape in shapes.items():
        if name not in state:
            raise CheckpointError(f"{where}: no tensor for {name} of a {family} with its settings.")
        if state[name].shape != shape:
            raise CheckpointError(f"{where}: the tensor for {name} has shape {state[name].shape}, not {shape}.")
    for name in state:
        if name not in shapes:
            raise CheckpointError(
                f"{where}: an unexpected tensor {printable(name, 80)} for a {family} with its settings."
            )
