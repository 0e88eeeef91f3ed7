"""All rejection rules after the network: the harness's batches of features against one image at a time, as in demos.

Also shows that an answer costs the same however many images are asked about: ``growth`` is the CPU time per image for
four times as many images, over that for once as many, minus 1 (wanted: within 0.1).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from osbench.baselines.rejection import Activations, LinearHead, build_rule, rule_names
from osbench.benchmark.evaluate import PREDICT_BATCH

CLASSES, DIM, TRAIN, IMAGES, ONE_BY_ONE = 5, 200, 4000, 8000, 400
REPEATS = 5


def _activations(count: int, head: LinearHead, seed: int) -> Activations:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    features = rng.normal(size=(count, DIM)) + 3 * np.eye(CLASSES, DIM)[labels]
    features = features.astype(np.float32)
    return Activations(features, features @ head.weight.T + head.bias, labels)


def _seconds(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def run() -> dict[str, float | bool]:
    """CPU seconds on one thread, summed over the rules; minimum of interleaved repeats."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            return _measure()
    finally:
        torch.set_num_threads(threads)


def _measure() -> dict[str, float | bool]:
    rng = np.random.default_rng(0)
    head = LinearHead(rng.normal(size=(CLASSES, DIM)).astype(np.float32) / 8, np.zeros(CLASSES, np.float32))
    train, held_out = _activations(TRAIN, head, 1), _activations(500, head, 2)
    asked = _activations(4 * IMAGES, head, 3)
    rules = [build_rule(name) for name in rule_names()]
    for rule in rules:
        rule.fit(train, held_out, head)

    def answers(count: int, batch: int) -> list[np.ndarray]:
        parts = [slice(i, min(i + batch, count)) for i in range(0, count, batch)]
        return [np.concatenate([rule.known_score(asked.features[s], asked.logits[s]) for s in parts]) for rule in rules]

    def at_once(count: int) -> list[np.ndarray]:
        return answers(count, PREDICT_BATCH)

    def one_by_one() -> list[np.ndarray]:
        return answers(ONE_BY_ONE, 1)

    ours, single = at_once(ONE_BY_ONE), one_by_one()
    equal = all(np.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(ours, single, strict=True))
    sides = {
        "ours": lambda: at_once(ONE_BY_ONE),
        "reference": one_by_one,
        "once": lambda: at_once(IMAGES),
        "four times": lambda: at_once(4 * IMAGES),
    }
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(REPEATS):
        best = {name: min(best[name], _seconds(side)) for name, side in sides.items()}
    return {
        "ratio": best["reference"] / best["ours"],
        "ours_s": best["ours"],
        "reference_s": best["reference"],
        "equal": equal,
        "growth": best["four times"] / (4 * best["once"]) - 1,
    }
