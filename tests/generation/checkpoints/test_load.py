"""``load_generator``: reference files, the cache, and one line for whatever is wrong with a file."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from osbench.generation import CheckpointError, load_generator
from osbench.generation.checkpoints.cache import checkpoint_folder
from osbench.generation.families import save_generator
from osbench.generation.families.progan import ProGAN
from osbench.generation.families.stylegan2 import StyleGAN2
from tests.fixtures.folder import CheckpointFixtures

#: How the name of a file begins -> the family in it.
REFERENCES = {
    "sg2": "stylegan2",
    "sg3": "stylegan3",
    "fastgan": "projected_gan",
    "pggan": "progan",
    "stylegan1": "stylegan",
}


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_reference_files(checkpoint_fixtures: CheckpointFixtures, name: str) -> None:
    data = checkpoint_fixtures.arrays(name)
    stored = {k.split("/", 1)[1]: array for k, array in data.items() if k.startswith(("param/", "var/"))}
    config = json.loads(str(data["init_kwargs" if "init_kwargs" in data else "static_kwargs"]))
    for _ in range(2):  # from the file, then from the cache
        loaded = load_generator(checkpoint_fixtures.pickle(name))
        assert (loaded.family, loaded.config) == (REFERENCES[name], config)
        tensors = loaded.tensors()
        assert set(tensors) == set(stored)
        for key, array in stored.items():
            assert tensors[key].dtype == array.dtype
            assert tensors[key].tobytes() == array.tobytes()
    assert len(list(checkpoint_folder().glob("*.safetensors"))) == 1


def test_reference_files_load_where_nothing_of_upstream_can_be_imported(
    checkpoint_fixtures: CheckpointFixtures,
) -> None:
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"dnnlib", "torch_utils", "training", "tfutil", "pg_modules", "legacy", "timm"}:
            raise SystemExit(f"import of {name}")
sys.meta_path.insert(0, Refuse())
from osbench.generation import load_generator
for path in sys.argv[1:]:
    print(load_generator(path, cache=False).family)
"""
    paths = [str(checkpoint_fixtures.pickle(name)) for name in REFERENCES]
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(REFERENCES.values())


def test_hostile_reference_files(checkpoint_fixtures: CheckpointFixtures) -> None:
    canary = Path(tempfile.gettempdir()) / "osbench_canary"
    paths = sorted((checkpoint_fixtures.folder / "hostile").iterdir())
    assert paths
    for path in paths:
        started = time.perf_counter()
        with pytest.raises(CheckpointError, match=str(path)):
            load_generator(path)
        assert time.perf_counter() - started < 2
    assert not canary.exists()
    assert not checkpoint_folder().exists()


def stylegan2_file(files: Any, path: Path, **changes: Any) -> StyleGAN2:
    """A small StyleGAN2 snapshot; ``config`` and ``state`` of the file may be changed."""
    torch.manual_seed(0)
    network = StyleGAN2(4, 0, 4, 8, channel_base=32).eval()
    state = {**network.state_dict(), **changes.get("state", {})}
    state = {name: tensor for name, tensor in state.items() if tensor is not None}
    config = {**network.config, **changes.get("config", {})}
    tree = files.module_tree(state, {"w_avg", "noise_const"}, files.persistent, {"_init_kwargs": config})
    path.write_bytes(files.dump(files.snapshot(tree)))
    return network


def test_cached_tensors_are_used_and_a_damaged_entry_is_not(files: Any, tmp_path: Path) -> None:
    path = tmp_path / "g.pkl"
    network = stylegan2_file(files, path)
    first = load_generator(path, cache=tmp_path / "cache")
    (entry,) = (tmp_path / "cache").iterdir()
    assert entry.name == f"{first.sha256}.safetensors"
    again = load_generator(path, cache=tmp_path / "cache")
    assert list(again.tensors()) == list(first.tensors())
    z = network.latents([3])
    np.testing.assert_array_equal(again.synthesize(z), network.synthesize(z))
    entry.write_bytes(entry.read_bytes()[:100])
    np.testing.assert_array_equal(load_generator(path, cache=tmp_path / "cache").synthesize(z), first.synthesize(z))
    assert entry.stat().st_size > 100


