"""Manifests: who is seen, who is unseen, and which image belongs to which split.

Images are split in the order of a hash of their ids inside every source: a split depends on nothing but the set of
images of that source, not on their order, not on other sources, not on the fold.

A fold may hold a training set out. Its images are then in ``test`` only, and a generator that has it, seen or unseen,
is tested on nothing else, so that content does not tell seen from unseen; the others are tested on what they have.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from ..core.errors import DatasetError, LeakError
from ..core.foreign import TableBudget, read_table
from ..core.progress import track
from ..core.publish import publishing
from ..core.schema import Limits, read_record
from ..core.text import printable
from ..generation.dataset import Dataset
from .leaks import refuse_copies, refuse_repeated_ids, refuse_twins
from .manifest_folder import find_protocol, keep_protocol, manifest_folder, manifest_path
from .protocols import Fold, Protocol, store_protocol

MANIFEST_SCHEMA_VERSION = 1
COLUMNS = ("image_id", "shard", "row", "generator", "training_set", "openness", "split", "class_index")
SPLITS = ("train", "val", "test")

_INTEGERS = ("row", "class_index")
_SCHEMA = pa.schema([(name, pa.int64() if name in _INTEGERS else pa.string()) for name in COLUMNS])
_METADATA_KEY = b"osbench"

#: Rows stored together: of a longer chunk, ``read_table`` dares to unpack fewer rows at a time.
_ROW_GROUP = 16_384

_BUDGET = TableBudget(rows=1_000_000, bytes=400 << 20, file_bytes=400 << 20)

_LONGEST_TEXT = 300


_Label = Annotated[str, Limits(longest=200, shortest=1)]


@dataclass(frozen=True)
class _Header:
    """What the file says of itself, beside its rows."""

    schema_version: Literal[1]
    protocol: _Label
    fold: _Label
    suite: _Label
    crop_size: Annotated[int, Limits(least=1, most=65535)]
    seen: Annotated[tuple[_Label, ...], Limits(longest=10_000, unique=True)]
    unseen: Annotated[tuple[_Label, ...], Limits(longest=10_000, unique=True)]
    held_out: Annotated[str, Limits(longest=200)] = ""


@dataclass(frozen=True)
class Manifest:
    """One fold of one protocol over one dataset.

    Attributes
    ----------
    seen, unseen : tuple[str, ...]
        Sorted generator names; ``class_index`` in the table indexes ``seen``.
    held_out : str
        The training set that is in ``test`` only; empty = none.
    table : pandas.DataFrame
        Columns of ``COLUMNS``, sorted by ``image_id``.
    manifest_id : str
        SHA-256 of the header (protocol, fold, suite, crop size, names, what is held out) and the sorted rows.
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
        """A column as an array: str, or int64 for ``row`` and ``class_index``."""
        return _array(self.table, name)

    def counts(self) -> dict[str, dict[str, int]]:
        """Images per source and split: ``{"stylegan2/ffhq": {"train": 8000, "val": 1000, "test": 1000}}``."""
        sources = [f"{g}/{t}" for g, t in zip(self.column("generator"), self.column("training_set"), strict=True)]
        found = Counter(zip(sources, self.column("split"), strict=True))
        return {source: {split: found[source, split] for split in SPLITS} for source in sorted(set(sources))}


def _array(table: pd.DataFrame, name: str) -> np.ndarray:
    return np.asarray(table[name], dtype=np.int64 if name in _INTEGERS else str)


def split_counts(n: int, ratios: Sequence[Fraction]) -> tuple[int, int, int]:
    """Exact sizes of train, val and test for ``n`` images: val and test are rounded half up, train is the rest."""
    val, test = (int(n * ratio + Fraction(1, 2)) for ratio in ratios[1:])
    return n - val - test, val, test


def generator_architectures(dataset: Dataset) -> dict[str, str]:
    """Generators of a dataset -> name of their architecture in the literature (the generator's name if unknown)."""
    known = {s["generator"]: s.get("architecture") for s in dataset.info.get("sources", [])}
    generators = sorted({source.split("/")[0] for source in dataset.sources()})
    return {name: known.get(name) or name for name in generators}


