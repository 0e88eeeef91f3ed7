"""Image ids that give nothing away.

Without a salt an image's id follows from suite, generator, training set and index alone (:mod:`.seeds`): it is stable
for ever, and whoever knows the suite recovers the generator of every image from its id. With a salt, ids are hashes of
those and the salt, in no order that means anything, and columns that lead back to the generator are withheld: the seed,
which anybody could compute, and the class, which some sources have and others have not. Pixels and bytes do not depend
on it, and the same salt gives the same dataset.

The salt lies in ``salt.txt`` of the dataset, for whoever runs a board; it is not to be published with it.
``dataset.json`` holds its hash.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ..core.errors import DatasetError, UsageError
from ..core.foreign import read_foreign
from ..core.publish import write_atomically
from ..core.text import printable

SALT_FILE = "salt.txt"
WITHHELD = ("seed", "class_label")
"""Columns that are empty in a salted dataset."""

_SHORTEST, _LONGEST = 16, 200


def salted_id(image_id: str, salt: str) -> str:
    """The public id of an image, 32 hexadecimal characters; without a salt, the id itself."""
    return hashlib.sha256(f"{salt}/{image_id}".encode()).hexdigest()[:32] if salt else image_id


def salt_sha256(salt: str) -> str:
    """What ``dataset.json`` says of a salt."""
    return hashlib.sha256(f"salt/{salt}".encode()).hexdigest()


def conceal(row: dict[str, Any], salt: str) -> dict[str, Any]:
    """A row of a shard as it is published: with salted ids, and without what leads back to the generator."""
    if not salt:
        return row
    identity = salted_id(row["image_id"], salt)
    path = Path(row["image"]["path"])
    hidden = {"image_id": identity, "image": {**row["image"], "path": f"{identity}{path.suffix}"}}
    if row.get("of_image_id"):
        hidden["of_image_id"] = salted_id(row["of_image_id"], salt)
    return {**row, **hidden, **dict.fromkeys(WITHHELD)}


def chosen_salt(folder: Path, given: str | None) -> str:
    """The salt of a dataset that is made or finished in a folder; empty for none.

    Parameters
    ----------
    folder : Path
        The dataset; one that was begun keeps its salt.
    given : str, optional
        What the user asks for.

    Raises
    ------
    UsageError
        A salt that is too short to keep a secret, or no text of one line.
    DatasetError
        Another salt than that of the folder.
    """
    stored = read_salt(folder)
    if given is None:
        return stored or ""
    if not _SHORTEST <= len(given) <= _LONGEST or printable(given, _LONGEST) != given or given != given.strip():
        raise UsageError(
            f"--salt needs {_SHORTEST} to {_LONGEST} characters on one line that nobody guesses, e.g. of"
            " `python -c 'import secrets; print(secrets.token_hex(16))'`."
        )
    if stored is not None and stored != given:
        raise DatasetError(
            f"{printable(folder)}: was begun with the salt in its {SALT_FILE}. Leave --salt out, or use another --out"
            " folder."
        )
    return given


def read_salt(folder: Path) -> str | None:
    """The salt that lies with a dataset; None if there is none."""
    path = folder / SALT_FILE
    if not path.exists() and not path.is_symlink():
        return None
    try:
        return read_foreign(path, DatasetError, 4 * _LONGEST).decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{printable(path)}: is no salt (text in UTF-8 on one line).") from error


def write_salt(folder: Path, salt: str) -> None:
    """Leave a salt with its dataset."""
    if salt and read_salt(folder) != salt:
        write_atomically(folder / SALT_FILE, f"{salt}\n".encode())
