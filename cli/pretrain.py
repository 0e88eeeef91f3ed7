"""``osbench pretrain``: train an embedding network on camera models, before it sees generators."""

from __future__ import annotations

from pathlib import Path

import click

from .options import device_option, emit, handle_errors, json_option


@click.command()
@click.option("--network", default="mislnet", show_default=True, help="An embedding network.")
@click.option("--cameras", type=click.Path(path_type=Path), help="Your photographs: camera_model/**/*.jpg.")
@click.option("--virtual", type=int, help="Use this many virtual cameras instead of photographs.  [default: 70]")
@click.option("--scenes", type=click.Path(path_type=Path), help="Photographs for virtual cameras to take pictures of.")
@click.option("--scene-count", type=click.IntRange(min=3), help="Procedural scenes without --scenes.  [default: 60]")
@click.option("--darktable", type=click.Path(path_type=Path), help="darktable's data folder: measured sensors.")
@click.option("--labels", help="Names of --cameras from: auto, exif or folder.  [default: auto]")
@click.option("--crop-size", type=click.IntRange(min=8), default=48, show_default=True, help="Pixels.")
@click.option("--crops", type=click.IntRange(min=1), default=8, show_default=True, help="Crops of each picture.")
@click.option("--epochs", type=click.IntRange(min=1), default=None, help="[default: 18]")
@click.option("--batch-size", type=click.IntRange(min=2), default=None, help="[default: 64]")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The weight file, .safetensors.")
@click.option("--cache", type=click.Path(path_type=Path), help="Keep the crops here, for other networks.")
@click.option("--float16", "half", is_flag=True, help="Store the weights at half precision.")
@click.option("--note", default="", help="A remark for the header of the file.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes for pictures.")
@device_option
@json_option
@handle_errors
def command(
    network: str,
    cameras: Path | None,
    virtual: int | None,
    scenes: Path | None,
    scene_count: int | None,
    darktable: Path | None,
    labels: str | None,
    crop_size: int,
    crops: int,
    epochs: int | None,
    batch_size: int | None,
    out: Path,
    cache: Path | None,
    half: bool,
    note: str,
    seed: int,
    workers: int,
    device: str,
    as_json: bool,
) -> None:
    """Pre-train a network on camera models; 'osbench evaluate --option init=FILE' then starts from it.

    With --cameras on real photographs; otherwise on virtual cameras, a stand-in for the Camera Model Identification
    Database of paper 1. Interrupted? The same command continues where it stopped.
    """
    from ..baselines.cameras.pretraining import PretrainingRecipe, pretrain
    from ..baselines.cameras.sources import photograph_source, virtual_source
    from ..benchmark.evaluate import torch_device

    if cameras is not None:
        given = {"--virtual": virtual, "--scenes": scenes, "--scene-count": scene_count, "--darktable": darktable}
        for option, value in given.items():
            if value is not None:
                raise click.UsageError(f"{option} is about virtual cameras and does not go with --cameras.")
        source = photograph_source(cameras, crop_size, crops, seed, labels=labels or "auto")
    else:
        if labels is not None:
            raise click.UsageError("--labels is about photographs and needs --cameras.")
        if scenes is not None and scene_count is not None:
            raise click.UsageError("--scene-count is about procedural scenes and does not go with --scenes.")
        count = 70 if virtual is None else virtual
        source = virtual_source(
            count, crop_size, crops, seed, scenes=scenes, scene_count=scene_count or 60, darktable=darktable
        )
    chosen = {"epochs": epochs, "batch_size": batch_size}
    recipe = PretrainingRecipe(network, seed=seed, **{k: v for k, v in chosen.items() if v is not None})
    card = pretrain(
        source, recipe, out, device=torch_device(device), workers=workers, cache=cache, half=half, note=note
    )
    accuracy = card["accuracy"]
    text = (
        f"{out}\n{network} on {card['cameras']} cameras ({card['trained_on']['kind']}): accuracy on held-out scenes "
        f"{accuracy['held_out_scenes']:.3f}, chance {accuracy['chance']:.3f}\n"
        f"Next: osbench evaluate --method proposed --option network={network} --option init={out} ..."
    )
    emit(as_json, card, text)
