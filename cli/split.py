"""``osbench split``: write the manifests of a protocol."""

from __future__ import annotations

from pathlib import Path

import click

from .options import emit, handle_errors, json_option


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--protocol", default="fang2023", show_default=True, help="Who is seen and who is not.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the manifests.  [default: manifests/ in DATA, a folder in your cache if DATA is read-only]",
)
@json_option
@handle_errors
def command(data: Path, protocol: str, out: Path | None, as_json: bool) -> None:
    """Split the dataset DATA into train, val and test: one manifest per fold of the protocol."""
    from ..benchmark.manifest import read_manifest, split_dataset
    from ..generation.dataset import Dataset

    documents = []
    lines = []
    for path in split_dataset(Dataset.open(data), protocol, out):
        manifest = read_manifest(path)
        sizes = {split: len(manifest.rows(split)) for split in ("train", "val", "test")}
        documents.append(
            {
                "path": str(path),
                "fold": manifest.fold,
                "manifest_id": manifest.manifest_id,
                "seen": list(manifest.seen),
                "unseen": list(manifest.unseen),
                "held_out": manifest.held_out or None,
                "images": sizes,
            }
        )
        lines.append(
            f"{manifest.fold}: seen {', '.join(manifest.seen)}; unseen {', '.join(manifest.unseen)}; "
            f"{f'held out {manifest.held_out}; ' if manifest.held_out else ''}"
            f"{sizes['train']} train, {sizes['val']} val, {sizes['test']} test -> {path}"
        )
    emit(as_json, documents, "\n".join(lines))
