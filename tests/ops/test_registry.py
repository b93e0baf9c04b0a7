"""The whole registry, by one table: each operation has a sample, and each sample goes through every check there is.

Values equal NumPy's, shapes and kinds are those that the rules promise, first and second derivatives agree with
numerical ones, and the forward works below leading dimensions (lifting over time, over a batch, over any axis).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.op import BUILT_IN, OPS
from autograd_seq.ops.lifting import aligned, lift

COMPLEX, CENTRAL = ("complex step", 1e-11), ("central differences", 1e-6)
KINDS = {"f": float, "i": int, "u": int, "b": bool}


@dataclass(frozen=True)
class Sample:
    """One call of an operation: its operands and attributes, what NumPy says, and how derivatives are checked."""

    op: str
    inputs: tuple[Any, ...]
    truth: Callable[..., Any]
    method: tuple[str, float] | None = COMPLEX
    attrs: dict[str, Any] = field(default_factory=dict)
    liftable: bool = True

    @property
    def arrays(self) -> list[np.ndarray]:
        return [np.asarray(x) for x in self.inputs]

    def __str__(self) -> str:
        return f"{self.op}({', '.join(f'{x.dtype.kind}{list(x.shape)}' for x in self.arrays)})"


RNG = np.random.default_rng(7)
X = np.array([0.7, -1.3, 2.1])
P = np.array([0.7, 1.3, 2.1])
M = RNG.normal(size=(2, 3))
N = RNG.normal(size=(3, 4))
S = np.float64(0.6)
I3 = np.array([2, 0, 2])
B3 = np.array([True, False, True])
ERF = np.vectorize(math.erf, otypes=[float])


def unary(name: str, x: Any, truth: Any, method: Any = COMPLEX) -> list[Sample]:
    return [Sample(name, (x,), truth, method), Sample(name, (np.asarray(x)[..., 0],), truth, method)]


def pairs(name: str, truth: Any, method: Any = COMPLEX, a: Any = P, b: Any = M * M + 0.5) -> list[Sample]:
    """Operands of one shape, of two ranks either way round, a scalar on either side, and dimensions of length 1."""
    lengths = (a, b), (b, a), (a, np.float64(0.4)), (np.float64(1.7), b), (b[:, :1], b[:1] + 0.1), (a, a + 0.3)
    return [Sample(name, pair, truth, method) for pair in lengths]


def spread_to(x: Any, *_: Any, shape: tuple[int, ...], **__: Any) -> Any:
    return np.broadcast_to(x, shape)


def scattered(g: Any, i: Any, n: int, rank: int, index_rank: int) -> Any:
    out = np.zeros((n, *g.shape[index_rank:]))
    np.add.at(out, i, g)
    return out


def placed(x: Any, key: Any, shape: Any) -> Any:
    out = np.zeros(shape)
    out[key] = x
    return out


def soft(x: Any, axis: tuple[int, ...]) -> Any:
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


def log_soft(x: Any, axis: tuple[int, ...]) -> Any:
    return np.log(soft(x, axis))


def contraction(spec: str, a: Any, b: Any) -> Sample:
    return Sample("contract", (a, b), lambda x, y, spec: np.einsum(spec, x, y), attrs={"spec": spec})


LAST, BOTH = (-1,), (-2, -1)
ROWS = slice(0, 2, 1)
SAMPLES: list[Sample] = [
    *pairs("add", np.add),
    *pairs("sub", np.subtract),
    *pairs("mul", np.multiply),
    *pairs("zero_safe_mul", np.multiply),
    *pairs("div", np.divide),
    *pairs("power", np.power),
    *pairs("minimum", np.minimum, CENTRAL),
    *pairs("maximum", np.maximum, CENTRAL),
    Sample("add", (I3, X), np.add),
    Sample("mul", (I3, I3), np.multiply),
    Sample("mul", (B3, X), np.multiply),
    Sample("div", (I3, I3 + 1), np.divide),
    Sample("maximum", (B3, X), np.maximum, CENTRAL),
    Sample("minimum", (X, np.array([1, 0, 3], np.uint8)), np.minimum, CENTRAL),
    *unary("neg", M, np.negative),
    *unary("abs", M, np.abs, CENTRAL),
    *unary("sign", M, np.sign, CENTRAL),
    *unary("exp", M, np.exp),
    *unary("expm1", M, np.expm1),
    *unary("log", P, np.log),
    *unary("log1p", P, np.log1p),
    *unary("sqrt", P, np.sqrt),
    *unary("sin", M, np.sin),
    *unary("cos", M, np.cos),
    *unary("arctan", M, np.arctan),
    *unary("tan", M, np.tan),
    *unary("sinh", M, np.sinh),
    *unary("cosh", M, np.cosh),
    *unary("arcsin", M / 4, np.arcsin),
    *unary("arccos", M / 4, np.arccos),
    *pairs("arctan2", np.arctan2, CENTRAL),
    *[s for name, truth in [("floor", np.floor), ("ceil", np.ceil), ("round", np.round)]
      for s in unary(name, 3 * M, truth, CENTRAL)],
    *[s for name, truth in [("mod", np.mod), ("floor_divide", np.floor_divide)]
      for s in (*pairs(name, truth, CENTRAL), Sample(name, (X, 1.1 * P), truth, CENTRAL),
                Sample(name, (X, -P - 0.1), truth, CENTRAL),
                Sample(name, (I3 - 1, I3 + 1), truth), Sample(name, (B3, I3 - 3), truth),
                Sample(name, (I3, S), truth, CENTRAL))],
    *unary("tanh", M, np.tanh),
    *unary("sigmoid", M, lambda x: 1 / (1 + np.exp(-x))),
    *unary("softplus", M, lambda x: np.log(1 + np.exp(x))),
    *unary("relu", M, lambda x: np.maximum(x, 0)),
    *unary("erf", M, ERF, CENTRAL),
    Sample("erf", (I3,), ERF),
    Sample("exp", (I3,), np.exp),
    *[Sample("power_number", (P,), lambda x, n: x**n, attrs={"n": n}) for n in (0, 1, 2, 3, -1, -2, 0.5, 2.5, -0.5)],
    Sample("power_number", (X,), lambda x, n: x**n, attrs={"n": 3}),
    Sample("power_number", (I3,), lambda x, n: x**n, attrs={"n": 2}),
    *[Sample(n, (a, b), t) for n, t in [("equal", np.equal), ("not_equal", np.not_equal), ("less", np.less),
                                        ("less_equal", np.less_equal)] for a, b in [(X, M), (I3, I3), (X, S)]],
    *[Sample(n, (a, b), t) for n, t in [("logical_and", np.logical_and), ("logical_or", np.logical_or)]
      for a, b in [(B3, ~B3), (B3, np.array([[True], [False]]))]],
    *unary("logical_not", B3, np.logical_not),
    Sample("where", (B3, X, P), np.where),
    Sample("where", (B3, M, S), np.where),
    Sample("where", (np.array([[True], [False]]), X, P), np.where),
    Sample("cast", (X,), lambda x, to: x.astype(int), attrs={"to": int}),
    Sample("cast", (X,), lambda x, to: x.astype(bool), attrs={"to": bool}),
    Sample("cast", (I3,), lambda x, to: x.astype(float), attrs={"to": float}),
    Sample("cast", (X,), lambda x, to: x, attrs={"to": float}),
    Sample("rewritten", (X,), lambda twin, form: twin, attrs={"form": "f"}),
    Sample("reshape", (M,), lambda x, shape, rank: x.reshape(shape), attrs={"shape": (3, 2), "rank": 2}),
    Sample("reshape", (S,), lambda x, shape, rank: x.reshape(shape), attrs={"shape": (1, 1), "rank": 0}),
    Sample("transpose", (RNG.normal(size=(2, 3, 4)),), lambda x, axes: x.transpose(axes), attrs={"axes": (-1, -3, -2)}),
    Sample("broadcast_to", (X,), spread_to, attrs={"shape": (2, 3), "rank": 1}),
    Sample("broadcast_to", (M[:, :1],), spread_to, attrs={"shape": (4, 2, 3), "rank": 2}),
    Sample("slice", (M,), lambda x, key: x[key], attrs={"key": (ROWS, slice(2, None, -2))}),
    Sample("slice", (M,), lambda x, key: x[key], attrs={"key": (1, None, slice(0, 3, 2))}),
    Sample("place", (X,), placed, attrs={"key": (1, slice(0, 3, 1)), "shape": (2, 3)}),
    Sample("place", (M,), placed, attrs={"key": (slice(1, 3, 1), slice(2, None, -1)), "shape": (4, 3)}),
    *[Sample("concat", xs, lambda *xs, axis: np.concatenate(xs, axis), attrs={"axis": axis})
      for xs, axis in [((M, M[:1] + 1), -2), ((M, M[:, :2], M), -1), ((X, P), -1), ((I3, X), -1)]],
    *[Sample("cumsum", (M,), np.cumsum, attrs={"axis": axis}) for axis in (-1, -2)],
    *[Sample("take", (x, i), lambda x, i, **_: x[i], attrs={"rank": np.ndim(x), "index_rank": np.ndim(i)})
      for x, i in [(N, 1), (N, I3), (X, np.array([[0, 2], [1, 1]]))]],
    *[Sample("scatter_add", (g, i), scattered,
             attrs={"n": 4, "rank": np.ndim(g) - np.ndim(i) + 1, "index_rank": np.ndim(i)})
      for g, i in [(X, 3), (N, I3), (M, np.array([[0, 2, 0], [1, 1, 0]]))]],
    *[Sample("one_hot", (i,), lambda i, n: np.eye(n)[i], attrs={"n": 3}) for i in (1, I3)],
    *[Sample("pick", (x, i), lambda x, i: np.take_along_axis(x, np.asarray(i)[..., None], -1)[..., 0])
      for x, i in [(X, np.int64(2)), (M, np.array([2, 0]))]],
    contraction("i,i->", X, P), contraction("ij,j->i", M, X), contraction("i,ij->j", M[:, 0], M),
    contraction("ij,jk->ik", M, N), contraction("ij,ik->jk", M, M[:, :2]), contraction("i,j->ij", X, P),
    contraction("i,i->i", X, P), contraction("ij,j->", M, X), contraction("ij,k->i", M, X),
    contraction("i,->i", X, S), contraction(",->", S, S), contraction("ij,->ji", M, S),
    contraction("ij,jk->ki", M, N), contraction("ij,ij->", M, M + 1),
    contraction("aij,ajk->aik", np.stack([M, M + 1]), np.stack([N, -N])),
    contraction("ij,j->i", np.array([[1, 2], [3, 4]]), np.array([1, 1])),
    *[Sample("sum", (M,), np.sum, attrs={"axis": a, "keepdims": k}) for a in (LAST, (-2,), BOTH)
      for k in (False, True)],
    Sample("sum", (B3,), np.sum, attrs={"axis": LAST, "keepdims": False}),
    *[Sample("max", (M,), np.max, CENTRAL, attrs={"axis": a, "keepdims": k}) for a in (LAST, BOTH)
      for k in (False, True)],
    *[Sample("logsumexp", (M,), lambda x, **kw: np.log(np.sum(np.exp(x), **kw)), attrs={"axis": a, "keepdims": k})
      for a in (LAST, (-2,), BOTH) for k in (False, True)],
    *[Sample("softmax", (M,), soft, attrs={"axis": a}) for a in (LAST, (-2,), BOTH)],
    *[Sample("log_softmax", (M,), log_soft, attrs={"axis": a}) for a in (LAST, (-2,), BOTH)],
    *[Sample(n, (I3,), t, attrs={"axis": LAST}) for n, t in [("softmax", soft), ("log_softmax", log_soft)]],
    *[Sample("sum_over", xs, lambda *xs, axes: np.sum(xs, axis=0), attrs={"axes": ()})
      for xs in [(X,), (X, P), (M, M, 2 * M)]],
    *[Sample("max_over", xs, lambda *xs, axes: np.max(xs, axis=0), CENTRAL, attrs={"axes": ()})
      for xs in [(X, P + 1), (M, -M, 2 * M)]],
    *[Sample("logsumexp_over", xs, lambda *xs, axes: np.log(np.sum(np.exp(xs), axis=0)), attrs={"axes": ()})
      for xs in [(X,), (X, P), (M, M + 1, 2 * M)]],
    *[Sample("level_over", xs, lambda *xs, axes: np.max(xs, axis=0), None, attrs={"axes": ()})
      for xs in [(X,), (M, -M, 2 * M)]],
    *unary("stop_gradient", X, lambda x: x, None),
    Sample("straight_through", (B3, P), lambda hard, soft: hard.astype(float), None),
    Sample("straight_through", (X, M), lambda hard, soft: np.broadcast_to(hard, (2, 3)), None),
    Sample("draw", (np.int64(3),), lambda seed, **kw: OPS["draw"].forward(seed, **kw), None, liftable=False,
           attrs={"name": "u", "kind": "uniform", "shape": (4,), "over": ()}),
]  # fmt: skip

every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=str)


def test_every_operation_has_a_sample() -> None:
    missing = {n for n in BUILT_IN if OPS[n].forward is not None} - {s.op for s in SAMPLES}
    assert not missing, f"add samples of {sorted(missing)}"


def test_only_places_and_leaves_have_no_forward() -> None:
    structural = {n for n in BUILT_IN if OPS[n].forward is None}
    leaves = {"constant", "input", "param", "tensor"}
    assert structural == leaves | {"state", "shift", "size", "index", "at", "along", "spread", "window", "overlap"}


@every_sample
def test_values_shapes_and_kinds(sample: Sample) -> None:
    y = OPS[sample.op](*sample.arrays, **sample.attrs)
    value, truth = y.value, np.asarray(sample.truth(*sample.arrays, **sample.attrs))
    np.testing.assert_allclose(value, truth, rtol=1e-14, atol=1e-15)
    assert value.shape == y.shape == truth.shape
    assert KINDS[value.dtype.kind] is y.dtype is KINDS[truth.dtype.kind]


@every_sample
def test_derivatives_of_first_and_second_order(sample: Sample) -> None:
    if sample.method is None:  # a gradient by decree: tested by what it decrees
        return
    method, tol = sample.method
    report = ag.check_op(OPS[sample.op], *sample.inputs, method=method, tol=tol, **sample.attrs)
    floats = sum(x.dtype.kind == "f" for x in sample.arrays)
    differentiable = floats and OPS[sample.op](*sample.arrays, **sample.attrs).dtype is float
    assert len(report.errors) == (2 * floats if differentiable else 0)


@every_sample
def test_eager_gradients_equal_the_adjoint_graphs(sample: Sample) -> None:
    """The same rules run on arrays (``backward``) and on nodes (``grad``), for a cotangent that is not all ones."""
    tensors = [ag.tensor(x) if x.dtype.kind == "f" else ag.constant(x) for x in sample.arrays]
    y = OPS[sample.op](*tensors, **sample.attrs)
    wrt = [x for x in tensors if x.op.name == "tensor"]
    if y.dtype is not float or not wrt:
        return
    cotangent = np.random.default_rng(1).normal(size=y.shape)
    y.backward(cotangent)
    for x, g in zip(wrt, ag.grad(y, wrt, cotangent=cotangent), strict=True):
        assert g.shape == x.shape
        np.testing.assert_allclose(np.zeros(x.shape) if x.grad is None else x.grad, g.value, rtol=1e-13, atol=1e-15)


@every_sample
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_cotangent_of_0_stays_0_whatever_the_operands_are(sample: Sample, bad: float) -> None:
    with np.errstate(all="ignore"):
        tensors = [ag.tensor(np.full_like(x, bad)) if x.dtype.kind == "f" else ag.constant(x) for x in sample.arrays]
        y = OPS[sample.op](*tensors, **sample.attrs)
        wrt = [x for x in tensors if x.op.name == "tensor"]
        if y.dtype is not float or not wrt:
            return
        y.backward(np.zeros(y.shape))
        for x, g in zip(wrt, ag.grad(y, wrt, cotangent=np.zeros(y.shape)), strict=True):
            assert not np.any(g.value) and (x.grad is None or not np.any(x.grad))


@every_sample
def test_lifted_equals_stacked_steps(sample: Sample) -> None:
    """Over a leading axis of 5 points (and of 2 × 3), for every choice of operands that vary along it."""
    if not sample.liftable:
        return
    op, arrays = OPS[sample.op], sample.arrays
    for leading, chosen in itertools.product([(5,), (2, 3)], itertools.product([True, False], repeat=len(arrays))):
        if not any(chosen):
            continue
        many = [several(x, leading, i) if moved else x for i, (x, moved) in enumerate(zip(arrays, chosen, strict=True))]
        lifted = lift(op, many, [x.shape for x in arrays], sample.attrs)
        steps = [
            op.forward(*[x[at] if moved else x for x, moved in zip(many, chosen, strict=True)], **sample.attrs)
            for at in np.ndindex(*leading)
        ]
        stacked = np.stack(steps).reshape(leading + np.shape(steps[0]))
        np.testing.assert_allclose(np.broadcast_to(lifted, stacked.shape), stacked, rtol=1e-13, atol=1e-15)
        assert np.asarray(lifted).dtype == stacked.dtype


def several(x: np.ndarray, leading: tuple[int, ...], seed: int) -> np.ndarray:
    """Return as many different values like ``x`` as there are points: integers stay in the range of indices."""
    rng = np.random.default_rng(seed)
    if x.dtype.kind == "f":
        return x * rng.uniform(0.5, 1.5, size=leading + x.shape)
    return rng.permuted(np.broadcast_to(x, leading + x.shape), axis=-1) if x.ndim else np.full(leading, x)


def test_operations_are_written_by_hand_one_point_at_a_time() -> None:
    """All of them in one program, on operands that are fed at each step, with their derivatives."""
    t, feeds, outputs = ag.Axis("t"), {}, []
    for k, sample in enumerate(SAMPLES):
        if not sample.liftable:
            continue
        nodes = []
        for j, array in enumerate(sample.arrays):
            name = f"x{k}_{j}"
            feeds[name] = np.stack([array, array[..., ::-1] if array.ndim else array])
            nodes.append(ag.input(name, array.shape, over=t, dtype=KINDS[array.dtype.kind]))
        y = OPS[sample.op](*nodes, **sample.attrs)
        outputs.append(y)
        if y.dtype is float and (wrt := [x for x in nodes if x.dtype is float]):
            outputs += ag.grad(ag.sum(ag.sum(y, over=t)), wrt)
    graph = ag.Graph(outputs)
    fed = {name: feeds[name] for name in graph.inputs}
    got, want = ag.compile(graph, backend="plain")(**fed), graph.evaluate(**fed)
    for node, a, b in zip(outputs, got, want, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape, (node, a, b)
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13, err_msg=repr(node))


def test_lifting_over_no_points() -> None:
    for name, shapes, attrs in [
        ("add", [(), (3,)], {}),
        ("contract", [(2, 3), (3,)], {"spec": "ij,j->i"}),
        ("take", [(4, 2), ()], {"rank": 2, "index_rank": 0}),
        ("softmax", [(3,)], {"axis": (-1,)}),
    ]:
        kinds = [int if name == "take" and i else float for i in range(len(shapes))]
        arrays = [np.zeros((0, *s), kind) for s, kind in zip(shapes, kinds, strict=True)]
        out = lift(OPS[name], arrays, shapes, attrs)
        assert out.shape == (0, *OPS[name].shape(*shapes, **attrs)), name


def test_alignment_inserts_dimensions_behind_the_leading_ones() -> None:
    assert aligned(np.zeros((5, 4, 3)), (3,), 3).shape == (5, 4, 1, 1, 3)
    assert aligned(np.zeros(3), (3,), 2).shape == (3,)  # no leading dimensions: NumPy's own rule is right
    assert aligned(np.zeros((5, 3)), (3,), 1).shape == (5, 3)


def test_one_sample_lifted_by_hand() -> None:
    """Five scalars times a vector of 5 is (5, 5), not an elementwise product: the trap that alignment is for."""
    scalars, vector = np.arange(5.0), np.ones(5)
    assert lift(OPS["mul"], [scalars, vector], [(), (5,)], {}).tolist() == [[float(i)] * 5 for i in range(5)]
