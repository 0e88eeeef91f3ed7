"""The printed numbers agree with each other and with the cards of the methods."""

import pytest

from osbench.baselines.networks import network_names
from osbench.baselines.reproduction.published import load_paper, paper_names
from osbench.benchmark.method import get_method
from osbench.benchmark.protocols import protocol_names
from osbench.core.errors import UsageError

PAPER = load_paper("fang2023")


def test_the_paper_is_listed_and_its_protocol_exists():
    assert paper_names() == ["fang2023"]
    assert PAPER.protocol in protocol_names()


def test_printed_means_are_the_means_of_the_printed_values():
    """The paper rounds to three digits; RepMix's mean (0.7914) and the others agree with their rows."""
    for name, row in PAPER.table(3)["rows"].items():
        assert sum(row["f1"]) / len(row["f1"]) == pytest.approx(row["af1"], abs=6e-4), name
        assert sum(row["crr_each"]) / len(row["crr_each"]) == pytest.approx(row["crr"], abs=6e-4), name


def test_the_cards_of_the_methods_print_the_same():
    for name, row in PAPER.table(3)["rows"].items():
        card = get_method(name).card
        assert (card.published["af1"], card.published["crr"]) == (row["af1"], row["crr"]), name
        assert row["rejection"] in get_method(name).rejections
    assert get_method("proposed").card.published["auc_af1_crr"] == PAPER.table(2)["rows"]["mislnet"]["camera"]


def test_table_2_speaks_of_networks_that_exist_and_all_gain_in_the_paper():
    rows = PAPER.table(2)["rows"]
    assert set(rows) <= set(network_names())
    assert len(rows) == 5
    assert all(row["camera"] > row["scratch"] for row in rows.values())


def test_unknown_names():
    with pytest.raises(UsageError, match="Did you mean 'fang2023'"):
        load_paper("fang2032")
    with pytest.raises(UsageError, match="unknown table of fang2023 '4'"):
        PAPER.table(4)
