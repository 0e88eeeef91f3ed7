"""``croissant.json``: the data set for machines, in MLCommons Croissant 1.1 (JSON-LD) with the responsible-AI fields.

Every shard is a file with its size and SHA-256, every column a field. What is said of use, biases and limits are the
statements of :mod:`.datasheet`. Nothing in it depends on when or where it was made, so there is no date: who publishes
the data set adds ``datePublished`` and ``url``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ..core.publish import write_atomically
from .dataset import Dataset, features
from .datasheet import FORBIDDEN, INTENDED, Datasheet, datasheet_of
from .terms import dataset_terms

CROISSANT = "croissant.json"
RECORDS = "images"

_SHARDS = "shards"
_TYPES = {"string": "sc:Text", "int32": "sc:Integer", "int64": "sc:Integer"}
_PARQUET = "application/x-parquet"

_CITE = (
    "@misc{osbench, title = {osbench: an open benchmark for open-set synthetic image source attribution}, "
    "author = {{The osbench maintainers}}}"
)

# fmt: off
_VOCABULARY = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
    "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5",
    "parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator",
    "source", "subField", "transform",
)
# fmt: on
"""Croissant's own words, of which the shorter ones are schema.org's too."""


def write_croissant(dataset: Dataset, path: Path | None = None) -> Path:
    """Write ``croissant.json`` into the dataset (or to ``path``) and return where."""
    target = path or dataset.path / CROISSANT
    text = json.dumps(croissant(dataset), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(target, text.encode())
    return target


def croissant(dataset: Dataset) -> dict[str, Any]:
    """The document. DatasetError if the dataset is not complete."""
    index = dataset.index()
    sheet = datasheet_of(dataset, index)
    licences = dict.fromkeys(terms.url or terms.title for terms in dataset_terms(dataset).values())
    return {
        "@context": _context(),
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": _name(dataset.info["suite_version"]),
        "description": " ".join((*sheet.motivation, *sheet.composition)),
        "license": list(licences),
        "version": _version(dataset.info["suite_version"]),
        "citeAs": _CITE,
        "keywords": ["image forensics", "synthetic images", "source attribution", "open-set recognition", "osbench"],
        "creator": {"@type": "sc:Organization", "name": "The osbench maintainers"},
        **_responsible(sheet),
        "distribution": _distribution(dataset),
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": RECORDS,
                "name": RECORDS,
                "description": "One record is one image.",
                "key": {"@id": f"{RECORDS}/image_id"},
                "field": [_field(name, kind) for name, kind in features(dataset.info["schema_version"]).items()],
            }
        ],
    }


def _distribution(dataset: Dataset) -> list[dict[str, Any]]:
    """Every shard, and all of them together, which is what the records are read from."""
    files = [
        {
            "@type": "cr:FileObject",
            "@id": entry.file,
            "name": entry.file,
            "contentUrl": entry.file,
            "contentSize": f"{(dataset.path / entry.file).stat().st_size} B",
            "encodingFormat": _PARQUET,
            "sha256": entry.sha256,
        }
        for entry in dataset.shards()
    ]
    pattern = "shards/*/*/shard-*.parquet"
    together = {"@type": "cr:FileSet", "@id": _SHARDS, "name": _SHARDS, "encodingFormat": _PARQUET, "includes": pattern}
    return [*files, together]


def _field(name: str, kind: dict[str, str]) -> dict[str, Any]:
    source: dict[str, Any] = {"fileSet": {"@id": _SHARDS}, "extract": {"column": name}}
    if kind["_type"] == "Image":
        source["transform"] = {"jsonPath": "bytes"}
    return {
        "@type": "cr:Field",
        "@id": f"{RECORDS}/{name}",
        "name": name,
        "dataType": "sc:ImageObject" if kind["_type"] == "Image" else _TYPES[kind["dtype"]],
        "source": source,
    }


def _responsible(sheet: Datasheet) -> dict[str, Any]:
    """The fields of the RAI extension."""
    return {
        "rai:dataCollection": " ".join(sheet.collection),
        "rai:dataCollectionMissingData": "Nothing is missing by design; a blank image is an error.",
        "rai:dataPreprocessingProtocol": list(sheet.processing),
        "rai:dataAnnotationProtocol": "The label is the maker of the image; nobody annotated anything.",
        "rai:dataUseCases": [f"Intended: {use}." for use in INTENDED] + [f"Forbidden: {use}." for use in FORBIDDEN],
        "rai:dataBiases": list(sheet.biases),
        "rai:dataLimitations": list(sheet.limitations),
        "rai:personalSensitiveInformation": list(sheet.sensitive),
        "rai:dataSocialImpact": f"It helps to name the source of a synthetic image. {FORBIDDEN[0].capitalize()} is not "
        "what it is for: a wrong answer accuses somebody.",
        "rai:dataReleaseMaintenancePlan": " ".join((*sheet.distribution, *sheet.maintenance)),
    }


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:255]


def _version(text: str) -> str:
    """``mini-v1`` -> ``1.0.0``: Croissant wants a semantic version."""
    number = re.search(r"v(\d+)", text)
    return f"{int(number[1])}.0.0" if number else "1.0.0"


def _context() -> dict[str, Any]:
    """The names of Croissant's vocabulary, as its specification abbreviates them."""
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "sc": "https://schema.org/",
        **{name: f"cr:{name}" for name in _VOCABULARY},
        "name": {"@container": "@language"},
        "description": {"@container": "@language"},
        "conformsTo": "dct:conformsTo",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
    }
