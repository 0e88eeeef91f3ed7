"""A board: every run of a folder that answers one manifest, grouped into entries, ranked and written out.

::

    OUT/leaderboard.json      suite, protocol, manifest, entries with their metrics
    OUT/leaderboard.parquet   the same numbers, one row per entry
    OUT/index.html            the page, complete in one file

Every number is computed here from the runs' predictions. Scores of two manifests do not compare, so a board has one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from ..benchmark.compare import Contender, compare
from ..benchmark.manifest import Manifest
from ..benchmark.metrics import PRIMARY
from ..benchmark.runs import RUN_FILE, Run, find_manifest
from ..benchmark.score import DEFAULT_RULE
from ..core.errors import OsbenchError, RunError
from ..core.progress import get_logger, track
from ..core.publish import write_atomically
from ..generation.dataset import Dataset
from .content import entry_content
from .curves import entry_curve, entry_histogram
from .entry import (
    ScoredRun,
    entry_card,
    entry_confusion,
    entry_hardware,
    entry_numbers,
    entry_seconds,
    settings_key,
    settings_text,
)
from .gallery import gallery, holds_images
from .ranking import Estimate, order, rank
from .robustness import entry_surface
from .site import render_page
from .tables import board_frame

BOARD_SCHEMA_VERSION = 1
PAGE_FILE, JSON_FILE, TABLE_FILE = "index.html", "leaderboard.json", "leaderboard.parquet"

ManifestLookup = Callable[[str], Manifest]

#: Names of generators as readers know them; others are shown as they are.
TITLES = {
    "progan": "ProGAN",
    "projected_gan": "Projected GAN",
    "stylegan": "StyleGAN",
    "stylegan2": "StyleGAN2",
    "stylegan3": "StyleGAN3",
    "taming": "Taming Transformers",
    "latent_diffusion": "Latent diffusion",
}

#: What only the page needs of an entry; leaderboard.json goes without.
_PAGE_ONLY = ("curve", "confusion", "histogram", "operating")


def build_board(
    runs_dir: Path,
    manifest_lookup: ManifestLookup | None,
    out: Path,
    *,
    dataset: Dataset | None = None,
    manifest_id: str | None = None,
    bootstrap: int = 1000,
) -> dict[str, Any]:
    """Score, rank and write the board of all runs below ``runs_dir``; returns the document of ``leaderboard.json``.

    Parameters
    ----------
    manifest_lookup: manifest id -> manifest; None takes it from ``runs_dir/manifests``.
    dataset: where the page's sample images come from; without it the page has none.
    manifest_id: the first characters of the manifest to take where the runs answer several.
    bootstrap: replicates of every interval.

    A run that cannot be read or does not fit the manifest is left out, named in ``refused`` and logged. RunError if no
    run is left, if runs answer several manifests and none was chosen, or if one seed of one entry is there twice.
    """
    refused: list[dict[str, str]] = []
    runs = _of_one_manifest(_open_runs(runs_dir, refused), manifest_id, runs_dir)
    lookup = manifest_lookup or (lambda wanted: find_manifest(runs_dir, wanted))
    manifest = lookup(runs[0].manifest_id)
    scored = _score(runs, manifest, runs_dir, refused)
    groups = _groups(scored, runs_dir)
    entries = [_entry(group, manifest, bootstrap) for group in _progress(groups)]
    entries = _ranked(entries, _surely_above(groups, bootstrap))
    document = _document(manifest, entries, scored, refused)
    page = document | {
        "entries": entries,
        "gallery": _gallery(dataset, manifest),
        "created": _newest(scored),
    }
    public = [{key: value for key, value in entry.items() if key not in _PAGE_ONLY} for entry in entries]
    document |= {"entries": public}
    _write(out, document, page)
    return document


def _gallery(dataset: Dataset | None, manifest: Manifest) -> list[dict[str, Any]]:
    if dataset is None:
        return []
    if not holds_images(dataset, manifest):
        get_logger().warning(
            "%s is not the dataset of manifest %s: no sample images.", dataset.path, manifest.manifest_id[:12]
        )
        return []
    return gallery(dataset, manifest)


def _open_runs(runs_dir: Path, refused: list[dict[str, str]]) -> list[Run]:
    if not runs_dir.is_dir():
        raise RunError(f"no runs folder {runs_dir}: run `osbench evaluate --out {runs_dir}` first.")
    runs = []
    for path in sorted(runs_dir.glob(f"*/*/{RUN_FILE}")):
        if any(part.startswith(".") for part in path.relative_to(runs_dir).parts):
            continue
        try:
            runs.append(Run.open(path.parent))
        except OsbenchError as error:
            _refuse(path.parent, error, runs_dir, refused)
    if not runs:
        reason = f"; {refused[0]['run']}: {refused[0]['reason']}" if refused else ""
        raise RunError(f"{runs_dir} holds no readable run{reason or ': run `osbench evaluate` first.'}")
    return runs


def _refuse(folder: Path, error: Exception, runs_dir: Path, refused: list[dict[str, str]]) -> None:
    reason = str(error).replace(f"{runs_dir}/", "")
    refused.append({"run": folder.relative_to(runs_dir).as_posix(), "reason": reason})
    get_logger().warning("run refused: %s", reason)


def _of_one_manifest(runs: list[Run], wanted: str | None, runs_dir: Path) -> list[Run]:
    """The runs that answer the one manifest of this board."""
    by_id: dict[str, list[Run]] = {}
    for run in runs:
        by_id.setdefault(run.manifest_id, []).append(run)
    chosen = [key for key in by_id if wanted is None or key.startswith(wanted)]
    if len(chosen) == 1:
        return by_id[chosen[0]]
    found = ", ".join(f"{key[:12]} ({_fold(members[0])}, {len(members)} runs)" for key, members in by_id.items())
    if not chosen:
        raise RunError(f"{runs_dir} holds no run on manifest {wanted}. Known: {found}.")
    raise RunError(
        f"{runs_dir} holds runs on {len(chosen)} manifests, which do not compare: choose one with --manifest: {found}."
    )


def _fold(run: Run) -> str:
    return f"{run.info['manifest']['suite']} {run.info['manifest']['fold']}"


def _score(runs: list[Run], manifest: Manifest, runs_dir: Path, refused: list[dict[str, str]]) -> list[ScoredRun]:
    scored = []
    for run in runs:
        try:
            scored.append(ScoredRun.of(run, manifest))
        except OsbenchError as error:
            _refuse(run.folder, error, runs_dir, refused)
    if not scored:
        raise RunError(f"no run in {runs_dir} fits its manifest; {refused[0]['run']}: {refused[0]['reason']}")
    return scored


def _groups(scored: Sequence[ScoredRun], runs_dir: Path) -> list[list[ScoredRun]]:
    """Runs of the same method, rejection rule and settings, each group in the order of its seeds."""
    groups: dict[tuple[str, str, str], dict[int, ScoredRun]] = {}
    for item in scored:
        group = groups.setdefault((item.run.method, item.run.rejection, settings_key(item.run)), {})
        twin = group.setdefault(item.run.seed, item)
        if twin is not item:
            raise RunError(
                f"{twin.run.folder} and {item.run.folder} are the same entry and seed: "
                f"move one of them out of {runs_dir}."
            )
    return [[group[seed] for seed in sorted(group)] for group in groups.values()]


def _progress(groups: list[list[ScoredRun]]) -> Iterable[list[ScoredRun]]:
    return track(groups, description="leaderboard", total=len(groups), unit="entry")


def _entry(runs: list[ScoredRun], manifest: Manifest, bootstrap: int) -> dict[str, Any]:
    first = runs[0].run
    return {
        "method": first.method,
        "rejection": first.rejection,
        "settings": settings_text(first),
        "settings_key": settings_key(first),
        "seeds": [r.run.seed for r in runs],
        **entry_numbers(runs, manifest, bootstrap=bootstrap),
        "threshold_rule": DEFAULT_RULE,
        "card": entry_card(first),
        "hardware": entry_hardware(first),
        "wall_time_s": entry_seconds(runs),
        "laundered": entry_surface(runs, manifest),
        "content": entry_content(runs, manifest),
        "curve": entry_curve(runs),
        "confusion": entry_confusion(runs, manifest),
        "histogram": entry_histogram(runs[0], manifest),
    }


def _surely_above(groups: list[list[ScoredRun]], bootstrap: int) -> NDArray[np.bool_]:
    """Bool (n, n): which entry surely lies above which, by the primary metric and all pairs of the board together."""
    contenders = [
        Contender(
            str(position),
            [r.test for r in group],
            [r.threshold for r in group],
            fit=f"{group[0].run.method}/{settings_key(group[0].run)}/{[r.run.seed for r in group]}",
        )
        for position, group in enumerate(groups)
    ]
    above = np.zeros((len(groups), len(groups)), dtype=bool)
    for pair in compare(contenders, PRIMARY, replicates=bootstrap).pairs:
        above[int(pair.first), int(pair.second)] = pair.different
    return above


def _ranked(entries: list[dict[str, Any]], above: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Entries in the order of the board with ``id``, ``variant`` and ranks. above: (n, n), i surely above j."""
    names = [(entry["method"], entry["rejection"]) for entry in entries]
    estimates = [Estimate(**entry["metrics"][PRIMARY]) for entry in entries]
    ranks = rank(estimates, above)
    ranked = []
    for position in order(estimates, [f"{method}/{rejection}" for method, rejection in names]):
        entry, own = entries[position], ranks[position]
        # Two entries of one name are told apart by their settings; a lone one needs no such label.
        alone = names.count(names[position]) == 1
        variant = "" if alone else entry["settings"] or "defaults"
        parts = [entry["method"], entry["rejection"], *([] if alone else [entry["settings_key"]])]
        ranked.append(
            {
                "id": "/".join(quote(part, safe="") for part in parts),
                "rank": own.rank,
                "rank_low": own.low,
                "rank_high": own.high,
                "variant": variant,
                **entry,
            }
        )
    return ranked


