from __future__ import annotations

import pytest
import torch
from torch import nn

from osbench.core.errors import UsageError
from osbench.generation.training.hardware import Hardware


def test_cpu_is_plain() -> None:
    hardware = Hardware.named("cpu")
    assert (hardware.mixed, hardware.channels_last, hardware.compiled) == (False, False, False)
    with hardware.autocast():
        assert nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == torch.float32
    assert str(hardware).startswith("CPU (")


def test_mixed_precision_on_request() -> None:
    hardware = Hardware.named("cpu", mixed=True)
    with hardware.autocast():
        assert nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == torch.bfloat16
    assert str(hardware).endswith(", bfloat16")


def test_channels_last_moves_weights() -> None:
    layer = Hardware(channels_last=True).place(nn.Conv2d(4, 4, 3))
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)


def test_auto_takes_what_is_there() -> None:
    assert Hardware.named("auto").device.type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_no_gpu_is_told() -> None:
    with pytest.raises(UsageError, match="sees no such GPU; use cpu"):
        Hardware.named("cuda")


def test_unknown_device() -> None:
    with pytest.raises(UsageError, match="unknown device 'toaster'"):
        Hardware.named("toaster")
