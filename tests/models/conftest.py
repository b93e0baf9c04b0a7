"""Failures that are known, by what their tests are called, until they are mended."""

from __future__ import annotations

import fnmatch
import re

import pytest

KNOWN = {
    "test_numpy[[]*_*lstm*]": "KeyError in plan/join.py",
    "test_numpy[[]each_other]": "KeyError in plan/join.py",
    "test_numpy[[]product_below]": "join folds x into a product that a shift reads",
    "test_stream[[]*each_other*]": "KeyError in plan/join.py",
    "test_*[[]*parallel_min_gru_min_gru*": "packed gates are overwritten",
    "test_*[[]*gates_without_recurrence*": "packed gates are overwritten",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for pattern, why in KNOWN.items():
            if "models" in item.nodeid and re.fullmatch(fnmatch.translate(pattern), item.name):
                item.add_marker(pytest.mark.xfail(reason=why, strict=False))
