"""The boards that were built last, as the server shows them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import RunError
from ...core.foreign import read_json
from .service import Service

if TYPE_CHECKING:
    from ..board import Board

_PAGE_FILE, _JSON_FILE = "index.html", "leaderboard.json"
_MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class Published:
    """A board in its folder, which is named by the id of its manifest."""

    folder: Path

    @property
    def manifest_id(self) -> str:
        """What its entries answered."""
        return self.folder.name

    def document(self) -> bytes:
        """``leaderboard.json``."""
        return (self.folder / _JSON_FILE).read_bytes()

    def page(self) -> bytes:
        """The page with everything, which needs scripts."""
        return (self.folder / _PAGE_FILE).read_bytes()

    def board(self) -> Board:
        """The board; read again only when it was built again."""
        return _read(self.folder / _JSON_FILE, (self.folder / _JSON_FILE).stat().st_mtime_ns)


def published(served: Service) -> list[Published]:
    """All boards; that of the largest number of entries first."""
    found = [Published(path.parent) for path in sorted(served.store.boards.glob(f"*/{_JSON_FILE}"))]
    return sorted(found, key=lambda item: -len(item.board().entries))


def find(served: Service, manifest: str | None) -> Published | None:
    """The board of a manifest, or of the first characters of its id; without one, the first."""
    return next((item for item in published(served) if item.manifest_id.startswith(manifest or "")), None)


def columns(board: Board) -> tuple[str, ...]:
    """The metrics of a small table."""
    from ..tables import shown_metrics

    return shown_metrics(board)


@functools.lru_cache(maxsize=16)
def _read(path: Path, _: int) -> Board:
    from ..board import Board  # what scores is loaded when somebody looks, so that the server starts at once

    return Board.from_json(read_json(path, RunError, _MAX_BYTES))
