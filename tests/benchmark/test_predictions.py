from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.predictions import Predictions, read_predictions, write_predictions
from osbench.benchmark.scores import Scores
from osbench.core.errors import RunError, UsageError
from tests.benchmark.run_documents import drawn_answers

RULES = ("native", "never", "other")


def answers(ids: list[str], k: int = 3, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    class_scores = rng.normal(size=(len(ids), k)).astype(np.float32)
    best = Scores(class_scores, class_scores.max(axis=1), class_scores.argmax(axis=1))
    return Predictions.of(np.array(ids), {"native": best})


@pytest.fixture
def full(manifest: Manifest) -> Predictions:
    return drawn_answers(manifest, RULES)


def test_written_and_read_back_to_the_bit(full: Predictions, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_predictions(full, path)
    again = read_predictions(path, RULES, 3, len(full))
    assert again.image_ids.tolist() == full.image_ids.tolist()
    for rule in RULES:
        mine, theirs = full.scores(rule), again.scores(rule)
        for field in ("class_scores", "known_score", "candidate"):
            assert (getattr(mine, field) == getattr(theirs, field)).all()
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
            ("candidate", pa.int32()),
            ("known_score.native", pa.float32()),
            ("known_score.never", pa.float32()),
            ("known_score.other", pa.float32()),
            ("candidate.other", pa.int32()),
        ]
    )


def test_rules_of_one_fit_share_their_class_scores() -> None:
    one = Scores(np.zeros((2, 3)), np.zeros(2), np.zeros(2))
    with pytest.raises(RunError, match="class scores of rules 'a' and 'b' differ"):
        Predictions.of(np.array(["x", "y"]), {"a": one, "b": Scores(np.ones((2, 3)), np.zeros(2), np.zeros(2))})


def test_a_rule_that_is_not_there(full: Predictions) -> None:
    with pytest.raises(UsageError, match="Did you mean 'never'"):
        full.scores("nevre")


