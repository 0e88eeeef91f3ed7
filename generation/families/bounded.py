"""A bound on how many layers a network may get while it is built from settings that somebody else wrote.

Settings reach constructors of other libraries under names that no table can keep up with. Whatever they are called,
each layer is registered, and a network has no more of them than its weight file has tensors for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from ...core.errors import CheckpointError


@contextmanager
def at_most_layers(limit: int) -> Iterator[None]:
    """CheckpointError as soon as more than ``limit`` modules and parameters are registered inside (in this thread)."""
    left, thread = limit, threading.get_ident()

    def count(*_: Any) -> None:
        nonlocal left
        if threading.get_ident() == thread:
            left -= 1
        if left < 0:
            raise CheckpointError("its settings ask for more layers than it has tensors for.")

    hooks = [register_module_module_registration_hook(count), register_module_parameter_registration_hook(count)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
