"""Folders of models as the Hub has them: where one lies on this machine, and what identifies its weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ...core.errors import CheckpointError
from ...core.hashing import file_sha256


def find_folder(source: str) -> Path:
    """The folder of a Hub id or of a path. CheckpointError, saying how to get the weights, if it is not complete."""
    folder = Path(source)
    if not folder.is_dir():
        folder = _downloaded(source)
    if not (folder / "config.json").is_file() or not weight_files(folder):
        raise CheckpointError(f"{folder} is no complete model: it needs config.json and a .safetensors file.")
    return folder


def why_missing(source: str) -> str | None:
    """What :func:`find_folder` would complain about, None if the weights are there."""
    try:
        find_folder(source)
    except CheckpointError as error:
        return str(error)
    return None


def weights_sha256(folder: Path) -> str:
    """SHA-256 of a model's configuration and weights."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for path in weight_files(folder):
        digest.update(bytes.fromhex(file_sha256(path)))
    return digest.hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """Files with weights, sorted: safetensors if there are any, else the older format."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def first_line(error: Exception) -> str:
    """What an error of another library says, cut to one line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _downloaded(source: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise CheckpointError(
            f"the weights of '{source}' are not on this machine: get them with 'hf download {source}', or give a "
            "folder that holds them."
        ) from error
