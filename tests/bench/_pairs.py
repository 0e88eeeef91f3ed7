"""What the benches of the pairwise heads share: how their four sides are timed and compared."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor

REPEATS = 3


def measure_sides(sides: dict[str, Callable[[], Tensor]]) -> dict[str, float | bool]:
    """Interleaved repeats (the slow whole one once), minimum of each; equality of the probabilities to 1e-6.

    ``sides`` are ``ours``, ``published``, ``our head`` and ``published head``, each giving the same probabilities.
    """
    results: dict[str, Tensor] = {}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(REPEATS):
        for name, side in sides.items():
            if name == "published" and repeat:
                continue
            start = time.thread_time()
            results[name] = side()
            seconds[name].append(time.thread_time() - start)
    best = {name: min(values) for name, values in seconds.items()}
    difference = max((result - results["published"]).abs().max().item() for result in results.values())
    return {
        "ratio": best["published"] / best["ours"],
        "ours_s": best["ours"],
        "reference_s": best["published"],
        "equal": difference < 1e-6,
        "head_ratio": best["published head"] / best["our head"],
        "largest_difference": difference,
        "spread": results["published"].std().item(),
    }
