"""Every error a user may meet is one line: what is wrong, where, and what to do about it.

The command line prints the message of an :class:`OsbenchError` without a traceback and exits
with :attr:`OsbenchError.exit_code` (1 for failures, 2 for usage errors).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .text import printable


class OsbenchError(Exception):
    """Base class of all errors that osbench raises on purpose."""

    exit_code = 1


class UsageError(OsbenchError):
    """The request itself makes no sense (unknown name, contradictory options)."""

    exit_code = 2


class DatasetError(OsbenchError):
    """A dataset folder, shard, ledger or manifest is missing, damaged or of another version."""


class CheckpointError(OsbenchError):
    """A weight file cannot be trusted or does not fit the network it is meant for."""


class GenerationError(OsbenchError):
    """A generator produced something that must not be published (constant image, NaN)."""


class RunError(OsbenchError):
    """A run, its predictions or a submission are incomplete, inconsistent or not finite."""


class LeakError(OsbenchError):
    """Unseen images, or content that is held out, would enter training or validation."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """A :class:`UsageError` that lists what exists and suggests the nearest spelling.

    Examples
    --------
    >>> print(unknown_name("suite", "minni", ["mini", "fang2023"]))
    unknown suite 'minni'. Did you mean 'mini'? Known: fang2023, mini.
    """
    names, given = sorted(map(printable, known)), printable(name)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.4)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return UsageError(f"unknown {printable(kind, 500)} '{given}'.{hint} Known: {', '.join(names) or 'none'}.")
