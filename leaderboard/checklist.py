"""What somebody needs who wants to get the numbers of an entry again, and whether its runs say it.

Every answer is read from the runs, so that nobody ticks a box: what is not recorded there is missing. It follows the
reproducibility checklists of conferences (Pineau et al., JMLR 2021) as far as a machine can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..benchmark.run_info import RunInfo
from ..core.text import printable

_LIBRARIES = ("python", "osbench", "numpy")
"""Libraries whose version every run has to name, whatever it is made with."""


@dataclass(frozen=True)
class ChecklistItem:
    """One question.

    Parameters
    ----------
    question : str
        What is asked for.
    ok : bool
        Whether the runs have it.
    found : str
        What they say.
    """

    question: str
    ok: bool
    found: str


def checklist(runs: Sequence[RunInfo]) -> tuple[ChecklistItem, ...]:
    """The checklist of one fit.

    Parameters
    ----------
    runs : sequence of RunInfo
        Of all its seeds, at least one.
    """
    first, card = runs[0], runs[0].card
    seeds = f"{len(runs)} seed{'s' * (len(runs) != 1)}" + (", deterministic" if card.deterministic else "")
    changed = {k: v for k, v in first.config.options.items() if first.config.defaults.get(k) != v}
    own = first.config.method_sha256
    devices = _several(run.hardware.device_name for run in runs)
    times = [run.wall_time_s for run in runs]
    facts = [
        ("several trainings, or one of a method that draws nothing", len(runs) >= 3 or card.deterministic, seeds),
        ("a revision of the source without changes, or a release", *_revision(runs)),
        ("a method that is installed by name", own is None, f"a file, SHA-256 {own:.8}" if own else first.method),
        (
            "every option and its default",
            first.config.options.keys() <= first.config.defaults.keys(),
            f"{len(changed)} of {len(first.config.options)} changed",
        ),
        ("the versions of the libraries", *_versions(runs)),
        (
            "the device, its precision and the time",
            all(run.hardware.device_name and run.precision and run.wall_time_s > 0 for run in runs),
            f"{devices}, {_several(run.precision for run in runs)}, {min(times):.0f} to {max(times):.0f} s",
        ),
        ("where the method is described", bool(card.paper.strip()), card.paper),
        (
            "what follows the description, and what does not",
            bool(card.faithful or card.deviations),
            f"{len(card.faithful)} faithful, {len(card.deviations)} not",
        ),
        ("the licence of the code", bool(card.licence.strip()), card.licence),
    ]
    return tuple(
        ChecklistItem(question, ok, printable(found, 300).strip() or "nothing") for question, ok, found in facts
    )


def _revision(runs: Sequence[RunInfo]) -> tuple[bool, str]:
    found = [run.git for run in runs]
    named = [git for git in found if git is not None]
    if len(named) < len(found):
        release = runs[0].versions.get("osbench", "")
        return bool(release), f"osbench {release}, installed" if release else "no source tree, and no release"
    text = _several(f"{git.revision[:12]}{' with changes' if git.dirty else ''}" for git in named)
    return not any(git.dirty for git in named), text


def _versions(runs: Sequence[RunInfo]) -> tuple[bool, str]:
    missing = [name for name in _LIBRARIES if any(not run.versions.get(name) for run in runs)]
    return not missing, f"not of {', '.join(missing)}" if missing else f"of {len(runs[0].versions)} libraries"


def _several(texts: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(texts))


def checklist_text(items: Sequence[ChecklistItem]) -> str:
    """For people, and for a pull request: a Markdown list of ticked and empty boxes."""
    return "\n".join(f"- [{'x' if item.ok else ' '}] {item.question}: {item.found}" for item in items)
