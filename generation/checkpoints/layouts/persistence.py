"""Layout of the StyleGAN2-ADA (PyTorch) and StyleGAN3 repositories: a dict of persistent objects, ``G_ema`` is ours."""

from __future__ import annotations

from pickle import UnpicklingError
from typing import Any

import numpy as np

from ..inert import Budget, PersistentObject, mapping_of, state_of, walk_modules
from ..reading import materialise
from .weights import State, Weights, json_ready

NAME: str = "persistence"

_POSITIONAL = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
_HINTED = ("conv_clamp", "use_noise", "activation")


def module_tensors(root: object, budget: Budget) -> dict[str, Any]:
    """Parameters, then buffers, of a pickled module and its submodules, under ``state_dict`` names."""
    named: dict[str, Any] = {}
    for kind in ("_parameters", "_buffers"):
        for prefix, node in walk_modules(root, budget):
            tensors = mapping_of(state_of(node).get(kind))
            budget.step(len(tensors))
            for name, tensor in tensors.items():
                if tensor is not None:
                    named[budget.name(name, prefix, ".")] = tensor
    return named


def generator_of(tree: object) -> object:
    """``G_ema`` of a training snapshot, or the object itself where a file holds just the network."""
    return tree["G_ema"] if isinstance(tree, dict) and "G_ema" in tree else tree


def read(tree: object, budget: Budget) -> Weights | None:
    """The persistent ``G_ema`` as :class:`Weights`; None if there is none or it is no known generator."""
    generator = generator_of(tree)
    if not isinstance(generator, PersistentObject):
        return None
    named = module_tensors(generator, budget)
    if "synthesis.b4.const" in named:
        family = "stylegan2"
    elif "synthesis.input.freqs" in named:
        family = "stylegan3"
    else:
        return None
    state = state_of(generator)
    given = mapping_of(state.get("_init_kwargs"))
    positional = state.get("_init_args")
    if isinstance(positional, list | tuple):
        given = {**dict(zip(_POSITIONAL, positional, strict=False)), **given}
    return Weights(
        layout=NAME,
        family=family,
        config=json_ready(given, budget),
        tensors=materialise(named, 4 * budget.file_size),
        hints=_stylegan2_hints(generator, budget) if family == "stylegan2" else {},
    )


def _stylegan2_hints(generator: object, budget: Budget) -> dict[str, Any]:
    """Settings as the layers really have them: the two repositories differ in their defaults."""
    modules = dict(walk_modules(generator, budget))
    layer, block = state_of(modules.get("synthesis.b8.conv1")), state_of(modules.get("synthesis.b8"))
    hints = {name: json_ready(layer[name], budget) for name in _HINTED if name in layer}
    return {**hints, **{name: json_ready(block[name], budget) for name in ("architecture",) if name in block}}


def network(weights: Weights) -> tuple[dict[str, Any], State]:
    """Constructor arguments and state dict of our module."""
    return _stylegan3(weights) if weights.family == "stylegan3" else _stylegan2(weights)


def _stylegan3(weights: Weights) -> tuple[dict[str, Any], State]:
    config = {k: v for k, v in weights.config.items() if k != "num_fp16_res"}
    return config, dict(weights.tensors)


def _stylegan2(weights: Weights) -> tuple[dict[str, Any], State]:
    config = dict(weights.config)
    general = {k: config.pop(k) for k in (*_POSITIONAL, "mapping_kwargs") if k in config}
    hints = dict(weights.hints)
    if "precision" in hints:
        general["precision"] = hints.pop("precision")
    nested = config.pop("synthesis_kwargs", None)
    explicit = nested if isinstance(nested, dict) else config
    defaults = {"conv_clamp": 256, "num_fp16_res": 4} if nested is None else {}
    synthesis = {**defaults, **hints, **explicit}
    taps = np.asarray(synthesis.get("resample_filter", (1, 3, 3, 1)), np.float32)
    fir = np.outer(taps, taps) if taps.ndim == 1 else taps
    state: State = {}
    for name, array in weights.tensors.items():
        if not name.endswith("resample_filter"):
            state[name] = array
        elif array.shape != fir.shape or not np.allclose(array, fir / fir.sum(), atol=1e-6):
            raise UnpicklingError(f"a filter {name} that is not the one of its settings")
    return {**general, "synthesis_kwargs": synthesis}, state
