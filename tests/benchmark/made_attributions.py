"""Answers that no run gave, for what only shows them."""

from __future__ import annotations

import io

from PIL import Image

from osbench.benchmark.attribution import Attribution, CropAnswer, NotAttributed
from osbench.benchmark.scope import Scope

HOSTILE = '=cmd|"</style><script>alert(1)</script>\u202e&.png'

SCOPE = Scope(
    run="seed0-1a2b3c4d",
    method="osbench-2",
    rule="native",
    threshold_rule="accept-95",
    knows=("progan", "taming"),
    cameras=(),
    joined=(),
    suite="mini",
    content=("progan/landscape", "taming/landscape"),
    pictures=960,
    crop_size=48,
    seen_refused=0.05,
    seen_named=0.9,
    unseen_refused={"stylegan": 0.7},
)


def preview(width: int = 300, height: int = 200) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


def made_attribution(image: str = "photo.png", *, accepted: bool = True, shown: bool = True) -> Attribution:
    """A picture of 300 x 200 px with three crops."""
    return Attribution(
        image=image,
        candidate="progan",
        known_score=-1.25 if accepted else -9.0,
        threshold=-2.0,
        accepted=accepted,
        source="progan" if accepted else "unknown",
        class_scores={"progan": -1.25, "taming": -3.5},
        percentile=0.4 if accepted else 0.0,
        why="most alike progan",
        runner_up="taming",
        margin=2.25,
        confidence="medium" if accepted else "high",
        words="alike progan, of the sources that this run knows",
        agreement=2 / 3,
        crops=(
            CropAnswer(10, 76, "progan", -1.0, True),
            CropAnswer(126, 76, "taming", -1.5, True),
            CropAnswer(240, 76, "progan", -8.0, False),
        ),
        crop_size=48,
        width=300,
        height=200,
        format="JPEG",
        notes=("converted from CMYK to RGB without a colour profile",),
        scope=SCOPE,
        preview=preview() if shown else b"",
    )


ANSWERS = [
    made_attribution(),
    made_attribution("dir/other.png", accepted=False, shown=False),
    made_attribution(HOSTILE),
    NotAttributed("broken.png", "broken.png: is empty (0 bytes)."),
]
