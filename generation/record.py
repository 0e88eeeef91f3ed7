"""``dataset.json``: what a dataset is made of, down to the hash of every weight file and the library versions.

Nothing in it depends on when, where or how fast it was made, so that the same recipe gives the same file.
"""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from PIL import features as pillow_features

from ..core.errors import DatasetError, UsageError
from ..core.hashing import file_sha256
from ..core.publish import write_atomically
from .catalog import Source, Suite
from .dataset import RECORD, version_for
from .folders import folder_sha256, list_images
from .networks import NetworkFacts, weights_bytes, weights_sha256
from .picture_set import open_picture_set


def library_versions() -> dict[str, str]:
    """Versions of everything that may change a byte of a dataset."""
    packages = ("numpy", "pillow", "pyarrow", "simplejpeg", "torch", "diffusers", "transformers")
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "libjpeg-turbo": str(pillow_features.version("libjpeg_turbo")),
        "zlib": str(pillow_features.version("zlib")),
    }


def device_name(device: str) -> str:
    """``cpu`` or the accelerator's name. UsageError if it is not there."""
    try:
        kind = torch.device(device).type
        if kind == "cuda":
            return torch.cuda.get_device_name(torch.device(device))
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, ValueError, NotImplementedError) as error:
        raise UsageError(f"device '{device}' cannot be used on this machine. Try --device cpu.") from error
    return kind


def source_sha256(source: Source) -> str:
    """Hash of the weights file, of the folder's files, or of the pictures shown, with what tells a renderer of them.

    DatasetError if something is not there.
    """
    if source.folder is not None:
        return folder_sha256(source.folder)
    if source.pictures is not None:
        return _rendering_sha256(source)
    return _weights_sha256(source)


def _rendering_sha256(source: Source) -> str:
    parts = [file_sha256(path) for path in (source.pictures, source.block_code) if path is not None]
    if source.shows is None:
        parts.append(_weights_sha256(source))
    return hashlib.sha256("\n".join([*parts, source.shows or ""]).encode()).hexdigest()


def _weights_sha256(source: Source) -> str:
    if source.weights is None or not source.weights.exists():
        where = source.weights or source.published[0].where
        raise DatasetError(f"source {source.name}: weights {where} are missing. Leave it out with --source.")
    return weights_sha256(source.weights)


def source_namespace(suite: Suite, source: Source, sha256: str) -> str:
    """First part of the identity of a source's images: the suite's version; own or other content is other images."""
    return f"{suite.version}+{sha256[:16]}" if source.folder or source.deviation else suite.version


def source_record(suite: Suite, source: Source, count: int, sha256: str, facts: NetworkFacts | None) -> dict[str, Any]:
    """The entry of one source in ``dataset.json``; ``facts`` of its network, None if no network makes its images."""
    record: dict[str, Any] = {
        "name": source.name,
        "generator": source.generator,
        "training_set": source.training_set,
        "architecture": source.architecture,
        "licence": source.licence,
        "namespace": source_namespace(suite, source, sha256),
        "count": count,
        "shards": -(-count // suite.recipe.shard_rows),
    }
    if source.weights_id is not None:
        record["weights_id"] = source.weights_id
    if source.service is not None:
        record["service"] = source.service
    if source.resynthesizes is not None:
        record["resynthesizes"] = {"source": source.resynthesizes.source, "draws": source.resynthesizes.draws}
    if source.pictures is not None:
        record["pictures"] = _pictures_record(source, sha256)
    if source.shows is not None:
        return record
    if facts is None:
        assert source.folder is not None
        return {**record, "folder": {"files": len(list_images(source.folder)), "sha256": sha256}}
    assert source.weights is not None
    record |= {
        "family": facts.family,
        "native_size": facts.resolution,
        "parameters": facts.parameters,
        "weights": {
            "file": source.weights.name,
            "bytes": weights_bytes(source.weights),
            "sha256": weights_sha256(source.weights) if source.pictures is not None else sha256,
        },
        "sampling": {**source.sampling, "class_labels": list(source.class_labels)},
        "uint8_rule": facts.uint8_rule,
    }
    return record | _remarks(source, facts)


def _pictures_record(source: Source, sha256: str) -> dict[str, Any]:
    """What a source shows. sha256: of everything that its images are made of, see :func:`source_sha256`."""
    assert source.pictures is not None
    pictures = open_picture_set(source.pictures)
    entry = {"file": source.pictures.name, "count": len(pictures), "sha256": sha256}
    if source.shows is not None:
        return {**entry, "shows": source.shows}
    assert source.block_code is not None
    return {**entry, "block_code_sha256": file_sha256(source.block_code)}


def _remarks(source: Source, facts: NetworkFacts) -> dict[str, Any]:
    """What only some sources have; absent where there is nothing to say."""
    prompts = "\n".join(source.prompts)
    remarks = {
        "network": facts.settings,
        "settings": source.settings,
        "crop_rows": list(source.crop_rows or ()),
        "prompts": {"count": len(source.prompts), "sha256": hashlib.sha256(prompts.encode()).hexdigest()}
        if source.prompts
        else {},
        "safety_checker": "off" if facts.family == "diffusers" else "",
        "watermark": "off" if facts.family == "diffusers" else "",
        "stands_in": source.stands_in,
        "deviation": source.deviation,
    }
    return {key: value for key, value in remarks.items() if value}


def dataset_record(suite: Suite, device: str, sources: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole of ``dataset.json``."""
    return {
        "schema_version": version_for(suite.described),
        "suite": suite.name,
        "suite_version": suite.version,
        "title": suite.title,
        "recipe": suite.recipe.document(),
        "device": device_name(device),
        "versions": library_versions(),
        "sources": sorted(sources, key=lambda source: source["name"]),
    }


def merge_records(path: Path, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Add the sources of ``new`` to ``old``; a source may have more images than before and nothing else may differ.

    DatasetError if both cannot be one dataset, or if ``new`` asks for fewer images than there are.
    """
    for key in ("schema_version", "suite", "suite_version", "recipe", "device", "versions"):
        if old.get(key) != new[key]:
            raise DatasetError(
                f"{path}: was begun with another {key.replace('_', ' ')} ({_difference(old.get(key), new[key])})."
                " Use the same again, or another --out folder."
            )
    known = {source["name"]: source for source in old["sources"]}
    for source in new["sources"]:
        before = known.get(source["name"], source)
        if {**before, "count": 0, "shards": 0} != {**source, "count": 0, "shards": 0}:
            raise DatasetError(
                f"{path}: holds source {source['name']} with other settings ({_difference(before, source)})."
                " Use the same again, or another --out folder."
            )
        check_count(path, old, source["name"], source["count"])
        known[source["name"]] = source
    return {**new, "sources": [known[name] for name in sorted(known)]}


def check_count(path: Path, record: dict[str, Any], name: str, count: int) -> None:
    """DatasetError if a dataset holds more images of a source than are asked for: none is ever thrown away."""
    held = next((source["count"] for source in record["sources"] if source["name"] == name), 0)
    if held > count:
        raise DatasetError(
            f"{path}: holds {held:,} images of {name}, more than the {count:,} asked for. Give --count {held} or more,"
            " or another --out folder."
        )


def _difference(old: Any, new: Any) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        return "; ".join(f"{key}: {old.get(key)} is not {new.get(key)}" for key in keys[:3])
    return f"{old} is not {new}"


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write ``dataset.json`` atomically; unchanged content is not touched."""
    data = (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()
    path = folder / RECORD
    if not path.exists() or path.read_bytes() != data:
        write_atomically(path, data)
