"""What a catalog says about weights that osbench does not ship: files, hub models, licences, speed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...core.errors import UsageError
from ..record_schema import PassOn

MAGIC = {"pickle": (b"\x80",), "zip": (b"PK",), "torch": (b"\x80", b"PK")}
"""Container -> how its files may begin. ``torch``: torch.save, whose older form is a pickle and whose newer a zip."""

_FILE = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True)
class WeightFile:
    """One published file with a source's weights.

    file: its name in the cache, ``publisher/name``. container: a key of :data:`MAGIC`. megabytes: about how large it
    is. urls: where it can be fetched, tried in order; none if only a person can get it. page: where a person finds it.
    sha256: documented hash, or its documented first digits.
    """

    file: str
    container: str
    megabytes: float
    urls: tuple[str, ...] = ()
    page: str | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        if not _FILE.fullmatch(self.file) or ".." in self.file:
            raise UsageError(f"'{self.file}' cannot name a weight file.")
        if self.container not in MAGIC:
            raise UsageError(f"{self.file}: unknown container '{self.container}'. Known: {', '.join(MAGIC)}.")
        if not (self.urls or self.page):
            raise UsageError(f"{self.file}: give urls or a page.")
        if not 0 < self.megabytes < 1e7:
            raise UsageError(f"{self.file}: megabytes is {self.megabytes}; expected the size of the file.")
        if self.sha256 is not None and not re.fullmatch(r"[0-9a-f]{8,64}", self.sha256):
            raise UsageError(f"{self.file}: sha256 must be 8 to 64 hexadecimal digits.")

    @property
    def name(self) -> str:
        """The publisher's file name."""
        return self.file.rpartition("/")[2]

    @property
    def where(self) -> str:
        """One address to tell a person."""
        return self.page or self.urls[0]


@dataclass(frozen=True)
class HubModel:
    """A diffusers pipeline on the Hugging Face Hub, at a fixed revision. megabytes: of the files that are used."""

    repo: str
    revision: str
    megabytes: float

    @property
    def name(self) -> str:
        """Repository and the first digits of its revision."""
        return f"{self.repo}@{self.revision[:8]}"

    @property
    def where(self) -> str:
        """One address to tell a person."""
        return f"https://huggingface.co/{self.repo}"


@dataclass(frozen=True)
class Licence:
    """A licence of weights.

    accept: whether osbench asks for it to be accepted before it downloads them. pass_on: whether images that they made
    may be passed on; None where the suite does not say.
    """

    id: str
    title: str
    url: str
    use: str
    accept: bool = False
    pass_on: PassOn | None = None
