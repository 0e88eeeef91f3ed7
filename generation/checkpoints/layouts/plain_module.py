"""Layout of the Projected GAN repository: plain (or dill) pickles of ``nn.Module`` objects, ``G_ema`` is ours."""

from __future__ import annotations

from pickle import UnpicklingError
from typing import Any

import torch

from ...families.projected_gan import fold_spectral_norm
from ..inert import Budget, InertObject, state_of
from ..reading import materialise
from .persistence import generator_of, module_tensors
from .weights import State, Weights, json_ready, sides

NAME: str = "plain-module"

_FIRST = "synthesis.init.init.0.weight"
_ATTRIBUTES = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")


def read(tree: object, budget: Budget) -> Weights | None:
    """The FastGAN ``G_ema`` as :class:`Weights`; None if the file holds something else."""
    generator = generator_of(tree)
    if not isinstance(generator, InertObject):
        return None
    named = module_tensors(generator, budget)
    if _FIRST not in named and f"{_FIRST}_orig" not in named:
        return None
    tensors = materialise(named, 4 * budget.file_size)
    attributes = state_of(generator)
    config = {name: json_ready(attributes[name], budget) for name in _ATTRIBUTES if name in attributes}
    return Weights(NAME, "projected_gan", {**config, **_settings(tensors, config)}, tensors)


def _settings(tensors: State, config: dict[str, Any]) -> dict[str, Any]:
    """Constructor arguments that the pickle does not keep, read off the shapes and names."""
    blocks = _blocks(tensors, config)
    uniform = len(set(blocks)) == 1
    return {
        "ngf": _first(tensors, _FIRST).shape[1] // 32,
        "cond": int(any(".embed" in name for name in tensors)),
        "synthesis_kwargs": {"lite": blocks[0] == "lite"} if uniform else {"blocks": blocks},
    }


def _first(tensors: State, name: str) -> Any:
    for suffix in ("_orig", ""):
        if name + suffix in tensors:
            return tensors[name + suffix]
    raise UnpicklingError(f"no tensor {name}")


def _blocks(tensors: State, config: dict[str, Any]) -> list[str]:
    """Block type at 8, 16, .. : nothing but the names says which resolutions have the big one."""
    names = set(tensors)
    return [
        "big" if {f"synthesis.feat_{side}.5.weight_orig", f"synthesis.feat_{side}.5.weight"} & names else "lite"
        for side in sides(config.get("img_resolution", 0))
    ]


def network(weights: Weights) -> tuple[dict[str, Any], State]:
    """Constructor arguments and state dict of our module: spectral norm folded, unused resolutions dropped."""
    config, tensors = weights.config, weights.tensors
    if config.get("cond"):
        raise UnpicklingError("a class-conditional FastGAN, which is not supported")
    used = sides(config.get("img_resolution", 0))
    kept = {name: torch.from_numpy(array) for name, array in tensors.items() if not _unused(name, used[-1])}
    widths = [_first(tensors, _FIRST).shape[1] // 2]
    widths += [_first(tensors, f"synthesis.feat_{side}.1.weight").shape[0] // 2 for side in used]
    return {
        "z_dim": config.get("z_dim"),
        "img_resolution": used[-1],
        "ngf": config["ngf"],
        "channels": widths,
        "blocks": _blocks(tensors, config),
        "img_channels": config.get("img_channels", 3),
    }, {name: tensor.numpy() for name, tensor in fold_spectral_norm(kept).items()}


def _unused(name: str, largest: int) -> bool:
    """Upstream builds stages up to 256 px even for smaller outputs; they never run."""
    stage = name.split(".")[1] if name.count(".") > 1 else ""
    kind, _, side = stage.partition("_")
    return kind in ("feat", "se") and side.isdigit() and int(side) > largest
