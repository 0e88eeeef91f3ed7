from __future__ import annotations

import time

from osbench.core.errors import UsageError, unknown_name


def test_an_unknown_name_is_printed_in_one_line_whatever_it_holds() -> None:
    error = unknown_name("suite", "mi\nni\x1b[31m", ["mini", "other\n"])
    assert isinstance(error, UsageError)
    assert str(error) == "unknown suite 'mi ni [31m'. Did you mean 'mini'? Known: mini, other ."


def test_a_giant_name_is_cut_before_it_is_compared() -> None:
    started = time.process_time()
    assert len(str(unknown_name("family", "a" * 10_000_000, ["ab" * 100] * 3))) < 1500
    assert time.process_time() - started < 2
