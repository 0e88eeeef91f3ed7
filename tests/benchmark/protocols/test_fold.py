from __future__ import annotations

from osbench.benchmark.protocols.fold import Fold, Shots, plain, short, too_few_images

CLOSED = Fold("few", ())


def test_a_fold_for_every_number_of_shots_and_repeat() -> None:
    folds = list(Shots((5, 1), 2).folds(CLOSED, "cab"))
    assert [fold.name for fold in folds] == [
        "few/shots=1,repeat=0",
        "few/shots=1,repeat=1",
        "few/shots=5,repeat=0",
        "few/shots=5,repeat=1",
    ]
    assert {fold.seen for fold in folds} == {("a", "b", "c")}
    assert [(fold.shots, fold.repeat) for fold in folds] == [(1, 0), (1, 1), (5, 0), (5, 1)]


def test_classes_that_are_drawn_are_nested_and_named() -> None:
    few = Shots((1,), 3, (2, 4, 6, 9))
    folds = list(few.folds(CLOSED, "abcdef"))
    assert len(folds) == few.count(6) == 9
    assert [fold.name for fold in folds[::3]] == [
        "few/classes=2,shots=1,repeat=0",
        "few/classes=4,shots=1,repeat=0",
        "few/shots=1,repeat=0",
    ]
    for repeat in range(3):
        two, four, six = (set(fold.seen) for fold in folds if fold.repeat == repeat)
        assert two < four < six == set("abcdef")
    assert len({fold.seen for fold in folds if "classes=2" in fold.name}) > 1


def test_fewer_generators_than_anybody_asks_for_are_all_seen() -> None:
    (fold,) = Shots((1,), 1, (5, 6)).folds(CLOSED, "abc")
    assert (fold.name, fold.seen) == ("few/shots=1,repeat=0", ("a", "b", "c"))


def test_shots_of_an_open_set_keep_who_is_unseen() -> None:
    (fold,) = Shots((2,), 1).folds(Fold("few/c", ("c",)), "abc")
    assert fold == Fold("few/c,shots=2,repeat=0", ("c",), shots=2, repeat=0, seen=("a", "b"))
    (named,) = Shots((2,), 1).folds(Fold("few", ("c",)), "abc")
    assert named.name == "few/shots=2,repeat=0"


def test_generators_with_too_few_images() -> None:
    (fold,) = Shots((3,), 1).folds(CLOSED, "abc")
    assert too_few_images(fold, {"a": 3, "b": 2}) == ["b", "c"]


def test_names() -> None:
    assert plain("Style-GAN 2") == "stylegan2"
    assert short("rotate/a+b") == "a+b"
