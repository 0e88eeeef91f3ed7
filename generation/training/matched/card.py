"""The card of the zoo of `mini-matched`: what is packaged, how equal the renderers are, whose pictures they show."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ....core.markdown import markdown_table
from ...picture_set import open_picture_set

_HEAD = """# The zoo of `mini-matched`

Seven families, three weights each, one set of pictures. A source's weights, an image's `content_id` and its `group`
are columns of the data set.

Every network is a *renderer*: a family's own up-sampling path from side 8 to side 64 behind a small adapter
(`generation/families/rendering/`, one file per family). What it shows is told by the block code: 16 principal
components of every 8x8 block, fixed, fitted on training pictures, with no network in it. Taming has the decoder of its
VQGAN without the codebook, latent diffusion the small decoder that is known as TAESD, since the usual one is built from
VQGAN's blocks; StyleGAN3 starts from Fourier features of the block grid whose amplitudes the code sets. Nothing was
trained as in the papers, and nothing here invents a picture: the suite measures what up-sampling paths leave behind.

The three weights of a family differ in initialisation, in the cuts of the training pictures and in their order; they
share recipe and widths. A trace that all three share may be the family's architecture or the family's recipe.

## Models

Trained to one aim on {held} pictures of photographs and figures that no model learned from: luma {aim[luma]} dB, chroma
{aim[chroma]} dB (PSNR of the mean squared error over all pictures), sharpness {aim[sharpness]} (mean luma gradient as a
share of the originals'). The weights of the report nearest to the aim are the packaged ones. The linear reconstruction
from the code itself: {linear}.

"""

_PICTURES = """
## Pictures

`pictures.parquet`: {count} pictures of 64 px in random order, {kinds}; {groups} groups (a photograph, or a figure with
all its variants). Every row names package, file, SHA-256 of the file, the square that was cut from it, and the licence:

{licences}

The column `part` proposes a split by group: {parts}. No model saw a picture of these groups.

`generation/training/README.md`, section `mini-matched`, says how to make every file here again.
"""


def write_card(zoo: Path, aim: dict[str, float], held: int, linear: str) -> Path:
    """Write ``CARD.md`` from the records and pictures in ``zoo``; ``linear`` says what the code alone achieves."""
    records = [json.loads(path.read_text()) for path in sorted((zoo / "cards").glob("*-w*.json"))]
    text = [_HEAD.format(held=held, aim=aim, linear=linear), _table(records), "\n![curves](cards/curves.svg)\n"]
    families = sorted({record["model"].partition("/")[0] for record in records})
    text += [_section(family, [r for r in records if r["model"].startswith(f"{family}/")]) for family in families]
    text.append(_pictures(zoo / "pictures.parquet"))
    card = zoo / "CARD.md"
    card.write_text("".join(text))
    return card


def _table(records: list[dict[str, Any]]) -> str:
    head = ["model", "parameters", "file, kB", "minutes", "steps", "luma, dB", "chroma, dB", "sharpness"]
    rows: list[list[str]] = []
    for r in records:
        f = r["figures"]
        row = [r["model"], f"{r['parameters']:,}", f"{r['bytes'] / 1000:.0f}", f"{r['seconds'] / 60:.1f}", r["steps"]]
        rows.append([*map(str, row), f"{f['luma']:.2f}", f"{f['chroma']:.2f}", f"{f['sharpness']:.3f}"])
    return markdown_table(head, rows) + "\n"


def _section(family: str, records: list[dict[str, Any]]) -> str:
    lines = [f"- {r['model']}: sha256 `{r['sha256']}`, {r['device']}, torch {r['torch']}\n" for r in records]
    config, recipe = (json.dumps(records[0][key]) for key in ("config", "recipe"))
    return (
        f"\n## {family}\n\nOriginals above, then one row per weights.\n\n![renderings](cards/{family}.webp)\n\n"
        + "".join(lines)
        + f"- config: `{config}`\n- recipe: `{recipe}`\n"
    )


def _pictures(path: Path) -> str:
    pictures = open_picture_set(path)
    rows = pq.read_table(path, columns=["kind", "package", "licence"]).to_pylist()
    kinds = Counter(row["kind"] for row in rows)
    licences = Counter((row["package"], row["licence"]) for row in rows)
    rows_of = [(package, licence, f"{count:,}") for (package, licence), count in sorted(licences.items())]
    table = markdown_table(["package", "licence", "pictures"], rows_of)
    parts = Counter(pictures.parts)
    return _PICTURES.format(
        count=f"{len(pictures):,}",
        kinds=" and ".join(f"{count:,} of {kind}s" for kind, count in sorted(kinds.items())),
        groups=len(set(pictures.groups)),
        licences=table,
        parts=", ".join(f"{parts[part]:,} {part}" for part in sorted(parts)),
    )
