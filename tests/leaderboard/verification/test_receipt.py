"""A change after the verification is found for what it is: row, id, score, label, number or receipt."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from osbench.benchmark.label_root import label_root
from osbench.benchmark.manifest import Manifest
from osbench.core.documents import to_json
from osbench.leaderboard.verification.receipt import SignedVerdict, check_receipt, read_receipt, sign
from osbench.leaderboard.verification.verdict import Scored
from tests.leaderboard.hostile_runs import write_submission
from tests.leaderboard.synthetic_runs import Drawn

SCORES = {"msp": {"crr": Scored(0.5, 0.4, 0.6)}}
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw().hex()
SALT = b"s" * 32


@pytest.fixture
def signed(manifest: Manifest, tmp_path: Path) -> tuple[Path, SignedVerdict]:
    folder = write_submission(tmp_path / "submissions", manifest, Drawn("proposed", 0.9, {"msp": 3.0}), (0,))
    receipt = sign(folder, manifest, SCORES, "0.1.0", KEY, SALT)
    (tmp_path / "receipt.json").write_text(json.dumps(to_json(receipt)))
    assert read_receipt(tmp_path / "receipt.json") == receipt
    return folder, receipt


def _codes(folder: Path, receipt: SignedVerdict, manifest: Manifest, salt: bytes = SALT) -> list[str]:
    return [p.code for p in check_receipt(receipt, folder, manifest, SCORES, PUBLIC, salt)]


def test_what_was_signed_is_in_order(signed: tuple[Path, SignedVerdict], manifest: Manifest) -> None:
    folder, receipt = signed
    assert _codes(folder, receipt, manifest) == []
    path = folder / "seed0" / "predictions.parquet"
    table = pq.read_table(path)
    pq.write_table(table.take(list(range(len(table)))[::-1]), path)
    assert _codes(folder, receipt, manifest) == []  # another order of the rows says the same


def _score(table: pa.Table) -> pa.Table:
    values = table["known_score.msp"].to_numpy().copy()
    values[0] += 1
    return table.set_column(table.column_names.index("known_score.msp"), "known_score.msp", pa.array(values))


def _id(table: pa.Table) -> pa.Table:
    return table.set_column(0, "image_id", pa.array(["f" * 32, *table["image_id"].to_pylist()[1:]]))


@pytest.mark.parametrize(
    ("change", "code"),
    [(_score, "receipt-answers"), (_id, "receipt-ids"), (lambda t: t.slice(1), "receipt-rows")],
    ids=["score", "id", "row"],
)
def test_a_tampered_file(
    change: Callable[[pa.Table], pa.Table], code: str, signed: tuple[Path, SignedVerdict], manifest: Manifest
) -> None:
    folder, receipt = signed
    path = folder / "seed0" / "predictions.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    assert _codes(folder, receipt, manifest) == [code]


def test_tampered_labels_numbers_and_receipts(signed: tuple[Path, SignedVerdict], manifest: Manifest) -> None:
    folder, receipt = signed
    table = manifest.table.copy()
    row = int((table["split"] == "test").to_numpy().argmax())
    table.loc[row, "generator"] = next(name for name in manifest.seen if name != table.loc[row, "generator"])
    assert _codes(folder, receipt, replace(manifest, table=table)) == ["receipt-label-root"]
    assert _codes(folder, receipt, manifest, b"t" * 32) == ["receipt-label-root"]
    better = {"msp": {"crr": Scored(0.9, 0.8, 1.0)}}
    assert _codes(folder, replace(receipt, scores=better), manifest) == ["receipt-signature", "receipt-scores"]
    assert _codes(folder, replace(receipt, code_version="9"), manifest) == ["receipt-signature"]
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    forged = sign(folder, manifest, SCORES, "0.1.0", other, SALT)
    assert _codes(folder, forged, manifest) == ["receipt-signature"]


def test_the_root_depends_on_every_label_and_on_their_number() -> None:
    labels = [(f"{i}", "stylegan", "ffhq") for i in range(5)]
    roots = {label_root(labels[:n], SALT) for n in range(6)}
    roots |= {label_root([*labels[:i], (f"{i}", "progan", "ffhq"), *labels[i + 1 :]], SALT) for i in range(5)}
    assert len(roots) == 11
    assert label_root(labels[::-1], SALT) == label_root(labels, SALT)
