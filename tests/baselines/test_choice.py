"""Choosing options on seen images alone."""

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from osbench.baselines.choice import choices_table, choose, main
from osbench.baselines.methods.osbench_1 import Osbench1
from osbench.core.errors import DatasetError, UsageError

NAMES = ("alpha", "beta", "gamma")


def test_every_variant_is_measured_with_every_generator_left_out(train_set, val_set) -> None:
    found = choose(Osbench1, ["", "axes=2"], train_set, val_set, NAMES, 2)
    assert [c.variant for c in found] == ["defaults", "axes=2"]
    assert [c.fits for c in found] == [6, 6]
    assert found[0].accuracy > 0.9
    assert found[0].auroc > 0.9
    assert found[0].auc_af1_crr > found[0].auroc / 2
    assert choices_table(found).count("\n") == 3


def test_a_generator_that_is_no_different_cannot_be_rejected(train_set, val_set) -> None:
    """Three names for images of one kind: nothing can be told apart, nothing rejected."""
    rng = np.random.default_rng(0)
    one = [
        replace(s, store=s.store[rng.permutation(len(s.store) // 3)[np.arange(len(s.store)) % (len(s.store) // 3)]])
        for s in (train_set, val_set)
    ]
    (found,) = choose(Osbench1, [""], one[0], one[1], NAMES, 1)
    assert found.auroc == pytest.approx(0.5, abs=0.25)
    assert found.accuracy == pytest.approx(0.5, abs=0.25)


def test_two_generators_are_too_few(train_set, val_set) -> None:
    with pytest.raises(DatasetError, match="2 seen generators"):
        choose(Osbench1, [""], train_set, val_set, NAMES[:2], 1)


def test_unknown_options_are_refused(train_set, val_set) -> None:
    with pytest.raises(UsageError, match="axes"):
        choose(Osbench1, ["axis=2"], train_set, val_set, NAMES, 1)


def test_help() -> None:
    assert "left out" in CliRunner().invoke(main, ["--help"]).output
