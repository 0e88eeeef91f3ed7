"""What a user's Python says of data sets: generate, load, split. Opening and splitting one needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .benchmark.manifest import Manifest, open_manifests
from .benchmark.protocols import Protocol
from .core.defaults import DATA, PROTOCOL
from .generation.dataset import Dataset as StoredDataset


@dataclass(frozen=True)
class Dataset(StoredDataset):
    """An opened data set, which can be split."""

    def split(
        self,
        protocol: str | Path | Protocol = PROTOCOL,
        *,
        fold: str | None = None,
        unseen: Sequence[str] = (),
        name: str | None = None,
    ) -> Manifest:
        """Who is seen, who is unseen, and which image belongs to which split.

        Parameters
        ----------
        protocol : str, Path or Protocol
            A packaged protocol, one that was stored with the data set, or a YAML file.
        fold : str, optional
            Which fold, where the protocol has several (see :meth:`folds`).
        unseen : sequence of str
            Generators that are unseen, instead of a protocol.
        name : str, optional
            What the protocol of ``unseen`` is called; without it ``unseen-`` and its generators.

        Returns
        -------
        Manifest
            Also written into the data set, where that can be written, with a protocol that is not a packaged one.

        Raises
        ------
        UsageError
            For an unknown protocol, fold or generator.
        LeakError
            If an unseen image, or a copy of one, would reach training.
        """
        chosen = Protocol.of_unseen(unseen, name=name) if unseen else protocol
        (manifest,) = open_manifests(self, chosen, fold)
        return manifest

    def folds(self, protocol: str | Path | Protocol = "rotate") -> list[Manifest]:
        """The manifests of every fold of a protocol; parameters and errors as of :meth:`split`."""
        return open_manifests(self, protocol, "all")


def generate(
    suite: str | Path | None = None,
    out: str | Path = DATA,
    *,
    sources: Sequence[str] | None = None,
    count: int | None = None,
    folders: Mapping[str, str | Path] | None = None,
    folder_licence: str | None = None,
    crop_size: int | None = None,
    weights: Mapping[str, str | Path] | None = None,
    accept_licences: Sequence[str] = (),
    offline: bool = False,
    workers: int = 1,
    device: str = "cpu",
) -> Dataset:
    """Make, finish or enlarge a data set.

    Parameters
    ----------
    suite : str or Path, optional
        A packaged suite, or the path of a suite file. Without it the folders alone, or ``mini`` where there is none.
    out : str or Path
        The folder; a killed call continues where it stopped.
    sources : sequence of str, optional
        Only these sources; all of the suite without it.
    count : int, optional
        Images per source; without it, the suite's.
    folders : mapping, optional
        Name -> folder of own images, which become sources with their pixels untouched.
    folder_licence : str, optional
        Licence of those images.
    crop_size : int, optional
        Side of the crop in pixels, for folders without a suite. Without it the largest multiple of 8 that fits every
        picture, up to 256.
    weights : mapping, optional
        Source -> weight file that is there already.
    accept_licences : sequence of str
        Licences of downloaded weights that the user accepts.
    offline : bool
        Download nothing.
    workers : int
        Processes; they change no byte of the result.
    device : str
        ``cpu``, ``cuda`` or ``cuda:N``.
    """
    from .generation.generate import generate as generate_dataset

    made = generate_dataset(
        suite,
        out,
        sources=sources,
        count=count,
        folders=folders,
        folder_licence=folder_licence,
        crop_size=crop_size,
        weights=weights,
        accept_licences=accept_licences,
        offline=offline,
        workers=workers,
        device=device,
    )
    return load(made.path)


def import_dataset(
    importer: str,
    folder: str | Path,
    out: str | Path = DATA,
    *,
    canonical: bool = True,
    crop_size: int | None = None,
    licence: str | None = None,
    workers: int = 1,
) -> Dataset:
    """Make, or finish, a data set of a published one.

    Parameters
    ----------
    importer : str
        Who reads its layout, ``bongini2025`` for example.
    folder : str or Path
        Where its archive was unpacked.
    out : str or Path
        The data set to make; a killed call continues where it stopped.
    canonical : bool
        Compress and crop all pictures alike, so that no file format tells a source. False: keep every JPEG and PNG byte
        for byte.
    crop_size : int, optional
        Side of the crop in pixels; smaller pictures are left out. Without it the largest multiple of 8 that fits every
        picture, up to what the reader proposes.
    licence : str, optional
        What the publisher's page says, where the reader does not know it.
    workers : int
        Processes; they change no byte of the result.

    Returns
    -------
    Dataset
        Files that are no pictures are left out; :meth:`Dataset.left_out` names them.
    """
    from .generation.importing import import_dataset as make

    options = {"canonical": canonical, "crop_size": crop_size, "licence": licence, "workers": workers}
    made, _ = make(importer, folder, out, **options)  # type: ignore[arg-type]
    return Dataset(made.path, made.info)


def load(path: str | Path = DATA) -> Dataset:
    """Open a data set; DatasetError if the folder is none."""
    opened = Dataset.open(path)
    return Dataset(opened.path, opened.info)
