"""What operations say of themselves: every fact is there and agrees with what the operation does, and nobody asks by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from each import each
from op_samples import SAMPLES, Sample

import autograd_seq as ag
import viz
from autograd_seq.core.facts import ABSENT, EACH, KEPT, TOGETHER
from autograd_seq.core.op import BUILT_IN, OPS

BY_NAME = {
    "core.misfit",  # operations import it to explain operands that do not fit: it cannot import them
    "graph.feeds",  # finds the operation whose function stands in a traceback
}
"""Modules that compare names of operations."""

LEAVES = {"input", "param", "tensor", "constant"}
ODD = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -2.5])


def calls(sample: Sample, arrays: list[np.ndarray]) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(OPS[sample.op].forward(*arrays, **sample.attrs))


every_sample = each("sample", SAMPLES)


@each("name", sorted(BUILT_IN - LEAVES))
def test_every_fact_is_there_or_said_to_be_absent(name: str) -> None:
    op = OPS[name]
    assert op.linear is not None and op.range is not None, "in which operands it is linear, and what it gives of finite ones"
    if op.forward is not None and op.view is None:
        assert op.native is not None, "a native expression, or ABSENT"
        assert op.flops >= 0
    if op.reduces_axes:
        assert op.empty is not None or op.reduces == "max"
    if op.pointwise and op.forward is not None and op.view is None:
        assert op.native is not ABSENT, "an operation on each entry runs in native loops"
        assert op.ufunc is not None or op.numpy is not None or name == "erf", "and writes into arrays in NumPy"


@every_sample
def test_linear_operations_are_linear(sample: Sample) -> None:
    op, arrays = OPS[sample.op], sample.arrays
    groups = {TOGETHER: [range(len(arrays))], EACH: [[i] for i in range(len(arrays))]}
    for group in groups.get(op.linear, [op.linear] if op.linear else []):  # type: ignore[call-overload]
        if any(arrays[i].dtype.kind != "f" for i in group):
            continue
        other = [np.flip(x) * 0.7 - 0.2 if i in group else x for i, x in enumerate(arrays)]
        mixed = [2 * x - 3 * y if i in group else x for i, (x, y) in enumerate(zip(arrays, other, strict=True))]
        want = 2 * calls(sample, arrays) - 3 * calls(sample, other)
        np.testing.assert_allclose(calls(sample, mixed), want, rtol=1e-12, atol=1e-12)


@every_sample
def test_results_lie_where_they_are_said_to(sample: Sample) -> None:
    op, arrays = OPS[sample.op], sample.arrays
    for scale in (1.0, 50.0, 1e4):
        given = [x * scale if x.dtype.kind == "f" else x for x in arrays]
        y = calls(sample, given)
        assert np.all(np.isfinite(y)) or not op.is_finite
        if isinstance(op.range, tuple):
            assert op.range[0] <= y.min(initial=op.range[0]) and y.max(initial=op.range[0]) <= op.range[1]
        if op.range == KEPT:
            assert np.max(np.abs(y)) <= max(np.max(np.abs(x)) for x in given) * (1 + 1e-15)


@each("name", sorted(n for n in BUILT_IN if OPS[n].view and OPS[n].forward is not None))
def test_views_share_memory(name: str) -> None:
    for sample in (s for s in SAMPLES if s.op == name and s.arrays[0].ndim):
        x = sample.arrays[0].copy()
        assert np.shares_memory(x, OPS[name].forward(x, *sample.arrays[1:], **sample.attrs)), sample


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_calls_and_expressions_give_what_the_forward_gives(backend: str, in_python: None) -> None:
    """Of awkward numbers too, in one program for all operations on each entry; the native one runs as Python."""
    first, second = (np.array(v) for v in zip(*[(a, b) for a in ODD for b in ODD], strict=True))
    x, y = ag.input("x", (len(first),)), ag.input("y", (len(first),))
    chosen = [n for n in sorted(BUILT_IN) if OPS[n].pointwise and OPS[n].forward is not None and OPS[n].view is None]
    binary = {n for n in chosen if OPS[n].broadcasts}
    skipped = {"where", "cast", "power_number"}  # which take other operands, and stand in tests of their own
    nodes = [OPS[n](x, y) if n in binary else OPS[n](x) for n in chosen if n not in skipped]
    with np.errstate(all="ignore"):
        got = ag.compile(nodes, backend=backend)(x=first, y=second)
        want = ag.Graph(nodes).unroll().evaluate(x=first, y=second)
    for node, a, b in zip(nodes, got, want, strict=True):
        assert np.allclose(a, b, rtol=1e-13, atol=0, equal_nan=True), node


def test_a_new_operation_is_one_definition(numba_cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its gradient, inside of a loop, in NumPy calls and in native code: no other file knows of it."""
    monkeypatch.setattr("autograd_seq.core.op.OPS", dict(OPS))
    facts: dict[str, Any] = {"shape": ag.same_shape, "least": float, "linear": (), "range": "any", "flops": 10}
    logcosh = ag.defop(
        "logcosh", forward=lambda x: np.logaddexp(x, -x) - np.log(2), vjp=lambda g, y, x: (g * gudermann(x),),
        numpy=("negative({0}, {out})", "logaddexp({0}, {out}, {out})", "subtract({out}, 0.6931471805599453, {out})"),
        rereads=True, native="(abs({0}) + np.log1p(np.exp(-2 * abs({0}))) - real(0.6931471805599453))", **facts,
    )  # fmt: skip
    gudermann = ag.defop(
        "slope", forward=np.tanh, vjp=lambda g, y, x: (g * (1 - y * y),), native="np.tanh({0})", **facts | {"range": (-1, 1)}
    )
    t = ag.Axis("t")
    x, w, s = ag.input("x", (2,), over=t), ag.param("w", (2,)), ag.state("s", (2,), over=t)
    s[t] = logcosh(w * s[t - 1] + x)
    loss = ag.sum(ag.sum(s), over=t)
    outs = [loss, *ag.grad(loss, [w, x])]
    feeds = {"x": np.random.default_rng(0).normal(size=(6, 2)), "w": np.array([0.7, -1.2])}
    want = ag.Graph(outs).unroll(t=6).evaluate(**feeds)
    plain, native = (ag.compile(outs, backend=backend) for backend in ("numpy", "numba"))
    assert "logaddexp(" in plain.source and "def logcosh" not in plain.source
    assert "everything" in str(native.schedule) and "np.log1p(" in native.source
    for program in (plain, native):
        for a, b in zip(program(**feeds), want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_users_operation_on_rows_is_not_taken_for_one_on_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's softmax has the shape of its operand, but is none entry by entry: a where keeps other gradients."""
    monkeypatch.setattr("autograd_seq.core.op.OPS", dict(OPS))
    rows = ag.defop(
        "rows", shape=ag.same_shape, forward=lambda x: np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True),
        vjp=lambda g, y, x: (y * (g - ag.sum(g * y, axis=-1, keepdims=True)),),
    )  # fmt: skip
    x = ag.param("x", (3,))
    loss = ag.sum(ag.where(np.array([True, False, False]), rows(x * x), 0.0))
    at, step = np.array([0.3, -0.5, 0.8]), 1e-6
    (slope,) = ag.Graph(ag.grad(loss, x)).evaluate(x=at)
    values = [[ag.Graph(loss).evaluate(x=at + sign * d)[0] for sign in (1, -1)] for d in np.eye(3) * step]
    np.testing.assert_allclose(slope, [(high - low) / (2 * step) for high, low in values], rtol=1e-6)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for root in (Path(ag.__file__).parent, Path(viz.__file__).parent):
        for path in sorted(root.rglob("*.py")):
            if "ops" not in path.relative_to(root).parts:
                yield ".".join(path.relative_to(root).with_suffix("").parts), ast.parse(path.read_text(encoding="utf-8"))


def test_no_operation_is_asked_for_its_name() -> None:
    found = [
        f"{module}:{node.lineno}" for module, tree in modules() if module not in BY_NAME
        for node in ast.walk(tree) if any(map(_is_name_of_op, _asked(node)))
    ]  # fmt: skip
    assert not found, f"compare operations themselves, or ask for a fact: {found}"


_ASKS = ("get", "endswith", "startswith", "removesuffix")


def _asked(node: ast.AST) -> list[ast.expr]:
    """Return what a comparison compares, and what a table is asked for."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Subscript):
        return [node.slice]
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("get", "endswith", "startswith")
    ):
        return [*node.args[:1], node.func.value]
    return []


def _is_name_of_op(x: ast.expr) -> bool:
    if not (isinstance(x, ast.Attribute) and x.attr == "name"):
        return False
    return (isinstance(x.value, ast.Attribute) and x.value.attr == "op") or (
        isinstance(x.value, ast.Name) and x.value.id == "op"
    )
