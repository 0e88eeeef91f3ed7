"""A method file that breaks the contract is refused in one line, before anything is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from osbench.benchmark.contract import answer_fault, card_faults, contract_faults
from osbench.benchmark.method import MethodCard, Scores, get_method, method_names
from osbench.core.errors import UsageError

GOOD = '''
import numpy as np
from safetensors.numpy import load_file, save_file
from osbench.benchmark.method import Method, MethodCard, Scores, register_method
from osbench.benchmark.options import above, at_least, one_of


@register_method("NAME")
class MeanColour(Method):
    """Nearest class mean of the average colour."""

    card = MethodCard(title="Mean colour", paper="none", url="", deviations=["not from a paper"])
    rejections = ("distance",)
    defaults = {"scale": 1.0, "epochs": 30}
    limits = {"scale": above(0)}

    def fit(self, train, val, context):
        colours = np.concatenate([pixels.mean((1, 2)) for pixels, _, _ in train.batches(256)])
        self.means = np.stack([colours[train.class_index == k].mean(0) for k in range(len(context.class_names))])

    def predict(self, images):
        distance = np.linalg.norm(images.mean((1, 2))[:, None] - self.means, axis=2)
        return {"distance": Scores(-distance, -distance.min(1), distance.argmin(1))}

    def save(self, folder):
        save_file({"means": self.means}, folder / "means.safetensors")

    @classmethod
    def load(cls, folder):
        method = cls()
        method.means = load_file(folder / "means.safetensors")["means"]
        return method
'''
CARD = 'MethodCard(title="Mean colour", paper="none", url="", deviations=["not from a paper"])'


def write_method(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """The file of a good method called ``name`` after textual changes, each of which must apply."""
    text = GOOD.replace("NAME", name)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{name.replace('-', '_')}.py"
    path.write_text(text)
    return path


BROKEN = {
    "no-card": ((f"card = {CARD}", ""), "it has no card"),
    "card-of-text": ((CARD, '"Mean colour"'), "it has no card"),
    "no-save": (("def save", "def write"), "it does not define save"),
    "no-load": (("def load", "def read"), "it does not define load"),
    "load-of-an-object": (("    @classmethod\n", ""), "load is not a @classmethod"),
    "fit-of-two": (("def fit(self, train, val, context)", "def fit(self, train, val)"), "fit cannot be called as fit("),
    "predict-of-two": (("def predict(self, images)", "def predict(self, images, device)"), "predict cannot be called"),
    "captions-unread": (
        ("    rejections", "    reads_captions = True\n    rejections"),
        "predict(images, captions=None)",
    ),
    "no-subclass": (("class MeanColour(Method)", "class MeanColour"), "is no subclass of"),
    "one-name": (('("distance",)', '"distance"'), "rejections must be a tuple of names"),
    "no-rule": (('("distance",)', "()"), "rejections must be a tuple of names"),
    "rule-twice": (('("distance",)', '("distance", "distance")'), "names a rule twice"),
    "default-array": (('"scale": 1.0', '"scale": np.ones(2)'), "defaults cannot be written as JSON"),
    "default-tuple": (('"scale": 1.0', '"scale": (1, 2)'), "defaults change when they are written as JSON"),
    "default-out-of-limit": (('"scale": 1.0', '"scale": 0.0'), "option scale=0.0 of method"),
    "limit-of-nothing": (('{"scale": above(0)}', '{"scales": above(0)}'), "limits['scales'] is no option"),
    "limit-of-text": (("above(0)", '"above 0"'), "limits['scale'] is a str"),
    "raises-at-import": (("import numpy as np", "import numpy as np\n1 / 0"), "ZeroDivisionError: division by zero"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_method_file_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    change, said = BROKEN[name]
    path = write_method(tmp_path, f"broken-{name}", change)
    for _ in range(2):  # it is not known afterwards, and refused again
        with pytest.raises(UsageError) as caught:
            get_method(str(path))
        assert said in str(caught.value)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert f"broken-{name}" not in method_names()


def test_a_good_file_is_taken_and_several_faults_are_counted(tmp_path: Path) -> None:
    cls = get_method(str(write_method(tmp_path, "good-colour")))
    assert contract_faults(cls) == []
    path = write_method(tmp_path, "twice-broken", (f"card = {CARD}", ""), ("def save", "def write"))
    with pytest.raises(UsageError, match=r"define save \(and 1 more: osbench check-method\)"):
        get_method(str(path))
    assert contract_faults(3) == ["3 is no subclass of osbench.benchmark.method.Method"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": " "}, "card.title is empty"),
        ({"deviations": []}, "neither what is faithful"),
        ({"deviations": "not from a paper"}, "card.deviations is not a list"),
        ({"published": {"crr": 1}}, "something else than floats"),
        ({"reproduction": "partial"}, "card.differs does not say what differs"),
        ({"reproduction": "placeholder", "differs": " "}, "card.reproduction is 'placeholder'"),
    ],
)
def test_a_card_that_hides_something_is_told_so(change: dict[str, Any], said: str) -> None:
    good = MethodCard("Mean colour", "none", "", deviations=["not from a paper"])
    assert card_faults(good) == []
    (fault,) = card_faults(replace(good, **change))
    assert said in fault


def scores(n: int = 4, k: int = 3) -> Scores:
    return Scores(np.zeros((n, k)), np.zeros(n), np.zeros(n))


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((1, 2), "predict returns a tuple; it must return a dict"),
        (None, "predict returns a NoneType"),
        ({}, "no scores for its rejection rule 'a'"),
        ({"a": scores(), "b": scores()}, "answers for a rule 'b' that the class does not name"),
        ({"a": np.zeros(4)}, "gives a ndarray for rule 'a'"),
        ({"a": scores(5)}, "5 scores of rule 'a' for 4 images"),
        ({"a": scores(4, 2)}, "class_scores of rule 'a' are (4, 2); 3 seen generators need (4, 3)"),
        ({"a": Scores(np.full((4, 3), np.nan), np.zeros(4), np.zeros(4))}, "rule 'a': scores of row 0 are not finite"),
        ({"a": Scores(np.zeros((4, 3)), np.zeros(4), np.full(4, 7))}, "candidate 7 of row 0"),
    ],
)
def test_what_no_run_can_hold_is_said(answers: object, said: str) -> None:
    fault = answer_fault(answers, ("a",), 4, 3)
    assert fault is not None
    assert said in fault
    assert answer_fault({"a": scores()}, ("a",), 4, 3) is None
