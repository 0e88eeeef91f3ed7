"""From unpacked public packages to one file of training pictures, their bytes unchanged.

``landscape`` reads Debian's ``endless-sky-data`` (720x360 photographs); only files that its ``copyright`` file places
in the public domain are taken, and pictures from space or of cities are left out. ``emoji`` reads the npm package
``@lobehub/fluent-emoji-3d`` (MIT). Both together take 27 MB. ``characters`` are the 100 pictures of that package that
:mod:`.characters` names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...core.errors import DatasetError, unknown_name
from .characters import CHARACTERS, CODE_POINTS, caption, file_name
from .limits import PICTURES_BYTES, check_size

HELD_OUT = 0.1

SCHEMA = pa.schema(
    {
        "training_set": pa.string(),
        "name": pa.string(),
        "kind": pa.string(),
        "held_out": pa.bool_(),
        "licence": pa.string(),
        "sha256": pa.string(),
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
    }
)

# Other licences, unclear origin, or no landscape at all.
_NOT_PUBLIC_DOMAIN = re.compile(r"(-[a-z]+\.jpg$)|^(bwerner|myrabella|dmottl|mfield)\d|^canyon0\d\.jpg$|^lava5\.jpg$")
_NOT_LANDSCAPE = re.compile(r"^(nasa|space|earthrise|station|loc|city)")


def pack(training_set: str, source: Path, out: Path) -> int:
    """Add the pictures of the package unpacked at ``source`` to the Parquet file ``out``; returns their number.

    Pictures of the same training set that are there already are replaced; a tenth is marked as held out, by picture
    (none of the characters: a name needs its picture).
    DatasetError, ``out`` unchanged, if the file would be over 40 MB.
    """
    if training_set not in _SOURCES:
        raise unknown_name("training set", training_set, _SOURCES)
    find, kind_of, licence = _SOURCES[training_set]
    files = find(source)
    kept = 0 if training_set == CHARACTERS else max(1, round(HELD_OUT * len(files)))
    held_out = set(np.random.default_rng(0).choice(len(files), kept, replace=False))
    rows = [
        {
            "training_set": training_set,
            "name": path.name,
            "kind": kind_of(path),
            "held_out": i in held_out,
            "licence": licence,
            "sha256": hashlib.sha256(data := path.read_bytes()).hexdigest(),
            "image": {"bytes": data, "path": path.name},
        }
        for i, path in enumerate(files)
    ]
    table = pa.Table.from_pylist(rows, SCHEMA)
    if out.exists():
        others = pq.read_table(out, schema=SCHEMA, filters=[("training_set", "!=", training_set)])
        table = pa.concat_tables([others, table])
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    pq.write_table(table, partial, compression="none")
    try:
        check_size(partial, PICTURES_BYTES, f"take fewer pictures than the {len(rows)} of '{training_set}'")
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return len(rows)


def public_domain_photographs(source: Path) -> list[Path]:
    """Photographs of the ``endless-sky-data`` unpacked at ``source`` that are certainly in the public domain."""
    folder = source / "usr/share/games/endless-sky/images/land"
    files = [p for p in sorted(folder.glob("*.jpg")) if not _NOT_PUBLIC_DOMAIN.search(p.name)]
    if not files:
        raise DatasetError(f"{folder}: no photographs; unpack Debian's endless-sky-data there (dpkg-deb -x).")
    return files


def _landscapes(source: Path) -> list[Path]:
    return [p for p in public_domain_photographs(source) if not _NOT_LANDSCAPE.search(p.name)]


def emoji(source: Path) -> list[Path]:
    """Figures of the ``@lobehub/fluent-emoji-3d`` unpacked at ``source``."""
    files = sorted((source / "package/assets").glob("*.webp"))
    if not files:
        raise DatasetError(f"{source}: no emoji; unpack npm's @lobehub/fluent-emoji-3d there (tar xzf).")
    return files


def _characters(source: Path) -> list[Path]:
    files = [source / "package/assets" / file_name(point) for point in CODE_POINTS]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise DatasetError(
            f"{source}: {len(missing)} of the characters are not there (first {missing[0]}); unpack npm's "
            "@lobehub/fluent-emoji-3d 1.1.0 there (tar xzf)."
        )
    return files


# Which files, what each shows ("mountain12.jpg" shows a mountain), under which licence.
_SOURCES: dict[str, tuple[Callable[[Path], list[Path]], Callable[[Path], str], str]] = {
    "landscape": (_landscapes, lambda path: re.sub(r"\d.*", "", path.name), "public domain"),
    "emoji": (emoji, lambda path: "emoji", "MIT"),
    CHARACTERS: (_characters, lambda path: caption(int(path.stem, 16)), "MIT"),
}

TRAINING_SETS = tuple(_SOURCES)
