"""Small files that once never ended, took many gigabytes or left a traceback: each is one line, soon, in little memory.

All of them are read in one process of their own, so that a bomb that goes off again ends that process only.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from osbench.core.errors import CheckpointError
from osbench.generation import load_generator
from osbench.generation.families.stylegan2 import StyleGAN2

SECONDS, BYTES = 10, 2_000_000_000

_READ = r"""
import json, re, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (200, 200))
from osbench.core.errors import OsbenchError
from osbench.generation import load_generator
for path in sys.argv[1:]:
    started, message = time.process_time(), ""
    try:
        load_generator(path, cache=False)
    except OsbenchError as error:
        message = str(error)
    seconds = time.process_time() - started
    peak = 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1])
    print(json.dumps({"path": path, "message": message, "seconds": seconds, "peak": peak}), flush=True)
"""


def read_all(paths: list[Path]) -> dict[str, dict[str, Any]]:
    """File name -> what reading it said and cost; what was not reached is missing."""
    command = [sys.executable, "-c", _READ, *map(str, paths)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280, check=False)
        output, errors = done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        output, errors = (error.stdout or b"").decode(), "timeout"
    found = [json.loads(line) for line in output.splitlines()]
    missing = [path.name for path in paths[len(found) :]]
    assert not missing, f"{missing[0]} ended the process: {errors[-300:]}"
    return {Path(one["path"]).name: one for one in found}


def laughs(levels: int = 14) -> Any:
    """100**levels items in a few hundred bytes."""
    node: Any = ["lol"]
    for _ in range(levels):
        node = [node] * 100
    return node


def laughs_by_name(levels: int = 14) -> Any:
    node: Any = {"lol": 1}
    for _ in range(levels):
        node = {f"{i}": node for i in range(100)}
    return node


def stylegan2(
    files: Any, config: dict[str, Any] | None = None, state: dict[str, Any] | None = None, **meta: Any
) -> bytes:
    """A sound small snapshot but for what is changed."""
    torch.manual_seed(0)
    network = StyleGAN2(4, 0, 4, 8, channel_base=32).eval()
    config = {**network.config, **(config or {})}
    tensors = {**network.state_dict(), **(state or {})}
    root = {"_init_kwargs": config, **meta}
    return files.dump(files.snapshot(files.module_tree(tensors, files.BUFFERS, files.persistent, root)))


def modules_under_a_long_name(files: Any) -> bytes:
    """50,000 modules whose dotted names begin with the same megabyte."""
    leaf = files.persistent("Layer", {"_parameters": {}, "_modules": {}, "_buffers": {}})
    many = {"_parameters": {}, "_buffers": {}, "_modules": {str(i): leaf for i in range(50_000)}}
    top = {"_parameters": {}, "_buffers": {}, "_modules": {"n" * 1_000_000: files.persistent("Layer", many)}}
    return files.dump(files.snapshot(files.persistent("Generator", top)))


def parameters_under_a_long_name(files: Any) -> bytes:
    named = {f"p{i}": torch.zeros(1) for i in range(1)} | {str(i): 0 for i in range(50_000)}
    layer = files.persistent("Layer", {"_parameters": named, "_modules": {}, "_buffers": {}})
    top = {"_parameters": {}, "_buffers": {}, "_modules": {"n" * 1_000_000: layer}}
    return files.dump(files.snapshot(files.persistent("Generator", top)))


def shared_empty_parameters(files: Any) -> bytes:
    """30,000 modules that share one dictionary of 30,000 parameters that are None."""
    nothing = dict.fromkeys(map(str, range(30_000)))
    leaf = files.persistent("Layer", {"_parameters": nothing, "_modules": {}, "_buffers": nothing})
    top = {"_parameters": {}, "_buffers": {}, "_modules": {str(i): leaf for i in range(30_000)}}
    return files.dump(files.snapshot(files.persistent("Generator", top)))


def shared_components(files: Any) -> bytes:
    """A TensorFlow network of 30,000 components, each the same part of 30,000 variables."""
    part = files.tf_network({f"v{i}": 0 for i in range(30_000)}, {})
    return files.dump(files.tf_network({"x": np.zeros(1)}, {}, {f"c{i}": part for i in range(30_000)}))


def legacy_keys(keys: Any) -> bytes:
    """A legacy torch file without storages and with this list of their keys."""
    parts = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}, {}, keys)
    return b"".join(pickle.dumps(part, 2) for part in parts)


def long_keys() -> bytes:
    """A state dict whose keys are tuples of the same megabyte of text."""
    text = "k" * 1_000_000
    return pickle.dumps({"state_dict": {(text, text, text, i): None for i in range(4000)}}, 3)


def safetensors(header: dict[str, Any], data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def eight_bits(kind: str) -> bytes:
    config = json.dumps({"resolution": 8, "z_dim": 4, "channels": [4, 2]})
    tensor = {"dtype": kind, "shape": [4], "data_offsets": [0, 2 if kind == "F4" else 4]}
    return safetensors(
        {"__metadata__": {"family": "progan", "config": config}, "w": tensor}, bytes(tensor["data_offsets"][1])
    )


def latent_diffusion(autoencoder: dict[str, Any] | None = None, unet: dict[str, Any] | None = None) -> bytes:
    base = {"block_out_channels": [8, 8], "layers_per_block": 1, "norm_num_groups": 4}
    config = {
        "autoencoder": {
            **base,
            "sample_size": 16,
            "down_block_types": ["DownEncoderBlock2D"] * 2,
            "up_block_types": ["UpDecoderBlock2D"] * 2,
            "latent_channels": 2,
            **(autoencoder or {}),
        },
        "unet": {
            **base,
            "sample_size": 8,
            "in_channels": 2,
            "out_channels": 2,
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
            "cross_attention_dim": 8,
            "attention_head_dim": 2,
            **(unet or {}),
        },
    }
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    header = {"__metadata__": {"family": "latent_diffusion", "config": json.dumps(config)}, "w": tensor}
    return safetensors(header, bytes(4))


def family_named(name: str) -> bytes:
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    return safetensors({"__metadata__": {"family": name, "config": "{}"}, "w": tensor}, bytes(4))


def tf_state(files: Any, settings: Any) -> bytes:
    return files.dump(files.tf_network({"4x4/Dense/weight": np.zeros((2, 2), np.float32)}, settings))


def wide(name: str) -> np.ndarray:
    return np.zeros(4, name)


#: name -> (content, what the message says)
BOMBS: dict[str, tuple[Any, str]] = {
    "laughs in _init_kwargs": (lambda f: stylegan2(f, {"z_dim": laughs()}), "nodes in its settings"),
    "laughs by name in _init_kwargs": (lambda f: stylegan2(f, laughs_by_name()), "nodes in its settings"),
    "laughs in static_kwargs": (lambda f: tf_state(f, {"label_size": laughs()}), "nodes in its settings"),
    "laughs in a layer": (lambda f: stylegan2(f, laughs_in_layer=laughs()), ""),
    "laughs as class_name": (
        lambda f: f.dump(
            f.Reduced(f.Global("torch_utils.persistence", "_reconstruct_persistent_obj"), ({"class_name": laughs()},))
        ),
        r"holds a persistent \?",
    ),
    "laughs as dtype": (
        lambda f: f.dump(f.Reduced(f.Global("numpy", "dtype"), (laughs(),))),
        "an array of dtype 'list'",
    ),
    "laughs as legacy keys": (lambda f: legacy_keys([laughs()]), "list of storages does not fit"),
    "laughs of legacy keys": (lambda f: legacy_keys(laughs()), "list of storages does not fit"),
    "long text in many settings": (
        lambda f: stylegan2(f, dict.fromkeys(map(str, range(20_000)), "s" * 1_000_000)),
        "multiply the size of the file",
    ),
    "long tuples as names": (lambda f: long_keys(), "holds a dict"),
    "modules under a long name": (modules_under_a_long_name, "multiply the size of the file"),
    "parameters under a long name": (parameters_under_a_long_name, "multiply the size of the file"),
    "shared empty parameters": (shared_empty_parameters, "nodes in its settings and modules"),
    "shared components": (shared_components, "nodes in its settings and modules|multiply"),
    "giant integer": (lambda f: stylegan2(f, {"z_dim": 10**6000}), "a setting that is a giant integer"),
    "giant integer in JSON": (
        lambda f: latent_diffusion({"latent_channels": 10**4000}),
        "the setting latent_channels is",
    ),
    "complex64": (
        lambda f: stylegan2(f, state={"mapping.w_avg": torch.ones(4, dtype=torch.complex64)}),
        "mapping.w_avg of complex64 numbers",
    ),
    "complex of NumPy": (lambda f: stylegan2(f, state={"mapping.w_avg": wide("c8")}), "w_avg of complex64 numbers"),
    "F8_E4M3": (lambda f: eight_bits("F8_E4M3"), "tensor w holds F8_E4M3 numbers"),
    "F8_E5M2": (lambda f: eight_bits("F8_E5M2"), "tensor w holds F8_E5M2 numbers"),
    "F8_E8M0": (lambda f: eight_bits("F8_E8M0"), "tensor w holds F8_E8M0 numbers"),
    "F4": (lambda f: eight_bits("F4"), "tensor w holds F4 numbers"),
    "8 M layers a block": (
        lambda f: latent_diffusion({"layers_per_block": 8_000_000}),
        "more layers than it has tensors",
    ),
    "8 M layers a block of the unet": (
        lambda f: latent_diffusion(None, {"layers_per_block": 8_000_000}),
        "more layers",
    ),
    "4 M transformer layers": (
        lambda f: latent_diffusion(None, {"transformer_layers_per_block": 4_000_000}),
        "more layers than it has tensors",
    ),
    "family in two lines": (lambda f: family_named("pro\ngan\x1b[31m"), r"unknown generator family 'pro gan \[31m'"),
    "family of megabytes": (lambda f: family_named("p" * 4_000_000), "unknown generator family 'ppp"),
    "header of 92 MB": (lambda f: struct.pack("<Q", 92 << 20) + b"{" + bytes(93 << 20), "a safetensors header of 96,"),
}
if np.dtype(np.longdouble).itemsize > 8:  # where the platform has them
    BOMBS["float128"] = (lambda f: stylegan2(f, state={"mapping.w_avg": wide("g")}), "w_avg of (float|longdouble)")
    BOMBS["complex256"] = (lambda f: stylegan2(f, state={"mapping.w_avg": wide("G")}), "w_avg of (complex|clongdouble)")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_every_bomb_is_one_line_soon_and_in_little_memory(files: Any, tmp_path: Path) -> None:
    paths = []
    for name, (make, _) in BOMBS.items():
        paths.append(tmp_path / f"{name}.pkl")
        paths[-1].write_bytes(make(files))
    base = torch.zeros(8_000_000)  # 8000 tensors of one number in a storage of 32 MB
    state = {f"layer{i}.weight": base[i : i + 1] for i in range(8000)}
    for name, zipped in (("many tensors, zip", True), ("many tensors, legacy", False)):
        paths.append(tmp_path / f"{name}.pkl")
        torch.save(state, paths[-1], _use_new_zipfile_serialization=zipped)
    found = read_all(paths)
    for n, o in found.items():
        print(n, round(o["seconds"], 1), o["peak"] // 10**6, o["message"].partition(".pkl: ")[2][:150])
    for name, (_, message) in {**BOMBS, "many tensors, zip": (0, ""), "many tensors, legacy": (0, "")}.items():
        one = found[f"{name}.pkl"]
        if name == "laughs in a layer":  # nobody looks at that attribute
            assert one["message"] == ""
            continue
        assert one["message"].startswith(f"{tmp_path}/{name}.pkl: "), (name, one)
        assert one["message"].isprintable(), name
        assert len(one["message"]) < 1000, name
        assert re.search(message, one["message"]), (name, one["message"])
        assert one["seconds"] < SECONDS, (name, one)
        assert one["peak"] < BYTES, (name, one)


def test_special_files_are_no_checkpoints(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pkl")
    for path, kind in (
        (tmp_path / "pipe.pkl", "a named pipe"),
        (Path("/dev/zero"), "a device"),
        (tmp_path, "a folder"),
    ):
        with pytest.raises(CheckpointError, match=f"is {kind}, not a regular file"):
            load_generator(path)


def test_a_file_whose_name_has_two_lines_is_reported_in_one(tmp_path: Path) -> None:
    for name in ("a\nb.pkl", "a\x1b[31m.pkl"):
        path = tmp_path / name
        for content in (b"", b"hello", b"\x80\x04N.", b"PK\x03\x04", pickle.dumps([1])):
            path.write_bytes(content)
            with pytest.raises(CheckpointError) as caught:
                load_generator(path)
            assert str(caught.value).isprintable()
