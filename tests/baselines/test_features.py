"""Features are computed once per content, survive killed writers, and keep recipes apart."""

import multiprocessing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.baselines.features import FeatureCache
from osbench.core.errors import RunError


class Encoder:
    """Real features of arrays (sum and maximum) that counts what it was asked for."""

    def __init__(self, contents):
        self.contents, self.computed = contents, 0

    def __call__(self, positions):
        self.computed += len(positions)
        chosen = [np.frombuffer(bytes(self.contents[i]), np.uint8) for i in positions]
        return np.array([[x.sum(), x.max()] for x in chosen], np.float32)


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), np.uint8)


def cache(folder, recipe=None):
    return FeatureCache("sums", recipe or {"weights": "a"}, 2, folder)


def test_a_second_process_computes_nothing(tmp_path):
    some = images(10)
    first, second = Encoder(some), Encoder(some)
    expected = cache(tmp_path).rows(some, first, batch_size=3)
    np.testing.assert_array_equal(expected[:, 1], some.reshape(10, -1).max(1))
    np.testing.assert_array_equal(cache(tmp_path).rows(some, second), expected)
    assert (first.computed, second.computed) == (10, 0)


def test_other_weights_or_preprocessing_are_another_cache(tmp_path):
    some = images(2)
    cache(tmp_path, {"weights": "a"}).rows(some, Encoder(some))
    other = Encoder(some)
    cache(tmp_path, {"weights": "b"}).rows(some, other)
    assert other.computed == 2


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=6))
def test_whatever_the_order_every_content_is_computed_once(tmp_path_factory, calls):
    some = images(6)
    shared = cache(tmp_path_factory.mktemp("cache"))
    computed = 0
    for call in calls:
        chosen = some[np.array(call, dtype=int)]
        encoder = Encoder(chosen)
        rows = shared.rows(chosen, encoder, batch_size=2)
        np.testing.assert_array_equal(rows[:, 0], chosen.sum((1, 2, 3)))
        computed += encoder.computed
    assert computed == len({i for call in calls for i in call})


@pytest.mark.parametrize("left", [1, 31, 39])
def test_a_killed_writer_costs_one_record_at_most(tmp_path, left):
    some = images(4)
    store = cache(tmp_path)
    store.rows(some[:3], Encoder(some))
    whole = store.path.read_bytes()
    store.path.write_bytes(whole[: 2 * 40 + left])
    again = Encoder(some)
    rows = cache(tmp_path).rows(some, again)
    assert again.computed == 2
    np.testing.assert_array_equal(rows[:, 0], some.reshape(4, -1).sum(1))
    fresh = Encoder(some)
    cache(tmp_path).rows(some, fresh)
    assert fresh.computed == 0, "the cut record is gone and the new ones are whole"


def _fill(folder, start):
    some = images(40)[start : start + 20]
    cache(folder).rows(some, Encoder(some), batch_size=1)


def test_two_processes_share_a_file(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fill, args=(tmp_path, start)) for start in (0, 20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    encoder = Encoder(images(40))
    rows = cache(tmp_path).rows(images(40), encoder)
    assert encoder.computed == 0
    np.testing.assert_array_equal(rows[:, 0], images(40).reshape(40, -1).sum(1))


def test_features_that_are_not_finite_are_refused(tmp_path):
    with pytest.raises(RunError, match="not finite"):
        cache(tmp_path).rows(images(1), lambda positions: np.full((len(positions), 2), np.nan))


def test_a_cache_that_cannot_be_written_still_answers(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("")
    some = images(3)
    encoder = Encoder(some)
    store = cache(blocked)
    store.rows(some, encoder)
    store.rows(some, encoder)
    assert encoder.computed == 3
    assert "memory only" in caplog.text
