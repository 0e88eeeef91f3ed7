"""Versions of the libraries that make images; reading them loads none of the large ones."""

from __future__ import annotations

import platform
from importlib.metadata import version

from PIL import features as pillow_features


def library_versions() -> dict[str, str]:
    """Versions of everything that may change a byte of a dataset."""
    packages = ("numpy", "pillow", "pyarrow", "simplejpeg", "torch", "diffusers", "transformers")
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "libjpeg-turbo": str(pillow_features.version("libjpeg_turbo")),
        "zlib": str(pillow_features.version("zlib")),
    }
