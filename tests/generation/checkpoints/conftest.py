"""Writers of upstream-shaped checkpoint files, so that the reader is tested without any upstream package."""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from osbench.generation import LoadedGenerator, load_generator

from ...float64 import assert_equal_but_for_rounding, assert_equal_in_float64, in_float64

TRIPWIRE = "raise SystemExit('tripwire: code embedded in a pickle was executed')\n"


class Global:
    """Written as the global ``module.name``, whether or not such a thing exists here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self, *args: Any) -> Any:  # the pickle module insists that what it reduces with is callable
        raise AssertionError("never called")


class Reduced:
    """Written as ``function(*args)`` followed by ``BUILD state``."""

    def __init__(self, function: Global, args: tuple[Any, ...], state: Any = None) -> None:
        self.function, self.args, self.state = function, args, state


PythonPickler: Any = pickle._Pickler  # type: ignore[attr-defined]


class Writer(PythonPickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Reduced):
            return obj.function, obj.args, obj.state
        return "global" if isinstance(obj, Global) else NotImplemented

    def save_global(self, obj: Any, name: str | None = None) -> None:
        if not isinstance(obj, Global):
            super().save_global(obj, name)
            return
        if self.proto >= 4:
            self.save(obj.module)
            self.save(obj.name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        self.memoize(obj)


def dump(tree: Any, protocol: int = 3) -> bytes:
    """A pickle of a tree that may hold :class:`Global` and :class:`Reduced`."""
    stream = io.BytesIO()
    Writer(stream, protocol).dump(tree)
    return stream.getvalue()


def module_tree(state: dict[str, torch.Tensor], buffers: set[str], wrap: Any, root: Any) -> Any:
    """Nested modules of a flat state dict; ``wrap(name, attributes)`` makes the pickled object of each module."""
    own: dict[str, torch.Tensor] = {}
    children: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in state.items():
        head, _, rest = name.partition(".")
        if rest:
            children.setdefault(head, {})[rest] = tensor
        else:
            own[name] = tensor
    attributes = {
        "training": False,
        "_parameters": {k: torch.nn.Parameter(t) for k, t in own.items() if k not in buffers},
        "_buffers": {k: t for k, t in own.items() if k in buffers},
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": OrderedDict(),
        "_modules": {k: module_tree(v, buffers, wrap, {}) for k, v in children.items()},
    }
    return wrap("Generator" if root else "Layer", {**attributes, **root})


def persistent(name: str, attributes: dict[str, Any]) -> Reduced:
    """An object as ``torch_utils.persistence`` writes it, with a tripwire in place of its source."""
    meta = {"type": "class", "version": 6, "module_src": TRIPWIRE, "class_name": name, "state": attributes}
    return Reduced(Global("torch_utils.persistence", "_reconstruct_persistent_obj"), (meta,))


def plain_module(name: str, attributes: dict[str, Any]) -> Reduced:
    """An object as pickle writes an ``nn.Module`` of the Projected GAN repository."""
    return Reduced(Global("pg_modules.networks_fastgan", name), (), attributes)


def snapshot(generator: Any) -> dict[str, Any]:
    """The dictionary around the networks."""
    return {"G": None, "D": None, "G_ema": generator, "training_set_kwargs": {"path": "/data/x.zip"}}


def tf_network(variables: dict[str, np.ndarray], settings: dict[str, Any], components: Any = None) -> Reduced:
    """A TensorFlow ``Network`` as the repositories pickle it."""
    state = {
        "version": 3,
        "name": "Gs",
        "static_kwargs": settings,
        "build_module_src": TRIPWIRE,
        "build_func_name": "G_any",
        "variables": list(variables.items()),
        **({} if components is None else {"components": components}),
    }
    return Reduced(Global("dnnlib.tflib.network", "Network"), (), state)


def text(value: str) -> bytes:
    """The opcode that pushes a string."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


#: Tensors that the modules hold as buffers; everything else is a parameter.
BUFFERS = {
    "w_avg", "noise_const", "resample_filter", "magnitude_ema", "up_filter", "down_filter", "transform", "freqs",
    "phases", "running_mean", "running_var", "num_batches_tracked", "weight_u", "weight_v",
}  # fmt: skip


def randomised(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """State dict of a network whose every floating tensor is drawn anew, also those that start at 0 or 1."""
    torch.manual_seed(1)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not name.endswith("_filter"):
            tensor.copy_(
                torch.randn(tensor.shape).abs() + 0.1 if name.endswith(("ema", "var")) else torch.randn(tensor.shape)
            )
    return network.eval().state_dict()


def write(path: Path, data: bytes) -> LoadedGenerator:
    path.write_bytes(data)
    return load_generator(path, cache=False)


def same_images(network: Any, loaded: LoadedGenerator, *, rounded: bool = False, **keywords: Any) -> None:
    """The same images; ``rounded``: writing the file has rounded the weights once more."""

    def images(one: Any) -> np.ndarray:
        return one.synthesize(network.latents([1, 2]), **{"seeds": [1, 2], **keywords})

    expected = in_float64(network, images)
    if rounded:
        assert_equal_but_for_rounding(loaded.network, images, expected)
    else:
        assert_equal_in_float64(in_float64(loaded.network, images), expected)


def same_tensors(loaded: LoadedGenerator, stored: dict[str, Any]) -> None:
    tensors = loaded.tensors()
    assert set(tensors) == set(stored)
    for name, value in stored.items():
        array = value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's cache."""
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "osbench-cache"))


class Files:
    """All writers under one name, for tests to use as a fixture."""

    BUFFERS = BUFFERS
    Global = Global
    Reduced = Reduced
    dump = staticmethod(dump)
    module_tree = staticmethod(module_tree)
    persistent = staticmethod(persistent)
    plain_module = staticmethod(plain_module)
    snapshot = staticmethod(snapshot)
    tf_network = staticmethod(tf_network)
    text = staticmethod(text)
    randomised = staticmethod(randomised)
    load = staticmethod(write)
    same_images = staticmethod(same_images)
    same_tensors = staticmethod(same_tensors)


@pytest.fixture(scope="session")
def files() -> type[Files]:
    return Files
