"""Diffusers pipelines from the Hugging Face Hub: safetensors and JSON of one fixed revision, nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from ..core.errors import CheckpointError
from ..core.publish import write_atomically
from .catalog.published import HubModel
from .downloads import Downloader, DownloadError, weights_folder

PATTERNS = ("model_index.json", "*/*.json", "*/*.safetensors", "*/merges.txt", "*/vocab.txt", "*/*.model")
"""Only what a pipeline reads; no pickles, no Python."""
UNUSED = ("safety_checker/*", "*.fp16.*", "*non_ema*")


def cached_model(model: HubModel) -> Path | None:
    """The pipeline's folder if it was downloaded completely before."""
    try:
        done = json.loads(_receipt(model).read_text("utf-8"))
        folder = Path(done["folder"])
        whole = all((folder / name).stat().st_size == size for name, size in done["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return folder if whole else None


def download_model(model: HubModel, downloader: Downloader) -> Path:
    """The pipeline's folder, downloaded if need be (the Hub's client resumes and checks hashes). CheckpointError."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    host = constants.ENDPOINT.partition("://")[2]
    try:
        if not constants.is_offline_mode():
            downloader.check_reachable(constants.ENDPOINT)  # the client would ask six times, for half a minute
        folder = Path(
            snapshot_download(
                model.repo,
                revision=model.revision,
                allow_patterns=list(PATTERNS),
                ignore_patterns=list(UNUSED),
            )
        )
    except LocalEntryNotFoundError as error:
        raise CheckpointError(f"{host}: cannot be reached, or HF_HUB_OFFLINE is set") from error
    except (DownloadError, HfHubHTTPError, OSError, ValueError) as error:
        raise CheckpointError(f"{host}: {str(error).strip().splitlines()[0][:160]}") from error
    if not (folder / "model_index.json").is_file():
        raise CheckpointError(f"{host}: no model_index.json there, so it is no diffusers pipeline")
    # The client's own cache does not tell a whole snapshot from one that was interrupted between two files.
    files = {p.relative_to(folder).as_posix(): p.stat().st_size for p in sorted(folder.rglob("*")) if p.is_file()}
    _receipt(model).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(_receipt(model), json.dumps({"folder": str(folder), "files": files}, indent=2).encode())
    return folder


def _receipt(model: HubModel) -> Path:
    return weights_folder() / "hub" / f"{model.repo.replace('/', '--')}@{model.revision}.json"
