from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from osbench.benchmark.leaks import refuse_missing_content, refuse_torn_groups
from osbench.core.errors import DatasetError, LeakError


def test_a_group_in_two_splits_is_a_leak() -> None:
    ids, group = np.array(["i", "j", "k"]), np.array(["", "scene", "scene"])
    refuse_torn_groups(ids, group, np.array(["train", "test", "test"]))
    with pytest.raises(LeakError, match="group scene is torn: j is in train and k in test"):
        refuse_torn_groups(ids, group, np.array(["test", "train", "test"]))


def test_a_source_that_lacks_a_picture_is_named() -> None:
    index = pd.DataFrame({"content_id": ["a", "b", "a", None]})
    source = np.array(["g/x", "g/x", "h/x", "folder/x"])
    with pytest.raises(DatasetError, match=r"source h/x lacks 1 of 2 pictures .* first b: run the same .* --count"):
        refuse_missing_content(index, source)
    refuse_missing_content(index.iloc[[0, 2, 3]], source[[0, 2, 3]])
