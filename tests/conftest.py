"""The whole suite compiles to NumPy where a test does not ask for native code, which would be compiled for each test anew."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from interpreted import interpreted
from night import NIGHT

from autograd_seq.emit.native import numba as backend
from autograd_seq.emit.native import products as native_products

# Set here, not by a fixture: doctests and the programs that tests start read it too.
os.environ.setdefault("AUTOGRAD_SEQ_BACKEND", "numpy")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what is marked ``night`` to the night: ``AUTOGRAD_SEQ_NIGHT=1 pytest`` runs all there is."""
    if NIGHT:
        return
    late = [item for item in items if item.get_closest_marker("night")]
    if late:
        items[:] = [item for item in items if not item.get_closest_marker("night")]
        config.hook.pytest_deselected(items=late)


def pytest_collection_finish() -> None:
    """What has been imported and collected stays to the end: the collector need not walk it at every full collection.

    Graphs are thousands of objects that go together; looking for garbage after every 700 of them takes 4 % of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture
def in_python(monkeypatch) -> None:
    """Native programs run as Python, and products however small are products."""
    monkeypatch.setattr(backend, "compile_program", interpreted)
    monkeypatch.setattr(backend, "is_available", lambda: True)
    monkeypatch.setattr(native_products, "FEWEST_COLUMNS", 1)


@pytest.fixture
def compiled_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test compiles with numba itself is not optimised, which takes half the time; it computes the same."""
    numba = pytest.importorskip("numba")
    monkeypatch.setattr(numba.config, "OPT", type(numba.config.OPT)(0))


@pytest.fixture
def numba_cache(monkeypatch, tmp_path) -> Path:
    """A cache folder of one's own, and numba, or the test is skipped."""
    pytest.importorskip("numba")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "autograd_seq"
