"""What a board signs after a verification, and what anybody can check later without trusting the board's database.

Ed25519 (RFC 8032) over the canonical JSON of the receipt: sorted keys, no spaces, UTF-8. It names the submission, the
root of the labels (:mod:`~osbench.benchmark.label_root`), the code that scored, and of every seed the number of rows,
the ids and the answers apart, so that a change is found for what it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from ...benchmark.label_root import label_root, test_labels
from ...benchmark.manifest import Manifest
from ...benchmark.predictions import row_budget
from ...benchmark.run_info import RUN_FILE, Count, RunInfo, Sha256, read_run_info
from ...benchmark.runs import PREDICTIONS_FILE
from ...core.documents import Limits, from_json, to_json
from ...core.errors import RunError, UsageError
from ...core.foreign import read_json, read_table
from ..submission import read_submission_info
from .verdict import Metrics, Problem, problem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_MAX_BYTES = 1 << 20
_Hex = Annotated[str, Limits(pattern="[0-9a-f]+", longest=128)]


@dataclass(frozen=True)
class SignedRun:
    """What one seed answered: rows, and the SHA-256 of the ids and of the answers, both in the order of the ids."""

    seed: Count
    rows: Count
    ids_sha256: Sha256
    answers_sha256: Sha256


@dataclass(frozen=True)
class SignedVerdict:
    """The receipt of a verification.

    Parameters
    ----------
    submission : str
        Its digest.
    manifest_id, label_root : str
        What was answered, and the Merkle root of the labels that it was scored with.
    code_version : str
        The version of osbench that scored.
    runs : tuple of SignedRun
        One for each seed.
    scores : dict
        Rejection rule -> metric -> number.
    public_key, signature : str
        Ed25519, hexadecimal.
    """

    submission: Sha256
    manifest_id: Sha256
    label_root: Sha256
    code_version: Annotated[str, Limits(longest=100)]
    runs: Annotated[tuple[SignedRun, ...], Limits(shortest=1, longest=100)]
    scores: Metrics
    public_key: _Hex
    signature: _Hex = ""
    schema_version: Literal[1] = 1

    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        document = to_json(self)
        del document["signature"]
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sign(
    folder: Path, manifest: Manifest, scores: Metrics, code_version: str, key: Ed25519PrivateKey, salt: bytes = b""
) -> SignedVerdict:
    """The receipt of a submission that was verified.

    Parameters
    ----------
    folder : Path
        The submission.
    manifest : Manifest
        With the labels that it was scored with.
    scores : dict
        Of its verdict.
    code_version : str
        Of osbench.
    key : Ed25519PrivateKey
        The board's.
    salt : bytes
        Of the labels, where they are hidden.
    """
    runs = tuple(_signed_run(folder / run.folder, run.seed, manifest) for run in read_submission_info(folder).runs)
    root = label_root(test_labels(manifest), salt)
    public = key.public_key().public_bytes_raw().hex()
    receipt = SignedVerdict(folder.name, manifest.manifest_id, root, code_version, runs, scores, public)
    return replace(receipt, signature=key.sign(receipt.signed_bytes()).hex())


def read_receipt(path: Path) -> SignedVerdict:
    """A receipt from anybody; RunError in one line if it is none."""
    return from_json(SignedVerdict, read_json(path, RunError, _MAX_BYTES), path.name, RunError)


def check_receipt(
    receipt: SignedVerdict, folder: Path, manifest: Manifest, scores: Metrics, public_key: str, salt: bytes = b""
) -> Iterator[Problem]:
    """Every way in which a receipt does not belong to a submission, the labels, the scores or the board's key.

    Parameters
    ----------
    receipt : SignedVerdict
        From :func:`read_receipt`.
    folder : Path
        The submission as it is now.
    manifest : Manifest
        With the labels as they are now.
    scores : dict
        As they are computed, or shown, now; empty to leave them out.
    public_key : str
        The board's, hexadecimal, from where the board publishes it: never from the receipt.
    salt : bytes
        Of the labels.
    """
    if receipt.public_key != public_key or not _genuine(receipt, public_key):
        yield problem("receipt-signature", "the signature is not that of the board's key over this receipt.")
    if receipt.manifest_id != manifest.manifest_id:
        yield problem("receipt-other", f"the receipt is of manifest {receipt.manifest_id[:12]}.")
    if receipt.label_root != label_root(test_labels(manifest), salt):
        yield problem("receipt-label-root", "the labels do not give the root that was signed.")
    for said in receipt.runs:
        try:
            found = _signed_run(folder / f"seed{said.seed}", said.seed, manifest)
        except RunError as error:
            yield problem("receipt-other", f"seed {said.seed} cannot be read: {error}")
            continue
        if found.rows != said.rows:
            yield problem("receipt-rows", f"seed {said.seed} has {found.rows:,} rows; {said.rows:,} were signed.")
        elif found.ids_sha256 != said.ids_sha256:
            yield problem("receipt-ids", f"seed {said.seed} answers other images than were signed.")
        elif found.answers_sha256 != said.answers_sha256:
            yield problem("receipt-answers", f"seed {said.seed} has other answers than were signed.")
    if scores and scores != receipt.scores:
        yield problem("receipt-scores", "the numbers are not those that were signed.")


def _genuine(receipt: SignedVerdict, public_key: str) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise UsageError("receipts need cryptography: pip install 'osbench[server]'.") from error
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(receipt.signature), receipt.signed_bytes())
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed_run(folder: Path, seed: int, manifest: Manifest) -> SignedRun:
    """The rows as they are, in the order of their ids; columns by name, so that writing a file anew changes nothing."""
    info: RunInfo = read_run_info(folder / RUN_FILE)
    budget = row_budget(2 * len(manifest.rows("val", "test")), len(manifest.seen), len(info.rules))
    table = read_table(folder / PREDICTIONS_FILE, RunError, budget)
    ids = np.array([str(one) for one in table["image_id"].to_pylist()], dtype=str)
    order = np.argsort(ids, kind="stable")
    answers = hashlib.sha256()
    for name in sorted(set(table.column_names) - {"image_id"}):
        values = table[name].combine_chunks()
        flat = values.flatten() if name == "class_scores" else values
        rows = flat.to_numpy(zero_copy_only=False).reshape(len(ids), -1)[order]
        answers.update(name.encode() + b"\0" + np.ascontiguousarray(rows.astype("<f8")).tobytes())
    return SignedRun(seed, len(ids), hashlib.sha256("\n".join(ids[order]).encode()).hexdigest(), answers.hexdigest())
