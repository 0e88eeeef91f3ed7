from __future__ import annotations

import inspect

from osbench.benchmark.protocols import protocol_names
from osbench.cli import main
from osbench.core.defaults import DATA, PROTOCOL, RUNS, SUITE
from osbench.generation.catalog import suite_names


def test_the_defaults_exist() -> None:
    assert SUITE in suite_names()
    assert PROTOCOL in protocol_names()


def test_the_library_and_the_command_line_have_the_same() -> None:
    from osbench.benchmark.experiment import Experiment
    from osbench.generation.generate import generate

    def default(verb: str, name: str) -> object:
        command = main.get_command(None, verb)  # type: ignore[arg-type]
        assert command is not None
        return next(parameter.default for parameter in command.params if parameter.name == name)

    assert default("generate", "out") == inspect.signature(generate).parameters["out"].default == DATA
    assert default("split", "data") == default("evaluate", "data") == default("verify", "dataset") == DATA
    assert default("evaluate", "out") == default("pack", "runs") == RUNS
    fields = Experiment.__dataclass_fields__
    assert (fields["suite"].default, fields["protocol"].default) == (SUITE, PROTOCOL)
    assert default("evaluate", "protocol") == PROTOCOL
