from __future__ import annotations

from pathlib import Path

import pytest

from osbench.core.errors import DatasetError
from osbench.generation.training.limits import PICTURES_BYTES, ZOO_BYTES, check_size


def test_files_and_folders_at_and_above_the_limit(tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    for name in ("a", "cards/b"):
        (tmp_path / name).write_bytes(bytes(10))
    check_size(tmp_path / "a", 10, "make it smaller")
    check_size(tmp_path, 20, "make it smaller")
    with pytest.raises(DatasetError, match="make it smaller"):
        check_size(tmp_path / "a", 9, "make it smaller")
    with pytest.raises(DatasetError, match="make it smaller"):
        check_size(tmp_path, 19, "make it smaller")


def test_the_packaged_zoo_is_within_its_limit(repository: Path) -> None:
    check_size(repository / "generation/zoo", ZOO_BYTES, "remove what is no longer used")
    assert PICTURES_BYTES == 40_000_000
