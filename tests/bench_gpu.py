"""``make bench-gpu``: throughput on an accelerator, into ``build/bench-gpu.json``. Without one it says so and exits 0.

- Every family of the zoo: images/s of ``Generator.sample`` in batches against one image per call (what `osbench
  generate` calls; conversion to uint8 and the way back to the host included).
- Training of ``proposed`` (MISLNet with ProxyNCA++, 256 px) as our loop does it, against the arithmetic limit:
  floating-point operations of one step, counted by PyTorch, over the rate of a large matrix product measured in the
  same run and precision.
- The data path alone (shuffled balanced batches of the decoded cache, moved to the device and scaled), as a multiple
  of the training's rate: above 1, the network is the bottleneck.

``--device cpu --quick`` tries the script itself on a machine without a GPU; its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from osbench.baselines.inputs import Inputs
from osbench.baselines.losses.proxy_nca import PRESETS, ProxyNCA
from osbench.baselines.networks import build_network, scale_pixels
from osbench.baselines.trained import AttributionModel
from osbench.benchmark.images import ImageSet
from osbench.generation.families import Generator, family_class
from osbench.generation.training.plan import load_plan

OUT = Path("build/bench-gpu.json")
CLASSES = 5


@dataclass(frozen=True)
class Sizes:
    """How much is measured: images per batch of generation and training, image side, matrix side, repeats."""

    generate: int = 128
    train: int = 64
    side: int = 256
    images: int = 2560
    matrix: int = 8192
    repeats: int = 10


QUICK = Sizes(generate=2, train=4, side=64, images=40, matrix=256, repeats=2)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench_gpu", description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="toy sizes")
    parser.add_argument("--suite", default="mini-v2", help="whose networks generate")
    options = parser.parse_args(arguments)
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print(f"bench-gpu: torch {torch.__version__} sees no GPU here; nothing was measured.")
        return 0
    device, sizes = torch.device(options.device), QUICK if options.quick else Sizes()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    results: dict[str, Any] = {"device": name, "torch": torch.__version__, "sizes": asdict(sizes)}
    print(f"{name}, torch {torch.__version__}")
    results["generation"] = {}
    for generator in load_plan(options.suite).models:
        rate = _generation(_network(options.suite, generator, device), sizes)
        results["generation"][generator] = rate
        print(
            f"{generator:18s} {rate['batch']:9.1f} images/s in batches of {sizes.generate}, "
            f"{rate['single']:7.1f} one by one: {rate['batch'] / rate['single']:.1f}x",
            flush=True,
        )
    results["training"] = _training(device, sizes)
    for precision, t in results["training"].items():
        print(
            f"MISLNet training, {precision}: {t['images_per_s']:.0f} images/s, {t['share_of_limit']:.1%} of the limit "
            f"{t['limit_images_per_s']:.0f} ({t['gflop_per_image']:.2f} GFLOP an image, ceiling {t['tflops']:.2f} "
            f"TFLOP/s measured); data path {t['data_images_per_s']:.0f} images/s, {t['data_over_network']:.1f}x: "
            f"{'the network' if t['data_over_network'] > 1 else 'the DATA PATH'} is the bottleneck",
            flush=True,
        )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(results, indent=2) + "\n")
    return 0


def _network(suite: str, generator: str, device: torch.device) -> Generator:
    """A family at the suite's size, with random weights: speed does not depend on their values."""
    config: dict[str, Any] = dict(load_plan(suite).recipe(generator).config)
    if generator == "latent_diffusion":
        config["classes"] = 16
    torch.manual_seed(0)
    return family_class(generator)(**config).to(device).eval()


def _generation(network: Generator, sizes: Sizes) -> dict[str, float]:
    def sample(count: int) -> None:
        network.sample(range(count), [0] * count if network.c_dim else None)

    batch = _seconds(partial(sample, sizes.generate), 3)
    single = _seconds(partial(sample, 1), 3)
    return {"batch": sizes.generate / batch, "single": 1 / single}


