"""Where a training runs and how: device, precision, memory layout, compilation."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeVar, cast

import torch
from torch import nn

from ...core.errors import UsageError

_Function = TypeVar("_Function", bound=Callable)
_Module = TypeVar("_Module", bound=nn.Module)


@dataclass(frozen=True)
class Hardware:
    """Device and execution options; none of them changes what is computed beyond rounding.

    mixed: convolutions and matrix products of the training in bfloat16 (weights, losses and averages stay float32).
    channels_last: NHWC layout of weights and images. compiled: ``torch.compile`` of the forward passes.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    mixed: bool = False
    channels_last: bool = False
    compiled: bool = False

    @classmethod
    def named(cls, name: str, *, mixed: bool | None = None, compiled: bool = False) -> Hardware:
        """``auto``, ``cpu``, ``cuda`` or ``cuda:N``. On CUDA mixed precision (unless refused) and channels-last are on.

        UsageError if the device is not there.
        """
        try:
            device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
        except RuntimeError as error:
            raise UsageError(f"unknown device '{name}'. Known: auto, cpu, cuda, cuda:N.") from error
        cuda = device.type == "cuda"
        if cuda and (device.index or 0) >= torch.cuda.device_count():
            raise UsageError(f"device '{name}' is not there: torch {torch.__version__} sees no such GPU; use cpu.")
        if cuda:
            torch.backends.cudnn.benchmark = True
            torch.set_float32_matmul_precision("high")
        return cls(device, mixed=cuda if mixed is None else mixed, channels_last=cuda, compiled=compiled)

    def place(self, module: _Module) -> _Module:
        """Move a module to the device, in the memory layout."""
        module.to(self.device)
        if self.channels_last:
            nn.Module.to(module, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module

    def autocast(self) -> AbstractContextManager:
        """The context of a forward pass."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed)

    def compile(self, function: _Function) -> _Function:
        """The function, or its compiled form where asked."""
        return cast(_Function, torch.compile(function)) if self.compiled else function

    def __str__(self) -> str:
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        else:
            name = f"CPU ({platform.machine()}), {torch.get_num_threads()} thread"
        return name + (", bfloat16" if self.mixed else "") + (", compiled" if self.compiled else "")