def build_manifest(
    dataset: Dataset, protocol: Protocol | str | Path, fold: Fold | str | None = None, index: pd.DataFrame | None = None
) -> Manifest:
    """The manifest of one fold (a name may be left out if the protocol has only one).

    Every source is split by the protocol's ratios. Unseen generators keep their test images only, so the mix of seen
    and unseen test images does not depend on the fold. A held-out training set keeps its test images only, too;
    generators that have it are tested on it alone. ``protocol``: as :func:`find_protocol` takes it. ``index``: the
    dataset's index, if the caller has read it already.

    Raises
    ------
    DatasetError
        Too few generators or training sets, or too few images of a source for all three splits.
    LeakError
        Two images with one id, the same picture in two sources, or the same bytes or pixels in two splits or under two
        generators.
    """
    rule = find_protocol(dataset, protocol)
    chosen = fold if isinstance(fold, Fold) else _named_fold(dataset, rule, fold)
    index = dataset.index() if index is None else index
    refuse_repeated_ids(_array(index, "image_id"))
    refuse_copies(index)
    generator = _array(index, "generator")
    seen = tuple(sorted(set(generator.tolist()) - set(chosen.unseen)))
    unseen_row = np.isin(generator, chosen.unseen)
    split = _split_sources(index, rule.shares)
    held_out = _array(index, "training_set") == chosen.held_out
    tested = held_out | ~np.isin(generator, generator[held_out])
    kept = np.flatnonzero(np.where(split == "test", tested, ~unseen_row & ~held_out))
    kept = kept[np.argsort(_array(index, "image_id")[kept])]
    for column in ("pixel_sha256", "bytes_sha256", "native_sha256"):
        hashes = index[column].to_numpy(object) if column in index else np.full(len(index), None)
        refuse_twins(_array(index, "image_id")[kept], generator[kept], split[kept], hashes[kept], column)
    columns = {name: _array(index, name)[kept] for name in ("image_id", "shard", "row", "generator", "training_set")}
    table = pd.DataFrame(
        {
            **columns,
            "openness": np.where(unseen_row, "unseen", "seen")[kept],
            "split": split[kept],
            "class_index": _class_index(columns["generator"], seen),
        }
    )
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
        data=dataset.path,
    )
    manifest = replace(manifest, manifest_id=_manifest_id(_header(manifest), table))
    check_manifest(manifest)
    return manifest


def _named_fold(dataset: Dataset, protocol: Protocol, name: str | None) -> Fold:
    return protocol.fold(generator_architectures(dataset), name, dataset.sources())


def _class_index(generator: np.ndarray, seen: Sequence[str]) -> np.ndarray:
    index = {name: i for i, name in enumerate(seen)}
    return np.array([index.get(name, -1) for name in generator], dtype=np.int64)


def _split_sources(index: pd.DataFrame, ratios: Sequence[Fraction]) -> np.ndarray:
    """The split of every row, str (N,): inside each source the first images in hash order train, the last ones test."""
    rows: dict[str, list[int]] = {}
    for i, (g, t) in enumerate(zip(_array(index, "generator"), _array(index, "training_set"), strict=True)):
        rows.setdefault(f"{g}/{t}", []).append(i)
    keys = np.array([hashlib.sha256(name.encode()).hexdigest() for name in _array(index, "image_id")])
    split = np.empty(len(index), dtype="<U5")
    for source, members in rows.items():
        sizes = split_counts(len(members), ratios)
        if min(sizes) < 1:
            raise DatasetError(
                f"source {source} has {len(members)} images, too few for {'/'.join(SPLITS)} at "
                f"{'/'.join(f'{float(r):g}' for r in ratios)}: generate more images."
            )
        order = np.array(members)[np.argsort(keys[members], kind="stable")]
        split[order] = np.repeat(SPLITS, sizes)
    return split


def check_manifest(manifest: Manifest) -> None:
    """LeakError or DatasetError unless the manifest keeps every promise of this module."""
    if tuple(manifest.table.columns) != COLUMNS:
        raise DatasetError(f"manifest columns are {', '.join(manifest.table.columns)}; expected {', '.join(COLUMNS)}.")
    ids, generator, split = (manifest.column(name) for name in ("image_id", "generator", "split"))
    refuse_repeated_ids(ids)
    if (ids[:-1] > ids[1:]).any():
        raise DatasetError("the manifest's rows are not sorted by image_id.")
    if not np.isin(split, SPLITS).all() or not np.isin(manifest.column("openness"), ("seen", "unseen")).all():
        raise DatasetError("the manifest has a split or openness that does not exist.")
    unseen = np.isin(generator, manifest.unseen)
    if ((manifest.column("openness") == "unseen") != unseen).any() or set(manifest.seen) & set(manifest.unseen):
        raise LeakError("the manifest calls a generator both seen and unseen.")
    leaked = np.flatnonzero(unseen & (split != "test"))
    if len(leaked):
        first = leaked[0]
        raise LeakError(
            f"{len(leaked)} images of unseen generators lie outside test, first {ids[first]} of {generator[first]} in "
            f"{split[first]}."
        )
    if (_class_index(generator, manifest.seen) != manifest.column("class_index")).any():
        raise LeakError("the manifest's class_index does not agree with its seen generators.")
    _refuse_missing_classes(manifest, set(zip(generator.tolist(), split.tolist(), strict=True)))
    if manifest.held_out:
        _refuse_mixed_content(manifest, ids, generator, split)


def _refuse_missing_classes(manifest: Manifest, present: set[tuple[str, str]]) -> None:
    wanted = {(g, s) for g in manifest.seen for s in SPLITS} | {(g, "test") for g in manifest.unseen}
    for generator, split in sorted(wanted - present):
        raise DatasetError(f"generator {generator} has no {split} image in the manifest: generate more images.")
    for generator, _ in sorted(present - wanted):
        raise DatasetError(f"the manifest has images of {generator}, which it calls neither seen nor unseen.")