def _training(device: torch.device, sizes: Sizes) -> dict[str, dict[str, float]]:
    """As the methods train (float32, TF32 matrix units where torch allows them), and in bfloat16."""
    images = _images(sizes)
    out = {}
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        torch.manual_seed(0)
        network = build_network("mislnet", sizes.side)
        model = AttributionModel(network, ProxyNCA(CLASSES, network.embedding_dim, PRESETS["osbench"])).to(device)
        inputs = Inputs(images, partial(scale_pixels, input_range=network.input_range, device=device))
        optimiser = torch.optim.AdamW(model.parameters(), lr=7e-4, fused=True)
        step = partial(_step, model, optimiser, dtype)
        batches = list(inputs.epoch(sizes.train, np.random.default_rng(0)))
        with FlopCounterMode(display=False) as counter:
            step(*batches[0])
        flop_per_image = counter.get_total_flops() / len(batches[0][0])
        network_s = _seconds(lambda: [step(x, y) for x, y in batches], sizes.repeats) / len(batches)  # noqa: B023
        data_s = _seconds(lambda: _drain(inputs, sizes), sizes.repeats) / len(batches)  # noqa: B023
        whole_s = _seconds(lambda: _epoch(inputs, sizes, step), sizes.repeats) / len(batches)  # noqa: B023
        ceiling = _ceiling(device, dtype, sizes)
        limit = ceiling / flop_per_image
        out[precision] = {
            "images_per_s": sizes.train / whole_s,
            "network_images_per_s": sizes.train / network_s,
            "data_images_per_s": sizes.train / data_s,
            "data_over_network": network_s / data_s,
            "gflop_per_image": flop_per_image / 1e9,
            "tflops": ceiling / 1e12,
            "limit_images_per_s": limit,
            "share_of_limit": sizes.train / whole_s / limit,
        }
    return out


def _step(
    model: AttributionModel,
    optimiser: torch.optim.Optimizer,
    dtype: torch.dtype,
    inputs: torch.Tensor,
    labels: torch.Tensor,
) -> float:
    optimiser.zero_grad(set_to_none=True)
    with torch.autocast(inputs.device.type, dtype, enabled=dtype != torch.float32):
        loss = model.loss(inputs, labels)
    loss.backward()
    optimiser.step()
    return loss.item()  # as the training loop, which looks at every loss


def _drain(inputs: Inputs, sizes: Sizes) -> None:
    for x, _ in inputs.epoch(sizes.train, np.random.default_rng(1)):
        del x


def _epoch(inputs: Inputs, sizes: Sizes, step: Callable[[torch.Tensor, torch.Tensor], float]) -> None:
    for x, y in inputs.epoch(sizes.train, np.random.default_rng(2)):
        step(x, y)


def _images(sizes: Sizes) -> ImageSet:
    """Random crops in memory, as the decoded cache holds them, in equal classes."""
    rng = np.random.default_rng(0)
    n = sizes.images
    labels = np.arange(n) % CLASSES
    names = np.array([f"generator{k}" for k in labels])
    return ImageSet(
        rng.integers(0, 256, (n, sizes.side, sizes.side, 3), dtype=np.uint8),
        np.arange(n),
        np.array([f"{i:032x}" for i in range(n)]),
        labels,
        names,
        np.full(n, "seen"),
        np.full(n, "train"),
    )


def _ceiling(device: torch.device, dtype: torch.dtype, sizes: Sizes) -> float:
    """Operations per second of a large product of random matrices, on the matrix units that convolutions may use."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    a, b = (torch.randn(sizes.matrix, sizes.matrix, device=device).to(dtype) for _ in range(2))
    return 2 * sizes.matrix**3 / _seconds(lambda: a @ b, sizes.repeats)


def _seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time after two warm-up runs, the device idle before and after."""
    times = []
    for i in range(repeats + 2):
        _wait()
        start = time.perf_counter()
        work()
        _wait()
        if i >= 2:
            times.append(time.perf_counter() - start)
    return median(times)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
