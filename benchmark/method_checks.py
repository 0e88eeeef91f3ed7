"""Does a method keep its contract? Fits on easy images tell, in a minute, before anybody trains it for hours.

The images are easy on purpose: every class has a colour and a periodic trace of its own, so that any method that learns
at all learns them. What authors of methods use of this is :mod:`osbench.testing`.
"""

from __future__ import annotations

import itertools
import json
import random
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.errors import OsbenchError, RunError, UsageError
from .contract import answer_fault, card_faults, contract_faults
from .images import ImageSet
from .method import Context, Method, get_method
from .scores import Scores

CLASSES = ("alpha", "beta", "gamma")
PERIODS = ((2, 2), (4, 2), (2, 4), (3, 3))
COLOURS = ((40, -20, 0), (-30, 30, -10), (0, -10, 40), (50, 50, -40))
"""Trace and colour of each class; the fourth is an unseen generator's."""

_MODEL_FILES = {".safetensors", ".json"}
_SAME = 1e-3
"""Two answers to an image may differ by this share of the scores' standard deviation: kernels differ with the batch."""


class ContractError(RunError):
    """A method breaks its contract; one line for each failed check."""


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes
    ----------
    name : str
        What was checked.
    fault : str or None
        What is wrong, in one line; None if the promise is kept.
    skipped : str or None
        Why it could not be checked.
    """

    name: str
    fault: str | None = None
    skipped: str | None = None


def check_method(
    method: type[Method] | str,
    *,
    options: Mapping[str, Any] | None = None,
    crop_size: int = 48,
    epochs: int | None = None,
    learns: bool = True,
) -> None:
    """Check that a method keeps the contract of :class:`~osbench.benchmark.method.Method`.

    Parameters
    ----------
    method : type[Method] or str
        The class, a registered name, or ``path/to/file.py``.
    options : mapping, optional
        Hyper-parameters that differ from the method's defaults, to make the check quick.
    crop_size : int
        Side of the images in pixels.
    epochs : int, optional
        Of the fit that must learn; the method's own default without it.
    learns : bool
        Whether it must answer better than guessing after that fit.

    Raises
    ------
    ContractError
        One line for each failed check.
    UsageError
        There is no such method, or its file is refused.
    """
    checks = method_checks(method, options=options, crop_size=crop_size, epochs=epochs, learns=learns)
    faults = [f"{check.name}: {check.fault}" for check in checks if check.fault is not None]
    if faults:
        raise ContractError("\n".join(faults))


def method_checks(
    method: type[Method] | str,
    *,
    options: Mapping[str, Any] | None = None,
    crop_size: int = 48,
    epochs: int | None = None,
    learns: bool = True,
) -> Iterator[Check]:
    """The checks of :func:`check_method`, each as soon as it is done; the parameters are the same."""
    cls = get_method(method) if isinstance(method, str) else method
    faults = contract_faults(cls)
    yield from (Check("class", fault) for fault in faults)
    if faults:
        return
    yield Check("class")
    yield from [Check("card", fault) for fault in card_faults(cls.card)] or [Check("card")]
    reason, fault = _missing(cls, options or {})
    if fault is not None or reason is not None:
        yield Check("construction", fault, skipped=reason)
        return
    yield Check("construction")
    with tempfile.TemporaryDirectory(prefix="osbench-check-") as folder:
        yield from _Examination(cls, dict(options or {}), crop_size, epochs, Path(folder)).checks(learns)


def rehearse(cls: type[Method], options: Mapping[str, Any], *, crop_size: int, device: str = "cpu") -> None:
    """Fit on a few easy images and ask about them: what is wrong with ``predict`` shows before hours of training.

    A method that does not learn from these images is not rehearsed: what its fit raises, the real fit raises as well.

    Parameters
    ----------
    cls : type[Method]
        The method.
    options : mapping
        Hyper-parameters that differ from its defaults; an option ``epochs`` is 1 here.
    crop_size : int
        Side of the images in pixels.
    device : str
        Where it is fitted.

    Raises
    ------
    ContractError
        ``predict`` gives what no run can hold. Whatever it raises itself goes through.
    """
    train, val = (easy_images(name, count, crop_size, seed=count) for name, count in (("train", 8), ("val", 4)))
    if "epochs" in cls.defaults:
        options = {**options, "epochs": 1}
    with tempfile.TemporaryDirectory(prefix="osbench-rehearsal-") as folder:
        method = cls(**options)
        place = torch.device(device)
        try:
            method.fit(train, val, Context(0, place, Path(folder), CLASSES, crop_size, 1, method.options))
        except Exception:
            return
        answers = method.to(place).predict(val.pixels)
    fault = answer_fault(answers, method.rejections, len(val), len(CLASSES))
    if fault is not None:
        raise ContractError(f"method {cls.name}: {fault}. Nothing was trained yet.")


def easy_images(
    split: str, per_class: int, size: int, *, seed: int, kinds: tuple[int, ...] = (0, 1, 2), coloured: bool = True
) -> ImageSet:
    """Images that are easy to attribute: smooth content, and a trace and a colour for each class.

    Parameters
    ----------
    split : str
        ``train``, ``val`` or ``test``.
    per_class : int
        How many of each kind.
    size : int
        Side in pixels.
    seed : int
        Of the content.
    kinds : tuple of int
        Which classes; 3 is an unseen generator.
    coloured : bool
        Without it only the trace tells the classes apart.
    """
    labels = np.repeat(np.array([k if k < len(CLASSES) else -1 for k in kinds], dtype=np.int64), per_class)
    pixels = [_traced(kind, per_class, size, seed, coloured) for kind in kinds]
    store = np.concatenate(pixels)
    store.flags.writeable = False  # as the memory map that methods are given
    return ImageSet(
        store=store,
        rows=np.arange(len(labels), dtype=np.int64),
        image_ids=np.array([f"{split}-{i}" for i in range(len(labels))]),
        class_index=labels,
        generator=np.array([*CLASSES, "unseen"])[labels],
        openness=np.where(labels < 0, "unseen", "seen"),
        split_name=np.full(len(labels), split),
    )


def easy_splits(size: int) -> tuple[ImageSet, ImageSet, ImageSet]:
    """The training, validation and test images that a method is checked with; the last hold unseen ones too."""
    return (
        easy_images("train", 48, size, seed=1),
        easy_images("val", 16, size, seed=2),
        easy_images("test", 16, size, seed=3, kinds=(0, 1, 2, 3)),
    )


def _traced(kind: int, count: int, size: int, seed: int, coloured: bool) -> np.ndarray:
    """uint8 (count, size, size, 3): gradients of random direction with the periodic trace ``kind``."""
    rng = np.random.default_rng([seed, kind])
    y, x = np.mgrid[:size, :size] / size
    slopes = rng.uniform(-60, 60, (count, 2, 1, 1, 3))
    content = 128 + slopes[:, 0] * (x - 0.5)[None, ..., None] + slopes[:, 1] * (y - 0.5)[None, ..., None]
    py, px = PERIODS[kind]
    rows, columns = np.mgrid[:size, :size]
    shift = rng.integers(0, 12, (count, 2, 1, 1))
    trace = ((rows + shift[:, 0]) % py == 0) ^ ((columns + shift[:, 1]) % px == 0)
    noisy = content + 12.0 * trace[..., None] + rng.normal(0, 3, (count, size, size, 3))
    return (noisy + (COLOURS[kind] if coloured else 0)).clip(0, 255).round().astype(np.uint8)


def _missing(cls: type[Method], options: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """What the method says that this machine lacks, and what is wrong with its construction."""
    try:
        method = cls(**options)
        if json.loads(json.dumps(method.options)) != method.options:
            return None, "options change when they are written as JSON"
        return method.missing(), None
    except Exception as error:
        return None, _line(error)


class _Examination:
    """Fits a method three times on easy images and asks it about others."""

    def __init__(
        self, cls: type[Method], options: dict[str, Any], crop_size: int, epochs: int | None, folder: Path
    ) -> None:
        self.cls, self.options, self.epochs, self.folder = cls, options, epochs, folder
        self.train, self.val, self.test = easy_splits(crop_size)

    def checks(self, learns: bool) -> Iterator[Check]:
        try:
            method = self.fitted(self.train, self.epochs)
        except Exception as error:
            yield Check("fit", _line(error))
            return
        yield Check("fit")
        try:
            answers = method.predict(self.test.pixels)
        except Exception as error:
            yield Check("predict", _line(error))
            return
        fault = answer_fault(answers, method.rejections, len(self.test), len(CLASSES))
        yield Check("predict", fault)
        if fault is not None:
            return
        yield self.judged("one image at a time", lambda: self.batches_fault(method, answers))
        yield self.judged("save and load", lambda: self.load_fault(method, answers))
        if self.cls.enroll is not Method.enroll:
            yield self.judged("enroll", lambda: self.enroll_fault(method, answers))
        yield self.judged("same seed, same answers", self.seed_fault)
        if learns:
            yield Check("learns an easy problem", self.learning_fault(answers))

    def judged(self, name: str, look: Any) -> Check:
        try:
            return Check(name, look())
        except Exception as error:
            return Check(name, _line(error))

    def fitted(self, train: ImageSet, epochs: int | None, seed: int = 0) -> Method:
        if epochs is not None and "epochs" in self.cls.defaults:
            method = self.cls(**{**self.options, "epochs": epochs})
        else:
            method = self.cls(**self.options)
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        device = torch.device("cpu")
        context = Context(seed, device, folder, CLASSES, train.crop_size, epochs, method.options)
        method.fit(train, self.val, context)
        return method.to(device)

    def batches_fault(self, method: Method, answers: Mapping[str, Scores]) -> str | None:
        alone = [method.predict(self.test[i : i + 1]) for i in range(0, len(self.test), 4)]
        for rule, scores in answers.items():
            one_by_one = Scores.concatenate([each[rule] for each in alone])
            if not _alike(scores, one_by_one, slice(None, None, 4)):
                return f"answers of rule '{rule}' depend on the other images of the batch"
        return None

    def load_fault(self, method: Method, answers: Mapping[str, Scores]) -> str | None:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        method.save(folder)
        files = [path for path in folder.rglob("*") if path.is_file()]
        foreign = [path.name for path in files if path.suffix not in _MODEL_FILES]
        if foreign:
            return f"save writes {foreign[0]}; a model is safetensors and JSON files, which nothing executes"
        if not files:
            return "save writes no file"
        loaded = self.cls.load(folder).to(torch.device("cpu"))
        if loaded.options != method.options:
            return "load forgets the options"
        again = loaded.predict(self.test.pixels)
        fault = answer_fault(again, method.rejections, len(self.test), len(CLASSES))
        changed = [rule for rule in answers if fault is None and not _alike(answers[rule], again[rule], slice(None))]
        return fault or (f"after save and load rule '{changed[0]}' gives other answers" if changed else None)

    def enroll_fault(self, method: Method, answers: Mapping[str, Scores]) -> str | None:
        strangers = self.test.subset(self.test.class_index < 0)
        try:
            joined = method.enroll(strangers[: len(strangers) // 2], "stranger")
        except UsageError:  # it says that it cannot
            return None
        after = joined.predict(self.test.pixels)
        fault = answer_fault(after, joined.rejections, len(self.test), len(CLASSES) + 1)
        if fault is not None:
            return f"after enroll: {fault}"
        unchanged = method.predict(self.test.pixels)
        changed = [rule for rule in answers if not _alike(answers[rule], unchanged[rule], slice(None))]
        if changed:
            return f"enroll changes the method itself (rule '{changed[0]}'); it must return another one"
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        joined.save(folder)
        again = self.cls.load(folder).to(torch.device("cpu")).predict(self.test.pixels)
        lost = [rule for rule in after if rule not in again or not _alike(after[rule], again[rule], slice(None))]
        return f"after enroll, save and load rule '{lost[0]}' gives other answers" if lost else None

    def seed_fault(self) -> str | None:
        fits: list[Method] = []
        few = self.train.subset(np.arange(0, len(self.train), 3))
        for state in (1, 2):
            random.seed(state)
            np.random.seed(state)
            torch.manual_seed(state)  # pyright: ignore[reportUnknownMemberType]
            before = _global_states()
            fits.append(self.fitted(few, 1 if "epochs" in self.cls.defaults else self.epochs))
            touched = [name for name, value in _global_states().items() if value != before[name]]
            if touched:
                return f"fit draws from the global generator of {touched[0]}; make one from context.seed"
        if self.cls.card.deterministic:
            fits.append(self.fitted(few, self.epochs, seed=1))
        first, *others = (method.predict(self.test.pixels) for method in fits)
        changed = [
            (number, rule)
            for number, other in enumerate(others)
            for rule in first
            if not _alike(first[rule], other[rule], slice(None))
        ]
        if not changed:
            return None
        number, rule = changed[0]
        if number == 0:
            return f"two fits with one seed give other answers (rule '{rule}')"
        return f"the card says deterministic, and another seed gives other answers (rule '{rule}')"

    def learning_fault(self, answers: Mapping[str, Scores]) -> str | None:
        seen = self.test.class_index >= 0
        chance = 1 / len(CLASSES)
        # Three standard deviations above guessing.
        needed = chance + 3 * np.sqrt(chance * (1 - chance) / seen.sum())
        right = {rule: float((s.candidate[seen] == self.test.class_index[seen]).mean()) for rule, s in answers.items()}
        worst = min(right, key=lambda rule: right[rule])
        if right[worst] >= needed:
            return None
        found = f"{right[worst]:.2f} of the easy test images are right (rule '{worst}')"
        return f"{found}; {needed:.2f} would beat guessing"


def _global_states() -> dict[str, Any]:
    numpy_state: Any = np.random.get_state(legacy=False)
    return {
        "random": random.getstate(),
        "numpy": (numpy_state["state"]["key"].tobytes(), numpy_state["state"]["pos"], numpy_state["has_gauss"]),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }


def _alike(first: Scores, second: Scores, rows: slice) -> bool:
    """Whether both answer the same to the ``rows`` of the first, but for rounding."""
    pairs = [(first.known_score[rows], second.known_score), (first.class_scores[rows], second.class_scores)]
    for a, b in pairs:
        if a.shape != b.shape:
            return False
        allowed = _SAME * (float(a.std()) + np.abs(a)) + 1e-6
        if np.mean(np.abs(a - b) <= allowed) < 0.99:
            return False
    return True


def _line(error: Exception) -> str:
    """An exception in one line, with the place in the method's own file where it was raised."""
    text = next(iter(str(error).strip().splitlines()), "")
    if isinstance(error, OsbenchError):
        return text.rstrip(".")
    frames = traceback.extract_tb(error.__traceback__)
    own = list(itertools.dropwhile(lambda frame: frame.filename == __file__, frames)) or frames
    return f"{type(error).__name__}: {text} ({Path(own[0].filename).name}, line {own[0].lineno})"
