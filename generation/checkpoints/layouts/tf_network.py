"""Layout of the TensorFlow repositories (ProGAN, StyleGAN, StyleGAN2): a tuple (G, D, Gs) of pickled ``Network``."""

from __future__ import annotations

from pickle import UnpicklingError
from typing import Any

from ..inert import Budget, InertClass, InertObject, mapping_of, state_of
from ..reading import materialise
from . import tf_progan, tf_stylegan, tf_stylegan2
from .weights import State, Weights, json_ready

NAME: str = "tf-network"


def read(tree: object, budget: Budget) -> Weights | None:
    """The long-term average generator ``Gs`` (last of the tuple) as :class:`Weights`; None for other content."""
    networks = list(tree) if isinstance(tree, tuple | list) and len(tree) <= 3 else [tree]
    if not networks or not all(_is_network(network) for network in networks):
        return None
    named = _variables(networks[-1], budget)
    if "4x4/Dense/weight" in named:
        family = "progan"
    elif "synthesis/4x4/Const/StyleMod/weight" in named:
        family = "stylegan"
    elif "synthesis/4x4/Conv/mod_weight" in named:
        family = "stylegan2"
    else:
        return None
    config = json_ready(mapping_of(state_of(networks[-1]).get("static_kwargs")), budget)
    tensors = materialise(named, 4 * budget.file_size)
    lod = tensors.get("lod", tensors.get("synthesis/lod"))
    grown = lod is None or float(lod.ravel()[0] if lod.size else 0) == 0
    warnings = () if grown else ("the network was saved before its last resolution was fully grown",)
    return Weights(NAME, family, config, tensors, warnings=warnings)


def _is_network(node: object) -> bool:
    call = node.call if isinstance(node, InertObject) else None
    return isinstance(call, InertClass) and call.name == "Network" and "variables" in state_of(node)


def _variables(node: object, budget: Budget) -> dict[str, Any]:
    """All variables; with components, under ``top/``, ``mapping/`` and ``synthesis/``."""
    components = mapping_of(state_of(node).get("components"))
    parts = (
        {"top": node, **{budget.name(name): part for name, part in components.items()}} if components else {"": node}
    )
    named: dict[str, Any] = {}
    for prefix, part in parts.items():
        variables = state_of(part).get("variables")
        pairs = list(mapping_of(variables).items()) or variables
        if not isinstance(pairs, list) or any(not isinstance(p, tuple | list) or len(p) != 2 for p in pairs):
            raise UnpicklingError("a TensorFlow network whose variables are no list of pairs")
        budget.step(len(pairs))
        for name, value in pairs:
            full = budget.name(name, prefix, "/")
            if full in named:
                raise UnpicklingError(f"the variable {full[:80]} twice")
            named[full] = value
    return named


def network(weights: Weights) -> tuple[dict[str, Any], State]:
    """Constructor arguments and state dict of our module."""
    convert = {"progan": tf_progan.network, "stylegan": tf_stylegan.network, "stylegan2": tf_stylegan2.network}
    return convert[weights.family](weights.tensors, weights.config)
