"""Torch tensors without torch's loader: all three containers, and what may not pass."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from osbench.generation import CheckpointError
from osbench.generation.checkpoints.reading import container_of, materialise, read_tree


def tree_of(path: Path) -> Any:
    return read_tree(path)[0]


DTYPES = [
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool,
]  # fmt: skip


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    made = {str(d): (torch.randn(3, 4, generator=generator) * 9).to(d) for d in DTYPES}
    base = torch.randn(6, 8, generator=generator)
    return {
        **made,
        "transposed": base.t(),
        "window": base[1:4, ::2],
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 5),
        "channels-last": torch.randn(1, 3, 4, 5, generator=generator).contiguous(memory_format=torch.channels_last),
    }


def expected(tensor: torch.Tensor) -> np.ndarray:
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def check(path: Path, content: dict[str, torch.Tensor]) -> None:
    arrays = materialise(tree_of(path), 100 * path.stat().st_size)
    assert list(arrays) == list(content)
    for name, tensor in content.items():
        np.testing.assert_array_equal(arrays[name], expected(tensor))
        assert arrays[name].dtype == expected(tensor).dtype
        assert arrays[name].flags.c_contiguous


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_storages_nested_in_a_pickle(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "nested.pkl"
    path.write_bytes(pickle.dumps(tensors(), protocol))
    assert container_of(path) == "pickle"
    check(path, tensors())


def test_legacy_file(tmp_path: Path) -> None:
    path = tmp_path / "legacy.pth"
    torch.save(tensors(), path, _use_new_zipfile_serialization=False)
    assert container_of(path) == "legacy"
    check(path, tensors())


def test_zip_file(tmp_path: Path) -> None:
    path = tmp_path / "new.ckpt"
    torch.save(tensors(), path)
    assert container_of(path) == "zip"
    check(path, tensors())


def test_parameters_are_their_tensors(tmp_path: Path) -> None:
    path = tmp_path / "parameters.pkl"
    path.write_bytes(pickle.dumps({"w": torch.nn.Parameter(torch.arange(3.0))}))
    np.testing.assert_array_equal(materialise(tree_of(path), 100)["w"], [0, 1, 2])


def test_device_tags_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "cuda.pkl"
    data = pickle.dumps({"w": torch.arange(3.0)}, 3)
    location = b"X" + struct.pack("<I", 3) + b"cpu"
    tagged = data.replace(location, b"X" + struct.pack("<I", 6) + b"cuda:0")
    position = tagged.index(b"\x80\x02\x8a") - 4
    (length,) = struct.unpack("<I", tagged[position : position + 4])
    path.write_bytes(tagged[:position] + struct.pack("<I", length + 3) + tagged[position + 4 :])
    np.testing.assert_array_equal(materialise(tree_of(path), 100)["w"], [0, 1, 2])


def nested(count: int = 8, **changes: Any) -> bytes:
    """One tensor in a plain pickle, its geometry freely chosen."""
    geometry = {"offset": 0, "shape": (count,), "strides": (1,), **changes}
    blob = pickle.dumps(torch.arange(float(count)), 3)
    start = blob.index(b"\x80\x02\x8a")  # the legacy file of the storage, a byte string with its length before it
    (length,) = struct.unpack("<I", blob[start - 4 : start])
    storage = b"ctorch.storage\n_load_from_bytes\nB" + blob[start - 4 : start + length] + b"\x85R"
    pieces = b"".join(pickle.dumps(geometry[key], 3)[2:-1] for key in ("offset", "shape", "strides"))
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + pieces
    return b"\x80\x03" + call + b"\x89ccollections\nOrderedDict\n)RtR."


BAD_GEOMETRY = {
    "past the end": {"shape": (9,)},
    "offset past the end": {"offset": 8},
    "negative offset": {"offset": -1},
    "negative stride": {"offset": 7, "strides": (-1,)},
    "expanding stride": {"shape": (1 << 40,), "strides": (0,)},
    "expanding stride of two": {"shape": (2,), "strides": (0,)},
    "overlapping windows": {"shape": (4, 4), "strides": (1, 1)},
    "negative size": {"shape": (-1,)},
    "huge size": {"shape": (1 << 62,), "strides": (1,)},
    "huge empty": {"shape": (0, 1 << 62), "strides": (1, 1)},
    "other rank": {"shape": (2, 2)},
    "float offset": {"offset": 0.5},
    "boolean offset": {"offset": True},
    "many axes": {"shape": (1,) * 40, "strides": (1,) * 40},
}


def test_the_writer_of_the_next_test_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "good.pkl"
    path.write_bytes(nested(offset=1, shape=(2, 3), strides=(3, 1)))
    np.testing.assert_array_equal(materialise({"w": tree_of(path)}, 100)["w"], [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize("name", sorted(BAD_GEOMETRY))
def test_geometry_outside_its_storage_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.pkl"
    path.write_bytes(nested(**BAD_GEOMETRY[name]))
    with pytest.raises(CheckpointError, match="tensor"):
        tree_of(path)


@given(
    st.integers(-2, 9),
    st.lists(st.tuples(st.integers(-1, 5), st.integers(-2, 9)), max_size=3),
)
def test_accepted_geometry_reads_like_torch(offset: int, axes: list[tuple[int, int]]) -> None:
    from osbench.generation.checkpoints.torch_storage import Storage, StorageType, StoredTensor

    data = np.arange(12, dtype="<f4")
    storage = Storage(StorageType("FloatStorage"), 12, data.tobytes)
    shape, strides = tuple(n for n, _ in axes), tuple(s for _, s in axes)
    try:
        got = StoredTensor(storage, offset, shape, strides).value(storage.array())
    except pickle.UnpicklingError:
        return
    np.testing.assert_array_equal(got, torch.as_strided(torch.from_numpy(data), shape, strides, offset).numpy())


def legacy(tree: Any) -> bytearray:
    stream = io.BytesIO()
    torch.save(tree, stream, _use_new_zipfile_serialization=False)
    return bytearray(stream.getvalue())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"M\xe9\x03.", b"M\xe8\x03."),  # another protocol version
        (b"little_endianq\x02\x88", b"little_endianq\x02\x89"),
        (b"ctorch\nFloatStorage", b"cposix\nsystem_____x"),
        (b"X\x07\x00\x00\x00storage", b"X\x07\x00\x00\x00modules"),
        (b"K\x05Nt", b"K\x06Nt"),  # another number of elements
        (b"K\x05Nt", b"K\x05\x88t"),  # a view of another storage
        (b"\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", b"\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
    ],
)
def test_changed_legacy_files_are_refused(tmp_path: Path, old: bytes, new: bytes) -> None:
    data = bytes(legacy({"w": torch.arange(5.0)}))
    assert old in data
    path = tmp_path / "changed.pth"
    path.write_bytes(data.replace(old, new))
    with pytest.raises(CheckpointError, match=str(path)):
        materialise(tree_of(path), 1000)


def test_every_truncation_of_a_legacy_file_is_an_error(tmp_path: Path) -> None:
    data = legacy({"w": torch.arange(5.0)})
    path = tmp_path / "cut.pth"
    for length in range(20, len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            tree_of(path)


def test_pickle_inside_a_storage_is_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    inner = b"\x80\x03cos\nmkdir\nX" + struct.pack("<I", len(str(canary))) + str(canary).encode() + b"\x85R."
    path = tmp_path / "inside.pkl"
    path.write_bytes(b"\x80\x03ctorch.storage\n_load_from_bytes\nB" + struct.pack("<I", len(inner)) + inner + b"\x85R.")
    with pytest.raises(CheckpointError, match="protocol 1001"):
        tree_of(path)
    assert not canary.exists()


def rezip(source: Path, target: Path, change: dict[str, bytes | None], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for name in old.namelist():
            data = change.get(name.split("/", 1)[1], old.read(name))
            if data is not None:
                new.writestr(name, data)


@pytest.mark.parametrize(
    ("change", "method"),
    [
        ({"data/0": b"\0" * 16}, zipfile.ZIP_STORED),
        ({"data/0": None}, zipfile.ZIP_STORED),
        ({"data.pkl": None}, zipfile.ZIP_STORED),
        ({"data.pkl": b"\x80\x02N"}, zipfile.ZIP_STORED),
        ({"byteorder": b"big"}, zipfile.ZIP_STORED),
        ({}, zipfile.ZIP_DEFLATED),
    ],
)
def test_changed_zip_files_are_refused(tmp_path: Path, change: dict[str, bytes | None], method: int) -> None:
    torch.save({"w": torch.arange(5.0)}, tmp_path / "good.pt")
    rezip(tmp_path / "good.pt", tmp_path / "bad.pt", change, method)
    with pytest.raises(CheckpointError, match="bad"):
        materialise(tree_of(tmp_path / "bad.pt"), 1000)


def test_zip_keys_cannot_leave_their_folder(tmp_path: Path) -> None:
    torch.save({"w": torch.arange(5.0)}, tmp_path / "good.pt")
    with zipfile.ZipFile(tmp_path / "good.pt") as archive:
        data = archive.read("good/data.pkl")
    changed = data.replace(b"X\x01\x00\x00\x000", b"X\x07\x00\x00\x00../evil")
    assert changed != data
    rezip(tmp_path / "good.pt", tmp_path / "bad.pt", {"data.pkl": changed})
    with pytest.raises(CheckpointError, match="missing"):
        tree_of(tmp_path / "bad.pt")


def test_damaged_zip_member_is_an_error(tmp_path: Path) -> None:
    from osbench.generation.checkpoints.reading import one_line_errors

    path = tmp_path / "weights.pt"
    torch.save({"w": torch.arange(500.0)}, path)
    data = bytearray(path.read_bytes())
    position = data.index(np.arange(500, dtype="<f4").tobytes()[400:800])
    data[position] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="zip"), one_line_errors(path):
        materialise(tree_of(path), 10_000)


def test_one_storage_cannot_be_multiplied(tmp_path: Path) -> None:
    tensor = torch.zeros(1000)
    tree = OrderedDict((f"w{i}", tensor) for i in range(100))
    path = tmp_path / "many.pkl"
    path.write_bytes(pickle.dumps(tree))
    with pytest.raises(pickle.UnpicklingError, match="more tensor data"):
        materialise(tree_of(path), 4 * path.stat().st_size)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_complex_numbers_are_refused(tmp_path: Path, dtype: torch.dtype) -> None:
    """A generator has none; as real numbers they would lose a part in silence."""
    path = tmp_path / "c.pt"
    torch.save({"w": torch.ones(2, dtype=dtype)}, path)
    with pytest.raises(pickle.UnpicklingError, match=f"a tensor w of {str(dtype).removeprefix('torch.')} numbers"):
        materialise(tree_of(path), 1000)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_storage_is_read_once_for_all_its_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    from osbench.generation.checkpoints.torch_storage import Storage

    path, base = tmp_path / "many.pt", torch.arange(1000.0)
    torch.save({f"w{i}": base[i : i + 1] for i in range(1000)}, path, _use_new_zipfile_serialization=zipped)
    reads: list[int] = []
    array = Storage.array
    monkeypatch.setattr(Storage, "array", lambda self: reads.append(self.count) or array(self))
    arrays = materialise(tree_of(path), 4 * path.stat().st_size)
    assert [float(arrays[f"w{i}"][0]) for i in range(1000)] == list(range(1000))
    assert reads == [1000]
