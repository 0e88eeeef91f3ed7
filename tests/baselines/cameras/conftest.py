"""Small trees of photographs with EXIF, and files of darktable's shape."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.generation.folders import list_images


def _write_photograph(
    path: Path, *, seed: int, model: str | None = None, make: str = "", time: datetime | None = None, size: int = 64
) -> Path:
    """A noisy JPEG, unlike those of other seeds."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    exif = Image.Exif()
    if model is not None:
        exif[0x010F], exif[0x0110] = make, model
    if time is not None:
        exif.get_ifd(0x8769)[0x9003] = time.strftime("%Y:%m:%d %H:%M:%S")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=90, exif=exif)
    return path


@pytest.fixture(scope="session")
def write_photograph() -> Callable[..., Path]:
    """A function that writes a noisy JPEG with EXIF of choice."""
    return _write_photograph


@pytest.fixture(autouse=True)
def _fresh_listings():
    """Listings of folders are kept for the life of a process; tests change folders."""
    list_images.cache_clear()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two cameras of six photographs each, by folder name, without EXIF."""
    for k, camera in enumerate(("alpha", "beta")):
        for i in range(6):
            _write_photograph(tmp_path / "photos" / camera / f"{i}.jpg", seed=10 * k + i)
    return tmp_path / "photos"


CAMERAS_XML = """<?xml version="1.0" encoding="UTF-8" ?>
<!DOCTYPE Cameras [<!ELEMENT Cameras (Camera)*>]>
<Cameras>
  <Camera make="NIKON CORPORATION" model="NIKON D9000" mode="12bit">
    <ID make="Nikon" model="D9000">Nikon D9000</ID>
    <CFA width="2" height="2">
      <Color x="0" y="0">GREEN</Color><Color x="1" y="0">BLUE</Color>
      <Color x="0" y="1">RED</Color><Color x="1" y="1">GREEN</Color>
    </CFA>
    <ColorMatrices><ColorMatrix planes="3">
      <ColorMatrixRow plane="0">7034 -804 -1014</ColorMatrixRow>
      <ColorMatrixRow plane="1">-4420 12564 2058</ColorMatrixRow>
      <ColorMatrixRow plane="2">-851 1994 5758</ColorMatrixRow>
    </ColorMatrix></ColorMatrices>
  </Camera>
  <Camera make="FUJIFILM" model="X-T9">
    <ID make="Fujifilm" model="X-T9">Fujifilm X-T9</ID>
    <CFA2 width="6" height="6"><ColorRow y="0">GBGGRG</ColorRow></CFA2>
    <ColorMatrices><ColorMatrix planes="3">
      <ColorMatrixRow plane="0">1 0 0</ColorMatrixRow><ColorMatrixRow plane="1">0 1 0</ColorMatrixRow>
      <ColorMatrixRow plane="2">0 0 1</ColorMatrixRow>
    </ColorMatrix></ColorMatrices>
  </Camera>
  <Camera make="Pentax" model="K-99">
    <CFA2 width="2" height="2"><ColorRow y="0">BG</ColorRow><ColorRow y="1">GR</ColorRow></CFA2>
    <ColorMatrices><ColorMatrix planes="3">
      <ColorMatrixRow plane="0">9000 -2000 -900</ColorMatrixRow>
      <ColorMatrixRow plane="1">-4000 12000 2000</ColorMatrixRow>
      <ColorMatrixRow plane="2">-900 2000 6000</ColorMatrixRow>
    </ColorMatrix></ColorMatrices>
  </Camera>
</Cameras>
"""


def _profile(iso: int, a: float, b: float) -> dict:
    return {"name": f"iso {iso}", "iso": iso, "a": [a, a / 2, a], "b": [b, b, b]}


@pytest.fixture
def darktable(tmp_path: Path) -> Path:
    """A folder with ``noiseprofiles.json`` and ``rawspeed/cameras.xml``, shaped as darktable 4.2 writes them."""
    makers = {
        "Nikon": {"D9000": [_profile(100, 4e-6, 3e-8), _profile(400, 1.6e-5, -1e-8), _profile(25600, 9e-4, 1e-5)]},
        "Fujifilm": {"X-T9": [_profile(200, 4e-6, 3e-8)]},
        "Pentax": {"PENTAX K-99": [_profile(100, 5e-6, 2e-8), _profile(200, -1e-6, 2e-8)]},
        "Sony": {"ILCE-99": [_profile(100, 4e-6, 3e-8)]},
    }
    profiles = [
        {"maker": maker, "models": [{"comment": "", "model": m, "profiles": p} for m, p in models.items()]}
        for maker, models in makers.items()
    ]
    folder = tmp_path / "darktable"
    (folder / "rawspeed").mkdir(parents=True)
    (folder / "noiseprofiles.json").write_text(json.dumps({"version": 0, "noiseprofiles": profiles}))
    (folder / "rawspeed" / "cameras.xml").write_text(CAMERAS_XML)
    return folder
