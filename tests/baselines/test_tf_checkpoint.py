"""TensorFlow checkpoints are read without TensorFlow, and damage is found."""

import contextlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.baselines.tf_checkpoint import TensorBundle, crc32c
from osbench.core.errors import CheckpointError

from .tensor_bundle import write_bundle

RNG = np.random.default_rng(0)
TENSORS = {
    "a/weights": RNG.normal(size=(3, 3, 2, 4)).astype(np.float32),
    "a/weights_2": RNG.normal(size=(5,)).astype(np.float32),
    "global_step": np.array(7, np.int64),
    "half": RNG.normal(size=(2, 300)).astype(np.float16),
}


def test_crc32c_of_the_standard_check_string():
    assert crc32c(b"123456789") == 0xE3069283


def test_tensors_come_back(tmp_path):
    write_bundle(tmp_path / "m.ckpt", TENSORS)
    bundle = TensorBundle(tmp_path / "m.ckpt")
    assert set(bundle.entries) == set(TENSORS)
    for name, expected in TENSORS.items():
        assert bundle[name].dtype == expected.dtype
        np.testing.assert_array_equal(bundle[name], expected)


@settings(max_examples=25, deadline=None)
@given(st.sets(st.text("ab/_1é", min_size=1, max_size=12), min_size=1, max_size=40), st.integers(1, 20))
def test_any_names_in_any_number_of_blocks(tmp_path_factory, names, per_block):
    folder = tmp_path_factory.mktemp("bundle")
    tensors = {name: np.full((i % 3,), i, np.int32) for i, name in enumerate(sorted(names))}
    write_bundle(folder / "m", tensors, entries_per_block=per_block)
    bundle = TensorBundle(folder / "m")
    assert set(bundle.entries) == set(tensors)
    for name, expected in tensors.items():
        np.testing.assert_array_equal(bundle[name], expected)


def test_a_changed_byte_is_found(tmp_path):
    write_bundle(tmp_path / "m", TENSORS)
    path = tmp_path / "m.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="checksum"):
        TensorBundle(tmp_path / "m")["a/weights"]
    path.write_bytes(data[:10])
    with pytest.raises(CheckpointError, match="not complete"):
        TensorBundle(tmp_path / "m")["a/weights"]
    path.unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        TensorBundle(tmp_path / "m")["a/weights"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_index_raises_nothing_else(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("bundle")
    write_bundle(folder / "m", TENSORS)
    path = folder / "m.index"
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:at])
    else:
        whole[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(whole)
    with contextlib.suppress(CheckpointError):
        bundle = TensorBundle(folder / "m")
        for name in bundle.entries:
            _ = bundle[name]


def test_every_damaged_byte_of_an_index_gives_a_checkpoint_error_or_nothing(tmp_path):
    write_bundle(tmp_path / "m", TENSORS)
    path = tmp_path / "m.index"
    whole = path.read_bytes()
    for at, flip in itertools.product(range(len(whole)), (1, 2, 8, 64, 255)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
        with contextlib.suppress(CheckpointError):
            bundle = TensorBundle(tmp_path / "m")
            for name in bundle.entries:
                _ = bundle[name]


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"m\.index"):
        TensorBundle(tmp_path / "m")
    write_bundle(tmp_path / "m", TENSORS)
    with pytest.raises(CheckpointError, match="no tensor 'other'"):
        TensorBundle(tmp_path / "m")["other"]
