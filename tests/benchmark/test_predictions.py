from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.method import Scores
from osbench.benchmark.predictions import Predictions, read_predictions, write_predictions
from osbench.core.errors import RunError


def answers(ids: list[str], k: int = 3, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    class_scores = rng.normal(size=(len(ids), k)).astype(np.float32)
    return Predictions(np.array(ids), Scores(class_scores, class_scores.max(axis=1), class_scores.argmax(axis=1)))


@pytest.fixture
def full(manifest: Manifest) -> Predictions:
    return answers(manifest.rows("val", "test")["image_id"].tolist())


def test_written_and_read_back_to_the_bit(full: Predictions, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_predictions(full, path)
    again = read_predictions(path, 3)
    assert again.image_ids.tolist() == full.image_ids.tolist()
    for field in ("class_scores", "known_score", "candidate"):
        assert (getattr(again.scores, field) == getattr(full.scores, field)).all()
    first = path.read_bytes()
    write_predictions(full, path)
    assert path.read_bytes() == first


def test_the_file_has_the_promised_columns(full: Predictions, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_predictions(full, path)
    assert pq.read_schema(path).remove_metadata() == pa.schema(
        [
            ("image_id", pa.string()),
            ("class_scores", pa.list_(pa.float32(), 3)),
            ("known_score", pa.float32()),
            ("candidate", pa.int32()),
        ]
    )


def test_join_restores_the_order_of_the_manifest(full: Predictions, manifest: Manifest) -> None:
    order = np.random.default_rng(1).permutation(len(full))
    joined = full.take(order).join(manifest)
    assert joined.image_ids.tolist() == manifest.rows("val", "test")["image_id"].tolist()
    assert (joined.scores.known_score == full.scores.known_score).all()


def test_join_refuses_missing_and_unknown_images(full: Predictions, manifest: Manifest) -> None:
    with pytest.raises(RunError, match=f"1 of 32 images have no answer, first {full.image_ids[5]}"):
        full.take(np.arange(len(full)) != 5).join(manifest)
    train = manifest.rows("train")["image_id"].iloc[0]
    more = answers([*full.image_ids.tolist(), train])
    with pytest.raises(RunError, match=f"1 answers are for images outside .* first {train}"):
        more.join(manifest)
    with pytest.raises(RunError, match="scores for 4 generators, the manifest has 3 seen"):
        answers(full.image_ids.tolist(), k=4).join(manifest)


def good_columns(n: int = 6, k: int = 3) -> dict[str, pa.Array]:
    return {
        "image_id": pa.array([f"id{i}" for i in range(n)]),
        "class_scores": pa.array([[0.5] * k] * n, pa.list_(pa.float32(), k)),
        "known_score": pa.array([1.0] * n, pa.float32()),
        "candidate": pa.array([0] * n, pa.int32()),
    }


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "repeated id": ({"image_id": pa.array(["a", "b", "c", "a", "e", "f"])}, "image a is answered twice"),
    "long id": ({"image_id": pa.array(["x" * 65, "b", "c", "d", "e", "f"])}, "longer than 64"),
    "empty cell": ({"known_score": pa.array([None] * 6, pa.float32())}, "empty cells"),
    "nan": ({"known_score": pa.array([0, 0, float("nan"), 0, 0, 0], pa.float32())}, "row 2 are not finite"),
    "inf": (
        {"class_scores": pa.array([[0.0, 0.0, float("inf")]] * 6, pa.list_(pa.float32(), 3))},
        "row 0 are not finite",
    ),
    "candidate": ({"candidate": pa.array([0, 0, 0, 9, 0, 0], pa.int32())}, "candidate 9 of row 3"),
    "types": ({"known_score": pa.array([1.0] * 6, pa.float64())}, "known_score is double; expected float"),
    "candidate type": ({"candidate": pa.array([1.0] * 6, pa.float32())}, "candidate is float; expected int32"),
    "K": ({"class_scores": pa.array([[0.5] * 4] * 6, pa.list_(pa.float32(), 4))}, "24 class scores for 6 rows"),
    "no lists": ({"class_scores": pa.array([0.5] * 6, pa.float32())}, "expected a list of 3 float32"),
    "double lists": (
        {"class_scores": pa.array([[0.5] * 3] * 6, pa.list_(pa.float64(), 3))},
        "expected a list of 3 float32 or float16",
    ),
    "half inf": (
        {"class_scores": pa.array([[np.float16("inf")] * 3] * 6, pa.list_(pa.float16(), 3))},
        "row 0 are not finite",
    ),
    "ragged": (
        {"class_scores": pa.array([[0.5] * 2, [0.5] * 4] * 3, pa.list_(pa.float32()))},
        "row 0 has 2 class scores; expected 3",
    ),
    "extra column": ({"truth": pa.array([0] * 6)}, "columns are image_id, .*truth; expected"),
    "no rows": ({name: column[:0] for name, column in good_columns().items()}, "no rows"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_a_one_line_error(case: str, tmp_path: Path) -> None:
    change, message = BAD[case]
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table(good_columns() | change), path)
    with pytest.raises(RunError, match=message) as caught:
        read_predictions(path, 3)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_lists_of_variable_length_are_fine_if_all_have_k_values(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table(good_columns() | {"class_scores": pa.array([[0.5] * 3] * 6, pa.list_(pa.float32()))}), path)
    assert read_predictions(path, 3).scores.class_scores.shape == (6, 3)


def test_rows_are_counted_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table(good_columns(n=11)), path)
    monkeypatch.setattr("osbench.benchmark.predictions.MAX_ROWS", 10)
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_: pytest.fail("read the rows"))
    with pytest.raises(RunError, match="11 rows; at most 10 are read"):
        read_predictions(path, 3)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all" * 100])
def test_what_is_not_parquet(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    path.write_bytes(content)
    with pytest.raises(RunError, match="not a readable Parquet file") as caught:
        read_predictions(path, 3)
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match="no predictions"):
        read_predictions(tmp_path / "absent.parquet", 3)


def test_a_truncated_file(full: Predictions, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_predictions(full, path)
    data = path.read_bytes()
    for length in (4, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(RunError):
            read_predictions(path, 3)


def test_compact_rounds_class_scores_and_nothing_else(full: Predictions, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_predictions(full, path, compact=True)
    assert pq.read_schema(path).field("class_scores").type == pa.list_(pa.float16(), 3)
    again = read_predictions(path, 3)
    assert again.image_ids.tolist() == full.image_ids.tolist()
    assert (again.scores.known_score == full.scores.known_score).all()
    assert (again.scores.candidate == full.scores.candidate).all()
    assert again.scores.class_scores.dtype == np.float32
    assert (again.scores.class_scores == full.scores.class_scores.astype(np.float16)).all()


def test_scores_beyond_float16_stay_as_they_are(full: Predictions, tmp_path: Path) -> None:
    full.scores.class_scores[0, 0] = 1e5
    write_predictions(full, tmp_path / "p.parquet", compact=True)
    assert (read_predictions(tmp_path / "p.parquet", 3).scores.class_scores == full.scores.class_scores).all()
