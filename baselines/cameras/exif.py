"""What a photograph says about its camera: maker, model and time, from EXIF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import Image

_MAKE, _MODEL, _TIME, _EXIF, _TIME_ORIGINAL = 0x010F, 0x0110, 0x0132, 0x8769, 0x9003


@dataclass(frozen=True)
class ExifRecord:
    """camera: "Canon EOS 70D", or None; time: when the picture was taken, or None."""

    camera: str | None
    time: datetime | None


def read_exif(picture: Image.Image) -> ExifRecord:
    """The record of an opened image; damaged EXIF counts as none, for the picture itself may be sound."""
    try:
        tags = picture.getexif()
        inner = tags.get_ifd(_EXIF)
    except Exception:  # Pillow's parser raises whatever a malformed block makes it trip over
        return ExifRecord(None, None)
    time = _time(inner.get(_TIME_ORIGINAL) or tags.get(_TIME))
    return ExifRecord(camera_name(tags.get(_MAKE), tags.get(_MODEL)), time)


def camera_name(make: Any, model: Any) -> str | None:
    """Maker and model as one name, the maker not said twice: ("NIKON CORPORATION", "NIKON D70") -> "NIKON D70"."""
    make, model = _clean(make), _clean(model)
    if not model:
        return None
    maker = make.split()[0] if make else ""
    return model if model.lower().startswith(maker.lower()) else f"{maker} {model}"


def _clean(text: Any) -> str:
    return " ".join(str(text or "").replace("\0", " ").split())


def _time(text: Any) -> datetime | None:
    try:
        return datetime.strptime(_clean(text), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
