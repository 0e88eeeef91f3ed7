"""The dataset card: Hugging Face metadata and tables, every number computed from the dataset itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import yaml

from ..core.errors import DatasetError
from ..core.markdown import markdown_table
from ..core.publish import write_atomically
from .audit_record import audit_markdown, read_audit
from .dataset import REPRODUCTION, Dataset, features
from .datasheet import datasheet_of, licence_rows
from .record_schema import learned
from .salt import WITHHELD
from .seeds import image_seed

CARD = "README.md"
_SPLIT = "images"
_SIZES = (
    (1e3, "n<1K"),
    (1e4, "1K<n<10K"),
    (1e5, "10K<n<100K"),
    (1e6, "100K<n<1M"),
    (1e7, "1M<n<10M"),
    (1e8, "10M<n<100M"),
    (1e9, "100M<n<1B"),
    (1e10, "1B<n<10B"),
    (1e11, "10B<n<100B"),
    (1e12, "100B<n<1T"),
)
"""The Hub's own names for the size of a dataset."""

_TAGS = ["image-forensics", "synthetic-images", "source-attribution", "open-set-recognition", "osbench"]
_HUB_LICENCES = {"apache-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "mit"}


def write_card(dataset: Dataset, path: Path | None = None) -> Path:
    """Write the card as the dataset's ``README.md`` (or to ``path``) and return where."""
    target = path or dataset.path / CARD
    write_atomically(target, card_text(dataset).encode())
    return target


def card_text(dataset: Dataset) -> str:
    """Markdown with YAML front matter. DatasetError if the dataset is not complete."""
    index = dataset.index(role=None)
    sizes = {entry.file: (dataset.path / entry.file).stat().st_size for entry in dataset.shards()}
    header = yaml.safe_dump(_metadata(dataset, index, sizes), sort_keys=False, allow_unicode=True, width=120)
    sections = [
        f"# {dataset.info['title']}",
        _summary(dataset, index, sizes),
        "## Sources\n\n" + "\n\n".join([_source_table(dataset, index, sizes), *_remarks(dataset, index)]),
        "## Audit\n\n" + _audit(dataset),
        *_published(dataset),
        "## JPEG quality\n\n" + _quality_table(index),
        "## Weights\n\n" + _weights_table(dataset),
        "## Recipe\n\n" + markdown_table(["setting", "value"], dataset.info["recipe"].items()),
        _columns(dataset),
        "## Reproducibility\n\n" + _reproducibility(dataset),
        _reading(),
        "## Licences\n\n" + _licences(dataset),
        "## Datasheet\n\n" + datasheet_of(dataset, index).text(),
    ]
    return f"---\n{header}---\n\n" + "\n\n".join(sections) + "\n"


def _metadata(dataset: Dataset, index: pd.DataFrame, sizes: dict[str, int]) -> dict[str, Any]:
    licences = {str(source["licence"]).lower() for source in dataset.info["sources"]}
    only = licences.pop() if len(licences) == 1 else ""
    return {
        "pretty_name": dataset.info["title"],
        "license": only if only in _HUB_LICENCES else "other",
        "task_categories": ["image-classification"],
        "size_categories": [size_category(len(index))],
        "tags": _TAGS,
        "configs": [
            {"config_name": "default", "data_files": [{"split": _SPLIT, "path": "shards/*/*/shard-*.parquet"}]}
        ],
        "dataset_info": {
            "features": [
                {"name": name, "dtype": "image" if kind["_type"] == "Image" else kind["dtype"]}
                for name, kind in features(dataset.info["schema_version"]).items()
            ],
            "splits": [{"name": _SPLIT, "num_bytes": _memory_bytes(dataset), "num_examples": len(index)}],
            "download_size": sum(sizes.values()),
            "dataset_size": _memory_bytes(dataset),
        },
    }


def size_category(images: int) -> str:
    """The Hub's name for a number of images."""
    return next((name for limit, name in _SIZES if images < limit), "n>1T")


def _memory_bytes(dataset: Dataset) -> int:
    """Uncompressed size of all row groups."""
    total = 0
    for entry in dataset.shards():
        metadata = pq.read_metadata(dataset.path / entry.file)
        total += sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    return total


def _summary(dataset: Dataset, index: pd.DataFrame, sizes: dict[str, int]) -> str:
    info = dataset.info
    made = len(dataset.info["sources"])
    return (
        f"{len(index):,} images from {made} sources ({index['generator'].nunique()} generators,"
        f" {index['training_set'].nunique()} training sets) in {len(sizes)} Parquet shards,"
        f" {_megabytes(sum(sizes.values()))}. Suite `{info['suite']}`, version `{info['suite_version']}`,"
        f" schema version {info['schema_version']}. Each row stores the encoded bytes of one image and a benchmark"
        f" crop of {dataset.crop_size} x {dataset.crop_size} pixels inside it, never resampled.\n\n"
        + _salted(dataset)
        + "Task: say which generator made an image, or that none of the known ones did (open-set source attribution)."
    )


def _salted(dataset: Dataset) -> str:
    if "salt_sha256" not in dataset.info:
        return ""
    return f"Image ids are salted; the columns {' and '.join(WITHHELD)} are withheld.\n\n"


def _source_table(dataset: Dataset, index: pd.DataFrame, sizes: dict[str, int]) -> str:
    rows = []
    for source in dataset.info["sources"]:
        mine = _of_source(index, source)
        disk = sum(sizes[shard] for shard in set(mine["shard"]))
        native = sorted({f"{w} x {h}" for w, h in zip(mine["native_width"], mine["native_height"], strict=True)})
        shown = native[0] if len(native) == 1 else f"{len(native)} sizes"
        maker = source.get("family") or ("pictures as they are" if "pictures" in source else "folder of images")
        rows.append(
            [
                source["name"],
                source["architecture"],
                maker,
                f"{len(mine):,}",
                _megabytes(disk),
                shown,
                source["licence"],
            ]
        )
    return markdown_table(["source", "architecture", "family", "images", "size", "native pixels", "licence"], rows)


def _remarks(dataset: Dataset, index: pd.DataFrame) -> list[str]:
    """What a reader must know of single sources: one sentence each."""
    remarks = []
    for source in dataset.info["sources"]:
        if "resynthesizes" in source:
            again = source["resynthesizes"]
            remarks.append(f"{source['name']} draws images of {again['source']} again, each {again['draws']} times.")
        if "stands_in" in source:
            remarks.append(f"{source['name']} stands in: {source['stands_in']}.")
        if "deviation" in source:
            remarks.append(f"{source['name']} is not the catalogued source: {source['deviation']}.")
        redrawn = _redrawn(source, index) if "prompts" in source else 0
        if redrawn:
            remarks.append(f"{source['name']}: {redrawn:,} pictures came out blank and were drawn again.")
    return remarks


_EXISTING = {
    "as-published": "Every JPEG and PNG is stored byte for byte as it was published (other formats as PNG of the same"
    " pixels). File formats and compression may tell sources apart: compare methods on a canonical import.",
    "canonical": "Every picture was decoded, cropped and compressed like an image that osbench makes, with a quality"
    " drawn from the image's own seed, so that neither file format nor quantisation table tells its source. What an"
    " earlier compression left in the pixels is still there.",
}


def _published(dataset: Dataset) -> list[str]:
    """What a dataset of published pictures is made of, and what was done to them; nothing for another one."""
    origins = {tuple(source["imported"].values()) for source in dataset.info["sources"] if "imported" in source}
    if not origins:
        return []
    lines = [f"{citation}. Laid out as `{reader}` reads it; from {page}." for reader, citation, page in sorted(origins)]
    lines.append(_EXISTING.get(dataset.info["recipe"].get("existing", ""), ""))
    lines.append("Column `origin` is the published file, `origin_sha256` its hash.")
    missing = dataset.left_out()
    if missing:
        lines.append(f"{len(missing):,} files of the published data set are no pictures that can be used: left out.")
    return ["## Published pictures\n\n" + "\n\n".join(line for line in lines if line)]


def _of_source(index: pd.DataFrame, source: dict[str, Any]) -> pd.DataFrame:
    """The rows of one source: of its shards, since several weights share generator and training set."""
    folder = f"shards/{source['name']}/"
    return pd.DataFrame(index.loc[[str(shard).startswith(folder) for shard in index["shard"]]])


def _redrawn(source: dict[str, Any], index: pd.DataFrame) -> int:
    """Images whose generator was not given the image's own seed (see :func:`.shards.sample_batch`)."""
    key = (source["namespace"], source["generator"], learned(source))
    mine = _of_source(index, source)
    if mine["seed"].isna().all():  # withheld
        return 0
    return sum(image_seed(*key, int(i)) != seed for i, seed in zip(mine["index"], mine["seed"], strict=True))


def _audit(dataset: Dataset) -> str:
    """What trivial attributors found."""
    try:
        audit = read_audit(dataset)
    except DatasetError:
        audit = None
    if audit is None:
        return "Not audited as it is now: `osbench audit DATASET` says whether its sources are told apart by colours."
    return audit_markdown(audit)


def _quality_table(index: pd.DataFrame) -> str:
    names = [
        str(quality) if not pd.isna(quality) else "none (PNG)" if pd.isna(tables) else "as supplied"
        for quality, tables in zip(index["jpeg_quality"], index["jpeg_tables_sha256"], strict=True)
    ]
    sources = index["shard"].str.split("/").str[1:3].str.join("/")
    counts = pd.crosstab(sources, pd.Series(names, name="quality"))
    rows = [[str(name), *(f"{n:,}" for n in row)] for name, row in zip(counts.index, counts.to_numpy(), strict=True)]
    total = ["all", *(f"{n:,}" for n in counts.to_numpy().sum(0))]
    return markdown_table(["source", *map(str, counts.columns)], [*rows, total])


def _weights_table(dataset: Dataset) -> str:
    rows = []
    for source in dataset.info["sources"]:
        if "weights" in source:
            weights = source["weights"]
            made_of = [f"`{weights['file']}`", f"{source['parameters']:,}", f"{weights['bytes']:,}"]
            rows.append([source["name"], *made_of, f"`{weights['sha256']}`", _inline(source["sampling"])])
        elif "folder" in source:
            folder = source["folder"]
            rows.append([source["name"], f"{folder['files']:,} files", "", "", f"`{folder['sha256']}`", ""])
    return markdown_table(["source", "file", "parameters", "bytes", "SHA-256", "sampling"], rows)


def _columns(dataset: Dataset) -> str:
    columns = features(dataset.info["schema_version"])
    rows = [[f"`{name}`", kind.get("dtype", "image (encoded bytes)")] for name, kind in columns.items()]
    return "## Columns\n\n" + markdown_table(["column", "type"], rows)


def _reproducibility(dataset: Dataset) -> str:
    made = {"device": dataset.info["device"], **dataset.info["versions"]}
    text = "Same machine, same versions, same recipe: identical bytes. Made with:\n\n" + markdown_table(
        ["what", "value"], made.items()
    )
    path = dataset.path / REPRODUCTION
    if not path.is_file():
        return text + "\n\nNot yet made again elsewhere: `osbench verify DATASET --regenerate 10 --record`."
    found = json.loads(path.read_text("utf-8"))
    rows = [
        [s["source"], s["images"], s["bit_exact"], s["within_one"], _decibel(s["psnr_db"]), s["verdict"]]
        for s in found["sources"]
    ]
    head = ["source", "images", "bit-exact", "within one level", "worst PSNR", "verdict"]
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return text + f"\n\nMade again on {found['device']} with {versions}:\n\n" + markdown_table(head, rows)


def _licences(dataset: Dataset) -> str:
    """Who may use the images of which sources, and pass them on."""
    table = markdown_table(["licence", "terms", "use", "passing on", "sources"], licence_rows(dataset))
    said = " ".join(datasheet_of(dataset, dataset.index()).distribution)
    return f"{table}\n\n{said} `osbench licences --data DATASET` checks it before the images go anywhere."


def _reading() -> str:
    return (
        "## Reading it\n\n"
        "```python\n"
        "import datasets\n\n"
        'images = datasets.load_dataset("parquet", data_files="shards/*/*/*.parquet", split="train")\n'
        'stored = images.cast_column("image", datasets.Image(decode=False))  # the exact bytes\n'
        "```\n\n"
        "Never hand a decoded picture back to `datasets`: it recompresses JPEG at quality 75 without a word, and the"
        " compression history is part of what is studied here. `bytes_sha256` and `pixel_sha256` detect it."
    )


def _inline(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items() if value not in ([], None)) or "defaults"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _decibel(value: float | None) -> str:
    return "identical" if value is None else f"{value:.1f} dB"
