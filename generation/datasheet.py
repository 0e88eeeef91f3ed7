"""The datasheet of a data set: why, what, how, for whom, and for whom not (Gebru et al., Commun. ACM, 2021).

What is said follows from the record and the rows, so that it holds for anybody's data set; nothing is typed in for one.
The same statements are the RAI fields of ``croissant.json``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .dataset import Dataset
from .terms import Terms, dataset_terms, kept_back

INTENDED = (
    "research on naming the generator of an image, and on saying that it is none of the known ones",
    "comparing attribution methods on one split, with the intervals that osbench computes",
    "studying what compression, resizing and blur do to traces of a generator",
)
FORBIDDEN = (
    "deciding about a person, a publication or a legal case by the answer of a method that was fitted on these images",
    "training a generator, or a filter, so that its images are taken for those of another source or of a camera",
    "searching the pictures for people, or identifying anybody in them",
    "any use that the licence of a source excludes (table of licences)",
)


@dataclass(frozen=True)
class Datasheet:
    """What a data set says about itself, sentences by topic.

    Parameters
    ----------
    motivation, composition, collection, processing : tuple of str
        Why it was made, what it holds, where the images come from, and what was done to them.
    biases, limitations, sensitive : tuple of str
        What it cannot show, and whom it may touch.
    distribution, maintenance : tuple of str
        Who may pass it on, and what happens to it later.
    """

    motivation: tuple[str, ...]
    composition: tuple[str, ...]
    collection: tuple[str, ...]
    processing: tuple[str, ...]
    biases: tuple[str, ...]
    limitations: tuple[str, ...]
    sensitive: tuple[str, ...]
    distribution: tuple[str, ...]
    maintenance: tuple[str, ...]

    def text(self) -> str:
        """As Markdown, a heading of third level for each topic."""
        topics = {
            "Motivation": self.motivation,
            "Composition": self.composition,
            "Collection": self.collection,
            "Processing": self.processing,
            "Intended use": INTENDED,
            "Forbidden use": FORBIDDEN,
            "Biases": self.biases,
            "Limitations": self.limitations,
            "People": self.sensitive,
            "Distribution": self.distribution,
            "Maintenance": self.maintenance,
        }
        return "\n\n".join(f"### {topic}\n\n" + "\n".join(f"- {one}" for one in said) for topic, said in topics.items())


def datasheet_of(dataset: Dataset, index: pd.DataFrame) -> Datasheet:
    """The datasheet of a complete data set.

    Parameters
    ----------
    dataset : Dataset
        Its record and its terms.
    index : pandas.DataFrame
        Its rows, as :meth:`Dataset.index` gives them.
    """
    sources: list[dict[str, Any]] = dataset.info["sources"]
    folders = [source["name"] for source in sources if "folder" in source]
    untouched = [source["name"] for source in sources if "shows" in source.get("pictures", {})]
    matched = _is_matched(index)
    recipe, side = dataset.info["recipe"], dataset.crop_size
    qualities = ", ".join("none" if quality is None else str(quality) for quality in recipe["qualities"])
    content = (
        "Every source shows the same pictures, so that content does not give the source away."
        if matched
        else "Sources show different pictures, so that content may give a source away."
    )
    counted = f"{_counted(index, 'generator')}, {_counted(index, 'training_set')}"
    return Datasheet(
        motivation=(
            "Made for open-set attribution of synthetic images: which of the known generators made an image, or none?",
            f"Suite {dataset.info['suite']}, version {dataset.info['suite_version']}: {dataset.info['title']}.",
        ),
        composition=(
            f"{len(index):,} images of {len(sources)} sources: {counted}.",
            f"One row is one image: its encoded bytes, a crop of {side} x {side} pixels, and its compression history.",
            "The label is the maker, known because the image was made or supplied so.",
            content,
        ),
        collection=_collection(sources, folders, untouched),
        processing=(
            f"Order {recipe['order']}, stored frame {recipe['frame']}; no picture is resampled.",
            "An image is encoded once, and its bytes are only copied afterwards.",
            f"JPEG quality is drawn for every made image from {qualities}.",
            "No raw image beside the stored frame is kept. Nothing is missing by design; a blank image is an error.",
        ),
        biases=tuple(_biases(index, sources, folders, matched)),
        limitations=(
            "A method that does well here may not do well on generators, cameras or processing that are not here.",
            "An image carries no EXIF, no colour profile and no watermark: what depends on them cannot be studied.",
        ),
        sensitive=_sensitive(sources, folders),
        distribution=_distribution(dataset),
        maintenance=(
            "The same recipe, versions and machine give the same bytes; `osbench verify --regenerate` checks others.",
            "A version is never changed: corrections get a new suite version.",
            "Who publishes the data set maintains it, and takes images out that a rights holder objects to.",
        ),
    )


def _is_matched(index: pd.DataFrame) -> bool:
    content = index["content_id"]
    if content.isna().any():
        return False
    each = [frozenset(rows) for _, rows in content.groupby(index["shard"].str.split("/").str[1:3].str.join("/"))]
    return len(each) > 1 and len(set(each)) == 1


def _counted(index: pd.DataFrame, column: str) -> str:
    number, word = index[column].nunique(), column.replace("_", " ")
    return f"{number} {word}{'s' * (number != 1)}"


def _collection(sources: Sequence[dict[str, Any]], folders: list[str], untouched: list[str]) -> tuple[str, ...]:
    made = sum("family" in source for source in sources)
    said = [f"{made} sources were sampled from networks; seeds are hashes of the image's identity."] if made else []
    if untouched:
        said.append(f"No network made the pictures of {', '.join(untouched)}.")
    if folders:
        said.append(f"Supplied as folders, by whoever made the data set: {', '.join(folders)}.")
    else:
        said.append("No crowd worker, annotator or study participant took part.")
    return tuple(said)


def _biases(index: pd.DataFrame, sources: Sequence[dict[str, Any]], folders: list[str], matched: bool) -> list[str]:
    said = []
    networks = Counter((source["generator"], source["training_set"]) for source in sources if "family" in source)
    if networks and min(networks.values()) == 1:
        said.append(
            "A generator with one set of weights shows what these weights do; nobody can tell it from the architecture."
        )
    if not matched:
        said.append("Content, sharpness and file size may tell sources apart: ask `osbench audit` first.")
    if index["class_label"].notna().any() and index["class_label"].isna().any():
        said.append("Only some sources have a class label, so that the column alone tells them from the others.")
    if folders:
        said.append("Images of folders keep the compression that they came with, unlike the others.")
    counts = index["shard"].str.split("/").str[1:3].str.join("/").value_counts()
    if counts.min() < counts.max():
        said.append(f"Sources have between {counts.min():,} and {counts.max():,} images.")
    return said or ["None is known that the composition above does not say."]


def _sensitive(sources: Sequence[dict[str, Any]], folders: list[str]) -> tuple[str, ...]:
    made = "Made images show nobody who exists, but a network may repeat what it was trained on, people included."
    given = "Nobody has checked whether the supplied folders show people or private matters; their supplier must."
    return (*([made] if any("family" in source for source in sources) else []), *([given] if folders else []))


def _distribution(dataset: Dataset) -> tuple[str, ...]:
    back, terms = kept_back(dataset), dataset_terms(dataset)
    if back:
        because = "; ".join(f"{name} ({reason})" for name, reason in back.items())
        return (f"**May not be passed on** as a whole, because of: {because}.",)
    if any(one.pass_on == "non-commercial" for one in terms.values()):
        return ("May be passed on for non-commercial purposes, under the terms of every source.",)
    return ("May be passed on under the terms of every source.",)


def licence_rows(dataset: Dataset) -> list[list[str]]:
    """Rows of the table of licences: id, title, use, passing on, sources."""
    sources: dict[Terms, list[str]] = {}
    for name, terms in dataset_terms(dataset).items():
        sources.setdefault(terms, []).append(name)
    return [
        [
            terms.id,
            f"[{terms.title}]({terms.url})" if terms.url else terms.title,
            terms.use,
            terms.pass_on,
            ", ".join(names),
        ]
        for terms, names in sources.items()
    ]
