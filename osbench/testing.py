"""For authors of methods: does mine keep the contract? One line for each promise that it breaks.

>>> from osbench.testing import check_method
>>> check_method("osbench-1", crop_size=32)
"""

from .benchmark.method_checks import (
    Check,
    ContractError,
    check_method,
    easy_images,
    easy_splits,
    method_checks,
    rehearse,
)

__all__ = ["Check", "ContractError", "check_method", "easy_images", "easy_splits", "method_checks", "rehearse"]
