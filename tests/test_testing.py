"""``check_method`` finds each way in which a method breaks its contract, and nothing in a good one."""

from __future__ import annotations

from pathlib import Path

import pytest

from osbench.benchmark.method import get_method
from osbench.testing import ContractError, check_method, easy_splits, method_checks, rehearse

from .benchmark.test_contract import write_method

SAVE = 'save_file({"means": self.means}, folder / "means.safetensors")'
LOAD = 'load_file(folder / "means.safetensors")["means"]'
ANSWER = 'return {"distance": Scores(-distance, -distance.min(1), distance.argmin(1))}'
FIT, PREDICT = "colours = np.concatenate", "distance = np.linalg"
BROKEN = {
    "needs-a-thing": (("    def fit", "    def __init__(self, thing): pass\n\n    def fit"), "construction: TypeError"),
    "unsaid-card": (('["not from a paper"]', "[]"), "card: the card says neither"),
    "fit-raises": ((FIT, f"1 / 0; {FIT}"), "fit: ZeroDivisionError: division by zero (fit_raises.py, line 18)"),
    "predict-raises": ((PREDICT, f"1 / 0; {PREDICT}"), "predict: ZeroDivisionError"),
    "predict-tuple": ((ANSWER, "return -distance, 0"), "predict: predict returns a tuple"),
    "writes-to-the-images": ((PREDICT, f"images[:] = 0; {PREDICT}"), "predict: ValueError"),
    "looks-at-the-batch": ((PREDICT, f"images = images - images.mean() + 128; {PREDICT}"), "one image at a time: "),
    "pickles": ((SAVE, '(folder / "means.pkl").write_bytes(b"x")'), "save and load: save writes means.pkl; a model is"),
    "saves-nothing": ((SAVE, "pass"), "save and load: save writes no file"),
    "forgets": ((LOAD, "np.zeros((3, 3))"), "save and load: after save and load rule 'distance' gives other answers"),
    "global-numpy": ((FIT, f"np.random.rand(); {FIT}"), "the global generator of numpy"),
    "global-random": ((FIT, f"import random; random.random(); {FIT}"), "the global generator of random"),
    "global-torch": ((FIT, f"import torch; torch.rand(1); {FIT}"), "the global generator of torch"),
    "other-every-time": (
        (".mean(0) for k in range", ".mean(0) + np.random.default_rng().normal(0, 9, 3) for k in range"),
        "same seed, same answers: two fits with one seed give other answers",
    ),
    "guesses": ((ANSWER, ANSWER.replace("distance.argmin(1)", "0 * distance.argmin(1)")), "problem: 0.33 of the easy"),
}


@pytest.mark.parametrize("draws", [True, False])
def test_a_deterministic_method_gives_every_seed_the_same_answers(draws: bool, tmp_path: Path) -> None:
    changes = [('"not from a paper"]', '"not from a paper"], deterministic=True')]
    if draws:
        drawn = ".mean(0) + np.random.default_rng(context.seed).normal(0, 9, 3) for k in range"
        changes.append((".mean(0) for k in range", drawn))
    path = write_method(tmp_path, f"deterministic-{draws}".lower(), *changes)
    (check,) = (one for one in method_checks(str(path), crop_size=16) if one.name.startswith("same seed"))
    said = "the card says deterministic, and another seed gives other answers (rule 'distance')"
    assert check.fault == (said if draws else None)


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_one_line(name: str, tmp_path: Path) -> None:
    change, said = BROKEN[name]
    path = write_method(tmp_path, name, change)
    with pytest.raises(ContractError) as caught:
        check_method(str(path), crop_size=16)
    (line,) = str(caught.value).splitlines()
    assert said in line


def test_a_good_method_passes_every_check_by_class_name_and_file(tmp_path: Path) -> None:
    path = write_method(tmp_path, "passes")
    checks = list(method_checks(str(path), crop_size=16))
    assert [check.fault for check in checks] == [None] * 9
    check_method(get_method("passes"), crop_size=16)
    with pytest.raises(ContractError, match="load forgets the options"):
        check_method("passes", options={"scale": 2.0}, crop_size=16)


def test_what_this_machine_lacks_is_no_fault(tmp_path: Path) -> None:
    change = ("    def save", "    def missing(self):\n        return 'a GPU'\n\n    def save")
    *_, last = method_checks(str(write_method(tmp_path, "needs-a-gpu", change)), crop_size=16)
    assert (last.name, last.skipped, last.fault) == ("construction", "a GPU", None)


def test_the_easy_images_are_what_they_say() -> None:
    train, val, test = easy_splits(16)
    assert (len(train), len(val), len(test)) == (144, 48, 64)
    assert set(test.class_index) == {-1, 0, 1, 2}
    assert set(test.openness[test.class_index < 0]) == {"unseen"}
    assert not train.store.flags.writeable, "as the memory map that methods are given"
    assert not (train.pixels[:48:3] == val.pixels[:16]).all()


def test_a_rehearsal_finds_what_only_a_fit_shows(tmp_path: Path) -> None:
    counted = "def fit(self, train, val, context):\n        assert len(train) == 24 and self.options['epochs'] == 1"
    few = get_method(str(write_method(tmp_path, "few", ("def fit(self, train, val, context):", counted))))
    rehearse(few, {"epochs": 9}, crop_size=16)
    tuples = get_method(str(write_method(tmp_path, "tuples", (ANSWER, "return -distance, 0"))))
    with pytest.raises(ContractError, match=r"predict returns a tuple.*Nothing was trained yet"):
        rehearse(tuples, {}, crop_size=16)
    raises = get_method(str(write_method(tmp_path, "raises", (PREDICT, f"1 / 0; {PREDICT}"))))
    with pytest.raises(ZeroDivisionError):
        rehearse(raises, {}, crop_size=16)


def test_a_method_that_does_not_learn_from_so_little_is_not_rehearsed(tmp_path: Path) -> None:
    changes = ((FIT, f"raise ValueError('too few')\n        {FIT}"), (PREDICT, f"1 / 0; {PREDICT}"))
    rehearse(get_method(str(write_method(tmp_path, "wants-more", *changes))), {}, crop_size=16)
