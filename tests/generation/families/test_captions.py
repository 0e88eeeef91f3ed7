from __future__ import annotations

import numpy as np
import pytest
import torch

from osbench.core.errors import UsageError
from osbench.generation.families.captions import Captions, vocabulary_of, words_of


def test_words() -> None:
    assert words_of("Jack-O-Lantern, 2 of them") == ["jack", "o", "lantern", "2", "of", "them"]
    assert vocabulary_of(["dog face", "cat face", "Dog"]) == "cat dog face"


def test_a_caption_is_the_sum_of_its_words_over_the_root_of_their_number() -> None:
    captions = Captions("cat dog face", 4)
    table = captions.table.detach()
    vectors = captions(captions.bags(["dog face", "face dog", "cat", "cat unheard-of", ""])).detach()
    expected = torch.stack([(table[1] + table[2]) / 2**0.5] * 2 + [table[0]] * 2 + [table[3]])
    torch.testing.assert_close(vectors, expected)


def test_without_a_caption() -> None:
    captions = Captions("cat dog", 4)
    bags = captions.bags(["cat", "dog"])
    assert captions.without(bags).tolist() == [[0, 0, 1], [0, 0, 1]]
    np.testing.assert_array_equal(captions.without(bags), captions.bags(["", "  "]))


def test_a_text_of_unknown_words_is_an_error() -> None:
    with pytest.raises(UsageError, match="'zeppelin over town': this model knows none of its words, only 2 others"):
        Captions("cat dog", 4).bags(["cat", "zeppelin over town"])
