"""Files of ``save_generator``: our own names, family and config in the header of a safetensors file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...core.errors import CheckpointError
from ...core.foreign import printable
from .layouts import Weights
from .reading import one_line_errors

#: Layout name of our own safetensors, which need no key map.
OURS = "osbench"

_MAX_HEADER_BYTES = 8 << 20
_MAX_CONFIG_CHARACTERS = 1 << 20
_REAL = {"BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "F32", "F64"}


def read_own_safetensors(path: Path) -> Weights:
    """Config and arrays of a file of ``save_generator``; CheckpointError for any other file and other kinds of numbers.

    Parameters
    ----------
    path : Path
        A regular file that begins like safetensors.
    """
    from safetensors import SafetensorError, safe_open

    name = printable(path)
    with one_line_errors(path):
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
        if length > _MAX_HEADER_BYTES:  # which the library would parse before anything could be checked
            raise CheckpointError(f"{name}: a safetensors header of {length:,} bytes; no generator needs that.")
        try:
            with safe_open(str(path), framework="np") as file:
                header = file.metadata() or {}
                family, text = header.get("family"), header.get("config", "")
                if family is None or not text:
                    raise CheckpointError(f"{name}: the safetensors header names no osbench family; convert the file.")
                tensors: dict[str, np.ndarray] = {}
                for tensor in file.keys():  # noqa: SIM118 (no mapping)
                    kind = file.get_slice(tensor).get_dtype()
                    if kind not in _REAL:
                        raise CheckpointError(
                            f"{name}: tensor {printable(tensor, 80)} holds {kind} numbers; convert it to F16 or F32."
                        )
                    tensors[tensor] = file.get_tensor(tensor)
        except SafetensorError as error:
            raise CheckpointError(f"{name}: not a readable safetensors file ({printable(error, 120)}).") from error
        if len(text) > _MAX_CONFIG_CHARACTERS:
            raise CheckpointError(f"{name}: a config of {len(text):,} characters; no generator needs that.")
        config = json.loads(text)
        if not isinstance(config, dict):
            raise CheckpointError(f"{name}: the config in the safetensors header is no set of names and values.")
        return Weights(OURS, family, config, tensors)
