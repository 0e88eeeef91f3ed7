"""Where and with what a run was made: library versions, source revision, hardware."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from ..generation.versions import library_versions as image_library_versions
from .run_info import Git, Hardware

_LIBRARIES = ("osbench", "datasets", "pandas", "safetensors", "scikit-learn", "scipy")


def library_versions() -> dict[str, str]:
    """Everything that can change an image or a number, name -> version."""
    return {**image_library_versions(), **{name: metadata.version(name) for name in _LIBRARIES if _installed(name)}}


def _installed(name: str) -> bool:
    # A source tree on the path has no metadata.
    return bool(list(metadata.distributions(name=name)))


def git_revision() -> Git | None:
    """``{"revision", "dirty"}`` of the checkout this package runs from, None if it is installed otherwise.

    A package installed into an environment that happens to lie in somebody's repository is no checkout: this file
    itself must be tracked.
    """
    here = Path(__file__).resolve()
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    revision = _git(here.parent, "rev-parse", "HEAD")
    changes = (_git(here.parent, "status", "--porcelain") or "").splitlines()
    # A file that git does not know changes nothing unless it is code.
    dirty = any(not line.startswith("??") or line.endswith((".py", "/")) for line in changes)
    return None if revision is None else Git(revision.strip(), dirty)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        command = ["git", "-C", str(folder), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout


def hardware(device: str) -> Hardware:
    """Processor, cores, memory in GB, and the device that did the work: ``cpu``, ``cuda`` or ``cuda:N``."""
    return Hardware(
        device=device,
        device_name=_accelerator(device) if device.startswith("cuda") else _processor(),
        processor=_processor(),
        cores=os.cpu_count(),
        memory_gb=_memory_gb(),
        system=f"{platform.system()} {platform.machine()}",
    )


def _accelerator(device: str) -> str:
    import torch  # takes seconds, and who asks about an accelerator has it loaded

    return torch.cuda.get_device_name(device)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (ValueError, OSError, AttributeError):
        return None