def test_a_cache_that_cannot_be_written_only_costs_time(files: Any, tmp_path: Path) -> None:
    stylegan2_file(files, tmp_path / "g.pkl")
    (tmp_path / "file").write_text("not a folder")
    assert load_generator(tmp_path / "g.pkl", cache=tmp_path / "file").family == "stylegan2"


def test_hash_mismatch(files: Any, tmp_path: Path) -> None:
    stylegan2_file(files, tmp_path / "g.pkl")
    right = load_generator(tmp_path / "g.pkl").sha256
    assert load_generator(tmp_path / "g.pkl", sha256=right.upper()).sha256 == right
    with pytest.raises(CheckpointError, match=f"SHA-256 is {right}, not 00ff"):
        load_generator(tmp_path / "g.pkl", sha256="00ff")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>Quota exceeded</html>", "web page"),
        (b"\n <html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "LFS"),
        (b"hello, world, I am no checkpoint", "not a checkpoint"),
        (b"PK\x03\x04 but then nothing", "zip"),
        (b"\x80\x04N.", "NoneType"),
        (pickle.dumps({"G_ema": [1]}), "holds a list"),
        (pickle.dumps((1, 2, 3)), "holds a tuple"),
        (b"\x80\x03}X\x05\x00\x00\x00G_emactimm.models\nVit\n)Rs.", r"timm\.models\.Vit"),
    ],
)
def test_files_that_are_no_generators(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file.pkl"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_generator(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not checkpoint_folder().exists()


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pkl", tmp_path):
        with pytest.raises(CheckpointError, match=r"cannot be read|is a folder"):
            load_generator(path)


BAD_STATES = {
    "missing": ({"synthesis.b8.conv1.weight": None}, "no tensor for synthesis.b8.conv1.weight"),
    "extra": ({"synthesis.b8.conv1.extra": torch.ones(1)}, "unexpected tensor synthesis.b8.conv1.extra"),
    "shape": ({"synthesis.b8.conv1.bias": torch.ones(9)}, r"shape \(9,\), not \(4,\)"),
}


@pytest.mark.parametrize("name", sorted(BAD_STATES))
def test_tensors_that_do_not_fit(files: Any, tmp_path: Path, name: str) -> None:
    state, message = BAD_STATES[name]
    stylegan2_file(files, tmp_path / "g.pkl", state=state)
    with pytest.raises(CheckpointError, match=message):
        load_generator(tmp_path / "g.pkl")
    assert not checkpoint_folder().exists()


BAD_CONFIGS: list[dict[str, Any]] = [
    {"z_dim": 10**12},
    {"z_dim": -4},
    {"z_dim": "4"},
    {"z_dim": None},
    {"z_dim": float("nan")},
    {"img_resolution": 2**40},
    {"img_resolution": 12},
    {"mapping_kwargs": {"num_layers": 10**9}},
    {"mapping_kwargs": {"layers": 2}},
    {"mapping_kwargs": 3},
    {"channel_base": 0},
    {"channel_max": 1 << 62},
    {"resample_filter": [1] * 100_000},
    {"architecture": "unet"},
    {"unknown": 1},
]


@pytest.mark.parametrize("config", BAD_CONFIGS, ids=lambda c: str(c)[:40])
def test_settings_that_only_claim_a_size_are_never_built(files: Any, tmp_path: Path, config: dict[str, Any]) -> None:
    stylegan2_file(files, tmp_path / "g.pkl", config=config)
    started = time.perf_counter()
    with pytest.raises(CheckpointError) as caught:
        load_generator(tmp_path / "g.pkl")
    assert time.perf_counter() - started < 2
    assert "\n" not in str(caught.value)


def bombs(files: Any) -> dict[str, Any]:
    """Module trees that would never end or explode when flattened."""
    layer: dict[str, Any] = {"_parameters": {}, "_modules": {}, "_buffers": {}}
    cycle = {**layer, "_modules": {}}
    cycle["_modules"]["again"] = files.persistent("Layer", cycle)
    doubling: Any = files.persistent("Layer", layer)
    for _ in range(60):
        doubling = files.persistent("Layer", {**layer, "_modules": {"a": doubling, "b": doubling}})
    return {"cycle": files.persistent("Generator", cycle), "doubling": doubling}


@pytest.mark.parametrize("name", ["cycle", "doubling"])
def test_endless_module_trees_end(files: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "bomb.pkl").write_bytes(files.dump(files.snapshot(bombs(files)[name])))
    started = time.perf_counter()
    with pytest.raises(CheckpointError, match=r"module tree|would multiply"):
        load_generator(tmp_path / "bomb.pkl")
    assert time.perf_counter() - started < 2


def test_own_safetensors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ProGAN(8, 4, [4, 2]).eval()
    save_generator(network, tmp_path / "g.safetensors")
    loaded = load_generator(tmp_path / "g.safetensors")
    assert (loaded.family, loaded.layout, loaded.config) == ("progan", "osbench", network.config)
    assert {a.dtype for a in loaded.tensors().values()} == {np.dtype(np.float16)}
    np.testing.assert_allclose(
        loaded.synthesize(network.latents([0])), network.synthesize(network.latents([0])), atol=0.02
    )


@pytest.mark.parametrize("first", [0x80, 0x3C, 0x50])
def test_safetensors_are_told_by_their_structure_not_their_first_byte(tmp_path: Path, first: int) -> None:
    """The first byte is the low byte of a length and may be that of a pickle, a web page or a zip file."""
    network = ProGAN(8, 4, [4, 2])
    for padding in range(0, 2048, 8):  # the header is padded to multiples of 8
        save_generator(network, tmp_path / "g.safetensors", {"note": "x" * padding})
        if (tmp_path / "g.safetensors").read_bytes()[0] == first & 0xF8:
            break
    data = bytearray((tmp_path / "g.safetensors").read_bytes())
    length = int.from_bytes(data[:8], "little")
    spaces = first - (first & 0xF8)  # a header may end in spaces, which moves the length to any value
    data[:8] = (length + spaces).to_bytes(8, "little")
    data[8 + length : 8 + length] = b" " * spaces
    (tmp_path / "g.safetensors").write_bytes(data)
    assert data[0] == first
    assert load_generator(tmp_path / "g.safetensors").family == "progan"


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"family": "progan"},
        {"family": "unheard-of", "config": "{}"},
        {"family": "progan", "config": "not json"},
        {"family": "progan", "config": "[1]"},
        {"family": "progan", "config": '{"resolution": 8}'},
        {"family": "progan", "config": '{"resolution": 8, "z_dim": 9000000000000, "channels": [4, 2]}'},
        {"family": "progan", "config": '{"resolution": 8, "z_dim": 5, "channels": [4, 2]}'},
    ],
    ids=str,
)
def test_safetensors_that_do_not_fit(tmp_path: Path, header: dict[str, str]) -> None:
    from safetensors.torch import save_file

    state = {name: tensor.contiguous() for name, tensor in ProGAN(8, 4, [4, 2]).state_dict().items()}
    save_file(state, str(tmp_path / "g.safetensors"), metadata=header)
    with pytest.raises(CheckpointError) as caught:
        load_generator(tmp_path / "g.safetensors")
    assert "\n" not in str(caught.value)


