"""The benchmarks run, and what they race computes the same; what grows, and what is formed, is counted.

No test asserts a time, nor a ratio of times: it would fail where something else is running. Benchmarks print them.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[2] / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_memory_of_an_unrolled_lstm_is_linear_in_the_number_of_steps():
    unroll = load("unroll")
    model = unroll.lstm()
    small, large = unroll.megabytes(model, 100), unroll.megabytes(model, 400)
    assert 3.5 < large / small < 4.5


def test_eager_scalars_beside_micrograd():
    pytest.importorskip("micrograd", reason="the peer is optional: pip install micrograd")
    assert set(load("eager").measure(repeats=1)) == {"on", "off"}


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_compiled_scalars_beside_micrograd(backend, monkeypatch, tmp_path):
    """A smaller network than in the benchmark, for it compiles within a second or two."""
    pytest.importorskip("micrograd", reason="the peer is optional: pip install micrograd")
    if backend == "numba":
        pytest.importorskip("numba")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert load("compiled_scalars").measure(backend, (2, 4, 4, 1), repeats=1) > 0


def test_all_ways_to_run_a_linear_recurrence_agree(compiled_quickly):
    assert set(load("linear_recurrence").measure(1001, 3, seconds=0.0)) == {"ours", "loop", "registers", "scan"}


def test_padded_sequences_beside_pytorchs_packed_ones():
    pytest.importorskip("torch")
    ragged = load("ragged")
    found = ragged.measure(ragged.Workload("lstm", "ragged", 40, 8, 16, 32, 8), ("numpy",), 0.0)
    assert set(found) == {"ours, numpy", "torch, packed"}


def test_an_lstm_with_as_many_calls_and_with_the_fewest():
    assert {"fewest", "apart"} <= set(load("lstm_calls").measure(rounds=1))


def test_attention_is_contracted():
    """No array of all weights times all values is formed: t² numbers for each head, and not t² · 32."""
    attention = load("attention")
    assert {"ours", "formed"} <= set(attention.measure(seconds=0.0))
    passes = [p for p in attention.PASSES if p != "contract"]
    ours, formed = (attention.ours(**options).cost(b=4, t=256).bytes for options in ({}, {"passes": passes}))
    assert ours < formed / 5


def test_a_transformer_beside_pytorchs_layers():
    assert "ours" in load("transformer").measure(layers=1, backend="numpy", seconds=0.0)
