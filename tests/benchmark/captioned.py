"""Data sets with captions: without pictures, as many images of every character from every generator; and with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pandas as pd

from osbench.generation.dataset import Dataset

FIVE = ("flow", "gan", "pixel", "token", "unet")


def captioned_index(
    generators: Sequence[str] = FIVE, characters: int = 40, each: int = 2, column: str = "prompt"
) -> pd.DataFrame:
    """One row an image; ``character 7`` is in the column of that name."""
    rows = [
        {
            "image_id": f"{generator}-{character:03}-{k}",
            "shard": f"shards/{generator}.parquet",
            "row": character * each + k,
            "generator": generator,
            "training_set": "t",
            column: f"character {character + 1}",
            "pixel_sha256": f"p {generator} {character} {k}",
            "bytes_sha256": f"b {generator} {character} {k}",
        }
        for generator in generators
        for character in range(characters)
        for k in range(each)
    ]
    return pd.DataFrame(rows)


def without_pictures(index: pd.DataFrame, path: Path = Path("captioned")) -> Dataset:
    """A data set that is its index alone."""
    sources = sorted(set(index["generator"] + "/" + index["training_set"]))
    parts = [source.split("/") for source in sources]
    records = [{"generator": generator, "training_set": training_set} for generator, training_set in parts]
    return cast(
        Dataset,
        SimpleNamespace(
            path=path,
            index=lambda: index,
            info={"sources": records},
            sources=lambda: sources,
            suite="captioned",
            suite_version="captioned-v1",
            crop_size=32,
        ),
    )


@dataclass(frozen=True)
class Captioned(Dataset):
    """A data set of pictures, image i of every source being of character i."""

    def index(self) -> pd.DataFrame:
        """With a caption in the column ``prompt``."""
        index = super().index()
        return index.assign(prompt=[f"character {i + 1}" for i in index["index"]])
