"""What every method promises, as far as it can be checked without training one.

A method file that breaks a promise is refused when it is opened. What only shows when a method is fitted is looked for
by :mod:`.method_checks`.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection, Mapping
from typing import Any, cast

from ..core.errors import OsbenchError, RunError
from .card import MethodCard
from .method import Method
from .options import Bounds, Choices, checked_option, limits_of
from .scores import Scores

CALLS = {"fit": ("train", "val", "context"), "predict": ("images",), "save": ("folder",), "load": ("folder",)}
"""What the harness calls, with which arguments by position."""

_NO_CARD = "it has no card: say card = MethodCard(title=..., paper=..., url=..., deviations=[...])"


def contract_faults(cls: object) -> list[str]:
    """What is wrong with a method's class, one line each; empty if nothing is."""
    if not (isinstance(cls, type) and issubclass(cls, Method)):
        given = cast(object, cls)
        name: str = getattr(given, "__name__", repr(given))
        return [f"{name} is no subclass of osbench.benchmark.method.Method"]
    no_card = [] if isinstance(getattr(cls, "card", None), MethodCard) else [_NO_CARD]
    return [*_call_faults(cls), *no_card, *_rejection_faults(cls), *_option_faults(cls)]


def card_faults(card: MethodCard) -> list[str]:
    """What a reader would miss on a card, one line each; the method runs without it."""
    wrong = [name for name in ("title", "paper", "licence", "input_range") if not _is_text(getattr(card, name))]
    faults = [f"card.{name} is empty or no text" for name in wrong]
    for name in ("faithful", "deviations"):
        if isinstance(getattr(card, name), str) or not all(_is_text(line) for line in getattr(card, name)):
            faults.append(f"card.{name} is not a list of sentences")
    if card.reproduction in ("partial", "placeholder") and not _is_text(card.differs):
        faults.append(f"card.reproduction is '{card.reproduction}', but card.differs does not say what differs")
    if not (card.faithful or card.deviations):
        faults.append("the card says neither what is faithful to a paper nor what deviates from it")
    if not all(isinstance(value, float) for value in card.published.values()):
        faults.append("card.published holds something else than floats")
    return faults


def answer_fault(answers: object, rejections: Collection[str], images: int, classes: int | None = None) -> str | None:
    """What is wrong with the answers of ``predict`` to so many images; None if nothing is.

    Without ``classes``, the number of seen generators, the width of the class scores is not checked.
    """
    if not isinstance(answers, Mapping):
        return f"predict returns a {type(answers).__name__}; it must return a dict, rejection rule -> Scores"
    lacking = [rule for rule in rejections if rule not in answers]
    if lacking:
        return f"predict gives no scores for its rejection rule '{lacking[0]}'"
    by_rule = cast(Mapping[object, object], answers)
    other = [rule for rule in by_rule if rule not in rejections]
    if other:
        return f"predict answers for a rule '{other[0]}' that the class does not name in rejections"
    for rule, scores in by_rule.items():
        if not isinstance(scores, Scores):
            return f"predict gives a {type(scores).__name__} for rule '{rule}'; it must be Scores"
        if len(scores) != images:
            return f"{len(scores)} scores of rule '{rule}' for {images} images"
        if classes is not None and scores.class_scores.shape[1:] != (classes,):
            found = scores.class_scores.shape
            return f"class_scores of rule '{rule}' are {found}; {classes} seen generators need ({images}, {classes})"
        try:
            scores.check()
        except RunError as error:
            return f"rule '{rule}': {error}".rstrip(".")
    return None


def _call_faults(cls: type[Method]) -> list[str]:
    lacking = sorted(cls.__abstractmethods__)
    faults = [f"it does not define {', '.join(lacking)}"] if lacking else []
    for name, arguments in CALLS.items():
        if name in lacking:
            continue
        function = inspect.getattr_static(cls, name)
        if name == "load":
            if not isinstance(function, classmethod):
                faults.append("load is not a @classmethod")
                continue
            function = cast("classmethod[Any, ..., Any]", function).__func__
        try:
            inspect.signature(function).bind(None, *arguments)
            if name == "predict" and cls.reads_captions:
                inspect.signature(function).bind(None, *arguments, captions=None)
        except TypeError as error:
            named = ", captions=None" if name == "predict" and cls.reads_captions else ""
            faults.append(f"{name} cannot be called as {name}({', '.join(arguments)}{named}): {error}")
    return faults


def _rejection_faults(cls: type[Method]) -> list[str]:
    rules = cls.rejections
    if isinstance(rules, str) or not rules or not all(_is_text(rule) for rule in rules):
        return [f"rejections must be a tuple of names, not {rules!r}"]
    return [] if len(set(rules)) == len(rules) else ["rejections names a rule twice"]


def _option_faults(cls: type[Method]) -> list[str]:
    try:
        if json.loads(json.dumps(cls.defaults)) != cls.defaults:
            return ["defaults change when they are written as JSON: use texts, numbers, true and false"]
    except (TypeError, ValueError) as error:
        return [f"defaults cannot be written as JSON: {error}"]
    faults: list[str] = []
    for key, limit in cast(Mapping[str, object], limits_of(cls)).items():  # the class may state anything
        if not isinstance(limit, Bounds | Choices):
            faults.append(f"limits['{key}'] is a {type(limit).__name__}; use at_least, above or one_of")
        elif key in cls.defaults:
            try:
                checked_option(getattr(cls, "name", cls.__name__), key, cls.defaults[key], cls.defaults[key], limit)
            except OsbenchError as error:
                faults.append(f"the default is out of its own limit: {error}".rstrip("."))
    own = cls.__dict__.get("limits", {})
    return faults + [f"limits['{key}'] is no option: it is not in defaults" for key in own if key not in cls.defaults]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