def test_twelve_rules_of_26000_images_fit_in_4_mb(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n, k = 26_000, 5
    ids = np.array([hashlib.sha256(bytes([i % 256, i // 256])).hexdigest()[:32] for i in range(n)])
    class_scores = rng.normal(size=(n, k))
    rules = {f"rule-{i}": Scores(class_scores, rng.normal(size=n), class_scores.argmax(1)) for i in range(12)}
    write_predictions(Predictions.of(ids, rules), tmp_path / "p.parquet")
    assert (tmp_path / "p.parquet").stat().st_size < 4e6
    assert len(read_predictions(tmp_path / "p.parquet", list(rules), k, n)) == n


def test_join_restores_the_order_of_the_manifest(full: Predictions, manifest: Manifest) -> None:
    order = np.random.default_rng(1).permutation(len(full))
    joined = full.take(order).join(manifest)
    assert joined.image_ids.tolist() == manifest.rows("val", "test")["image_id"].tolist()
    assert (joined.known_score["native"] == full.known_score["native"]).all()
    assert (joined.other_candidate["other"] == full.other_candidate["other"]).all()


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
        "candidate": pa.array([0] * n, pa.int32()),
        "known_score.native": pa.array([1.0] * n, pa.float32()),
    }


SIX = ["a", "b", "c", "d", "e", "f"]

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "repeated id": ({"image_id": pa.array(["a", "b", "c", "a", "e", "f"])}, "image a is answered twice"),
    "long id": ({"image_id": pa.array(["x" * 65, *SIX[1:]])}, "an image id has 65 characters; at most 64"),
    "empty id": ({"image_id": pa.array([None, *SIX[1:]], pa.string())}, "column 'image_id' has empty cells"),
    "empty cell": ({"known_score.native": pa.array([None] * 6, pa.float32())}, "column 'known_score.native' has empty"),
    "nan": ({"known_score.native": pa.array([0, 0, float("nan"), 0, 0, 0], pa.float32())}, "row 2 are not finite"),
    "inf": (
        {"class_scores": pa.array([[0.0, 0.0, float("inf")]] * 6, pa.list_(pa.float32(), 3))},
        "row 0 are not finite",
    ),
    "candidate": ({"candidate": pa.array([0, 0, 0, 9, 0, 0], pa.int32())}, "candidate 9 of row 3"),
    "own candidate": ({"candidate.native": pa.array([0, 0, 0, -1, 0, 0], pa.int32())}, "candidate -1 of row 3"),
    "types": ({"known_score.native": pa.array([1.0] * 6, pa.float64())}, "column 'known_score.native' is double"),
    "candidate type": ({"candidate": pa.array([1.0] * 6, pa.float32())}, "column 'candidate' is float"),
    "K": ({"class_scores": pa.array([[0.5] * 4] * 6, pa.list_(pa.float32(), 4))}, "4 class scores per row; expected 3"),
    "no lists": ({"class_scores": pa.array([0.5] * 6, pa.float32())}, "column 'class_scores' is float"),
    "double lists": (
        {"class_scores": pa.array([[0.5] * 3] * 6, pa.list_(pa.float64(), 3))},
        "column 'class_scores' is fixed_size_list",
    ),
    "half inf": (
        {"class_scores": pa.array([[np.float16("inf")] * 3] * 6, pa.list_(pa.float16(), 3))},
        "row 0 are not finite",
    ),
    "empty score": ({"class_scores": pa.array([[0.5, None, 0.5]] * 6, pa.list_(pa.float32(), 3))}, "has empty cells"),
    "ragged": (
        {"class_scores": pa.array([[0.5] * 2, [0.5] * 4] * 3, pa.list_(pa.float32()))},
        "row 0 has 2 class scores; expected 3",
    ),
    "extra column": ({"truth": pa.array([0] * 6)}, "column 'truth' is unknown; the run has the rules native"),
    "another rule": ({"known_score.msp": pa.array([0.0] * 6, pa.float32())}, "column 'known_score.msp' is unknown"),
    "no rows": ({name: column[:0] for name, column in good_columns().items()}, "no rows"),
    "more rows": (good_columns(n=7), "7 rows; at most 6 are read"),
}
NO_TEXT = {
    "int64": pa.array(range(6)),
    "bool": pa.array([True] * 6),
    "float": pa.array([0.5] * 6),
    "time": pa.array([0] * 6, pa.timestamp("s")),
    "binary": pa.array([b"\xff"] * 6),
    "list": pa.array([["a"]] * 6),
    "struct": pa.array([{"a": "b"}] * 6),
}
BAD |= {f"id of {name}": ({"image_id": ids}, "column 'image_id' is ") for name, ids in NO_TEXT.items()}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_a_one_line_error(case: str, tmp_path: Path) -> None:
    change, message = BAD[case]
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table(good_columns() | change), path)
    with pytest.raises(RunError, match=message) as caught:
        read_predictions(path, ["native"], 3, 6)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_rule_without_its_column(tmp_path: Path) -> None:
    pq.write_table(pa.table(good_columns()), tmp_path / "p.parquet")
    with pytest.raises(RunError, match=r"column .known_score\.msp. is missing"):
        read_predictions(tmp_path / "p.parquet", ["native", "msp"], 3, 6)


@pytest.mark.parametrize("encoding", ["dictionary", "prefixes"])
def test_a_bomb_is_refused_before_it_goes_off(encoding: str, tmp_path: Path) -> None:
    """Few bytes that unfold to many: one long id in every row."""
    path, n = tmp_path / "p.parquet", 26_000
    one = pa.array(["x" * 2_000_000], pa.large_string())
    columns = good_columns(n)
    ids = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), one)
    if encoding == "dictionary":
        pq.write_table(pa.table(columns | {"image_id": ids}), path, compression="zstd")
    else:
        ids = pa.array(["x" * 20_000] * 2000)
        columns = good_columns(2000)
        options: Any = {"use_dictionary": False, "column_encoding": {"image_id": "DELTA_BYTE_ARRAY"}}
        pq.write_table(pa.table(columns | {"image_id": ids}), path, compression="zstd", **options)
    assert path.stat().st_size < 200_000
    with pytest.raises(RunError, match=r"when it is unpacked"):
        read_predictions(path, ["native"], 3, n)
    assert pa.default_memory_pool().max_memory() < 1 << 30


def test_lists_of_variable_length_are_fine_if_all_have_k_values(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table(good_columns() | {"class_scores": pa.array([[0.5] * 3] * 6, pa.list_(pa.float32()))}), path)
    assert read_predictions(path, ["native"], 3, 6).class_scores.shape == (6, 3)


def test_rows_are_counted_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table(good_columns(n=11)), path)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *_: pytest.fail("read the rows"))
    with pytest.raises(RunError, match="11 rows; at most 10 are read"):
        read_predictions(path, ["native"], 3, 10)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all" * 100])
def test_what_is_not_parquet(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    path.write_bytes(content)
    with pytest.raises(RunError, match="is not a Parquet file") as caught:
        read_predictions(path, ["native"], 3, 6)
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match="cannot be read"):
        read_predictions(tmp_path / "absent.parquet", ["native"], 3, 6)


def test_a_truncated_file(full: Predictions, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_predictions(full, path)
    data = path.read_bytes()
    for length in (4, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(RunError):
            read_predictions(path, RULES, 3, len(full))


def test_compact_rounds_class_scores_and_nothing_else(full: Predictions, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_predictions(full, path, compact=True)
    assert pq.read_schema(path).field("class_scores").type == pa.list_(pa.float16(), 3)
    again = read_predictions(path, RULES, 3, len(full))
    assert again.image_ids.tolist() == full.image_ids.tolist()
    for rule in RULES:
        assert (again.scores(rule).known_score == full.scores(rule).known_score).all()
        assert (again.scores(rule).candidate == full.scores(rule).candidate).all()
    assert again.class_scores.dtype == np.float32
    assert (again.class_scores == full.class_scores.astype(np.float16)).all()


def test_scores_beyond_float16_stay_as_they_are(full: Predictions, tmp_path: Path) -> None:
    full.class_scores[0, 0] = 1e5
    write_predictions(full, tmp_path / "p.parquet", compact=True)
    again = read_predictions(tmp_path / "p.parquet", RULES, 3, len(full))
    assert (again.class_scores == full.class_scores).all()
