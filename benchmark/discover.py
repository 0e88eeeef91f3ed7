"""Which new sources are behind the images that a run rejects? Groups them by what its method sees in them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..core.documents import to_json
from ..core.errors import DatasetError, OsbenchError, RunError, UsageError
from ..core.progress import track
from ..core.publish import publishing
from ..core.text import printable
from .answers import DEFAULT_THRESHOLD_RULE
from .attribute import NotAttributed, ask_model, picture_or_error
from .grouping import LEAST, Grouping, group
from .method import Method
from .models import load_model
from .pictures_alike import Picture, crops_alike
from .runs import NATIVE, Run

_BATCH = 256
_COLUMNS, _ROWS, _GAP = 8, 8, 2


@dataclass(frozen=True)
class Group:
    """Rejected images that are likely from one source.

    Parameters
    ----------
    name : str
        ``group-1`` is the largest.
    images : tuple of str
        Paths, the most typical first.
    silhouette : float
        Mean silhouette of its images: towards 1 it stands apart, at 0 it touches another. NaN for a single group.
    most_alike : str
        The known source that most of its images are most alike.
    sheet : str, optional
        The contact sheet: crops of up to 64 images, the most typical first.
    """

    name: str
    images: tuple[str, ...]
    silhouette: float
    most_alike: str
    sheet: str | None


@dataclass(frozen=True)
class Discovery:
    """What :func:`discover` found.

    Parameters
    ----------
    groups : tuple of Group
        The largest first; empty if too few images are rejected.
    silhouette : float
        Mean over all grouped images, the quality of the grouping; NaN for less than two groups.
    accepted : tuple of str
        Images that the run attributes to a source that it knows.
    rejected : int
        How many it does not.
    left_out : tuple of NotAttributed
        Files without an answer, and why.
    """

    groups: tuple[Group, ...]
    silhouette: float
    accepted: tuple[str, ...]
    rejected: int
    left_out: tuple[NotAttributed, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-able form; undefined numbers are None."""
        return to_json(self)


def discover(
    images: Sequence[Path],
    run: Run,
    *,
    out: Path | None = None,
    rule: str = NATIVE,
    threshold_rule: str = DEFAULT_THRESHOLD_RULE,
    method_file: str | None = None,
) -> Discovery:
    """Group the images that a run rejects into likely new sources.

    Their number comes from the images alone (:func:`.grouping.group`), one included. Where some of the rejected images
    are JPEG and others were never compressed, these are compressed alike first (:mod:`.pictures_alike`).

    Parameters
    ----------
    images : sequence of Path
        Files; one that cannot be read costs its own place only.
    run : Run
        A run with its model, of a method that has an embedding.
    out : Path, optional
        A new or empty folder for the contact sheets; none without it.
    rule, threshold_rule : str
        Rejection rule, and how its threshold is chosen.
    method_file : str, optional
        The user's own file where the method is defined, if it is not registered.

    Raises
    ------
    UsageError
        For a method without an embedding, and for an ``out`` that holds something.
    DatasetError
        If no image can be read.
    """
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{printable(out)} holds something already: give another --out.")
    answers = run.answers(rule)
    threshold = answers.blind_threshold(threshold_rule)
    method = load_model(run, method_file)
    size = run.info.config.crop_size
    read = [picture_or_error(path, size) for path in track(images, description="read", total=len(images), unit="image")]
    left_out = tuple(one for one in read if isinstance(one, NotAttributed))
    found = [(path, one) for path, one in zip(images, read, strict=True) if not isinstance(one, NotAttributed)]
    if not found:
        reason = f" ({left_out[0].error})" if left_out else ""
        raise DatasetError(f"no image can be read of {len(images)}{reason}")
    pixels = np.stack([one.pixels for _, one in found])
    known, candidate = _asked(method, answers.rule, pixels, len(run.class_names))
    rejected = np.flatnonzero(known < threshold)
    accepted = tuple(str(found[i][0]) for i in np.flatnonzero(known >= threshold))
    if len(rejected) < LEAST:
        return Discovery((), math.nan, accepted, len(rejected), left_out)
    pictures = [found[i][1] for i in rejected]
    grouping = group(embedded(method, crops_alike(pictures)))
    groups: list[Group] = []
    for number in range(grouping.count):
        own = _most_typical(grouping, number)
        names = [run.class_names[candidate[rejected[i]]] for i in own]
        name = f"group-{number + 1}"
        crops: list[Picture] = [pictures[i] for i in own]
        groups.append(
            Group(
                name=name,
                images=tuple(str(found[rejected[i]][0]) for i in own),
                silhouette=float(grouping.silhouettes[own].mean()),
                most_alike=Counter(names).most_common(1)[0][0],
                sheet=None if out is None else str(_write_sheet(out / f"{name}.png", crops)),
            )
        )
    return Discovery(tuple(groups), grouping.silhouette, accepted, len(rejected), left_out)


def embedded(method: Method, pixels: np.ndarray) -> np.ndarray:
    """Embeddings (N, D) of uint8 (N, S, S, 3); RunError if they are no finite rows."""
    try:
        parts = [method.embed(pixels[i : i + _BATCH]) for i in range(0, len(pixels), _BATCH)]
    except OsbenchError:
        raise
    except Exception as error:  # a model that somebody else made need not fit its own method
        raise RunError(
            f"the model of {method.name} gives no embedding: {type(error).__name__}: {printable(error)}"
        ) from error
    rows = np.concatenate(parts)
    if rows.ndim != 2 or len(rows) != len(pixels) or not np.isfinite(rows).all():
        raise RunError(f"the embeddings of {method.name} are no {len(pixels)} rows of finite numbers.")
    return rows


def _asked(method: Method, rule: str, pixels: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Known score (N,) and candidate (N,)."""
    batches = [pixels[i : i + _BATCH] for i in range(0, len(pixels), _BATCH)]
    parts = [ask_model(method, rule, one, n_classes) for one in batches]
    return np.concatenate([one.known_score for one in parts]), np.concatenate([one.candidate for one in parts])


def _most_typical(grouping: Grouping, number: int) -> np.ndarray:
    """Positions of the images of a group, the most typical first."""
    own = np.flatnonzero(grouping.labels == number)
    return own[np.argsort(-grouping.typical[own], kind="stable")]


def _write_sheet(path: Path, pictures: Sequence[Picture]) -> Path:
    """Crops side by side as a PNG; returns its path."""
    shown = pictures[: _COLUMNS * _ROWS]
    size, columns = shown[0].crop.width, min(_COLUMNS, len(shown))
    step = size + _GAP
    sheet = Image.new("RGB", (columns * step - _GAP, -(-len(shown) // columns) * step - _GAP), "white")
    for i, picture in enumerate(shown):
        sheet.paste(Image.fromarray(picture.pixels), (i % columns * step, i // columns * step))
    path.parent.mkdir(parents=True, exist_ok=True)
    with publishing(path) as partial:
        sheet.save(partial, "PNG")
    return path
