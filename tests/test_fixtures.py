"""The checkpoint files of the repository are what their script makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fixtures import make


@pytest.mark.slow
def test_the_script_makes_them_again(tmp_path: Path) -> None:
    make.make(tmp_path / "again")
    kept = {path.relative_to(make.FOLDER) for path in make.FOLDER.rglob("*") if path.is_file()}
    assert kept == {path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*") if path.is_file()}
    for path in make.FOLDER.glob("*.npz"):
        with np.load(path) as old, np.load(tmp_path / "again" / path.name) as new:
            assert set(old.files) == set(new.files)
            for name in old.files:
                if old[name].dtype.kind == "U":
                    assert str(old[name]) == str(new[name])
                else:
                    # Half precision is summed by the kernels of a processor; everything else is of float64.
                    tolerance = 0.05 if name.startswith("fp16_") else 1e-6
                    np.testing.assert_allclose(new[name], old[name], atol=tolerance, rtol=tolerance)


def test_they_stay_small() -> None:
    assert sum(path.stat().st_size for path in make.FOLDER.rglob("*") if path.is_file()) < 700_000
