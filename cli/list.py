"""``osbench list``: what there is to use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ..core.columns import text_columns
from ..core.defaults import SUITE
from ..core.foreign import printable
from ..core.registry import Registry
from .options import emit, handle_errors, json_option, registered

if TYPE_CHECKING:
    from ..generation.catalog import Source


REGISTERED = (
    "methods",
    "rejections",
    "networks",
    "encoders",
    "families",
    "importers",
    "engines",
    "thresholds",
    "probes",
)


@click.group(invoke_without_command=True)
@click.pass_context
@json_option
@handle_errors
def command(context: click.Context, as_json: bool) -> None:
    """List what there is to use: methods, experiments, networks, encoders, protocols, rejection rules, suites, sources.

    Without one of them: the names of everything.
    """
    if context.invoked_subcommand is not None:
        return
    from ..benchmark.experiment import experiment_names
    from ..benchmark.protocols import protocol_names
    from ..generation.catalog import suite_names

    names = {kind: registered(kind)() for kind in REGISTERED}
    names |= {"protocols": list(protocol_names()), "suites": list(suite_names()), "experiments": experiment_names()}
    emit(as_json, names, text_columns([(kind, ", ".join(names[kind])) for kind in sorted(names)]))


def _registered_verb(kind: str, text: str) -> None:
    """``osbench list <kind>``: names, and what each is in one line; nothing is imported for it."""

    @command.command(kind, help=text)
    @json_option
    @handle_errors
    def verb(as_json: bool) -> None:
        registry: Registry[object] = Registry(kind, f"osbench.{kind}")
        rows = [{"name": name, "title": registry.title(name)} for name in registry.names()]
        emit(as_json, rows, text_columns([(row["name"], row["title"]) for row in rows]))


@command.command()
@json_option
@handle_errors
def experiments(as_json: bool) -> None:
    """Experiments of the package, for `osbench run`."""
    from ..benchmark.experiment import experiment_names, load_experiment

    found = [load_experiment(name) for name in experiment_names()]
    rows = [{"name": one.name, "title": one.title, "suite": one.suite, "entries": list(one.entries)} for one in found]
    lines = [(one.name, one.suite, f"{len(one.entries)} entries", one.title) for one in found]
    emit(as_json, rows, text_columns(lines))


_registered_verb("networks", "Embedding networks, for --network.")
_registered_verb("encoders", "Frozen encoders of images, for --option encoder=NAME.")
_registered_verb("rejections", 'Rejection rules: how a trained network says "unknown".')
_registered_verb("thresholds", "Threshold rules, for --threshold-rule.")
_registered_verb("families", "Generator families.")
_registered_verb("importers", "Readers of published data sets, for `osbench import`.")
_registered_verb("engines", "Engines that schedule shards, for --engine.")
_registered_verb("probes", "Probes of `osbench audit`: what trivial attributors look at.")


@command.command()
@click.option("--suite", "suite_name", default=SUITE, show_default=True, help="Suite name or YAML file.")
@json_option
@handle_errors
def sources(suite_name: str, as_json: bool) -> None:
    """Generator/training-set pairs of a suite."""
    from dataclasses import asdict

    from ..generation.catalog import load_suite

    suite = load_suite(suite_name)
    rows = [
        {
            "name": s.name,
            "architecture": s.architecture,
            "training_set": s.training_set,
            "native_size": s.native_size,
            "licence": s.licence,
            "family": s.family,
            "weights": s.weights.name if s.weights else [asdict(one) for one in s.published],
            "stands_in": s.stands_in,
            "service": s.service,
            "sampling": s.sampling,
            "classes": len(s.class_labels),
            "prompts": len(s.prompts),
        }
        for s in suite.sources
    ]
    shown = ("name", "architecture", "training_set", "native_size", "licence")
    lines = [(*(str(r[key]) for key in shown), _weights_text(s)) for r, s in zip(rows, suite.sources, strict=True)]
    emit(as_json, rows, text_columns(lines))


def _weights_text(source: Source) -> str:
    """File names in the order of preference, and what the source stands in for."""
    if source.service is not None:
        return f"pictures of {source.service}, with --from-folder"
    names = [source.weights.name] if source.weights else [one.name for one in source.published]
    missing = source.weights is not None and not os.path.exists(source.weights)
    remarks = [f"stands in: {source.stands_in}"] if source.stands_in else []
    remarks += [f"missing in {printable(source.weights.parent)}"] if source.weights and missing else []
    return " or ".join(names) + "".join(f"  ({remark})" for remark in remarks)


@command.command()
@json_option
@handle_errors
def methods(as_json: bool) -> None:
    """Attribution methods with their cards."""
    if as_json:
        from dataclasses import asdict

        from ..benchmark.method import get_method, method_names

        emit(True, [{"name": name, "card": asdict(get_method(name).card)} for name in method_names()], "")
        return
    registry: Registry[object] = Registry("method", "osbench.methods")
    rows = [(name, *_shown_of_card(registry, name)) for name in registry.names()]
    emit(False, None, text_columns([("method", "what it is", "reproduction", "published", "paper"), *rows]))


def _shown_of_card(registry: Registry[object], name: str) -> tuple[str, str, str, str]:
    from ..benchmark.card_source import read_card

    card = read_card(registry.source(name) or "", ("title", "reproduction", "differs", "published", "paper"))
    if card is None:
        from ..benchmark.method import get_method

        card = vars(get_method(name).card)
    return card["title"], reproduction_text(card), published_text(card["published"]), card["paper"]


def reproduction_text(card: Mapping[str, Any]) -> str:
    """How far a method follows its source, and what differs."""
    return ": ".join(part for part in (card["reproduction"], card["differs"]) if part) or "not said"


def published_text(numbers: dict[str, float]) -> str:
    """The numbers that a paper prints, or "none"."""
    return ", ".join(f"{name} {value:g}" for name, value in numbers.items()) or "none"


@command.command()
@json_option
@handle_errors
def protocols(as_json: bool) -> None:
    """Evaluation protocols: who is unseen, and how images are split."""
    from ..benchmark.protocols import load_protocol, protocol_names

    rows = [{"name": name, "description": load_protocol(name).description} for name in protocol_names()]
    emit(as_json, rows, text_columns([(r["name"], r["description"]) for r in rows]))


@command.command()
@json_option
@handle_errors
def suites(as_json: bool) -> None:
    """Suites of sources that osbench knows."""
    from ..generation.catalog import load_suite, suite_names

    rows = [
        {"name": name, "version": (suite := load_suite(name)).version, "sources": len(suite.sources)}
        for name in suite_names()
    ]
    emit(as_json, rows, text_columns([(r["name"], r["version"], f"{r['sources']} sources") for r in rows]))
