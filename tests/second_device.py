"""A pretended accelerator, so that mistakes with devices show on a machine that has none.

:func:`register` adds the device ``twin`` to torch. Its tensors lie in the same memory as others and the processor's
kernels compute on them, but like those of a real accelerator they refuse to meet a CPU tensor (numbers of no dimension
and copies excepted), to become a NumPy array, and to be drawn from a CPU generator. It has a random stream and
checkpoints of its own, views, autograd, optimisers and fused optimisers, whose tensors must agree in memory layout as
CUDA's must.

What it cannot check: real kernels and their precision, nondeterminism, autocast, ``torch.compile``, memory, streams,
several devices, and processes that share one.

Registration lasts as long as the process and changes what torch says about accelerators, hence the audits of the
project's code that use it (``audit_*.py``) run in a process of their own, which ``test_second_device.py`` starts.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.dlpack import from_dlpack, to_dlpack  # type: ignore[attr-defined]

NAME = "twin"
REASON = "this torch cannot register a device from Python"
_SETUP = getattr(backend_registration, "_setup_privateuseone_for_python_backend", None)

# DLPack's numbers of a processor and of a device that it does not know.
_CPU, _EXTENSION = 1, 12
_DEVICE_TYPE_OFFSET = ctypes.sizeof(ctypes.c_void_p)

# A view is made of sizes and strides alone: any device's kernel will do, and none reads the data.
_VIEWS = (
    "as_strided", "view", "_reshape_alias", "unfold", "view_as_real", "view_as_complex",
    "set_.source_Storage", "set_.source_Storage_storage_offset", "set_.source_Tensor",
)  # fmt: skip
# torch would put these together from others; the processor has kernels of its own, with other roundings.
_KERNELS = ("native_group_norm", "native_group_norm_backward", "native_layer_norm", "native_layer_norm_backward")
_FACTORIES = ("empty.memory_format", "empty_strided", "arange.start_step", "randperm", "eye", "eye.m", "linspace")
# Indices may lie on the CPU, as CUDA allows.
_INDEXED = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index")
_FUSED = ("_fused_adam_", "_fused_adamw_")

_registered: list[torch.library.Library] = []


def available() -> bool:
    """Whether this torch can do it."""
    return _SETUP is not None


def register() -> torch.device:
    """The device, known to torch from now on; skips the tests of a module where this torch cannot do it."""
    if _SETUP is None:
        pytest.skip(REASON, allow_module_level=True)
    if not _registered:
        _SETUP(rename=NAME, backend_module=_stream)
        aten, every = torch.library.Library("aten", "IMPL"), torch.library.Library("_", "IMPL")
        _registered.extend((aten, every))
        every.fallback(_compute, "PrivateUse1")
        for name in _VIEWS:
            aten.impl(name, _view(_operator(name)), "PrivateUse1")
        for name in (*_KERNELS, *_FACTORIES):
            aten.impl(name, _kernel(_operator(name)), "PrivateUse1")
        for name, function in _OWN.items():
            aten.impl(name, function, "PrivateUse1")
        torch.serialization.register_package(0, lambda storage: None, _restore_storage)  # type: ignore[arg-type]
        torch.UntypedStorage.clone = _clone_storage  # type: ignore[method-assign]
    return torch.device(NAME)  # without a number, as --device cuda


class _Stream:
    """What torch wants to know of a kind of device, among it the random stream."""

    def __init__(self) -> None:
        self.generator = torch.Generator()
        self.shared = False

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return True

    def device_count(self) -> int:
        return 1

    def current_device(self) -> int:
        return 0

    def synchronize(self, device: Any = None) -> None:
        del device

    def get_device_name(self, device: Any = None) -> str:
        del device
        return "a pretended accelerator"

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        # Another stream than the CPU's, so that no result can be the same by drawing in the wrong place.
        self.generator.manual_seed(seed ^ 0x5EED)

    def get_rng_state(self, device: Any = None) -> Tensor:
        del device
        return self.generator.get_state()

    def set_rng_state(self, state: Tensor, device: Any = None) -> None:
        del device
        if state.device.type != "cpu":
            raise TypeError("RNG state must be a torch.ByteTensor")
        self.generator.set_state(state)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Draws of the CPU's global generator come from this stream."""
        if self.shared:
            yield
            return
        before = torch.get_rng_state()
        torch.set_rng_state(self.generator.get_state())
        try:
            yield
        finally:
            self.generator.set_state(torch.get_rng_state())
            torch.set_rng_state(before)


_stream = _Stream()


@contextmanager
def one_random_stream() -> Iterator[None]:
    """Draws on the device come from the CPU's global stream, so that whole trainings can be compared."""
    _stream.shared = True
    try:
        yield
    finally:
        _stream.shared = False


# -- the same memory under another device's name -------------------------------------------------------------------


def _relabel(tensor: Tensor, kind: int) -> Tensor:
    capsule = to_dlpack(tensor.detach())
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = get_pointer(capsule, b"dltensor")
    ctypes.c_int32.from_address(address + _DEVICE_TYPE_OFFSET).value = kind
    return from_dlpack(capsule)


def _on_cpu(tensor: Tensor) -> Tensor:
    return _relabel(tensor, _CPU)


def _on_device(tensor: Tensor) -> Tensor:
    # A copy where the storage is larger than what is seen of it would be wrong for views only, which never come here.
    return _relabel(tensor.resolve_conj().resolve_neg(), _EXTENSION)


# -- operators -----------------------------------------------------------------------------------------------------


def _operator(name: str) -> torch._ops.OpOverload:
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload or "default")


def _view(operator: torch._ops.OpOverload) -> Callable[..., Any]:
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)

    def kernel(*arguments: Any, **options: Any) -> Any:
        _check(operator, tree_leaves((arguments, options)))
        return operator.redispatch(keys, *arguments, **options)

    return kernel


