"""Pictures of several generators in tar archives, one for each: ``midjourney.tar`` with ``0001.png`` and so on."""

import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from osbench.core.errors import DatasetError
from osbench.generation.importers import Fault, Importer, Picture, entries, member_file, register_importer


@register_importer("tar-shards")
class TarShards(Importer):
    """One uncompressed archive for each generator; pictures are read where they lie."""

    title = "Pictures in tar archives"
    version = "tar-shards-v1"
    citation = "Unpublished"
    homepage = "https://example.org"
    licence = "CC0-1.0"

    def pictures(self, root: Path) -> Iterator[Picture | Fault]:
        _, files, faults = entries(root, root)
        yield from faults
        for path in (file for file in files if file.suffix == ".tar"):
            with tarfile.open(path, "r:") as archive:
                for entry in archive:
                    member = f"{path.name}#{entry.offset_data}+{entry.size}#{entry.name}"
                    if entry.isreg() and ".." not in entry.name:
                        yield Picture(member, generator=path.stem, training_set="unknown", bytes=entry.size)
                    elif not entry.isdir():
                        yield Fault(member, "is a link, a special file, or leaves the archive")

    def open(self, root: Path, member: str) -> BinaryIO:
        archive, place, _ = member.split("#", 2)
        start, size = map(int, place.split("+"))
        with member_file(root, archive).open("rb") as handle:
            handle.seek(start)
            data = handle.read(size)
        if len(data) < size:
            raise DatasetError(f"{member}: the archive is cut off.")
        return BytesIO(data)
