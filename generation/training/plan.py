"""The plan of a zoo: which models, how large, how trained (``recipes-<suite>.yaml``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import UsageError, unknown_name
from ...core.yaml import read_yaml
from .adversarial import AdversarialRecipe
from .diffusion import DiffusionRecipe
from .loop import BaseRecipe
from .tokens import TokenRecipe

_FOLDER = Path(__file__).parent
_KINDS: dict[str, type[BaseRecipe]] = {
    "adversarial": AdversarialRecipe,
    "tokens": TokenRecipe,
    "diffusion": DiffusionRecipe,
}


@dataclass(frozen=True)
class Plan:
    """One suite's zoo.

    resolution: side of crops and models. z_dim: length of the teacher's codes. bank, held: number of crops for
    training and of held-out pictures. picture_height: at which a training set's pictures are decoded. models: by
    generator, ``kind``, ``minutes`` and the fields of that kind's recipe. zoo: the folder of its
    weights in generation/zoo.
    """

    suite: str
    resolution: int
    z_dim: int
    bank: int
    held: int
    teacher_minutes: float
    picture_height: dict[str, int]
    models: dict[str, dict[str, Any]]
    teacher_width: int = 24
    zoo: str = "."

    def recipe(self, generator: str) -> BaseRecipe:
        """The recipe of a model; UsageError if there is none."""
        entry = {k: v for k, v in self._entry(generator).items() if k not in ("kind", "minutes")}
        return _KINDS[self._entry(generator)["kind"]](family=generator, **entry)

    def minutes(self, generator: str) -> float:
        """Its planned training time."""
        return self._entry(generator)["minutes"]

    def needs_codes(self, generator: str) -> bool:
        """Whether it starts from the teacher's codes."""
        return self._entry(generator)["kind"] == "adversarial"

    def _entry(self, generator: str) -> dict[str, Any]:
        if generator not in self.models:
            raise unknown_name("model", generator, self.models)
        return self.models[generator]


def plan_names() -> list[str]:
    """Suites that have a plan."""
    return sorted(path.stem.removeprefix("recipes-") for path in _FOLDER.glob("recipes-*.yaml"))


def load_plan(suite: str) -> Plan:
    """The plan of a suite; UsageError if there is none."""
    if suite not in plan_names():
        raise unknown_name("suite with a zoo", suite, plan_names())
    return Plan(suite, **read_yaml(_FOLDER / f"recipes-{suite}.yaml", UsageError))
