"""``osbench generate``: make the images of a suite."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.defaults import DATA
from .options import emit, handle_errors, json_option, names_and_paths

if TYPE_CHECKING:
    from ..generation.dataset import Dataset


@click.command()
@click.option(
    "--suite",
    help="Name of a packaged suite, or path of a suite YAML.  [default: mini; with --from-folder, the folders alone]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=DATA,
    show_default=True,
    help="Folder of the dataset; made if missing.",
)
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only this source (repeatable).")
@click.option("--count", type=int, help="Images per source.  [default: as the suite says]")
@click.option(
    "--workers",
    type=int,
    default=1,
    show_default=True,
    help="Processes; changes no byte of the result. With an accelerator: one runs the network, the others encode.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option(
    "--from-folder", "folders", multiple=True, metavar="NAME=DIR", help="Own images as a source (repeatable)."
)
@click.option("--folder-licence", help="Licence of the --from-folder images, for the dataset card.")
@click.option(
    "--crop-size",
    type=int,
    help="Side of the crop in pixels, for folders without --suite.  [default: the largest multiple of 8 that fits "
    "every picture, up to 256]",
)
@click.option("--order", help="compress-then-crop (as in paper 1) or crop-then-compress.")
@click.option("--frame", help="window (around the crop) or full (the whole image).")
@click.option(
    "--weights", multiple=True, metavar="SOURCE=FILE", help="Weights you have already: a file or folder (repeatable)."
)
@click.option(
    "--accept-licence",
    "accept_licences",
    multiple=True,
    metavar="ID",
    help="Accept a licence of downloaded weights, once (repeatable; see 'osbench licences').",
)
@click.option("--offline", is_flag=True, help="Download nothing; say what is missing and where to get it.")
@click.option("--engine", default="local", show_default=True, help="What schedules the shards.")
@click.option("--dry-run", is_flag=True, help="Print images, disk and time, and make nothing.")
@json_option
@handle_errors
def command(
    as_json: bool,
    dry_run: bool,
    folders: tuple[str, ...],
    weights: tuple[str, ...],
    accept_licences: tuple[str, ...],
    offline: bool,
    engine: str,
    **options: Any,
) -> None:
    """Make, or finish, a dataset: the suite mini in data where nothing else is said.

    Run the same command again after any interruption. A larger --count makes it grow. With --from-folder and without
    --suite the dataset consists of your own images alone, and who is unseen is yours to say: osbench split --unseen.

    Shards are published one by one, each exactly once; the result does not depend on --workers or on restarts.
    """
    options["folders"] = names_and_paths("--from-folder", "NAME=DIR", folders)
    options["weights"] = names_and_paths("--weights", "SOURCE=FILE", weights)
    if dry_run:
        _print_plan(as_json, options)
        return
    from ..generation.generate import generate

    made: list[int] = []
    options |= {"accept_licences": accept_licences, "offline": offline, "on_made": made.append}
    dataset = generate(engine=engine, **options)
    originals, again = (
        sum(s["count"] for s in dataset.info["sources"] if ("resynthesizes" in s) == other) for other in (False, True)
    )
    document = {
        "dataset": str(dataset.path),
        "suite": dataset.suite,
        "crop_size": dataset.crop_size,
        "sources": dataset.sources(),
        "images": originals,
        "resyntheses": again,
        "made": made[0],
    }
    everything = made[0] == originals + again
    new = "nothing to make" if not made[0] else "all of them new" if everything else f"{made[0]} of them new"
    sources = f"{len(dataset.sources())} source{'s' * (len(dataset.sources()) != 1)}"
    crops = f"suite {dataset.suite}, crops of {dataset.crop_size} px"
    images = f"{originals} images" + (f" and {again} resyntheses" if again else "")
    emit(as_json, document, f"{dataset.path}: {images} from {sources}, {new} ({crops})\n{_next(dataset)}")


def _next(dataset: Dataset) -> str:
    """What there is to do with it."""
    from ..generation.request import FOLDERS

    place = "" if dataset.path == DATA else f" {dataset.path}"
    if dataset.suite == FOLDERS:
        return f"Next: osbench split{place} --unseen GENERATOR"
    return f"Next: osbench evaluate --method proposed{' --data' if place else ''}{place}"


def _print_plan(as_json: bool, options: dict[str, Any]) -> None:
    from ..generation.plan import plan, plan_text

    rows = plan(**options)
    emit(as_json, [asdict(row) for row in rows], plan_text(rows))
