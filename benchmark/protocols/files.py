"""Protocols as files: those of the package, those that lie with a data set, and anybody's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import yaml

from ...core.errors import UsageError, unknown_name
from ...core.progress import get_logger
from ...core.publish import write_atomically
from ...core.schema import read_record
from ...core.text import printable
from ...core.yaml import read_yaml
from .protocol import SUFFIXES, Protocol

_PACKAGED = Path(__file__).resolve().parent


def protocol_names() -> list[str]:
    """Names of the packaged protocols, sorted."""
    return sorted(path.stem for path in _PACKAGED.glob("*.yaml"))


def load_protocol(given: str | Path | Protocol, folders: Sequence[Path] = ()) -> Protocol:
    """A protocol by its name or file.

    Parameters
    ----------
    given : str, Path or Protocol
        The name of a packaged protocol or of one stored in ``folders``, the path of a YAML file, or the protocol.
    folders : sequence of Path
        Where protocols are stored; the first that knows a name counts.

    Returns
    -------
    Protocol
        Whether its generators exist is known once a data set is split.

    Raises
    ------
    UsageError
        For an unknown name (with the nearest one), a file that is no protocol, and a protocol that has the name of a
        packaged one and says something else.
    """
    if isinstance(given, Protocol):
        return _checked(given, "this protocol")
    text = str(given)
    if text in protocol_names():
        return read_protocol(_PACKAGED / f"{text}.yaml")
    if text.endswith(SUFFIXES):
        return _checked(read_protocol(Path(given)), printable(text))
    stored = {path.stem: path for folder in reversed(folders) for path in folder.glob("*.yaml")}
    if text not in stored:
        raise unknown_name("protocol", text, {*protocol_names(), *stored})
    found = read_protocol(stored[text])
    if found.name != text:
        raise UsageError(f"{printable(stored[text])}: holds protocol {found.name} under another name.")
    return found


def _checked(protocol: Protocol, where: str) -> Protocol:
    name = protocol.name
    if name in protocol_names() and replace(protocol, description="") != replace(load_protocol(name), description=""):
        raise UsageError(f"{where} has the name of the packaged protocol {name} and says something else: rename it.")
    return protocol


def read_protocol(path: Path) -> Protocol:
    """The protocol of a YAML file; UsageError, naming file and key, for anything else than the keys above."""
    document = read_yaml(path, UsageError)
    if isinstance(document, dict):
        document = {"name": path.stem} | cast(dict[str, object], document)
    return read_record(Protocol, document, printable(path))


def store_protocol(protocol: Protocol, folder: Path) -> Path | None:
    """Keep a protocol in a folder, ``<name>.yaml``, so that it is known there by its name.

    Parameters
    ----------
    protocol : Protocol
        What to keep; a packaged one is known everywhere and not written.
    folder : Path
        Where manifests are.

    Returns
    -------
    Path or None
        Where it is stored; None for a packaged one.
    """
    if protocol.name in protocol_names():
        return None
    path = folder / f"{protocol.name}.yaml"
    if path.exists():
        try:
            if read_protocol(path) == protocol:
                return path
        except UsageError:
            pass
        get_logger().warning("%s said something else and is replaced", path)
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(protocol.document(), sort_keys=False, allow_unicode=True, width=120)
    write_atomically(path, text.encode())
    return path
