"""Submit a fit over all its seeds to a folder, a server or a hub: checked, as files that name themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..benchmark.manifest import Manifest
from ..benchmark.run_info import RUN_FILE
from ..benchmark.runs import Run, find_runs, no_runs
from ..core.errors import OsbenchError, RunError
from ..core.text import printable
from .collect import identity
from .submission import Submission, check_one_fit
from .targets import Receipt, open_target
from .targets.receipt import DRY_RUN


def submit(runs: Path | Sequence[Path], target: str, method: str | None = None, *, dry_run: bool = False) -> Receipt:
    """Check the runs of one fit and submit them together.

    Parameters
    ----------
    runs : Path or sequence of Path
        A folder of runs, of which all of one method are submitted, or run folders.
    target : str
        A folder, ``hf://datasets/ORG/NAME`` or ``http(s)://HOST``.
    method : str, optional
        Which method, where the folder holds runs of several.
    dry_run : bool
        Check everything, and send nothing: the receipt says ``dry run`` and where it would go.

    Returns
    -------
    Receipt
        ``submitted`` or ``already submitted``, a folder, a pull request or a page of the repository, and a checklist of
        what the runs say about getting their numbers again. RunError if a
        run is damaged or the target refuses; UsageError for a target of no known kind. Nothing is written unless
        everything is in order.
    """
    place = open_target(target)
    submission = prepare(runs, method)
    if dry_run:
        return Receipt(DRY_RUN, f"{target.rstrip('/')}/{submission.path}", submission.checklist)
    return replace(place.submit(submission), checklist=submission.checklist)


def prepare(runs: Path | Sequence[Path], method: str | None = None) -> Submission:
    """Read and check the runs of one fit; RunError in one line if anything about them is wrong."""
    folders = [runs] if isinstance(runs, Path) else list(runs)
    opened = [run for folder in folders for run in _runs_in(folder)]
    chosen = [run for run in opened if method in (None, run.method)]
    if not chosen:
        known = ", ".join(sorted({run.method for run in opened}))
        raise RunError(f"{printable(folders[0])} holds no run of {printable(method)}. Known: {known}.")
    _refuse_several(chosen, folders[0])
    check_one_fit(chosen)
    for run in chosen:
        run.predictions(_manifest_of(run))
    return Submission.of(chosen)


def _runs_in(folder: Path) -> list[Run]:
    """One run, or all runs of a folder of runs or of a method; RunError if one is damaged: nobody leaves one out."""
    if (folder / RUN_FILE).exists():
        return [Run.open(folder)]
    if not folder.is_dir():
        raise RunError(f"{printable(folder)} is not a run, and not a folder of runs.")
    root = folder.parent if any(folder.glob(f"[!.]*/{RUN_FILE}")) else folder
    runs, refused = find_runs(root)
    runs = [run for run in runs if run.folder.is_relative_to(folder)]
    bad = [item for item in refused if item.folder.is_relative_to(folder)]
    if bad:
        raise RunError(bad[0].reason)
    if not runs:
        raise RunError(no_runs(folder))
    return runs


def _refuse_several(runs: Sequence[Run], folder: Path) -> None:
    found: dict[tuple[object, ...], Run] = {}
    for run in runs:
        found.setdefault((*identity(run), run.manifest_id), run)
    if len(found) > 1:
        names = ", ".join(sorted(f"{run.method} ({run.folder.name})" for run in found.values()))
        raise RunError(
            f"{printable(folder)} holds runs of {len(found)} fits: {printable(names, 400)}. A submission is one method "
            "with one configuration: choose it with --method, or give its run folders."
        )


def _manifest_of(run: Run) -> Manifest:
    """The manifest that lies with the runs; without it, ids cannot be checked: RunError."""
    try:
        return run.manifest()
    except (OsbenchError, IndexError) as error:
        raise RunError(
            f"{printable(run.folder)}: its manifest is not with the runs ({printable(run.folder.parent.parent)}"
            "/manifests), so that its answers cannot be checked; submit it from its runs folder."
        ) from error