def test_truncated_safetensors(tmp_path: Path) -> None:
    save_generator(ProGAN(8, 4, [4, 2]), tmp_path / "g.safetensors")
    data = (tmp_path / "g.safetensors").read_bytes()
    for length in (5, 12, 100, len(data) - 1):
        (tmp_path / "cut.safetensors").write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            load_generator(tmp_path / "cut.safetensors")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_floods_stay_small(tmp_path: Path) -> None:
    """Floods of the cheapest and of the costliest opcodes, in a process of their own: under 500 MB and 2 s each."""
    floods = {"marks": b"(", "dicts": b"}", "sets": b"\x8f", "lists": b"]", "nones": b"N"}
    for name, opcode in floods.items():
        (tmp_path / f"{name}.pkl").write_bytes(b"\x80\x04" + opcode * 3_000_000)
    code = r"""
import re, sys, time
from osbench.generation import CheckpointError, load_generator
for path in sys.argv[1:]:
    started = time.process_time()
    try:
        load_generator(path)
    except CheckpointError:
        print(time.process_time() - started)
print(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1])
"""
    paths = [str(tmp_path / f"{name}.pkl") for name in floods]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, env=environment, check=True
    )
    *seconds, kilobytes = (float(line) for line in done.stdout.split())
    assert len(seconds) == len(floods)
    assert max(seconds) < 2
    assert kilobytes < 500_000
