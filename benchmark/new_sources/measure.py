"""Measures :mod:`..enroll` and :mod:`..discover` on the unseen generators of the folds of a dataset."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ...core.documents import from_json, to_json
from ...core.errors import RunError, UsageError
from ...core.foreign import read_json
from ...core.progress import progress_bar
from ...core.publish import write_atomically
from ...generation.dataset import Dataset
from ...generation.pixels import Box
from ..answers import DEFAULT_THRESHOLD_RULE
from ..discover import embedded
from ..environment import library_versions
from ..evaluate import ask, seed_everything
from ..grouping import LEAST, group, purity
from ..images import ImageSet, load_images
from ..manifest import Manifest
from ..method import Context, Method
from ..method_code import code_sha256
from ..metrics import Outcome, af1, choose_threshold
from ..pictures_alike import crops_alike, picture_of_frame
from ..scores import Scores
from .result import Discovered, Enrolled, NewSources, Part
from .summary import grouped_means, joined_means

SHOTS = (1, 2, 5, 10, 20)
IMAGES = 100
"""Test images of each unseen generator that are asked about, at most; the shots are others."""

_BATCH = 512
_MAX_BYTES = 1 << 22


def measure(
    make: Callable[[], Method],
    dataset: Dataset,
    manifests: Sequence[Manifest],
    *,
    seeds: int = 3,
    shots: Sequence[int] = SHOTS,
    images: int = IMAGES,
    crop_size: int | None = None,
    folder: Path | None = None,
) -> NewSources:
    """Fit a method on every fold, let each unseen generator join from some of its images, and ask again.

    Shots and questions are different test images of the generator, drawn anew for every seed; the fit sees neither.

    Parameters
    ----------
    make : callable
        Gives the method, not fitted, with its options.
    dataset : Dataset
        The images.
    manifests : sequence of Manifest
        Its folds.
    seeds : int
        Fits of every fold.
    shots : sequence of int
        From how many images a generator joins.
    images : int
        Test images of each unseen generator that are asked about, at most. They and the shots are what is grouped.
    crop_size : int, optional
        Side of the centre crop in pixels; as stored without it.
    folder : Path, optional
        Keeps every finished part; the same measurement continues from it.

    Raises
    ------
    UsageError
        For a method that cannot take another source, or has no embedding.
    """
    if not manifests:
        raise UsageError("there is no fold to measure on.")
    method, first = make(), manifests[0]
    parts = measured_parts(
        make, dataset, manifests, seeds=seeds, shots=shots, images=images, crop_size=crop_size, folder=folder
    )
    return NewSources(
        method=method.label or method.name,
        settings=", ".join(f"{k}={v}" for k, v in method.options.items() if method.defaults.get(k) != v),
        rule=method.rejections[0],
        threshold_rule=DEFAULT_THRESHOLD_RULE,
        suite=first.suite,
        suite_version=dataset.suite_version,
        protocol=first.protocol,
        crop_size=crop_size or dataset.crop_size,
        folds=len(manifests),
        seeds=seeds,
        generators=len({name for part in parts for name in part.unseen}),
        code_sha256=code_sha256(type(method)),
        osbench=library_versions().get("osbench", ""),
        joined=joined_means(parts),
        grouped=grouped_means(parts),
    )


def measured_parts(
    make: Callable[[], Method],
    dataset: Dataset,
    manifests: Sequence[Manifest],
    *,
    seeds: int,
    shots: Sequence[int],
    images: int,
    crop_size: int | None = None,
    folder: Path | None = None,
) -> list[Part]:
    """One part for every fold and seed; the parameters are those of :func:`measure`."""
    method = make()
    identity = [method.name, method.options, code_sha256(type(method)), list(shots), images, crop_size]
    parts: list[Part] = []
    with progress_bar("new sources", len(manifests) * seeds, "fit") as bar:
        for manifest in manifests:
            asked = load_images(dataset, manifest, crop_size=crop_size)
            for seed in range(seeds):
                key = hashlib.sha256(json.dumps([*identity, manifest.manifest_id, seed]).encode()).hexdigest()[:16]
                path = None if folder is None else folder / f"{key}.json"
                part = _kept(path)
                if part is None:
                    part = _Fit(make(), dataset, manifest, asked, seed).part(shots, images)
                    if path is not None:
                        path.parent.mkdir(parents=True, exist_ok=True)
                        write_atomically(path, json.dumps(to_json(part)).encode())
                parts.append(part)
                bar.update(1, last=f"{part.fold}, seed {seed}")
    return parts


def _kept(path: Path | None) -> Part | None:
    """A part that was measured before; None where there is none, or a damaged one."""
    if path is None or not path.exists():
        return None
    try:
        return from_json(Part, read_json(path, RunError, _MAX_BYTES), str(path), RunError)
    except RunError:
        return None


class _Fit:
    """A method fitted on one fold, and what it is asked about."""

    def __init__(self, method: Method, dataset: Dataset, manifest: Manifest, images: ImageSet, seed: int) -> None:
        self.dataset, self.manifest, self.seed = dataset, manifest, seed
        self.test = images.split("test")
        train, val = images.split("train"), images.split("val")
        seed_everything(seed)
        device = torch.device("cpu")
        with tempfile.TemporaryDirectory(prefix="osbench-new-sources-") as folder:
            names, size, options = manifest.seen, train.crop_size, method.options
            context = Context(seed, device, Path(folder), names, size, options.get("epochs"), options)
            method.fit(train, val, context)
        self.method, self.rule = method.to(device), method.rejections[0]
        answers = self.asked(self.method, val)
        seen = Outcome(
            val.class_index, np.full(len(val), -1), answers.candidate, _float64(answers), len(manifest.seen), 0
        )
        self.threshold = choose_threshold(DEFAULT_THRESHOLD_RULE, seen)

    def asked(self, method: Method, images: ImageSet) -> Scores:
        """Answers by the first rule."""
        return Scores.concatenate([ask(method, pixels)[self.rule] for pixels, _, _ in images.batches(_BATCH)])

    def part(self, shots: Sequence[int], images: int) -> Part:
        """Every unseen generator joins, one at a time; then the rejected images are grouped."""
        rng = np.random.default_rng([self.seed, 1])
        drawn: dict[str, np.ndarray] = {}
        chosen: list[np.ndarray] = [np.flatnonzero(self.test.class_index >= 0)]
        for name in self.manifest.unseen:
            own = rng.permutation(np.flatnonzero(self.test.generator == name))
            if len(own) <= max(shots):
                raise UsageError(f"{name} has {len(own)} test images: fewer shots than {max(shots)} leave some to ask.")
            drawn[name] = own[: max(shots)]
            chosen.append(own[max(shots) : max(shots) + images])
        questions = self.test.subset(np.concatenate(chosen))
        before = self.asked(self.method, questions)
        strangers = self.test.subset(np.concatenate([*drawn.values(), *chosen[1:]]))
        rejected = self.asked(self.method, strangers).known_score < self.threshold
        enrolled: list[Enrolled] = []
        for name, own in drawn.items():
            for count in shots:
                joined = self.method.enroll(self.test[np.sort(own[:count])], name)
                enrolled.append(self._compared(name, count, questions, before, self.asked(joined, questions)))
        return Part(
            fold=self.manifest.fold,
            seed=self.seed,
            unseen=self.manifest.unseen,
            rejected=_share(rejected),
            enrolled=tuple(enrolled),
            discovered=self._grouped(strangers.subset(rejected)),
        )

    def _compared(self, name: str, shots: int, questions: ImageSet, before: Scores, after: Scores) -> Enrolled:
        new = after.candidate == len(self.manifest.seen)
        accepted = after.known_score >= self.threshold
        own = questions.generator == name
        other = (questions.class_index < 0) & ~own
        return Enrolled(
            generator=name,
            shots=shots,
            accuracy=_share((new & accepted)[own]),
            named=_share(new[own]),
            af1_before=self._af1(questions, before.candidate, _float64(before)),
            # What goes to the new source goes to none of the old ones: as if it were rejected.
            af1_after=self._af1(questions, np.where(new, 0, after.candidate), np.where(new, -1e30, _float64(after))),
            taken=_share((new & accepted)[other]),
        )

    def _af1(self, questions: ImageSet, candidate: np.ndarray, known: np.ndarray) -> float:
        names = {name: i for i, name in enumerate(self.manifest.unseen)}
        groups = np.array([names.get(str(name), -1) for name in questions.generator])
        outcome = Outcome(questions.class_index, groups, candidate, known, len(self.manifest.seen), len(names))
        return round(af1(outcome, self.threshold), 6)

    def _grouped(self, images: ImageSet) -> Discovered:
        from sklearn.metrics import normalized_mutual_info_score

        names, truth = np.unique(images.generator, return_inverse=True)
        if len(images) < LEAST:
            return Discovered(len(images), len(names), 0, math.nan, math.nan, math.nan)
        crops = crops_alike([picture_of_frame(data, box) for data, box in self._frames(images)])
        found = group(embedded(self.method, crops))
        return Discovered(
            images=len(images),
            sources=len(names),
            found=found.count,
            nmi=round(float(normalized_mutual_info_score(truth, found.labels)), 6),
            purity=round(purity(found.labels, truth), 6),
            silhouette=round(found.silhouette, 6),
        )

    def _frames(self, images: ImageSet) -> Iterator[tuple[bytes, Box]]:
        """The stored bytes of images, and where their crop lies, in the order of the set."""
        index = self.dataset.index()
        rows = index.iloc[pd.Index(index["image_id"]).get_indexer(pd.Index(images.image_ids))]
        cut, size = (self.dataset.crop_size - images.crop_size) // 2, images.crop_size
        columns = (rows[name].tolist() for name in ("shard", "row", "crop_x", "crop_y"))
        for shard, row, x, y in zip(*columns, strict=True):
            (data,) = self.dataset.read_images(shard, [row])
            yield data, Box(x + cut, y + cut, size, size)


def _float64(scores: Scores) -> np.ndarray:
    return scores.known_score.astype(np.float64)


def _share(hits: np.ndarray) -> float:
    return round(float(hits.mean()), 6) if len(hits) else 0.0
