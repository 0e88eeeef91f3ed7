"""Licences of weights: which there are, and which this user accepted (once, remembered)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core.errors import CheckpointError, unknown_name
from ..core.publish import write_atomically
from ..core.user_folders import config_folder
from .catalog import Suite, load_suite, suite_names


def acceptance_file() -> Path:
    """JSON: licence id -> when it was accepted."""
    return config_folder() / "accepted-licences.json"


def accepted_licences() -> dict[str, str]:
    """Ids of accepted licences and when that was (UTC, ISO 8601)."""
    path = acceptance_file()
    if not path.exists():
        return {}
    try:
        return {str(key): str(value) for key, value in json.loads(path.read_text("utf-8")).items()}
    except (ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged. Delete it and accept the licences again.") from error


def accept_licences(suite: Suite, ids: Iterable[str]) -> None:
    """Remember that the user accepts these licences of a suite. UsageError for an id the suite does not know."""
    ids = list(ids)
    for one in ids:
        if one not in suite.licences:
            raise unknown_name("licence", one, suite.licences)
    accepted = accepted_licences()
    new = {one: datetime.now(UTC).isoformat(timespec="seconds") for one in ids if one not in accepted}
    if new:
        path = acceptance_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json.dumps({**accepted, **new}, indent=2, sort_keys=True) + "\n").encode())


def licence_matrix(suites: Sequence[str | Path] | None = None) -> list[dict[str, Any]]:
    """One entry per suite and licence, from the catalog: what it allows, whether accepted, and for which sources."""
    accepted = accepted_licences()
    rows = []
    for suite in map(load_suite, suites or suite_names()):
        for one in dict.fromkeys(source.licence for source in suite.sources):
            said = suite.licences.get(one)
            entry = asdict(said) if said else {"id": one, "title": one, "url": "", "use": "", "accept": False}
            names = [source.name for source in suite.sources if source.licence == one]
            rows.append({"suite": suite.name, **entry, "accepted": accepted.get(one), "sources": names})
    return rows
