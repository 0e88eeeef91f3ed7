"""The pickle machine: what it makes of ordinary content, and that hostile content costs and does nothing."""

from __future__ import annotations

import pickle
import pickletools
import struct
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.generation import CheckpointError
from osbench.generation.checkpoints.arrays import Array
from osbench.generation.checkpoints.inert import Budget, InertClass, InertObject, PersistentObject
from osbench.generation.checkpoints.reading import read_tree
from osbench.generation.checkpoints.torch_storage import read_pickle

P3, P4 = b"\x80\x03", b"\x80\x04"


def load(data: bytes) -> Any:
    return read_pickle(memoryview(data), Budget(len(data)))


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(max_size=5000),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(-1000, 1000), inner)
    ),
    max_leaves=20,
)


@given(plain, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_content_survives(value: Any, protocol: int) -> None:
    assert load(pickle.dumps(value, protocol)) == value


def test_containers_survive_and_share() -> None:
    shared = [1, {2, 3}, frozenset({"a"})]
    value = OrderedDict(x=shared, y=shared, z=(b"\x00" * 10_000,))
    loaded = load(pickle.dumps(value))
    assert loaded == value
    assert loaded["x"] is loaded["y"]


@given(
    st.sampled_from(["<f4", ">f4", "<f8", "<f2", "|u1", "<i8", "|b1", "<c8"]),
    st.lists(st.integers(0, 4), max_size=3).map(tuple),
    st.sampled_from("CF"),
    st.integers(0, pickle.HIGHEST_PROTOCOL - 1),
)
def test_arrays_survive(dtype: str, shape: tuple[int, ...], order: Any, protocol: int) -> None:
    array = np.asarray(np.random.RandomState(0).randint(0, 2, shape), dtype=dtype, order=order)
    loaded = load(pickle.dumps(array, protocol))
    assert isinstance(loaded, Array)
    np.testing.assert_array_equal(loaded.value(), array)
    assert loaded.value().dtype == array.dtype


def test_numpy_numbers_and_old_module_names_survive() -> None:
    data = pickle.dumps(np.float32(1.5), 3)
    for module in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        assert load(data.replace(b"numpy._core.multiarray", module)) == np.float32(1.5)


def test_python2_strings_are_bytes_of_arrays() -> None:
    # Python 2 wrote array data as a byte string, which Python 3 reads as text.
    dtype = b"cnumpy\ndtype\n" + text("f4") + b"K\x00K\x01\x87R"
    state = b"(K\x01K\x02\x85" + dtype + b"\x89" + b"T" + struct.pack("<i", 8) + struct.pack("<2f", 1, -2) + b"t"
    data = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R" + state + b"b."
    np.testing.assert_array_equal(load(data).value(), [1, -2])


def test_unknown_globals_stay_inert(tmp_path: Path) -> None:
    loaded = load(P3 + b"cos\nmkdir\n" + text(str(tmp_path / "canary")) + b"\x85R.")
    assert isinstance(loaded, InertObject)
    assert isinstance(loaded.call, InertClass)
    assert (loaded.call.module, loaded.call.name) == ("os", "mkdir")
    assert list(tmp_path.iterdir()) == []


def test_inert_objects_take_state_items_and_elements() -> None:
    loaded = load(P3 + b"cmy.mod\nThing\n)\x81" + text("k") + b"K\x01s(K\x05K\x06e}" + text("a") + b"K\x02sb.")
    assert loaded.items == [("k", 1)]
    assert loaded.elements == [5, 6]
    assert loaded.state == {"a": 2}


def test_persistent_source_is_kept_as_text_only(files: Any) -> None:
    loaded = load(files.dump(files.persistent("Generator", {"z_dim": 3})))
    assert isinstance(loaded, PersistentObject)
    assert loaded.class_name == "Generator"
    assert loaded.state == {"z_dim": 3}


def hostile(name: str) -> bytes:
    """Files that try to run something; every one would create the folder named in it."""
    path = text(str(Path(tempfile.gettempdir()) / "osbench_test_canary"))
    code = text("import os; os.mkdir('osbench_test_canary')")
    return {
        "reduce": P3 + b"cos\nmkdir\n" + path + b"\x85R.",
        "inst": b"(" + path + b"ios\nmkdir\n.",
        "obj": b"(cos\nmkdir\n" + path + b"o.",
        "newobj": P3 + b"cos\nmkdir\n" + path + b"\x85\x81.",
        "newobj_ex": P4 + b"cos\nmkdir\n" + path + b"\x85}\x92.",
        "dotted": P4 + text("builtins") + text("__import__.__call__") + b"\x93" + text("os") + b"\x85R.",
        "dotted-real": P4 + text("collections") + text("OrderedDict.fromkeys") + b"\x93(" + path + b"tR.",
        "exec": P3 + b"cbuiltins\nexec\n" + code + b"\x85R.",
        "eval-in-key": P3 + b"}cbuiltins\neval\n" + code + b"\x85RK\x01s.",
        "getattr": P3
        + b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n"
        + text("os")
        + b"\x85R"
        + text("mkdir")
        + b"tR"
        + path
        + b"\x85R.",
        "reconstructor": P3 + b"ccopyreg\n_reconstructor\n(cos\nmkdir\ncbuiltins\nobject\nNtR.",
        "newobj-function": P3 + b"ccopyreg\n__newobj__\n(cos\nmkdir\n" + path + b"tR.",
        "build-class": P3 + b"cos\nmkdir\n}" + text("__call__") + b"K\x01sb.",
        "build-builder": P3 + b"ccollections\nOrderedDict\n}" + text("build") + b"K\x01sb)R.",
        "setstate": P3 + b"cos\npath\n)\x81cos\nmkdir\nb.",
        "dill-by-value": P3
        + b"cdill._dill\n_create_type\n(cdill._dill\n_load_type\n"
        + text("type")
        + b"\x85R"
        + text("Evil")
        + b")}tR)R.",
    }[name]


HARMLESS = [
    "reduce", "inst", "obj", "newobj", "newobj_ex", "dotted", "dotted-real", "exec", "eval-in-key", "getattr",
    "reconstructor", "newobj-function", "build-class", "build-builder", "setstate", "dill-by-value",
]  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_nothing_is_ever_run(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    load(hostile(name))
    assert not (Path(tempfile.gettempdir()) / "osbench_test_canary").exists()
    assert list(tmp_path.iterdir()) == []


def colliding(count: int) -> list[bytes]:
    """Opcodes that push integers which all have the same hash."""
    return [b"\x8a\x0a" + (i * (2**61 - 1)).to_bytes(10, "little") for i in range(1, count + 1)]


REFUSED = {
    "extension-1": P3 + b"\x82\x01.",
    "extension-2": P3 + b"\x83\x01\x00.",
    "extension-4": P3 + b"\x84\x01\x00\x00\x00.",
    "out-of-band-buffer": b"\x80\x05\x97.",
    "persistent-id": P3 + text("storage") + b"Q.",
    "persistent-id-text": b"Pstorage\n.",
    "huge-bytes": P4 + b"\x8e" + struct.pack("<Q", 2**62) + b"x.",
    "huge-bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x.",
    "huge-integer": P3 + b"\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
    "huge-string": P3 + b"X" + struct.pack("<I", 2**32 - 1) + b"x.",
    "unknown-opcode": P3 + b"\xf0.",
    "empty-stack": P3 + b"R.",
    "no-stop": P3 + b"}",
    "memo-miss": P3 + b"h\x07.",
    "call-of-a-string": P3 + text("os") + b")R.",
    "call-without-tuple": P3 + b"cos\nmkdir\nK\x01R.",
    "append-to-string": P3 + text("os") + b"K\x01a.",
    "item-of-list": P3 + b"]K\x01K\x02s.",
    "build-of-string": P3 + text("os") + b"}b.",
    "set-flood": P4 + b"\x8f" * 300_000 + b".",
    "read-flood": P3 + b"N0" * 400_000 + b".",
    "copies-of-a-list": P3
    + b"cbuiltins\nlist\nq\x00](" + b"N" * 50_000 + b"eq\x01" + b"h\x00h\x01\x85R" * 50_000 + b".",
    "copies-of-bytes": P3
    + b"c_codecs\nencode\nq\x00" + text("a" * 500_000) + b"q\x01" + b"h\x00h\x01\x85R" * 5_000 + b".",
    "colliding-keys": P3 + b"}" + b"".join(key + b"Ns" for key in colliding(20_000)) + b".",
    "colliding-set": P3 + b"cbuiltins\nset\n](" + b"".join(colliding(20_000)) + b"e\x85R.",
    "colliding-frozenset": P4 + b"(" + b"".join(colliding(20_000)) + b"\x91.",
    "deep-tuple-key": P3 + b")" + b"\x85" * 200_000 + b"q\x00}h\x00Ns.",
    "list-key": P3 + b"}]Ns.",
    "object-array": P3
    + b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01K\x01\x85cnumpy\ndtype\n"
    + text("O8") + b"K\x00K\x01\x87R\x89]K\x05atb.",
    "record-array": P3 + b"cnumpy\ndtype\n" + text("V8") + b"K\x00K\x01\x87R.",
    "dtype-with-fields": P3 + b"cnumpy\ndtype\n" + text("f4") + b"K\x00K\x01\x87R(K\x03" + text("<")
    + b"N" + text("a") + b"NNtb.",
    "array-size-lie": P3
    + b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01"
    + b"\x8a\x05\x00\x00\x00\x00\x01\x85cnumpy\ndtype\n" + text("f4") + b"K\x00K\x01\x87R\x89C\x04abcdtb.",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_unsound_pickles_end_in_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.pkl"
    data = REFUSED[name]
    path.write_bytes(data if data.startswith(b"\x80") else b"\x80\x02" + data)
    with pytest.raises(CheckpointError) as caught:
        read_tree(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_memo_bomb_costs_nothing() -> None:
    bomb = P3 + b"}" + b"".join(b"r" + struct.pack("<I", 2**32 - 1 - i) for i in range(100)) + b"."
    assert load(bomb) == {}


def test_frame_lengths_are_not_believed() -> None:
    assert load(P4 + b"\x95" + struct.pack("<Q", 2**62) + b"K\x07.") == 7


def test_deep_nesting_is_only_data() -> None:
    nested = load(P3 + b"]" * 100_000 + b"a" * 99_999 + b".")
    assert isinstance(nested, list)
    assert len(nested) == 1


def sample(files: Any) -> bytes:
    state = {"_parameters": {"w": np.arange(6.0)}, "_modules": {}, "_buffers": OrderedDict(), "names": {"a", "b"}}
    return files.dump(files.snapshot(files.persistent("Generator", state)))


def test_every_truncation_is_an_error(files: Any, tmp_path: Path) -> None:
    data = sample(files)
    path = tmp_path / "cut.pkl"
    for length in range(2, len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            read_tree(path)


def outcome(path: Path) -> str:
    """The message of the error, empty without one; any other exception passes through and fails the test."""
    try:
        read_tree(path)
    except CheckpointError as error:
        return str(error)
    return ""


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_bytes_give_a_tree_or_one_line(files: Any, tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    content = bytearray(sample(files))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(1, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.pkl"
    path.write_bytes(bytes(content))
    assert "\n" not in outcome(path)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([op.code.encode("latin1") for op in pickletools.opcodes]), max_size=40), st.binary())
def test_random_opcodes_never_escape(codes: list[bytes], tail: bytes) -> None:
    path = Path(tempfile.gettempdir()) / f"osbench-random-{id(codes)}.pkl"
    path.write_bytes(P3 + b"".join(codes) + tail + b".")
    try:
        assert "\n" not in outcome(path)
    finally:
        path.unlink()
