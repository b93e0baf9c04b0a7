"""What the benchmarks claim, as far as a test can hold it on a noisy machine: ratios and growth, not seconds."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_memory_of_an_unrolled_lstm_is_linear_in_the_number_of_steps():
    unroll = load("unroll")
    model = unroll.lstm()
    small, large = unroll.megabytes(model, 100), unroll.megabytes(model, 400)
    assert 3.5 < large / small < 4.5


def test_eager_scalars_against_micrograd():
    pytest.importorskip("micrograd", reason="the peer is optional: pip install micrograd")
    if sys.gettrace() is not None or "coverage" in sys.modules:
        pytest.skip("a tracer slows what is measured")
    ratios = load("eager").measure(repeats=5)
    assert ratios["on"] <= 1.0 and ratios["off"] <= 2.0


@pytest.mark.parametrize("backend, least", [("numpy", 20), ("numba", 100)])
def test_compiled_scalars_against_micrograd(backend, least, monkeypatch, tmp_path):
    """A smaller network than in the benchmark, for it compiles within a second or two; the gain grows with the network."""
    pytest.importorskip("micrograd", reason="the peer is optional: pip install micrograd")
    if backend == "numba":
        pytest.importorskip("numba")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert load("compiled_scalars").measure(backend, (2, 4, 4, 1), repeats=3) >= least


def test_all_ways_to_run_a_linear_recurrence_agree():
    pytest.importorskip("numba")
    assert set(load("linear_recurrence").measure(1001, 3, seconds=0.0)) == {"ours", "loop", "registers", "scan"}


def test_padded_sequences_take_no_longer_than_pytorchs_packed_ones():
    pytest.importorskip("torch")
    ragged = load("ragged")
    found = ragged.measure(ragged.Workload("lstm", "ragged", 40, 8, 16, 32, 8), ("numpy",), 0.5)
    assert found["ours, numpy"] < found["torch, packed"]


def test_fewer_calls_take_less_time():
    """The fewest that an LSTM can do with, and as many as our program makes, their views scattered."""
    found = load("lstm_calls").measure(rounds=7)
    assert found["fewest"][0] < found["apart"][0]


def test_attention_is_contracted():
    assert load("attention").measure(seconds=0.3)["formed"][1] < 0.7
