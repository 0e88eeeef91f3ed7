"""Run folders of few-shot manifests whose answers are drawn: so many right as a method's skill says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.predictions import Predictions
from osbench.benchmark.runs import Run, run_id, store_manifest
from osbench.benchmark.scores import Scores
from tests.benchmark.captioned import captioned_index, without_pictures
from tests.benchmark.run_documents import run_info

SHOTS, REPEATS = (1, 5, 20), 3


@dataclass(frozen=True)
class Skill:
    """How often a method is right: a number for its shots; a training-free one has that of no shots."""

    method: str
    right: Callable[[int], float]
    training_free: bool = False


GROWING = Skill("growing", lambda shots: 0.4 + 0.025 * shots)
WEAK = Skill("weak", lambda shots: 0.3)
STRONG = Skill("strong", lambda shots: 0.98)
FREE = Skill("free", lambda shots: 0.6, training_free=True)


def few_shot_manifests(
    shots: Sequence[int] = SHOTS, repeats: int = REPEATS, *, protocol: str = "fewshot", fold: str = ""
) -> list[Manifest]:
    """Manifests of 5 generators, 100 characters, 2 images each."""
    index = captioned_index(characters=100, each=2)
    names = [f"{fold}shots={n},repeat={repeat}" for n in shots for repeat in range(repeats)]
    return [build_manifest(without_pictures(index), protocol, name, index) for name in names]


def write_few_shot_runs(folder: Path, manifests: Sequence[Manifest], skills: Sequence[Skill]) -> list[Run]:
    """Every method on every manifest, a training-free one on the first of those that ask the same."""
    runs = []
    for skill in skills:
        asked = set()
        for manifest in manifests:
            if skill.training_free and manifest.question in asked:
                continue
            asked.add(manifest.question)
            runs.append(write_skilled_run(folder, manifest, skill))
    return runs


def write_skilled_run(folder: Path, manifest: Manifest, skill: Skill, seed: int | None = None) -> Run:
    store_manifest(folder, manifest)
    seed = manifest.repeat if seed is None else seed
    info = run_info(manifest, ("native",), method=skill.method, seed=seed, training_free=skill.training_free)
    place = folder / skill.method / run_id(seed, manifest.manifest_id[:8])
    return Run.write(place, info, _answers(manifest, skill, seed))


def _answers(manifest: Manifest, skill: Skill, seed: int) -> Predictions:
    rows, k = manifest.rows("val", "test"), len(manifest.seen)
    rng = np.random.default_rng([seed, manifest.shots, *skill.method.encode()])
    truth = rows["class_index"].to_numpy()
    right = rng.random(len(rows)) < skill.right(0 if skill.training_free else manifest.shots)
    candidate = np.where(right & (truth >= 0), truth, (truth + 1 + rng.integers(0, k - 1, len(rows))) % k)
    known = rng.normal(size=len(rows)) + (truth >= 0)
    scores = Scores(np.eye(k)[candidate], known, candidate)
    return Predictions.of(rows["image_id"].to_numpy(str), {"native": scores})


def by_id(manifests: Sequence[Manifest]) -> Mapping[str, Manifest]:
    return {manifest.manifest_id: manifest for manifest in manifests}
