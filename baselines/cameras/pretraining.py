"""Camera identification as pre-training (paper 1, section 4.2): cross-entropy over camera models, head dropped."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ...benchmark.images import ImageSet
from ...core.errors import UsageError
from ...core.locking import exclusive
from ...core.progress import get_logger
from ...core.user_folders import cache_folder
from ..classifier import SoftmaxHead
from ..inputs import Inputs
from ..networks import EmbeddingNetwork, build_network, scale_pixels
from ..trained import AttributionModel
from ..training import Recipe, Validation, seeded_torch, train_network
from .bank import CropSource, build_bank
from .pretrained import find_packaged, read_card, save_pretrained
from .sources import virtual_source

FORMAT_VERSION = 1


@dataclass(frozen=True)
class PretrainingRecipe:
    """Paper 1: AdamW, learning rate 1e-3, x0.65 every 3 epochs. It does not state epochs, batch size or weight decay:
    18, 64 and torch's default are ours."""

    network: str = "mislnet"
    epochs: int = 18
    batch_size: int = 64
    lr: float = 1e-3
    lr_decay: float = 0.65
    decay_every: int = 3
    weight_decay: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class CameraPretraining:
    """How a network is pre-trained for which no weights are packaged: on virtual cameras, as ``osbench pretrain`` does.

    scenes: a folder of photographs for the cameras to take pictures of, None = ``scene_count`` procedural scenes.
    crops: of each picture.
    """

    epochs: int = PretrainingRecipe.epochs
    scenes: Path | None = None
    scene_count: int = 60
    cameras: int = 70
    crops: int = 6


def camera_weights(
    network: str,
    crop_size: int,
    how: CameraPretraining,
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    cache: Path | None = None,
) -> Path:
    """The weight file for a start from camera identification: the packaged one, else one in ``folder``.

    That one is trained now if it is not there, and continued if that was interrupted; its name tells recipes and
    cameras apart. Another process at the same file is waited for. cache: as of :func:`pretrain`.
    """
    packaged = find_packaged(network, crop_size)
    if packaged is not None:
        return packaged
    source = virtual_source(how.cameras, crop_size, how.crops, 0, scenes=how.scenes, scene_count=how.scene_count)
    recipe = PretrainingRecipe(network, epochs=how.epochs)
    file = folder / f"{network}-{crop_size}-{_hash(_config(source, recipe))[:8]}.safetensors"
    with exclusive(file.with_suffix(".lock")):
        if not file.exists():
            get_logger().info(
                "no camera weights are packaged for %s and crops of %d px: pre-training on %d virtual cameras (once), "
                "into %s",
                network,
                crop_size,
                how.cameras,
                file,
            )
        pretrain(source, recipe, file, device=device, cache=cache, half=True)
    return file


def cached_camera_weights(
    network: str,
    crop_size: int,
    code_sha256: str,
    how: CameraPretraining | None = None,
    *,
    device: torch.device | str = "cpu",
) -> Path:
    """:func:`camera_weights`, trained into the user's cache where no file is packaged.

    code_sha256: of the method that asks; another version of the code trains its own weights.
    """
    folder = cache_folder() / "pretrained" / code_sha256[:16]
    return camera_weights(network, crop_size, how or CameraPretraining(), folder, device=device)


def pretrain(
    source: CropSource,
    recipe: PretrainingRecipe,
    out: Path,
    *,
    device: torch.device | str = "cpu",
    workers: int = 1,
    cache: Path | None = None,
    half: bool = False,
    note: str = "",
) -> dict[str, Any]:
    """Train ``recipe.network`` to tell the cameras of ``source`` apart, write ``out``, return its card.

    Crops and checkpoints lie in a hidden folder next to ``out`` until the file is finished: an interrupted run is
    continued by calling again, to the same bits on a CPU. If ``out`` is there already and was made by the same source
    and recipe, nothing is done. The epoch with the best accuracy on validation scenes is kept; the accuracy on the card
    is that on test scenes, which took no part in anything.

    cache: keep the crops in this folder, for other networks and recipes. half: store float16. note: goes onto the
    card. UsageError if ``out`` exists and is something else.
    """
    config = _config(source, recipe)
    identity = _hash(config)
    if out.exists():
        return _finished(out, identity)
    work = out.parent / f".{out.name}.work-{identity[:8]}"
    model = _model(source, recipe)  # before the pictures: an unknown network should not cost their time
    bank = work / "bank" if cache is None else cache / _hash(config["trained_on"])[:16]
    images = build_bank(source, bank, workers=workers)
    history = _train(model.to(device), images, recipe, work)
    test = _validate(model, images.split("test"), recipe.batch_size)
    card: dict[str, Any] = config | {
        "config_sha256": identity,
        "network": recipe.network,
        "crop_size": source.crop_size,
        "cameras": len(source.class_names),
        "crops": {name: len(images.split(name)) for name in ("train", "val", "test")},
        "accuracy": {
            "held_out_scenes": round(test.accuracy, 4),
            "validation": [round(figures.accuracy, 4) for figures in history],
            "chance": round(1 / len(source.class_names), 4),
        },
        "note": note,
        "torch": torch.__version__,
    }
    save_pretrained(out, _network(model), card, half=half)
    shutil.rmtree(work)
    return read_card(out)


def _config(source: CropSource, recipe: PretrainingRecipe) -> dict[str, Any]:
    return {"format_version": FORMAT_VERSION, "recipe": asdict(recipe), "trained_on": source.describe()}


def _hash(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _finished(out: Path, identity: str) -> dict[str, Any]:
    card = read_card(out)
    if card.get("config_sha256") != identity:
        raise UsageError(f"{out} exists and was trained otherwise; choose another --out or delete it.")
    get_logger().info("%s is finished already", out)
    return card


def _network(model: AttributionModel) -> EmbeddingNetwork:
    assert isinstance(model.network, EmbeddingNetwork)
    return model.network


def _model(source: CropSource, recipe: PretrainingRecipe) -> AttributionModel:
    with seeded_torch(recipe.seed):
        network = build_network(recipe.network, source.crop_size)
        model = AttributionModel(network, SoftmaxHead(network.embedding_dim, len(source.class_names)))
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _train(model: AttributionModel, images: ImageSet, recipe: PretrainingRecipe, work: Path) -> list[Validation]:
    train, val = _inputs(model, images.split("train")), images.split("val")
    return train_network(
        model,
        model.loss,
        torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True),
        Recipe(recipe.epochs, recipe.lr_decay, recipe.decay_every),
        batches=lambda rng: train.epoch(recipe.batch_size, rng),
        batch_count=train.batch_count(recipe.batch_size),
        validate=lambda: _validate(model, val, recipe.batch_size),
        folder=work,
        seed=recipe.seed,
        description=f"pre-training {recipe.network} on {len(np.unique(images.class_index))} cameras",
    )


def _inputs(model: AttributionModel, images: ImageSet) -> Inputs:
    device, scale = next(model.parameters()).device, _network(model).input_range
    return Inputs(images, lambda pixels: scale_pixels(pixels, scale, device))


@torch.inference_mode()
def _validate(model: AttributionModel, images: ImageSet, batch_size: int) -> Validation:
    """Accuracy and cross-entropy, crop by crop."""
    inputs = _inputs(model, images)
    logits = torch.cat([model(x)[1].float().cpu() for x in inputs.in_order(2 * batch_size)])
    labels = torch.from_numpy(images.class_index)
    return Validation((logits.argmax(1) == labels).float().mean().item(), F.cross_entropy(logits, labels).item())
