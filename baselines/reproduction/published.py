"""What a paper prints: read from ``<paper>.yaml`` in this folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ...core.errors import unknown_name

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Paper:
    """A paper with its tables.

    Attributes
    ----------
    protocol : str
        The protocol that its experiments follow.
    setting : dict[str, int]
        ``images_per_source``, ``sources``, ``crop_size`` (pixels) and ``train_per_class`` (images of a seen class
        in an epoch) of its experiments.
    tables : dict[int, dict[str, Any]]
        Number of a table -> ``caption``, ``rows`` and whatever else the maker of that table reads.
    """

    name: str
    title: str
    url: str
    protocol: str
    setting: dict[str, int]
    tables: dict[int, dict[str, Any]]

    def table(self, number: int) -> dict[str, Any]:
        """What table ``number`` prints; UsageError if it is none that can be reproduced."""
        if number not in self.tables:
            raise unknown_name(f"table of {self.name}", str(number), map(str, self.tables))
        return self.tables[number]

    def chosen_rows(self, number: int, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The printed rows of these names (all for none), in the order of the table; UsageError for an unknown one."""
        rows = self.table(number)["rows"]
        for name in names:
            if name not in rows:
                raise unknown_name(f"row of table {number}", name, rows)
        return {name: row for name, row in rows.items() if name in (names or rows)}


def paper_names() -> list[str]:
    """Papers whose tables can be reproduced, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_paper(name: str) -> Paper:
    """The paper of that name; UsageError with a suggestion if there is none."""
    if name not in paper_names():
        raise unknown_name("paper", name, paper_names())
    return Paper(name=name, **yaml.safe_load((_FOLDER / f"{name}.yaml").read_text("utf-8")))
