"""A sample of each operation: operands, attributes, and what NumPy says of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd_seq.core.op import OPS

COMPLEX, CENTRAL = ("complex step", 1e-11), ("central differences", 1e-6)


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
REGULAR = np.array([[2.0, 0.3, -0.4], [0.1, -1.5, 0.7], [0.6, 0.2, 1.1]])
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
    *unary("spacing", np.array([0.7, 1e3, 0.0]), lambda x: np.nextafter(x, np.inf) - x, None),
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
    *[Sample("in_range", (i, 3), lambda i, n, **_: np.asarray(i), attrs={"what": "i", "axis": "t"}) for i in (1, I3)],
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
    *[Sample("argsort", (x,), lambda x, descending: np.argsort(-x if descending else x, axis=-1, kind="stable"),
             attrs={"descending": d}) for x in (M, X, I3) for d in (False, True)],
    *unary("stop_gradient", X, lambda x: x, None),
    Sample("straight_through", (B3, P), lambda hard, soft: hard.astype(float), None),
    Sample("straight_through", (X, M), lambda hard, soft: np.broadcast_to(hard, (2, 3)), None),
    *[Sample("solve", (REGULAR, b), lambda a, b, columns: np.linalg.solve(a, b), attrs={"columns": b.ndim > 1})
      for b in (X, np.stack([X, P], 1))],
    Sample("inv", (REGULAR,), np.linalg.inv),
    Sample("log_abs_det", (REGULAR,), lambda a: np.log(np.abs(np.linalg.det(a))), CENTRAL),
    Sample("det_sign", (REGULAR,), lambda a: np.sign(np.linalg.det(a)), None),
    Sample("cholesky", (REGULAR @ REGULAR.T,), np.linalg.cholesky, None, liftable=False),
    Sample("eigenvalues", (REGULAR + REGULAR.T,), np.linalg.eigvalsh, None),
    Sample("eigenvectors", (REGULAR + REGULAR.T,), lambda a: np.linalg.eigh(a)[1], None),
    Sample("draw", (np.int64(3),), lambda seed, **kw: OPS["draw"].forward(seed, **kw), None, liftable=False,
           attrs={"name": "u", "kind": "uniform", "shape": (4,), "over": ()}),
]  # fmt: skip
