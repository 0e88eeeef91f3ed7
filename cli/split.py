"""``osbench split``: write the manifests of a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..core.defaults import DATA, PROTOCOL
from ..core.errors import UsageError
from .options import emit, handle_errors, json_option

if TYPE_CHECKING:
    from ..benchmark.protocols import Protocol


@click.command()
@click.argument("data", type=click.Path(path_type=Path), default=DATA)
@click.option("--protocol", metavar="NAME|FILE", help=f"Who is seen and who is not.  [default: {PROTOCOL}]")
@click.option(
    "--unseen", multiple=True, metavar="GENERATOR", help="This generator is unseen (repeatable), all others are seen."
)
@click.option(
    "--hold-out",
    type=click.Choice(["training_set", "weights"]),
    help="With --unseen: one of them at a time stays out of training, a fold each.",
)
@click.option("--name", help="What the protocol of --unseen is called.  [default: unseen-GENERATOR+GENERATOR]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the manifests.  [default: manifests/ in DATA, a folder in your cache if DATA is read-only]",
)
@json_option
@handle_errors
def command(
    data: Path,
    protocol: str | None,
    unseen: tuple[str, ...],
    hold_out: Literal["training_set", "weights"] | None,
    name: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Split the dataset DATA (default: data) into train, val and test: one manifest per fold of the protocol.

    A protocol of --unseen or of a YAML file is stored with the manifests; --protocol then takes its name, here and in
    `osbench evaluate`.
    """
    from ..benchmark.manifest import read_manifest, split_dataset
    from ..benchmark.protocols import protocol_names
    from ..generation.dataset import Dataset

    rule = _protocol(protocol, unseen, hold_out, name)
    documents = []
    lines = []
    for path in split_dataset(Dataset.open(data), rule, out):
        manifest = read_manifest(path)
        sizes = {split: len(manifest.rows(split)) for split in ("train", "val", "test")}
        documents.append(
            {
                "path": str(path),
                "protocol": manifest.protocol,
                "fold": manifest.fold,
                "manifest_id": manifest.manifest_id,
                "seen": list(manifest.seen),
                "unseen": list(manifest.unseen),
                "held_out": manifest.held_out or None,
                "images": sizes,
            }
        )
        lines.append(
            f"{manifest.fold}: seen {', '.join(manifest.seen)}; unseen {', '.join(manifest.unseen) or 'nobody'}; "
            f"{f'held out {manifest.held_out}; ' if manifest.held_out else ''}"
            f"{sizes['train']} train, {sizes['val']} val, {sizes['test']} test -> {path}"
        )
    used = documents[0]["protocol"]
    flag = "" if used == PROTOCOL else f" --protocol {used}"
    if used not in protocol_names():
        lines.append(f"protocol {used} is stored with them: {Path(documents[0]['path']).parent / used}.yaml")
    if out is None:
        place = "" if data == DATA else f" --data {data}"
        lines.append(f"Next: osbench evaluate --method proposed{place}{flag}")
    emit(as_json, documents, "\n".join(lines))


def _protocol(
    given: str | None, unseen: tuple[str, ...], hold_out: Literal["training_set", "weights"] | None, name: str | None
) -> Protocol | str:
    """What the options mean together; UsageError where they contradict each other."""
    from ..benchmark.protocols import Protocol

    if not unseen and name is None and hold_out is None:
        return given or PROTOCOL
    if not unseen and hold_out is not None:
        raise UsageError(
            "--hold-out completes --unseen GENERATOR; protocols that hold something out are cross-content and"
            " cross-weights (--protocol)."
        )
    if not unseen:
        raise UsageError("--name names the protocol of --unseen: say who is unseen, --unseen GENERATOR.")
    if given is not None:
        raise UsageError("--protocol and --unseen both say who is unseen: give one of them.")
    return Protocol.of_unseen(unseen, name, hold_out)
