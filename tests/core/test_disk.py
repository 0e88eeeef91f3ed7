"""Whether a disk has free space."""

import shutil
from types import SimpleNamespace

from osbench.core.disk import shortage


def test_shortage_is_words_for_a_message(tmp_path, monkeypatch):
    assert shortage(tmp_path, 1) is None
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000_000))
    assert shortage(tmp_path, 1_000_000_000) is None
    assert shortage(tmp_path, 2_000_000_000) == f"2,000 MB in {tmp_path}, where 1,000 MB are free"
