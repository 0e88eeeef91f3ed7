from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from osbench.benchmark.manifest_columns import COLUMNS, cells, class_index, columns_of, schema_of, source_names


def test_class_indices() -> None:
    assert class_index(np.array(["b", "x", "a"]), ("a", "b")).tolist() == [1, -1, 0]


def test_optional_columns_come_last_and_in_order() -> None:
    assert columns_of(["group", "image_id", "weights"]) == (*COLUMNS, "weights", "group")
    assert columns_of(["image_id", "other"]) == COLUMNS
    assert schema_of(["group"]).field("group").type == pa.string()


def test_an_optional_column_without_a_value_is_empty() -> None:
    table = pd.DataFrame({"weights": ["w0", None], "row": [3, 4]})
    assert cells(table, "weights").tolist() == ["w0", ""]
    assert cells(table, "group").tolist() == ["", ""]
    assert cells(table, "row").dtype == np.int64


def test_a_source_with_several_weights_is_named_after_them() -> None:
    table = pd.DataFrame({"generator": ["g", "g"], "training_set": ["t", "t"], "weights": ["w0", None]})
    assert source_names(table).tolist() == ["g/t.w0", "g/t"]
