"""``make bench-generate``: images per second of every family, against a straightforward loop on the same device.

The loop is what a script does: one image per forward pass, converted and saved with Pillow as JPEG or PNG. Ours is a
shard as ``osbench generate`` makes it: batches, the window around the crop encoded, hashed and written to Parquet.
Networks: the mini suite's zoo, or where a family's weights are not there, a small random network of it.

``ratio``: both in one process with one thread. ``ratio_machine``: a pool with one worker per core, after its start-up,
against the loop with as many threads as PyTorch takes. Seconds are the minimum over interleaved repeats. The loop's
images and ours are compared first: ``levels`` is their largest difference (0 or 1, from the order of sums in a batch).
Writes ``build/bench-generate.json``; names of sources as arguments choose some of them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from osbench.generation.catalog import Source, load_suite
from osbench.generation.engines.local import run_local
from osbench.generation.families import Generator, family_class, save_generator
from osbench.generation.networks import open_network
from osbench.generation.seeds import image_seed
from osbench.generation.shards import Unit, draw_quality, native_batches, write_shard
from osbench.generation.training.plan import load_plan

OUT = Path("build/bench-generate.json")
IMAGES, REPEATS = 40, 3


def main(names: list[str]) -> int:
    suite = load_suite("mini")
    sources = [s for s in suite.sources if not names or s.name in names or s.generator in names]
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            results[source.name] = _measure(_unit(source, Path(folder)))
            print(_line(source.name, results[source.name]), flush=True)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"device": "cpu", "cores": os.cpu_count(), "sources": results}, indent=2) + "\n")
    return 0 if all(result["levels"] <= 1 for result in results.values()) else 1


def _unit(source: Source, folder: Path) -> Unit:
    """A shard of :data:`IMAGES` images; the weights are the zoo's, or random ones of the zoo's configuration."""
    weights = source.weights
    assert weights is not None
    if not weights.is_file():
        weights = folder / weights.name
        _save_random_network(source, weights)
    suite = load_suite("mini")
    recipe = replace(suite.recipe, shard_rows=IMAGES)
    return Unit(folder, suite.version, replace(source, weights=weights), "", recipe, IMAGES, 0)


def _save_random_network(source: Source, path: Path) -> None:
    torch.manual_seed(0)
    network = family_class(str(source.family))(**load_plan("mini-v1").recipe(source.generator).config)
    if source.generator == "projected_gan":  # fresh from its initialisation it makes one flat grey
        with torch.no_grad():
            network.get_parameter("synthesis.to_big.weight").mul_(1e4)
    save_generator(network, path)


def _measure(unit: Unit) -> dict[str, float | int]:
    network = open_network(unit.source, unit.source_sha256, "cpu")
    seeds = [image_seed(unit.namespace, unit.source.generator, unit.source.training_set, i) for i in unit.indices]
    made = [image for batch in native_batches(unit, unit.indices) for image in batch]
    batched, labels = [image.pixels for image in made], [image.class_label for image in made]
    looped = _loop(unit, network, seeds, labels)
    levels = max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(batched, looped, strict=True))
    ours, loop, loop_threads = [], [], []
    for _ in range(REPEATS):
        torch.set_num_threads(1)
        ours.append(_seconds(lambda: write_shard(unit)))
        loop.append(_seconds(lambda: _loop(unit, network, seeds, labels)))
        torch.set_num_threads(os.cpu_count() or 1)
        loop_threads.append(_seconds(lambda: _loop(unit, network, seeds, labels)))
    pool = _pool_rate(unit)
    return {
        "images_per_s": IMAGES / min(ours),
        "loop_images_per_s": IMAGES / min(loop),
        "ratio": min(loop) / min(ours),
        "pool_images_per_s": pool,
        "loop_threads_images_per_s": IMAGES / min(loop_threads),
        "ratio_machine": pool * min(loop_threads) / IMAGES,
        "levels": levels,
    }


def _loop(unit: Unit, network: Generator, seeds: list[int], labels: list[int | None]) -> list[np.ndarray]:
    """One image per forward pass, of the same seed and class as ours, saved whole by Pillow."""
    images = []
    for index, (seed, label) in enumerate(zip(seeds, labels, strict=True)):
        image = network.sample([seed], None if label is None else [label], **unit.source.sampling)[0]
        quality = draw_quality(seed, unit.recipe.qualities)
        if quality is None:
            Image.fromarray(image).save(unit.dataset / f"{index}.png")
        else:
            Image.fromarray(image).save(unit.dataset / f"{index}.jpg", quality=quality)
        images.append(image)
    return images


def _pool_rate(unit: Unit) -> float:
    """Images per second of a pool with one worker per core, from its first shard to its last."""
    workers = os.cpu_count() or 1
    rows = unit.recipe.batch_size
    count = rows * workers * 4
    first = replace(unit, recipe=replace(unit.recipe, shard_rows=rows), count=count)
    done = []
    for _ in run_local([replace(first, shard=k) for k in range(first.shards)], workers, lambda n: None):
        done.append(time.perf_counter())
    return rows * (len(done) - 1) / (done[-1] - done[0]) if len(done) > 1 else 0.0


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _line(name: str, r: dict[str, float | int]) -> str:
    return (
        f"{name:28s} {r['images_per_s']:8.1f} img/s, loop {r['loop_images_per_s']:8.1f}: {r['ratio']:5.2f}x   "
        f"all cores {r['pool_images_per_s']:8.1f} img/s, loop {r['loop_threads_images_per_s']:8.1f}: "
        f"{r['ratio_machine']:5.2f}x   levels {r['levels']}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
