"""Manifests: who is seen, who is unseen, and which image belongs to which split.

Images are split in the order of a hash of their ids inside every source: a split depends on nothing but the set of
images of that source, not on their order, not on other sources, not on the fold.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..generation.dataset import Dataset
from ..generation.errors import DatasetError, LeakError
from .protocols import Fold, Protocol, load_protocol

MANIFEST_SCHEMA_VERSION = 1
COLUMNS = ("image_id", "shard", "row", "generator", "training_set", "openness", "split", "class_index")
SPLITS = ("train", "val", "test")

_SCHEMA = pa.schema([(name, pa.int64() if name in ("row", "class_index") else pa.string()) for name in COLUMNS])
_METADATA_KEY = b"osbench"


@dataclass(frozen=True)
class Manifest:
    """One fold of one protocol over one dataset.

    Attributes
    ----------
    seen, unseen: sorted generator names; ``class_index`` in the table indexes ``seen``.
    table: columns of ``COLUMNS``, sorted by ``image_id``.
    manifest_id: sha256 of the header (protocol, fold, suite, crop size, names) and the sorted rows.
    crop_size: side in pixels of the crops in the dataset.
    """

    protocol: str
    fold: str
    seen: tuple[str, ...]
    unseen: tuple[str, ...]
    table: pd.DataFrame
    manifest_id: str
    suite: str
    crop_size: int

    def rows(self, *splits: str) -> pd.DataFrame:
        """The rows of the named splits, sorted by ``image_id``."""
        return self.table[self.table["split"].isin(splits)].reset_index(drop=True)

    def counts(self) -> dict[str, dict[str, int]]:
        """Images per source and split: ``{"stylegan2/ffhq": {"train": 8000, "val": 1000, "test": 1000}}``."""
        source = self.table["generator"] + "/" + self.table["training_set"]
        table = pd.crosstab(source, self.table["split"]).reindex(columns=list(SPLITS), fill_value=0)
        return {str(name): {split: int(row[split]) for split in SPLITS} for name, row in table.iterrows()}


def split_counts(n: int, ratios: Sequence[Fraction]) -> tuple[int, int, int]:
    """Exact sizes of train, val and test for ``n`` images: val and test are rounded half up, train is the rest."""
    val, test = (int(n * ratio + Fraction(1, 2)) for ratio in ratios[1:])
    return n - val - test, val, test


def generator_architectures(dataset: Dataset) -> dict[str, str]:
    """Generators of a dataset -> name of their architecture in the literature (the generator's name if unknown)."""
    known = {s["generator"]: s.get("architecture") for s in dataset.info.get("sources", [])}
    generators = sorted({source.split("/")[0] for source in dataset.sources()})
    return {name: known.get(name) or name for name in generators}


def build_manifest(dataset: Dataset, protocol: Protocol | str, fold: Fold | str | None = None) -> Manifest:
    """The manifest of one fold (a name may be left out if the protocol has only one).

    Every source is split by the protocol's ratios; unseen generators keep their test part only, so that the mix of
    seen and unseen test images does not depend on the fold.

    Raises
    ------
    DatasetError: too few generators, or too few images of a source for all three splits.
    LeakError: two images with one id, or the same bytes or pixels in two splits or under two generators.
    """
    rule = load_protocol(protocol) if isinstance(protocol, str) else protocol
    chosen = fold if isinstance(fold, Fold) else rule.fold(generator_architectures(dataset), fold)
    index = dataset.index()
    _refuse_repeated_ids(index)
    seen = tuple(sorted(set(index["generator"]) - set(chosen.unseen)))
    table = pd.concat([_split_source(group, rule.ratios) for _, group in index.groupby(["generator", "training_set"])])
    table["openness"] = np.where(table["generator"].isin(chosen.unseen), "unseen", "seen")
    table = table[(table["openness"] == "seen") | (table["split"] == "test")]
    table["class_index"] = table["generator"].map({name: i for i, name in enumerate(seen)}).fillna(-1).astype(np.int64)
    table = table.sort_values("image_id", ignore_index=True)
    _refuse_repeated_content(table)
    table = table[list(COLUMNS)]
    header = _header(rule.name, chosen.name, dataset.suite, dataset.crop_size, seen, chosen.unseen)
    manifest = Manifest(
        protocol=rule.name,
        fold=chosen.name,
        seen=seen,
        unseen=chosen.unseen,
        table=table,
        manifest_id=_manifest_id(header, table),
        suite=dataset.suite,
        crop_size=dataset.crop_size,
    )
    check_manifest(manifest)
    return manifest


def check_manifest(manifest: Manifest) -> None:
    """LeakError or DatasetError unless the manifest keeps every promise of this module."""
    table = manifest.table
    if tuple(table.columns) != COLUMNS:
        raise DatasetError(f"manifest columns are {', '.join(table.columns)}; expected {', '.join(COLUMNS)}.")
    _refuse_repeated_ids(table)
    if not table["split"].isin(SPLITS).all() or not table["openness"].isin(["seen", "unseen"]).all():
        raise DatasetError("manifest has a split or openness that does not exist.")
    unseen_rows = table["generator"].isin(manifest.unseen)
    if ((table["openness"] == "unseen") != unseen_rows).any() or set(manifest.seen) & set(manifest.unseen):
        raise LeakError("the manifest calls a generator both seen and unseen.")
    leaked = table[unseen_rows & (table["split"] != "test")]
    if len(leaked):
        first = leaked.iloc[0]
        raise LeakError(
            f"{len(leaked)} images of unseen generators lie outside test, first {first['image_id']} of "
            f"{first['generator']} in {first['split']}."
        )
    expected = table["generator"].map({name: i for i, name in enumerate(manifest.seen)}).fillna(-1)
    if (expected != table["class_index"]).any():
        raise LeakError("the manifest's class_index does not agree with its seen generators.")
    _refuse_missing_classes(manifest)


def _refuse_missing_classes(manifest: Manifest) -> None:
    counts = pd.crosstab(manifest.table["generator"], manifest.table["split"])
    wanted = [(g, s) for g in manifest.seen for s in SPLITS] + [(g, "test") for g in manifest.unseen]
    for generator, split in wanted:
        if generator not in counts.index or not counts.reindex(columns=list(SPLITS), fill_value=0).at[generator, split]:
            raise DatasetError(f"generator {generator} has no {split} image in the manifest: generate more images.")


def _refuse_repeated_ids(table: pd.DataFrame) -> None:
    repeated = table["image_id"].duplicated()
    if repeated.any():
        raise LeakError(f"image id {table['image_id'][repeated].iloc[0]} appears twice; ids must be unique.")


def _refuse_repeated_content(table: pd.DataFrame) -> None:
    """The same picture on both sides of a border (split or generator) makes a test image known."""
    side = table["generator"] + " " + table["split"]
    for column in ("pixel_sha256", "bytes_sha256"):
        crossing = side.groupby(table[column]).transform("nunique") > 1
        if crossing.any():
            content = table[column][crossing].iloc[0]
            twins = [f"{i} ({s})" for i, s in zip(table["image_id"], side, strict=True)]
            shown = [twin for twin, same in zip(twins, table[column] == content, strict=True) if same][:2]
            raise LeakError(
                f"{int(crossing.sum())} images have twins of the same {column} in another split or generator, first "
                f"{' and '.join(shown)}: remove one of them from its source."
            )


def _split_source(group: pd.DataFrame, ratios: Sequence[Fraction]) -> pd.DataFrame:
    source = f"{group['generator'].iloc[0]}/{group['training_set'].iloc[0]}"
    sizes = split_counts(len(group), ratios)
    if min(sizes) < 1:
        raise DatasetError(
            f"source {source} has {len(group)} images, too few for {'/'.join(SPLITS)} "
            f"{'/'.join(f'{float(r):g}' for r in ratios)}: generate more images."
        )
    order = np.argsort([hashlib.sha256(name.encode()).hexdigest() for name in group["image_id"]], kind="stable")
    split = np.empty(len(group), dtype=object)
    split[order] = np.repeat(SPLITS, sizes)
    return group.assign(split=split)


def _header(
    protocol: str, fold: str, suite: str, crop_size: int, seen: Sequence[str], unseen: Sequence[str]
) -> dict[str, object]:
    return {
        "schema_version": MANIFEST_SCHEMA_VERSION,
        "protocol": protocol,
        "fold": fold,
        "suite": suite,
        "crop_size": crop_size,
        "seen": list(seen),
        "unseen": list(unseen),
    }


def _manifest_id(header: Mapping[str, object], table: pd.DataFrame) -> str:
    rows = table.to_csv(index=False, header=False, lineterminator="\n")
    return hashlib.sha256((json.dumps(header, sort_keys=True) + "\n" + rows).encode()).hexdigest()


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a checked manifest as Parquet, atomically. Raises what :func:`check_manifest` raises, writing nothing."""
    check_manifest(manifest)
    header = _header(
        manifest.protocol, manifest.fold, manifest.suite, manifest.crop_size, manifest.seen, manifest.unseen
    )
    metadata = {_METADATA_KEY: json.dumps({**header, "manifest_id": manifest.manifest_id}).encode()}
    table = pa.Table.from_pandas(manifest.table, schema=_SCHEMA, preserve_index=False).replace_schema_metadata(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        pq.write_table(table, partial, compression="zstd")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, check it again, and check that its rows still hash to its ``manifest_id``.

    DatasetError for a missing, damaged or edited file; LeakError for a leak.
    """
    try:
        table = pq.read_table(path)
        header = json.loads((table.schema.metadata or {})[_METADATA_KEY])
        manifest_id = header.pop("manifest_id")
        version = header["schema_version"]
        if version != MANIFEST_SCHEMA_VERSION:
            raise DatasetError(
                f"manifest {path} has schema version {version}, this osbench reads "
                f"{MANIFEST_SCHEMA_VERSION}: split again."
            )
        manifest = Manifest(
            protocol=header["protocol"],
            fold=header["fold"],
            seen=tuple(header["seen"]),
            unseen=tuple(header["unseen"]),
            table=table.to_pandas(),
            manifest_id=manifest_id,
            suite=header["suite"],
            crop_size=int(header["crop_size"]),
        )
    except FileNotFoundError as error:
        raise DatasetError(f"no manifest {path}: run `osbench split` first.") from error
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is not a readable manifest ({str(error).splitlines()[0]}): split again.") from error
    check_manifest(manifest)
    if _manifest_id(header, manifest.table) != manifest_id:
        raise DatasetError(f"manifest {path} was edited: its rows do not give its manifest_id; split again.")
    return manifest


def manifest_path(dataset: Dataset, fold: str) -> Path:
    """Where the manifest of a fold lies in a dataset: ``manifests/rotate-stylegan+taming.parquet``."""
    return dataset.path / "manifests" / f"{fold.replace('/', '-')}.parquet"


def split_dataset(dataset: Dataset, protocol_name: str) -> list[Path]:
    """Write the manifests of all folds of a protocol; returns their paths in the order of the folds."""
    protocol = load_protocol(protocol_name)
    paths = []
    for fold in protocol.folds(generator_architectures(dataset)):
        paths.append(manifest_path(dataset, fold.name))
        write_manifest(build_manifest(dataset, protocol, fold), paths[-1])
    return paths


def open_manifest(dataset: Dataset, protocol_name: str, fold_name: str | None = None) -> Manifest:
    """The manifest of a fold in a dataset: read if it was written and still fits the dataset, else split now."""
    protocol = load_protocol(protocol_name)
    fold = protocol.fold(generator_architectures(dataset), fold_name)
    path = manifest_path(dataset, fold.name)
    manifest = build_manifest(dataset, protocol, fold)
    if not path.exists() or read_manifest(path).manifest_id != manifest.manifest_id:
        write_manifest(manifest, path)
    return manifest
