"""Train the zoo: ``pack`` pictures, ``teach`` latent codes, ``train`` models, ``export`` weights and the card."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import torch

from ...core.errors import OsbenchError
from .hardware import Hardware
from .pack import TRAINING_SETS
from .plan import load_plan, plan_names
from .processes import run_commands
from .report import points
from .work_folder import WorkFolder

ZOO = Path(__file__).parent.parent / "zoo"
MODEL = "GENERATOR/TRAINING_SET"

_minutes = click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Default: the plan's.")
_zoo = click.option("--out", type=click.Path(path_type=Path), help="Default: the packaged zoo of the suite.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--suite", type=click.Choice(plan_names()), default="mini-v1", show_default=True)
@click.option("--work", type=click.Path(path_type=Path), help="Working folder.  [default: build/training/SUITE]")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads of this process.")
@click.option("--device", default="cpu", show_default=True, metavar="auto|cpu|cuda|cuda:N")
@click.option("--mixed/--no-mixed", default=None, help="bfloat16 where it is safe.  [default: on CUDA]")
@click.option("--compile", "compiled", is_flag=True, help="torch.compile; costs a minute or two at the start.")
@click.option("--cpu-time", is_flag=True, help="Minutes are CPU time of the process: for machines that others use too.")
@click.pass_context
def main(
    ctx: click.Context,
    suite: str,
    work: Path | None,
    threads: int,
    device: str,
    mixed: bool | None,
    compiled: bool,
    cpu_time: bool,
) -> None:
    """Redo the packaged zoo from public pictures; README.md beside this file tells where they come from.

    \b
    python -m osbench.generation.training pack landscape --from UNPACKED_PACKAGE
    python -m osbench.generation.training teach landscape
    python -m osbench.generation.training train stylegan2/landscape --minutes 14
    python -m osbench.generation.training export stylegan2/landscape
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    hardware = Hardware.named(device, mixed=mixed, compiled=compiled)
    clock = time.process_time if cpu_time else time.monotonic
    ctx.obj = WorkFolder(work or Path("build/training") / suite, load_plan(suite), hardware, clock)
    options = ["--suite", suite, "--work", str(ctx.obj.root), "--threads", str(threads), "--device", device]
    options += [] if mixed is None else ["--mixed" if mixed else "--no-mixed"]
    ctx.meta["options"] = options + ["--compile"] * compiled + ["--cpu-time"] * cpu_time


@main.command()
@click.argument("training_set", type=click.Choice(TRAINING_SETS))
@click.option("--from", "source", type=click.Path(exists=True, path_type=Path), required=True)
@click.pass_obj
def pack(work_folder: WorkFolder, training_set: str, source: Path) -> None:
    """Add the pictures of an unpacked package (pack.py says which) to one file, and cut crops from them."""
    click.echo(work_folder.pack(training_set, source))


@main.command()
@click.argument("training_set")
@_minutes
@click.pass_obj
def teach(work_folder: WorkFolder, training_set: str, minutes: float | None) -> None:
    """Train the teacher that gives every picture a latent code."""
    click.echo(work_folder.teach(training_set, minutes))


@main.command()
@click.argument("models", nargs=-1, required=True, metavar=f"{MODEL}...")
@_minutes
@click.pass_obj
def train(work_folder: WorkFolder, models: tuple[str, ...], minutes: float | None) -> None:
    """Train models one after another; stop and start at will, each resumes from its last checkpoint.

    --minutes are those of each model, in all: earlier sittings count.
    """
    for model in models:
        work_folder.train(model, minutes)


@main.command("all")
@click.argument("models", nargs=-1, metavar=f"[{MODEL}]...")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes at a time.")
@_minutes
@click.pass_context
def train_all(ctx: click.Context, models: tuple[str, ...], jobs: int, minutes: float | None) -> None:
    """Teach what is not taught, then train models (default: all of the plan on all pictures), several at a time."""
    work_folder: WorkFolder = ctx.obj
    plan = work_folder.plan
    models = models or tuple(f"{g}/{t}" for g in plan.models for t in work_folder.training_sets())
    work_folder.check(models)
    needed = {m.partition("/")[2] for m in models if plan.needs_codes(m.partition("/")[0])}
    untaught = [t for t in sorted(needed) if not work_folder.codes_file(t).exists()]
    for training_set in {m.partition("/")[2] for m in models}:
        work_folder.crops(training_set, "bank")  # cut once, before several processes want it
    options: list[str] = ctx.meta["options"]
    logs = work_folder.root / "logs"
    failed = run_commands({f"teach-{t}": [*options, "teach", t] for t in untaught}, jobs, logs) if untaught else []
    limit = [] if minutes is None else ["--minutes", str(minutes)]
    longest_first = sorted(models, key=lambda m: -plan.minutes(m.partition("/")[0]))
    commands = {m.replace("/", "-"): [*options, "train", m, *limit] for m in longest_first}
    failed += run_commands(commands, jobs, logs)
    for model in models:
        click.echo(_summary(work_folder, model))
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}; see {logs}")


def _summary(work_folder: WorkFolder, model: str) -> str:
    path = work_folder.folder(model) / "progress.json"
    if not path.exists():
        return f"{model}: not begun"
    progress = json.loads(path.read_text())
    distances = [distance for _, distance in points(progress["curve"], "swd")]
    return (
        f"{model}: {progress['seconds'] / 60:.1f} minutes, {progress['images']} images, "
        f"distance {distances[0]:.1f} -> {distances[-1]:.1f}"
    )


@main.command()
@click.argument("model", metavar=MODEL)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=2.0, show_default=True)
@click.pass_context
def redo(ctx: click.Context, model: str, minutes: float) -> None:
    """Train one model on any machine and tell its distance before and after; exit 1 if it is not lowered.

    Without the real pictures it takes computed stand-ins and says so. `make zoo` calls this.
    """
    from .redo import redo as train_again

    result = train_again(ctx.obj, model, minutes)
    click.echo(str(result))
    ctx.exit(0 if result.lowered else 1)


@main.command()
@click.argument("models", nargs=-1, metavar=f"[{MODEL}]...")
@_zoo
@click.pass_obj
def export(work_folder: WorkFolder, models: tuple[str, ...], out: Path | None) -> None:
    """Write float16 weights, the sample grid and the training record of models (default: all begun) into the zoo."""
    for model in models or work_folder.begun():
        click.echo(work_folder.export(model, out or ZOO / work_folder.plan.zoo))


@main.command()
@click.option(
    "--features",
    type=click.Path(exists=True, path_type=Path),
    help="EfficientNet-Lite0 weights.  [default: efficientnet-lite0.pth in the working folder]",
)
@click.option("--previous", type=click.Path(exists=True, path_type=Path), help="An older zoo to compare with.")
@_zoo
@click.pass_obj
def card(work_folder: WorkFolder, features: Path | None, previous: Path | None, out: Path | None) -> None:
    """Measure the zoo's models and write its card."""
    from ..efficientnet_lite0 import load_features
    from .card import write_card

    click.echo(
        write_card(
            out or ZOO / work_folder.plan.zoo,
            work_folder,
            load_features(features or work_folder.features_file),
            previous,
        )
    )


if __name__ == "__main__":
    try:
        main()
    except OsbenchError as error:
        raise SystemExit(f"osbench: error: {error}") from error
