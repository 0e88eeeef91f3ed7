"""The tables that the steps make are those that the server reads: each is written down once for itself."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from osbench.leaderboard.server.database import METADATA, open_database
from osbench.leaderboard.server.settings import Settings


def test_the_steps_make_the_tables_of_the_server(tmp_path: Path) -> None:
    engine = open_database(Settings(tmp_path))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)
    engine.dispose()
    # Indexes make reading fast, and are in the steps alone.
    assert [one for one in differences if one[0] != "remove_index"] == []
