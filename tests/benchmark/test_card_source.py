"""A card that is read from the text of a module says what the imported class says."""

from __future__ import annotations

import pytest

from osbench.benchmark.card_source import read_card
from osbench.benchmark.method import MethodCard, get_method, method_names
from osbench.core.registry import Registry

FIELDS = ("title", "reproduction", "differs", "published", "paper")
BUILT_IN = Registry("method", "osbench.methods")


@pytest.mark.parametrize("name", [name for name in method_names() if BUILT_IN.source(name)])
def test_the_text_of_a_built_in_method_says_what_its_class_says(name: str) -> None:
    card: MethodCard = get_method(name).card
    source = BUILT_IN.source(name)
    assert source is not None
    assert read_card(source, FIELDS) == {field: getattr(card, field) for field in FIELDS}


def test_what_is_not_said_in_so_many_words_is_left_to_the_class() -> None:
    assert read_card("x = 1", FIELDS) is None
    assert read_card("card = MethodCard(title=TITLE, paper='p', url='')", ("title",)) is None
    assert read_card("card = MethodCard(title=TITLE, paper='p', url='')", ("paper",)) == {"paper": "p"}
    assert read_card("card = MethodCard('t', 'p', 'u')", ("title",)) is None
