"""The steps by which the tables of a server came about, in their order (Alembic)."""