def _document(
    manifest: Manifest, entries: list[dict[str, Any]], scored: Sequence[ScoredRun], refused: list[dict[str, str]]
) -> dict[str, Any]:
    return {
        "schema_version": BOARD_SCHEMA_VERSION,
        "suite": manifest.suite,
        "protocol": manifest.protocol,
        "fold": manifest.fold,
        "manifest_id": manifest.manifest_id,
        "osbench_version": _version(),
        "primary": PRIMARY,
        "threshold_rule": DEFAULT_RULE,
        "seen": list(manifest.seen),
        "unseen": list(manifest.unseen),
        "titles": {name: TITLES.get(name, name) for name in (*manifest.seen, *manifest.unseen)},
        "crop_size": manifest.crop_size,
        "counts": _counts(manifest),
        "refused": refused,
        "entries": entries,
    }


def _counts(manifest: Manifest) -> dict[str, int]:
    unseen = manifest.rows("test")["openness"] == "unseen"
    return {
        "train": len(manifest.rows("train")),
        "val": len(manifest.rows("val")),
        "test_seen": int(np.sum(~unseen)),
        "test_unseen": int(np.sum(unseen)),
    }


def _version() -> str:
    try:
        return version("osbench")
    except PackageNotFoundError:
        return "unknown"


def _newest(scored: Sequence[ScoredRun]) -> str:
    """When the newest run was made, so that the same runs give the same page; empty if no run says."""
    times = []
    for item in scored:
        try:
            times.append(datetime.fromisoformat(item.run.info["created"]).isoformat())
        except ValueError:
            continue
    return max(times, default="")


def _write(out: Path, document: dict[str, Any], page: dict[str, Any]) -> None:
    html = render_page(page)
    table = io.BytesIO()
    board_frame(document).to_parquet(table, index=False)
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    write_atomically(out / JSON_FILE, text.encode("utf-8"))
    write_atomically(out / TABLE_FILE, table.getvalue())
    write_atomically(out / PAGE_FILE, html.encode("utf-8"))