def _kernel(operator: torch._ops.OpOverload) -> Callable[..., Any]:
    return lambda *arguments, **options: _compute(operator, *arguments, **options)


def _compute(operator: torch._ops.OpOverload, *arguments: Any, **options: Any) -> Any:
    """Any operator: check where its arguments lie, let the CPU's kernel do it, and bring the results back."""
    leaves = tree_leaves((arguments, options))
    _check(operator, leaves)
    if operator._schema.name.removeprefix("aten::") in _FUSED:
        _check_layouts(arguments)
    originals: dict[int, tuple[Tensor, Tensor]] = {}
    written = {a.name for a in operator._schema.arguments if a.kwarg_only and a.alias_info and a.alias_info.is_write}

    def lend(value: Any, fresh: bool = False) -> Any:
        if isinstance(value, torch.device):
            return torch.device("cpu")
        if not isinstance(value, Tensor) or value.device.type != NAME:
            return value
        alias = torch.empty(0, dtype=value.dtype) if fresh else _on_cpu(value)
        originals[id(alias)] = (alias, value)
        return alias

    lent = tree_map(lend, arguments)
    named = {key: tree_map(lambda v, k=key: lend(v, k in written), value) for key, value in options.items()}
    if torch.Tag.nondeterministic_seeded in operator.tags:
        with _stream.drawing():
            results = operator(*lent, **named)
    else:
        results = operator(*lent, **named)
    for key in written:
        for alias in tree_leaves(named[key]):
            _fill(originals[id(alias)][1], alias)

    def bring_back(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if id(value) in originals:
            return originals[id(value)][1]
        return _on_device(value)

    return tree_map(bring_back, results)


def _fill(out: Tensor, values: Tensor) -> None:
    if out.shape != values.shape:
        _resize(out, values.shape)
    _on_cpu(out).copy_(values)


def _check(operator: torch._ops.OpOverload, leaves: list[Any]) -> None:
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    name = operator._schema.name.removeprefix("aten::")
    guests = [t for t in tensors if t.device.type != NAME and t.dim()]
    if name in _INDEXED:
        guests = [t for t in guests if t is tensors[0] or t.dtype not in (torch.int64, torch.bool)]
    if guests:
        raise RuntimeError(
            f"aten::{name}: expected all tensors to be on the same device, but found at least two devices, "
            f"{NAME}:0 and {guests[0].device}! (shapes {[tuple(t.shape) for t in tensors]})"
        )
    for leaf in leaves:
        if isinstance(leaf, torch.Generator) and leaf.device.type != NAME:
            raise RuntimeError(f"Expected a '{NAME}' device type for generator but found '{leaf.device.type}'")


def _check_layouts(lists: tuple[Any, ...]) -> None:
    """CUDA's fused optimisers want parameter, gradient and averages of one layout."""
    parameters, *others = (value for value in lists[:5] if isinstance(value, list))
    for tensors in others[:3]:
        for p, t in zip(parameters, tensors, strict=False):
            if p.shape == t.shape and _strides(p) != _strides(t):
                raise RuntimeError(
                    "params, grads, exp_avgs, and exp_avg_sqs must have same dtype, device, and layout "
                    f"({tuple(p.shape)}: {p.stride()}, {t.stride()})"
                )


def _strides(tensor: Tensor) -> list[int]:
    return [stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size != 1]


def _copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    del non_blocking
    a, b = (_on_cpu(t) if t.device.type == NAME else t.detach() for t in (source, target))
    b.copy_(a)
    return target


def _resize(tensor: Tensor, size: Any, memory_format: torch.memory_format | None = None) -> Tensor:
    new = torch.empty(size, dtype=tensor.dtype, memory_format=memory_format or torch.contiguous_format)
    kept = min(new.numel(), tensor.numel())
    if kept and tensor.is_contiguous() and new.is_contiguous():
        new.view(-1)[:kept] = _on_cpu(tensor).reshape(-1)[:kept]
    room = _on_device(new)
    return tensor.set_(room.untyped_storage(), 0, new.shape, new.stride())


def _convolution(*arguments: Any) -> Any:
    return _compute(torch.ops.aten.convolution.default, *arguments)


def _convolution_backward(
    gradient: Tensor, x: Tensor, weight: Tensor, *settings: Any
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    *rest, mask = settings
    bias = [weight.shape[0] if not rest[3] else weight.shape[1] * rest[5]]
    return _compute(torch.ops.aten.convolution_backward.default, gradient, x, weight, bias, *rest, mask)


_OWN: dict[str, Callable[..., Any]] = {
    "_copy_from": _copy_from,
    "_copy_from_and_resize": lambda source, target: _copy_from(source, _resize(target, source.shape)),
    "resize_": _resize,
    "convolution_overrideable": _convolution,
    "convolution_backward_overrideable": _convolution_backward,
}


# -- storages: an allocator of its own is what the device lacks -----------------------------------------------------

_clone_elsewhere = torch.UntypedStorage.clone


def _clone_storage(storage: torch.UntypedStorage) -> torch.UntypedStorage:
    """``copy.deepcopy`` of a tensor."""
    return _moved_storage(storage) if storage.device.type == NAME else _clone_elsewhere(storage)


def _restore_storage(storage: torch.UntypedStorage, location: str) -> torch.UntypedStorage | None:
    """``torch.load`` onto the device."""
    return _moved_storage(storage) if location.partition(":")[0] == NAME else None


def _moved_storage(storage: torch.UntypedStorage) -> torch.UntypedStorage:
    return torch.empty(storage.nbytes(), dtype=torch.uint8, device=NAME).untyped_storage().copy_(storage)
