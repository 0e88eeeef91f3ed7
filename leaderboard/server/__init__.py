"""A board that anybody can submit to: an HTTP server over a folder and a database.

::

    DIR/uploads/                           parts of uploads; emptied when the server starts
    DIR/incoming/<sha256>/                 received, not verified yet
    DIR/submissions/<method>/<sha256>/     accepted: what the boards are built from
    DIR/refused/<sha256>/                  verified and found wrong
    DIR/manifests/<manifest id>.parquet    what may be answered, with labels; never served
    DIR/boards/<manifest id>/              the published boards
    DIR/board.db                           tokens, submissions, events (SQLite; or PostgreSQL by its address)

A submission is written whole, synced and renamed into ``incoming`` before its row is committed, and its sender is
answered after that. Its name is the hash of its content. So whatever was answered with success is there after a kill,
and the same files sent again change nothing. What was not verified when the server stopped is verified when it starts.
"""
