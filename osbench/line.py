"""``osbench run``: the whole line of a suite, from generators to the board.

Every step resumes by itself, so that running the line again after an interruption continues where it stopped, and
running a finished line again only rebuilds the page.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .benchmark.evaluate import evaluate
from .benchmark.manifest import open_manifests
from .core.errors import UsageError, unknown_name
from .core.progress import get_logger
from .generation.catalog import Suite, load_suite
from .generation.generate import generate
from .leaderboard.board import Board, build_board

_PROFILES = Path(__file__).parent / "profiles"


@dataclass(frozen=True)
class Profile:
    """What a suite's line evaluates: a protocol, seeds 0 to ``seeds`` - 1, and methods with their options.

    Two names among a method's options are not its own: ``epochs``, and ``rejections``, the rejection rules that get a
    row on the board (without it: all that the method has).
    """

    protocol: str
    seeds: int
    methods: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Line:
    """What a finished line left behind: the board, its page, and the seconds of each step."""

    board: Board
    page: Path
    seconds: dict[str, float]


def profile_names() -> list[str]:
    """Suites that ``osbench run`` has a profile for; suites that extend them share it."""
    return sorted(path.stem for path in _PROFILES.glob("*.yaml"))


def load_profile(suite: Suite) -> Profile:
    """The profile of a suite (``leaderboard/profiles/<suite>.yaml``), or else of the one that it extends.

    UsageError if there is none.
    """
    path = _PROFILES / f"{suite.name}.yaml"
    if path.exists():
        return Profile(**yaml.safe_load(path.read_text()))
    if suite.extends is None:
        raise unknown_name("suite with a run profile", suite.name, profile_names())
    return load_profile(suite.extends)


def run_line(
    suite_name: str,
    out: Path,
    *,
    count: int | None = None,
    seeds: int | None = None,
    methods: tuple[str, ...] = (),
    workers: int | None = None,
    device: str = "cpu",
) -> Line:
    """Generate, split, evaluate and build the board of a suite below ``out`` (``data``, ``runs``, ``leaderboard``).

    count: images per source, None = the suite's. methods: a choice of the profile's. workers: generating processes,
    None = one per core.
    """
    suite = load_suite(suite_name)
    profile = load_profile(suite)
    chosen = _choose(profile, methods)
    seconds: dict[str, float] = {}
    steps = 2 + len(chosen)

    def step(number: int, title: str) -> float:
        get_logger().info("[%d/%d] %s", number, steps, title)
        return time.monotonic()

    start = step(1, f"generate {suite.name} ({suite.version}): {len(suite.sources)} sources")
    dataset = generate(suite_name, out / "data", count=count, workers=workers or os.cpu_count() or 1, device=device)
    manifests = open_manifests(dataset, profile.protocol)
    seconds["generate"] = time.monotonic() - start
    for number, name in enumerate(chosen, start=2):
        start = step(number, f"evaluate {name}")
        options = dict(profile.methods[name])
        epochs, _ = options.pop("epochs", None), options.pop("rejections", None)
        for manifest in manifests:
            evaluate(
                name,
                dataset,
                manifest,
                seeds=range(seeds or profile.seeds),
                out=out / "runs",
                device=device,
                options=options,
                epochs=epochs,
            )
        seconds[name] = time.monotonic() - start
    start = step(steps, "build the board")
    board = build_board(out / "runs", dataset=dataset, rules=_rules(profile, chosen))
    page = board.save(out / "leaderboard")
    seconds["leaderboard"] = time.monotonic() - start
    return Line(board, page, {name: round(value, 1) for name, value in seconds.items()})


def _rules(profile: Profile, chosen: list[str]) -> list[str]:
    """The rules that get a row on the board: those that the chosen methods name; empty = all."""
    return sorted({rule for name in chosen for rule in profile.methods[name].get("rejections", ())})


def _choose(profile: Profile, methods: tuple[str, ...]) -> list[str]:
    for name in methods:
        if name not in profile.methods:
            raise unknown_name("method of this profile", name, profile.methods)
    if not profile.methods:
        raise UsageError("the profile names no method.")
    return [name for name in profile.methods if not methods or name in methods]
