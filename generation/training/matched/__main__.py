"""Make the zoo of `mini-matched`: ``cut`` pictures, ``train`` models, ``export`` what the suite needs."""

from __future__ import annotations

import json
from pathlib import Path

import click
import torch

from ..hardware import Hardware
from .card import write_card
from .export import export_models, export_pictures
from .work_folder import MatchedWorkFolder, load_plan

MODEL = "FAMILY/WEIGHTS"
ZOO = Path(__file__).parents[2] / "zoo" / "mini-matched"
_packages = [
    click.option("--photographs", type=click.Path(exists=True, path_type=Path), required=True),
    click.option("--drawings", type=click.Path(exists=True, path_type=Path), required=True),
]


def _with_packages(command):
    for option in reversed(_packages):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--work", type=click.Path(path_type=Path), default=Path("build/training/mini-matched"), show_default=True)
@click.option("--device", default="cpu", show_default=True, metavar="auto|cpu|cuda|cuda:N")
@click.option("--mixed/--no-mixed", default=True, show_default=True, help="bfloat16 where it is safe.")
@click.pass_context
def main(ctx: click.Context, work: Path, device: str, mixed: bool) -> None:
    """Redo the zoo of mini-matched from public packages; README.md one folder up tells where they come from.

    \b
    python -m osbench.generation.training.matched cut --photographs SKY --drawings EMOJI
    python -m osbench.generation.training.matched train stylegan2/w0
    python -m osbench.generation.training.matched export --photographs SKY --drawings EMOJI
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    ctx.obj = MatchedWorkFolder(work, load_plan(), Hardware.named(device, mixed=mixed))


@main.command()
@_with_packages
@click.pass_obj
def cut(work_folder: MatchedWorkFolder, photographs: Path, drawings: Path) -> None:
    """Cut the pictures that the models learn from, and fit the block code."""
    work_folder.cut(photographs, drawings)
    click.echo(work_folder.root)


@main.command()
@click.argument("models", nargs=-1, required=True, metavar=f"{MODEL}...")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="The longest. Default: the plan's.")
@click.pass_obj
def train(work_folder: MatchedWorkFolder, models: tuple[str, ...], minutes: float | None) -> None:
    """Train models one after another; stop and start at will, each resumes from its last checkpoint."""
    for model in models:
        progress = work_folder.train(model, minutes).progress
        click.echo(f"{model}: {progress.seconds / 60:.1f} minutes, {json.dumps(progress.curve[-1])}")


@main.command()
@_with_packages
@click.option("--out", type=click.Path(path_type=Path), default=ZOO, help="Default: the packaged zoo of the suite.")
@click.pass_obj
def export(work_folder: MatchedWorkFolder, photographs: Path, drawings: Path, out: Path) -> None:
    """Write pictures, block code, weights, grids and card."""
    out.mkdir(parents=True, exist_ok=True)
    export_pictures(work_folder.suite(photographs, drawings), out)
    export_models(work_folder, out)
    click.echo(write_card(out, work_folder.plan.aim, work_folder.plan.held, work_folder.linear_figures()))


if __name__ == "__main__":
    main()
