"""What the suite needs, from the working folder into the packaged zoo: pictures, block code, weights, grids, card."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from ....core.errors import DatasetError
from ....core.hashing import file_sha256
from ...families import load_safetensors_generator
from ...families.rendering import Renderer
from ...picture_set import PICTURE_SCHEMA
from ..limits import MODEL_BYTES, check_size
from ..report import curves_svg, points, save_grid
from .figures import Figures, figures
from .pictures import SUITE_PARTS, Cut
from .work_folder import MatchedWorkFolder

GRID_PICTURES = 12
_TOLERANCE = Figures(luma=0.3, chroma=0.5, sharpness=0.03)


@dataclass(frozen=True)
class Moment:
    """Averaged weights at one report of a training, and how near they were to the pictures then."""

    path: Path
    point: dict[str, float]

    def miss(self, aim: dict[str, float]) -> float:
        """Largest distance from the aim in luma, chroma and sharpness, in units of their tolerances."""
        tolerance = asdict(_TOLERANCE)
        return max(abs(self.point[name] - aim[name]) / tolerance[name] for name in tolerance)


def choose_moment(folder: Path, aim: dict[str, float]) -> Moment:
    """The moment of a training that is nearest to the aim; DatasetError if it has none."""
    progress = folder / "progress.json"
    if not progress.exists():
        raise DatasetError(f"{folder}: no training here; run 'train' first.")
    moments = [
        Moment(folder / "moments" / f"{int(point['step']):06d}.safetensors", point)
        for point in json.loads(progress.read_text())["curve"]
    ]
    return min((m for m in moments if m.path.exists()), key=lambda m: m.miss(aim))


def export_pictures(cuts: list[Cut], out: Path) -> Path:
    """The suite's pictures with the licence of every one, as ``pictures.parquet``."""
    parts = _parts([cut.original.group for cut in cuts])
    rows = [
        {
            "content_id": f"{cut.original.kind}-{i:04d}",
            "group": cut.original.group,
            "part": parts[cut.original.group],
            "kind": cut.original.kind,
            "package": cut.original.package,
            "file": cut.original.path.name,
            "licence": cut.original.licence,
            "file_sha256": cut.original.sha256,
            "left": cut.box[0],
            "top": cut.box[1],
            "side": cut.box[2],
            "picture": _webp(cut.pixels),
        }
        for i, cut in enumerate(cuts)
    ]
    path = out / "pictures.parquet"
    pq.write_table(pa.Table.from_pylist(rows, PICTURE_SCHEMA), path, compression="zstd")
    return path


def _parts(groups: list[str]) -> dict[str, str]:
    """The part of every group: photographs and drawings divided alike, by the shares of :data:`SUITE_PARTS`."""
    parts: dict[str, str] = {}
    for kind in ("photograph", "drawing"):
        names = sorted({group for group in groups if group.startswith(kind)})
        names = [str(name) for name in np.random.default_rng(3).permutation(names)]
        ends = np.rint(np.cumsum(list(SUITE_PARTS.values())) * len(names)).astype(int)
        for part, start, end in zip(SUITE_PARTS, [0, *ends[:-1]], ends, strict=True):
            parts |= dict.fromkeys(names[start:end], part)
    return parts


def _webp(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=75, method=4)
    return buffer.getvalue()


def export_models(work_folder: MatchedWorkFolder, out: Path) -> list[dict[str, Any]]:
    """Weights of every model at its moment nearest to the aim, its record and a grid per family; the records.

    DatasetError for a model that is not trained, or over 4 MB.
    """
    plan = work_folder.plan
    (out / "cards").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(work_folder.code_file, out / "block-code.safetensors")
    held = np.load(work_folder.root / "held.npy")
    codes = work_folder.code().encode(held)
    records, shown = [], {}
    for model in plan.names():
        moment = choose_moment(work_folder.folder(model), plan.aim)
        weights = out / f"{model.replace('/', '-')}.safetensors"
        check_size(moment.path, MODEL_BYTES, f"make the widths of {model} in the recipes smaller")
        shutil.copyfile(moment.path, weights)
        renderer = load_safetensors_generator(weights)
        assert isinstance(renderer, Renderer)
        rendered = _render(renderer, codes)
        shown[model] = rendered[:GRID_PICTURES]
        records.append(_record(work_folder, model, moment, weights, renderer, figures(rendered, held)))
        (out / "cards" / f"{model.replace('/', '-')}.json").write_text(json.dumps(records[-1], indent=1) + "\n")
    for family in plan.models:
        rows = [held[:GRID_PICTURES], *(shown[f"{family}/{weights}"] for weights in plan.weights)]
        save_grid(np.concatenate(rows), GRID_PICTURES, out / "cards" / f"{family}.webp")
    curves = {record["model"]: points(record["curve"], "luma") for record in records}
    (out / "cards" / "curves.svg").write_text(curves_svg(curves, "luma PSNR of held-out pictures, dB"))
    return records


def _render(renderer: Renderer, codes: np.ndarray) -> np.ndarray:
    parts = [range(i, min(i + 32, len(codes))) for i in range(0, len(codes), 32)]
    return np.concatenate([renderer.sample(list(part), codes=codes[part.start : part.stop]) for part in parts])


def _record(
    work_folder: MatchedWorkFolder, model: str, moment: Moment, weights: Path, renderer: Renderer, found: Figures
) -> dict[str, Any]:
    progress = json.loads((work_folder.folder(model) / "progress.json").read_text())
    curve = [p for p in progress["curve"] if p["step"] <= moment.point["step"]]
    recipe = asdict(work_folder.plan.recipe(model))
    return {
        "model": model,
        "sha256": file_sha256(weights),
        "bytes": weights.stat().st_size,
        "parameters": sum(p.numel() for p in renderer.parameters()),
        "config": renderer.config,
        "recipe": {name: value for name, value in recipe.items() if name != "config"},
        "figures": {name: round(value, 3) for name, value in asdict(found).items()},
        "steps": int(moment.point["step"]),
        "pictures_seen": int(moment.point["images"]),
        "seconds": round(moment.point["seconds"]),
        "device": progress["device"],
        "torch": torch.__version__,
        "curve": curve,
    }
