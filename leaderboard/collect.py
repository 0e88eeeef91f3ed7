"""Which runs a board is made of: what lies in a folder of runs or of submissions, what is left out, and why.

An *entry* is all runs of one method with the same settings, crop size and code, one for each seed. Runs come one by one
or together in a submission. Where two of them hold the same seed of the same entry, the one that was made first stays
(of two made at the same time, the one whose path comes first) and the other is listed. A submission with one bad run is
left out whole: a method with three seeds is not judged by the better two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..benchmark.manifest import Manifest
from ..benchmark.runs import Refused, Run, find_runs, no_runs
from ..core.errors import OsbenchError, RunError
from ..core.text import printable
from .submission import SUBMISSION_FILE, SUBMISSIONS_FOLDER, open_submission


@dataclass(frozen=True)
class Unit:
    """What is taken or left out together: a run, or the runs of a submission, in the order of their seeds."""

    folder: Path
    runs: tuple[Run, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells entries apart: the method, its settings and crop size, its code."""
        return identity(self.runs[0])

    @property
    def made(self) -> tuple[datetime, str]:
        """When the last of its runs was made, then its path: the first of two units with one seed stays."""
        return max(_time(run.info.created) for run in self.runs), self.folder.as_posix()


def identity(run: Run) -> tuple[str, str, str]:
    """Runs of different identities are different entries and are never averaged."""
    return run.method, run.info.config.key, run.info.code_sha256


def collect(folder: Path) -> tuple[list[Unit], list[Refused]]:
    """All runs and submissions in a folder, and what cannot be read.

    Parameters
    ----------
    folder : Path
        A folder of runs, of submissions (or one that holds ``submissions/``), or of both.

    Raises
    ------
    RunError
        No such folder, or nothing in it can be read; names the folder that was meant, where it can be told.
    """
    root = folder / SUBMISSIONS_FOLDER if (folder / SUBMISSIONS_FOLDER).is_dir() else folder
    runs, refused = find_runs(root)
    units: list[Unit] = []
    for run in runs:
        try:
            run.check_as_fitted()
            units.append(Unit(run.folder, (run,)))
        except RunError as error:
            refused.append(Refused(run.folder, str(error)))
    for path in sorted(root.glob(f"[!.]*/[!.]*/{SUBMISSION_FILE}")):
        try:
            units.append(Unit(path.parent, open_submission(path.parent)))
        except Exception as error:
            refused.append(Refused(path.parent, reason(error)))
    if not units:
        if not refused:
            raise RunError(no_runs(folder))
        more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
        raise RunError(f"{printable(folder)} holds no readable run: {refused[0].reason}{more}")
    return units, refused


def of_manifest(units: Sequence[Unit], manifest: Manifest) -> tuple[list[Unit], list[Refused]]:
    """Those that answer a manifest, and the others: their scores would not compare."""
    fitting: list[Unit] = []
    refused: list[Refused] = []
    for unit in units:
        other = next((run for run in unit.runs if run.manifest_id != manifest.manifest_id), None)
        if other is None:
            fitting.append(unit)
        else:
            made = other.info.manifest
            text = f"answers manifest {made.manifest_id[:12]} ({made.fold}), and this board is of another"
            refused.append(Refused(unit.folder, f"{printable(unit.folder)}: {text} ({manifest.manifest_id[:12]})."))
    return fitting, refused


def choose(units: Iterable[Unit]) -> tuple[list[Run], list[Unit], list[Refused]]:
    """Of units of one entry: the runs by seed, the units that they come from, and those that repeat a seed."""
    chosen: dict[int, Run] = {}
    taken: list[Unit] = []
    refused: list[Refused] = []
    for unit in sorted(units, key=lambda u: u.made):
        twin = next((run for run in unit.runs if run.seed in chosen), None)
        if twin is None:
            chosen |= {run.seed: run for run in unit.runs}
            taken.append(unit)
        else:
            first = printable(chosen[twin.seed].folder)
            text = f"the same entry and seed ({twin.method}, seed {twin.seed}) as {first}, which was made first"
            refused.append(Refused(unit.folder, f"{printable(unit.folder)}: {text}."))
    return [chosen[seed] for seed in sorted(chosen)], taken, refused


def reason(error: Exception) -> str:
    """One line for any error that reading something foreign may raise."""
    if isinstance(error, OsbenchError):
        return printable(str(error), 500)
    return printable(f"cannot be read ({type(error).__name__}: {error})", 500)


def _time(created: str) -> datetime:
    time = datetime.fromisoformat(created)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
