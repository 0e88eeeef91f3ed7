"""Whatever is registered explains itself and is tested: adding one without the other fails here.

Convention: a class from ``<folder>/<module>.py`` is tested in ``tests/<folder>/test_<module>.py``, or by name (as a
string literal) in another test file of that folder.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from osbench.baselines.encoders import encoder_class, encoder_names
from osbench.baselines.rejection import build_rule, rule_names
from osbench.benchmark.audit import get_probe, probe_names
from osbench.benchmark.contract import card_faults, contract_faults
from osbench.benchmark.method import get_method, method_names
from osbench.benchmark.options import limits_of
from osbench.benchmark.protocols import load_protocol, protocol_names
from osbench.cli.list import published_text
from osbench.generation.families import families, family_class

BUILT_IN = [name for name in method_names() if get_method(name).__module__.startswith("osbench.baselines.")]


def registered() -> Iterator[tuple[str, str, type]]:
    yield from (("method", name, get_method(name)) for name in BUILT_IN)
    yield from (("rejection rule", name, type(build_rule(name))) for name in rule_names())
    yield from (("encoder", name, encoder_class(name)) for name in encoder_names())
    yield from (("generator family", name, family_class(name)) for name in families())
    yield from (("audit probe", name, get_probe(name)) for name in probe_names())


REGISTERED = list(registered())
IDS = [f"{kind} {name}" for kind, name, _ in REGISTERED]


def test_the_registries_are_not_empty() -> None:
    assert {"proposed", "resnet50", "dct-cnn"} <= set(BUILT_IN)
    assert {"never", "msp", "centroid-sigma"} <= set(rule_names())
    assert len(families()) >= 7
    assert {"colour", "trace"} <= set(probe_names())
    assert {"fang2023", "rotate"} <= set(protocol_names())


@pytest.mark.parametrize(("kind", "name", "cls"), REGISTERED, ids=IDS)
def test_it_has_a_docstring_of_its_own(kind: str, name: str, cls: type) -> None:
    module = inspect.getmodule(cls)
    assert cls.__doc__, f"{kind} '{name}' has no class docstring"
    assert module is not None
    assert module.__doc__, f"{module.__name__} has no docstring"


@pytest.mark.parametrize(("kind", "name", "cls"), REGISTERED, ids=IDS)
def test_it_has_a_test(kind: str, name: str, cls: type, repository: Path) -> None:
    _, *folder, module = cls.__module__.split(".")
    tests = repository.joinpath("tests", *folder)
    named = [path.name for path in tests.glob("test_*.py") if f'"{name}"' in path.read_text("utf-8")]
    assert (tests / f"test_{module}.py").is_file() or named, f"{kind} '{name}': no test_{module}.py in {tests}"


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_method_has_a_complete_card(name: str) -> None:
    cls = get_method(name)
    card = cls.card
    assert card_faults(card) == []
    assert card.url.strip(), f"card.url of method '{name}' is empty"
    assert card.faithful, f"the card of '{name}' says nothing about what follows the paper"
    assert card.reproduction is not None, f"card.reproduction of '{name}' is not said"
    assert card.deviations, f"the card of '{name}' says nothing about what does not follow the paper"
    # A method without printed numbers is listed with "none", not with an empty cell.
    listed = published_text(card.published)
    assert all(f"{key} {value:g}" in listed for key, value in card.published.items())
    assert card.published or listed == "none"
    assert contract_faults(cls) == []
    assert cls().options == cls.defaults


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_number_among_a_method_s_options_has_limits(name: str) -> None:
    cls = get_method(name)
    numbers = {key for key, value in cls.defaults.items() if type(value) in (int, float)}
    assert numbers <= set(limits_of(cls))


@pytest.mark.parametrize("name", protocol_names())
def test_a_protocol_is_described_and_tested(name: str, repository: Path) -> None:
    assert len(load_protocol(name).description.split()) >= 8
    text = (repository / "tests" / "benchmark" / "test_protocols.py").read_text("utf-8")
    assert f'"{name}"' in text