def _refuse_mixed_content(manifest: Manifest, ids: np.ndarray, generator: np.ndarray, split: np.ndarray) -> None:
    """The held-out training set is in test only, and whoever has it is tested on nothing else."""
    held_out = manifest.column("training_set") == manifest.held_out
    leaked = np.flatnonzero(held_out & (split != "test"))
    if len(leaked):
        raise LeakError(
            f"{len(leaked)} images of the held-out training set {manifest.held_out} lie outside test, first "
            f"{ids[leaked[0]]} of {generator[leaked[0]]} in {split[leaked[0]]}."
        )
    if not np.isin(generator[held_out], manifest.seen).any():
        raise DatasetError(f"no seen generator has an image of the held-out training set {manifest.held_out}.")
    mixed = np.flatnonzero((split == "test") & ~held_out & np.isin(generator, generator[held_out]))
    if len(mixed):
        raise DatasetError(
            f"{generator[mixed[0]]} is tested on the held-out training set {manifest.held_out} and on another one, "
            f"first {ids[mixed[0]]}."
        )


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
    # Left out where nothing is: manifests from before there was such a protocol keep their ids.
    return header | ({"held_out": manifest.held_out} if manifest.held_out else {})


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
    table = pa.Table.from_pandas(manifest.table, schema=_SCHEMA, preserve_index=False).replace_schema_metadata(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    with publishing(path) as partial:
        pq.write_table(table, partial, compression="zstd", row_group_size=_ROW_GROUP)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, check it again, and check that its rows still hash to its ``manifest_id``.

    DatasetError for a missing, damaged, too large or edited file; LeakError for a leak.
    """
    if not path.exists() and not path.is_symlink():
        raise DatasetError(f"no manifest {path}: run `osbench split` first.")
    table = read_table(path, DatasetError, _BUDGET, schema=_SCHEMA)
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
    )
    check_manifest(manifest)
    if _manifest_id(document, manifest.table) != manifest_id:
        raise DatasetError(f"manifest {path} was edited: its rows do not give its manifest_id; split again.")
    return manifest


def _check_cells(table: pa.Table, path: Path) -> None:
    for name, column in zip(COLUMNS, table.columns, strict=True):
        if column.null_count:
            raise DatasetError(f"{path} is not a readable manifest (column {name} has empty cells): split again.")
        # As an array of text every cell would take as much memory as the longest one.
        lengths = pc.call_function("binary_length", [column]) if name not in _INTEGERS and len(column) else None
        if lengths is not None and pc.call_function("max", [lengths]).as_py() > _LONGEST_TEXT:
            raise DatasetError(
                f"{path} is not a readable manifest (column {name} has a text of more than {_LONGEST_TEXT} bytes):"
                " split again."
            )


def _header_document(table: pa.Table, path: Path) -> dict[str, Any]:
    try:
        document = json.loads((table.schema.metadata or {})[_METADATA_KEY])
    except (KeyError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is no manifest: it has no readable header; split again.") from error
    if not isinstance(document, dict):
        raise DatasetError(f"{path} is no manifest: its header is no JSON object; split again.")
    version = document.get("schema_version")
    if version != MANIFEST_SCHEMA_VERSION:
        raise DatasetError(
            f"manifest {path} has schema version {printable(repr(version), 20)}, this osbench reads "
            f"{MANIFEST_SCHEMA_VERSION}: split again."
        )
    return document


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
    folds = rule.folds(generator_architectures(dataset), dataset.sources())
    target, index = folder or manifest_folder(dataset), dataset.index()
    paths = []
    for fold in track(folds, description="split", unit="fold") if len(folds) > 1 else folds:
        paths.append(manifest_path(target, fold.name))
        write_manifest(build_manifest(dataset, rule, fold, index), paths[-1])
    store_protocol(rule, target)
    return paths


def open_manifests(dataset: Dataset, protocol: Protocol | str | Path, fold_name: str | None = None) -> list[Manifest]:
    """The manifest of a fold of a dataset, or of every fold for the name ``all``.

    Written into the dataset (:func:`manifest_folder`) if it is missing there or was made before the dataset changed;
    so is a protocol that is not a packaged one. ``protocol`` as :func:`find_protocol` takes it. Without a fold name the
    protocol must have only one fold; UsageError otherwise.
    """
    rule = find_protocol(dataset, protocol)
    if fold_name == "all":
        folds = rule.folds(generator_architectures(dataset), dataset.sources())
    else:
        folds = [_named_fold(dataset, rule, fold_name)]
    index = dataset.index()
    manifests = [build_manifest(dataset, rule, fold, index) for fold in folds]
    stale = [manifest for manifest in manifests if not _is_stored(manifest, dataset.path / "manifests")]
    target = manifest_folder(dataset) if stale else Path()
    for manifest in stale:
        if not _is_stored(manifest, target):
            write_manifest(manifest, manifest_path(target, manifest.fold))
    keep_protocol(dataset, rule)
    return manifests


def _is_stored(manifest: Manifest, folder: Path) -> bool:
    path = manifest_path(folder, manifest.fold)
    return path.exists() and read_manifest(path).manifest_id == manifest.manifest_id
