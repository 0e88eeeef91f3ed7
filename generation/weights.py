"""Find the weights of every source before anything is made: shipped, given by the user, cached, or downloaded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..core.errors import CheckpointError, DatasetError, GenerationError, UsageError, unknown_name
from ..core.foreign import printable
from ..core.progress import get_logger
from .catalog import Source, Suite, WeightFile
from .downloads import Downloader, cached_file
from .hub import cached_model, download_model
from .licences import accept_licences, accepted_licences


class MissingWeightsError(GenerationError):
    """Sources without weights. ``problems``: one sentence per source, what is missing and what to do."""

    def __init__(self, problems: Sequence[str], sources: int) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{len(self.problems)} of {sources} sources have no weights (see above); nothing was written.")


def locate_weights(
    suite: Suite,
    sources: Sequence[Source],
    *,
    given: Mapping[str, str | Path] | None = None,
    accept: Iterable[str] = (),
    offline: bool = False,
) -> list[Source]:
    """The sources with ``weights`` set to a file or pipeline folder on this machine.

    given: source -> a file that the user has, used as it is where the suite brings none or its own is not there; its
    licence is between the user and the publisher.
    accept: licence ids that the user accepts from now on. offline: never use the network. Nothing is downloaded
    unless every licence is accepted. UsageError for a bad request; MissingWeightsError, after one logged line per
    source, if some have no weights.
    """
    files = _given_files(sources, given or {})
    _check_own_weights(suite, [source for source in sources if source.name not in files])
    accept_licences(suite, accept)
    found: dict[str, Path] = {**files, **_on_this_machine(sources, files)}
    wanted = [source for source in sources if source.published and source.name not in found]
    problems = {} if offline else _refused(suite, wanted)
    if not problems:
        downloader = Downloader()
        for source in wanted:
            try:
                found[source.name] = _fetch(source, downloader, offline)
            except CheckpointError as error:
                problems[source.name] = f"source {source.name}: {error}"
    if problems:
        for problem in problems.values():
            get_logger().error(problem)
        raise MissingWeightsError(list(problems.values()), len(sources))
    return [replace(s, weights=found[s.name]) if s.name in found else s for s in sources]


def local_weights(sources: Sequence[Source], given: Mapping[str, str | Path] | None = None) -> list[Source]:
    """Those of the sources whose weights (or images) are on this machine, with ``weights`` set; nothing is fetched."""
    found = _given_files(sources, given or {})
    found |= _on_this_machine(sources, found)
    located = [replace(s, weights=found[s.name]) if s.name in found else s for s in sources]
    return [s for s in located if not s.is_network or (s.weights is not None and os.path.exists(s.weights))]


def _check_own_weights(suite: Suite, sources: Sequence[Source]) -> None:
    """DatasetError, in one line, if weights that a suite brings itself are not there."""
    absent = [s.weights for s in sources if s.weights is not None and not os.path.exists(s.weights)]
    if absent:
        names, folder = ", ".join(printable(path.name) for path in absent), printable(absent[0].parent)
        raise DatasetError(
            f"suite {suite.name}: {len(absent)} of {len(sources)} weight files are missing in {folder} "
            f"({names}); {suite.without_weights}."
        )


def _given_files(sources: Sequence[Source], given: Mapping[str, str | Path]) -> dict[str, Path]:
    names = {source.name: source for source in sources}
    files = {}
    for name, path in given.items():
        if name not in names:
            raise unknown_name("source in --weights", name, names)
        if not names[name].is_network:
            raise UsageError(f"--weights {name}: no network makes the images of this source.")
        own = names[name].weights
        if own is not None and os.path.exists(own):
            raise UsageError(
                f"--weights {name}: the suite brings its own ({printable(own)}). Describe yours in a suite YAML."
            )
        if not os.path.exists(path):
            raise UsageError(f"--weights {name}: {printable(path)} does not exist.")
        files[name] = Path(path)
        get_logger().info("source %s: %s; the licence is %s.", name, path, names[name].licence)
    return files


def _on_this_machine(sources: Sequence[Source], files: Mapping[str, Path]) -> dict[str, Path]:
    found = {}
    for source in sources:
        if source.name in files or source.weights is not None:
            continue
        for one in source.published:
            path = cached_file(one) if isinstance(one, WeightFile) else cached_model(one)
            if path is not None:
                found[source.name] = path
                break
    return found


def _refused(suite: Suite, wanted: Sequence[Source]) -> dict[str, str]:
    """Why nothing may be downloaded: a sentence for every source, those included that only wait for the others."""
    accepted = accepted_licences()
    missing = {s.licence for s in wanted if suite.licences[s.licence].accept and s.licence not in accepted}
    problems = {}
    for source in wanted if missing else ():
        licence, first = suite.licences[source.licence], source.published[0]
        problems[source.name] = f"source {source.name}: " + (
            f"its weights ({first.name}) are under {licence.id} ({licence.use}). Read {licence.url} and add"
            f" --accept-licence {licence.id}, once."
            if licence.id in missing
            else f"its weights ({first.name}) are not here, and nothing is downloaded before the licences of the"
            " other sources are accepted."
        )
    return problems


def _fetch(source: Source, downloader: Downloader, offline: bool) -> Path:
    reasons: list[str] = []
    several = len(source.published) > 1
    for one in source.published if not offline else ():
        try:
            return downloader.fetch(one) if isinstance(one, WeightFile) else download_model(one, downloader)
        except CheckpointError as error:
            reasons.append(f"{one.name}: {error}" if several else str(error))
    why = f"cannot be downloaded ({'; '.join(reasons)})" if reasons else "not on this machine, and --offline was given"
    places = " or ".join(f"{one.name} from {one.where}" for one in source.published)
    kind = "FILE" if source.files else "FOLDER"
    raise CheckpointError(f"{source.published[0].name} {why}. Get {places} and add --weights {source.name}={kind}.")
