"""How a server is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

DATABASE_FILE = "board.db"


@dataclass(frozen=True)
class ServerLimits:
    """What one request, one team and one verification may cost.

    Parameters
    ----------
    archive_bytes, unpacked_bytes : int
        Of an uploaded archive, and of the files in it.
    per_minute : int
        Uploads of one token in a minute.
    per_day : int
        New submissions of one team in 24 hours.
    upload_s, silence_s : float
        How long an upload may take, and how long it may send nothing.
    requests : int
        Requests at the same time; more are answered with 503.
    verify_s, verify_bytes : int
        Seconds and bytes of memory of one verification.
    attempts : int
        How often a verification that ends without a verdict is tried.
    """

    archive_bytes: int = 256 << 20
    unpacked_bytes: int = 1 << 30
    per_minute: int = 60
    per_day: int = 20
    upload_s: float = 900
    silence_s: float = 30
    requests: int = 512
    verify_s: int = 900
    verify_bytes: int = 8 << 30
    attempts: int = 3


@dataclass(frozen=True)
class Settings:
    """A server.

    Parameters
    ----------
    folder : Path
        Where its files are.
    database : str, optional
        Address of the database, as SQLAlchemy writes it; without it SQLite in ``folder``.
    workers : int
        Verifications at the same time.
    bootstrap : int
        Replicates of every interval.
    limits : ServerLimits
        What requests may cost.
    """

    folder: Path
    database: str | None = None
    workers: int = 1
    bootstrap: int = 1000
    limits: ServerLimits = field(default_factory=ServerLimits)

    @property
    def address(self) -> str:
        """Of the database."""
        return self.database or f"sqlite:///{self.folder.resolve() / DATABASE_FILE}"
