"""Prepares a request: finds the weights, reads the size of each network's images, and adapts the recipe to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.progress import get_logger
from .catalog import NO_LICENCE, Source, Suite
from .described import with_resyntheses
from .networks import NetworkFacts, network_facts
from .record import source_namespace, source_record, source_sha256
from .record_schema import resynthesizing_source
from .request import Request
from .weights import locate_weights


@dataclass(frozen=True)
class Prepared:
    """A request whose sources have their weights. sha256, facts: by source name; facts of networks only."""

    request: Request
    sha256: dict[str, str]
    facts: dict[str, NetworkFacts]

    def records(self) -> list[dict[str, Any]]:
        """The entries in ``dataset.json`` of the sources whose weights are here."""
        request = self.request
        return [
            source_record(request.suite, s, request.counts[s.name], self.sha256[s.name], self.facts.get(s.name))
            for s in request.sources
            if s.name in self.sha256
        ]


def prepare(
    request: Request,
    *,
    weights: Mapping[str, str | Path] | None = None,
    accept_licences: Iterable[str] = (),
    offline: bool = False,
) -> Prepared:
    """Find the weights (:func:`.weights.locate_weights`) and adapt the request to them. Writes only the cache."""
    sources = locate_weights(request.suite, request.sources, given=weights, accept=accept_licences, offline=offline)
    return adapt(request, sources)


def adapt(request: Request, sources: Sequence[Source]) -> Prepared:
    """The request, adapted to these sources, which have their weights.

    Published weights that make images of another size than the catalogue says are not the benchmark's: the source
    gets a ``deviation``, the suite another version, and where the crop does not fit it shrinks for all sources alike.
    """
    for source in sources:
        if source.licence == NO_LICENCE:
            get_logger().warning("source %s: no licence stated (--folder-licence); nobody may pass it on.", source.name)
    sha256 = {source.name: source_sha256(source) for source in sources}
    facts = {s.name: network_facts(s, sha256[s.name]) for s in sources if s.is_network}
    deviations = {s.name: _deviation(s, facts[s.name]) for s in sources if s.published}
    sources = [replace(s, deviation=deviations.get(s.name)) for s in sources]
    odd = [source for source in sources if source.deviation]
    suite = request.suite
    if odd:
        sides = [min(facts[source.name].width, facts[source.name].height) for source in odd]
        suite = _fitted_suite(suite, min(suite.crop_size, *sides))
        for source in odd:
            get_logger().warning(
                "source %s: %s. This dataset is not the %s benchmark.",
                source.name,
                source.deviation,
                request.suite.name,
            )
        if suite.crop_size < request.suite.crop_size:
            get_logger().warning(
                "The crop of every image is %d px instead of %d px.", suite.crop_size, request.suite.crop_size
            )
    known = {source.name: source for source in sources}
    suite = replace(suite, sources=tuple(known.get(source.name, source) for source in suite.sources))
    return _with_resyntheses(Prepared(Request(suite, request.counts), sha256, facts))


def _with_resyntheses(prepared: Prepared) -> Prepared:
    """The same with a source for every pair of sources of which one draws the other's images again."""
    request, sha256, facts = prepared.request, dict(prepared.sha256), dict(prepared.facts)
    namespaces = {s.name: source_namespace(request.suite, s, sha256.get(s.name, "")) for s in request.sources}
    suite, counts = with_resyntheses(request.suite, request.counts, namespaces)
    for source in suite.sources:
        own = resynthesizing_source(source.name)
        if source.resynthesizes is not None and own in facts:
            sha256[source.name], facts[source.name] = sha256[own], facts[own]
    return Prepared(Request(suite, counts), sha256, facts)


def _deviation(source: Source, facts: NetworkFacts) -> str | None:
    if source.native_size in {None, facts.resolution}:
        return None
    assert source.weights is not None
    return f"{source.weights.name} makes images of {facts.resolution} px instead of {source.native_size} px"


def _fitted_suite(suite: Suite, crop_size: int) -> Suite:
    return replace(suite, version=f"{suite.version}+other", recipe=replace(suite.recipe, crop_size=crop_size))
