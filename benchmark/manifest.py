"""Manifests: who is seen, who is unseen, and which image belongs to which split.

The split of an image (:mod:`.splitting`) is the same in every fold of a protocol.

A fold may hold a training set out, or weights. Their images are then in ``test`` only, and a generator that has them,
seen or unseen, is tested on nothing else, so that content does not tell seen from unseen; the others are tested on what
they have.

A fold may have few shots: so many training images of every seen generator, while validation and test stay whole. Only
then may nobody be unseen.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from ..core.errors import DatasetError, UsageError
from ..core.foreign import TableBudget, read_table
from ..core.progress import track
from ..core.publish import publishing
from ..core.schema import Limits, read_record
from ..core.text import printable
from ..generation.dataset import Dataset
from .leaks import refuse_copies, refuse_missing_content, refuse_repeated_ids, refuse_twins
from .manifest_check import check_manifest
from .manifest_columns import INTEGERS, cells, class_index, schema_of, source_names
from .manifest_folder import find_protocol, keep_protocol, manifest_folder, manifest_path
from .protocols import Fold, Learned, Protocol, store_protocol
from .protocols.fold import HeldColumn
from .splitting import SPLITS, few_shots, group_names, originals, own_groups, split_groups, split_sources

MANIFEST_SCHEMA_VERSION = 1
_METADATA_KEY = b"osbench"

#: Rows stored together: of a longer chunk, ``read_table`` dares to unpack fewer rows at a time.
_ROW_GROUP = 16_384

_BUDGET = TableBudget(rows=1_000_000, bytes=400 << 20, file_bytes=400 << 20)

_LONGEST_TEXT = 300


_Label = Annotated[str, Limits(longest=200, shortest=1)]


@dataclass(frozen=True)
class _Header:
    """The metadata of the file."""

    schema_version: Literal[1]
    protocol: _Label
    fold: _Label
    suite: _Label
    crop_size: Annotated[int, Limits(least=1, most=65535)]
    seen: Annotated[tuple[_Label, ...], Limits(longest=10_000, unique=True)]
    unseen: Annotated[tuple[_Label, ...], Limits(longest=10_000, unique=True)]
    held_out: Annotated[str, Limits(longest=200)] = ""
    hold_out: HeldColumn = "training_set"
    shots: Annotated[int, Limits(least=0, most=10**6)] = 0
    repeat: Annotated[int, Limits(least=0, most=10**6)] = 0


@dataclass(frozen=True)
class Manifest:
    """One fold of one protocol over one dataset.

    Attributes
    ----------
    seen, unseen : tuple[str, ...]
        Sorted generator names; ``class_index`` in the table indexes ``seen``.
    held_out : str
        The training set, or the weights, that are in ``test`` only; empty = none.
    hold_out : str
        Column that ``held_out`` is a value of.
    shots, repeat : int
        Training images of every seen generator, and which drawing of them; 0 shots = all.
    table : pandas.DataFrame
        Columns as of :mod:`.manifest_columns`, sorted by ``image_id``.
    manifest_id : str
        SHA-256 of the header (protocol, fold, suite, crop size, names, what is held out, shots) and the sorted rows.
    crop_size : int
        Side in pixels of the crops in the dataset.
    """

    protocol: str
    fold: str
    seen: tuple[str, ...]
    unseen: tuple[str, ...]
    table: pd.DataFrame
    manifest_id: str
    suite: str
    crop_size: int
    held_out: str = ""
    hold_out: HeldColumn = "training_set"
    shots: int = 0
    repeat: int = 0
    data: Path | None = field(default=None, compare=False, repr=False)
    _rows: dict[tuple[str, ...], pd.DataFrame] = field(
        default_factory=dict[tuple[str, ...], pd.DataFrame], init=False, compare=False, repr=False
    )

    def rows(self, *splits: str) -> pd.DataFrame:
        """The rows of the named splits, sorted by ``image_id``; selected once, however often they are asked for."""
        if splits not in self._rows:
            chosen = np.isin(self.column("split"), splits)
            self._rows[splits] = pd.DataFrame(self.table.loc[chosen]).reset_index(drop=True)
        return self._rows[splits].copy(deep=False)

    def column(self, name: str) -> np.ndarray:
        """A column as an array: str, or int64 for ``row`` and ``class_index``; empty texts where it has no value."""
        return cells(self.table, name)

    def sources(self) -> np.ndarray:
        """The source of every image, str (N,): ``stylegan2/ffhq``, with several weights ``stylegan2/pictures.w0``."""
        return source_names(self.table)

    @cached_property
    def question(self) -> str:
        """A hash of what is asked: who is seen, and which images are validated and tested, whatever is trained on."""
        asked = pd.DataFrame(self.rows("val", "test")[["image_id", "split", "class_index"]])
        header = {"suite": self.suite, "crop_size": self.crop_size, "seen": self.seen, "unseen": self.unseen}
        return _manifest_id(header, asked)

    def counts(self) -> dict[str, dict[str, int]]:
        """Images per source and split: ``{"stylegan2/ffhq": {"train": 8000, "val": 1000, "test": 1000}}``."""
        sources = self.sources().tolist()
        found = Counter(zip(sources, self.column("split").tolist(), strict=True))
        return {source: {split: found[source, split] for split in SPLITS} for source in sorted(set(sources))}


def generator_architectures(dataset: Dataset) -> dict[str, str]:
    """Generators of a dataset -> name of their architecture in the literature (the generator's name if unknown)."""
    known = {s["generator"]: s.get("architecture") for s in dataset.info.get("sources", [])}
    generators = sorted({source.split("/")[0] for source in dataset.sources()})
    return {name: known.get(name) or name for name in generators}


def learned_of(dataset: Dataset) -> list[Learned]:
    """What the images of each source of a dataset come from, for protocols that hold something out."""
    return [
        Learned(s["generator"], s["training_set"], s.get("weights_id", ""), "shows" not in s.get("pictures", {}))
        for s in dataset.info["sources"]
    ]


def build_manifest(
    dataset: Dataset, protocol: Protocol | str | Path, fold: Fold | str | None = None, index: pd.DataFrame | None = None
) -> Manifest:
    """The manifest of one fold (a name may be left out if the protocol has only one).

    Every source, or the groups of all sources together, is split by the protocol's ratios. Unseen generators keep their
    test images only, so the mix of seen and unseen test images does not depend on the fold. What is held out keeps its
    test images only, too; generators that have it are tested on it alone. Resyntheses are left aside.
    ``protocol``: as :func:`find_protocol` takes it. ``index``: the dataset's index, if the caller has read it already.

    Raises
    ------
    DatasetError
        Too few generators, training sets or weights, too few images or groups of a source for all three splits, or
        sources that should show the same pictures and do not.
    LeakError
        Two images with one id, the same picture in two sources, or the same bytes or pixels in two splits or under two
        generators.
    """
    rule = find_protocol(dataset, protocol)
    index = originals(dataset.index() if index is None else index)
    chosen = fold if isinstance(fold, Fold) else _named_fold(dataset, rule, fold, index)
    refuse_repeated_ids(cells(index, "image_id"))
    refuse_copies(index)
    refuse_missing_content(index, source_names(index))
    generator = cells(index, "generator")
    seen = chosen.seen or tuple(sorted(set(generator.tolist()) - set(chosen.unseen)))
    unseen_row = np.isin(generator, chosen.unseen)
    groups = _groups(rule, index)
    split = _split(rule, index, groups)
    held_out: np.ndarray = (cells(index, chosen.hold_out) == chosen.held_out) & bool(chosen.held_out)
    tested: np.ndarray = held_out | ~np.isin(generator, generator[held_out])
    known: np.ndarray = ~unseen_row & ~held_out
    if chosen.shots:
        known &= (split != "train") | few_shots(index, split, groups, chosen.shots, chosen.repeat)
    asked = np.isin(generator, [*seen, *chosen.unseen])
    in_test: np.ndarray = split == "test"
    kept = np.flatnonzero(asked & np.where(in_test, tested, known))
    kept = kept[np.argsort(cells(index, "image_id")[kept])]
    for column in ("pixel_sha256", "bytes_sha256", "native_sha256"):
        hashes = index[column].to_numpy(object) if column in index else np.full(len(index), None)
        refuse_twins(cells(index, "image_id")[kept], generator[kept], split[kept], hashes[kept], column)
    columns = {name: cells(index, name)[kept] for name in ("image_id", "shard", "row", "generator", "training_set")}
    table = pd.DataFrame(
        {
            **columns,
            "openness": np.where(unseen_row, "unseen", "seen")[kept],
            "split": split[kept],
            "class_index": class_index(columns["generator"], seen),
        }
    )
    for name, values in (("weights", cells(index, "weights")[kept]), ("group", groups[kept])):
        if (values != "").any():
            table[name] = values
    manifest = Manifest(
        protocol=rule.name,
        fold=chosen.name,
        seen=seen,
        unseen=chosen.unseen,
        table=table,
        manifest_id="",
        suite=dataset.suite,
        crop_size=dataset.crop_size,
        held_out=chosen.held_out,
        hold_out=chosen.hold_out,
        shots=chosen.shots,
        repeat=chosen.repeat,
        data=dataset.path,
    )
    manifest = replace(manifest, manifest_id=_manifest_id(_header(manifest), table))
    check_manifest(manifest)
    return manifest


def _groups(rule: Protocol, index: pd.DataFrame) -> np.ndarray:
    """What belongs together, str (N,): by the protocol, else by the data set; empty for an image alone."""
    return group_names(index, rule.group) if rule.group else own_groups(index)


def _split(rule: Protocol, index: pd.DataFrame, groups: np.ndarray) -> np.ndarray:
    """The split of every row, str (N,)."""
    return split_groups(groups, rule.shares, rule.group_seed) if rule.group else split_sources(index, rule.shares)


def _training_images(rule: Protocol, index: pd.DataFrame) -> dict[str, int] | None:
    """Generator -> training images that there are; None where the folds do not depend on it."""
    if not rule.shots:
        return None
    return dict(Counter(cells(index, "generator")[_split(rule, index, _groups(rule, index)) == "train"].tolist()))


def folds_of(dataset: Dataset, rule: Protocol, index: pd.DataFrame) -> list[Fold]:
    return rule.folds(generator_architectures(dataset), learned_of(dataset), _training_images(rule, index))


def _named_fold(dataset: Dataset, rule: Protocol, name: str | None, index: pd.DataFrame) -> Fold:
    return rule.fold(generator_architectures(dataset), name, learned_of(dataset), _training_images(rule, index))


def _header(manifest: Manifest) -> dict[str, object]:
    header: dict[str, object] = {
        "schema_version": MANIFEST_SCHEMA_VERSION,
        "protocol": manifest.protocol,
        "fold": manifest.fold,
        "suite": manifest.suite,
        "crop_size": manifest.crop_size,
        "seen": list(manifest.seen),
        "unseen": list(manifest.unseen),
    }
    # Left out where nothing is: manifests from before there were such protocols keep their ids.
    few = {"shots": manifest.shots, "repeat": manifest.repeat} if manifest.shots else {}
    held_out: dict[str, object] = {"held_out": manifest.held_out} if manifest.held_out else {}
    held_out |= {} if manifest.hold_out == "training_set" else {"hold_out": manifest.hold_out}
    return header | held_out | few


def _manifest_id(header: Mapping[str, object], table: pd.DataFrame) -> str:
    return hashlib.sha256((json.dumps(header, sort_keys=True) + "\n").encode() + _csv(table)).hexdigest()


def _csv(table: pd.DataFrame) -> bytes:
    """The rows, each text quoted that holds a comma, a quote or a line break."""
    rows = io.BytesIO()
    plain = pv.WriteOptions(include_header=False, quoting_style="none")
    try:
        pv.write_csv(pa.Table.from_pandas(table, preserve_index=False), rows, plain)
    except pa.ArrowInvalid:  # there is such a text; Arrow quotes all or none, pandas is slower
        return table.to_csv(index=False, header=False, lineterminator="\n").encode()
    return rows.getvalue()


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a checked manifest as Parquet, atomically. Raises what :func:`check_manifest` raises, writing nothing."""
    check_manifest(manifest)
    metadata = {_METADATA_KEY: json.dumps({**_header(manifest), "manifest_id": manifest.manifest_id}).encode()}
    schema = schema_of(manifest.table.columns)
    table = pa.Table.from_pandas(manifest.table, schema=schema, preserve_index=False).replace_schema_metadata(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    with publishing(path) as partial:
        pq.write_table(table, partial, compression="zstd", row_group_size=_ROW_GROUP)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, check it again, and check that its rows still hash to its ``manifest_id``.

    DatasetError for a missing, damaged, too large or edited file; LeakError for a leak.
    """
    if not path.exists() and not path.is_symlink():
        raise DatasetError(f"no manifest {path}: run `osbench split` first.")
    table = read_table(path, DatasetError, _BUDGET)
    _check_cells(table, path)
    document = _header_document(table, path)
    manifest_id = document.pop("manifest_id", None)
    header = read_record(_Header, document, f"{path}, header", error=DatasetError)
    manifest = Manifest(
        protocol=header.protocol,
        fold=header.fold,
        seen=header.seen,
        unseen=header.unseen,
        table=table.to_pandas(),
        manifest_id=str(manifest_id),
        suite=header.suite,
        crop_size=header.crop_size,
        held_out=header.held_out,
        hold_out=header.hold_out,
        shots=header.shots,
        repeat=header.repeat,
    )
    check_manifest(manifest)
    if _manifest_id(document, manifest.table) != manifest_id:
        raise DatasetError(f"manifest {path} was edited: its rows do not give its manifest_id; split again.")
    return manifest


def _check_cells(table: pa.Table, path: Path) -> None:
    schema = schema_of(table.column_names)
    if not schema.equals(table.schema.remove_metadata()):
        raise DatasetError(f"{path}: has other columns than the schema, {', '.join(schema.names)}.")
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.null_count:
            raise DatasetError(f"{path} is not a readable manifest (column {name} has empty cells): split again.")
        # As an array of text every cell would take as much memory as the longest one.
        lengths = pc.call_function("binary_length", [column]) if name not in INTEGERS and len(column) else None
        if lengths is not None and pc.call_function("max", [lengths]).as_py() > _LONGEST_TEXT:
            raise DatasetError(
                f"{path} is not a readable manifest (column {name} has a text of more than {_LONGEST_TEXT} bytes):"
                " split again."
            )


def _header_document(table: pa.Table, path: Path) -> dict[str, Any]:
    try:
        metadata: dict[bytes, bytes] = table.schema.metadata or {}
        document: object = json.loads(metadata[_METADATA_KEY])
    except (KeyError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is no manifest: it has no readable header; split again.") from error
    if not isinstance(document, dict):
        raise DatasetError(f"{path} is no manifest: its header is no JSON object; split again.")
    header = cast(dict[str, Any], document)
    version = header.get("schema_version")
    if version != MANIFEST_SCHEMA_VERSION:
        raise DatasetError(
            f"manifest {path} has schema version {printable(repr(version), 20)}, this osbench reads "
            f"{MANIFEST_SCHEMA_VERSION}: split again."
        )
    return header


def split_dataset(dataset: Dataset, protocol: Protocol | str | Path, folder: Path | None = None) -> list[Path]:
    """Write the manifests of all folds of a protocol; returns their paths in the order of the folds.

    A protocol that is not a packaged one is stored with them.

    Parameters
    ----------
    dataset : Dataset
        What to split; it must be complete.
    protocol : Protocol, str or Path
        Who is seen and who is not, as :func:`find_protocol` takes it.
    folder : Path, optional
        Where to write; :func:`manifest_folder` without it.
    """
    rule = find_protocol(dataset, protocol)
    index = originals(dataset.index())
    folds = folds_of(dataset, rule, index)
    target = folder or manifest_folder(dataset)
    paths: list[Path] = []
    for fold in track(folds, description="split", unit="fold") if len(folds) > 1 else folds:
        paths.append(manifest_path(target, fold.name))
        write_manifest(build_manifest(dataset, rule, fold, index), paths[-1])
    store_protocol(rule, target)
    return paths


def open_manifests(
    dataset: Dataset,
    protocol: Protocol | str | Path,
    fold_name: str | None = None,
    *,
    shots: Sequence[int] = (),
    repeats: int | None = None,
) -> list[Manifest]:
    """The manifest of a fold of a dataset, or of every fold for the name ``all``.

    Written into the dataset (:func:`manifest_folder`) if it is missing there or was made before the dataset changed;
    so is a protocol that is not a packaged one.

    Parameters
    ----------
    dataset : Dataset
        What to split; it must be complete.
    protocol : Protocol, str or Path
        As :func:`find_protocol` takes it.
    fold_name : str, optional
        Without it the protocol must have only one fold; UsageError otherwise.
    shots : sequence of int
        Of all folds, those with these numbers of shots; UsageError for one that the protocol has not.
    repeats : int, optional
        Of all folds, those of the first so many repeats.
    """
    rule = find_protocol(dataset, protocol)
    index = originals(dataset.index())
    if fold_name == "all":
        folds = _chosen(rule, folds_of(dataset, rule, index), shots, repeats)
    else:
        folds = [_named_fold(dataset, rule, fold_name, index)]
    manifests = [build_manifest(dataset, rule, fold, index) for fold in folds]
    stale = [manifest for manifest in manifests if not _is_stored(manifest, dataset.path / "manifests")]
    target = manifest_folder(dataset) if stale else Path()
    for manifest in stale:
        if not _is_stored(manifest, target):
            write_manifest(manifest, manifest_path(target, manifest.fold))
    keep_protocol(dataset, rule)
    return manifests


def _chosen(rule: Protocol, folds: Sequence[Fold], shots: Sequence[int], repeats: int | None) -> list[Fold]:
    there = sorted({fold.shots for fold in folds})
    other = sorted(set(shots) - set(there))
    if other:
        known = ", ".join(map(str, there)) if rule.shots else "none"
        raise UsageError(f"protocol {rule.name} has no fold of {other[0]} shots here; it has {known}.")
    return [fold for fold in folds if (not shots or fold.shots in shots) and (repeats is None or fold.repeat < repeats)]


def _is_stored(manifest: Manifest, folder: Path) -> bool:
    path = manifest_path(folder, manifest.fold)
    return path.exists() and read_manifest(path).manifest_id == manifest.manifest_id
