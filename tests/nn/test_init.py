"""Initial values: their distributions, their seeds, and which parameter gets which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import nn
from autograd_seq.nn import init

RANDOM: dict[str, Callable[[], init.Initialiser]] = {
    "uniform": lambda: init.uniform(-1, 1), "normal": lambda: init.normal(1.0), "glorot_uniform": init.glorot_uniform,
    "glorot_normal": init.glorot_normal, "he_uniform": init.he_uniform, "he_normal": init.he_normal,
    "lecun_normal": init.lecun_normal, "orthogonal": init.orthogonal,
}  # fmt: skip

OUT, IN = 300, 500
VARIANCE = {  # of a matrix (300, 500): its fan-in is 500
    "uniform": 1 / 3, "normal": 1.0, "glorot_uniform": 2 / 800, "glorot_normal": 2 / 800, "he_uniform": 2 / 500,
    "he_normal": 2 / 500, "lecun_normal": 1 / 500, "orthogonal": 1 / 500,
}  # fmt: skip


@pytest.mark.parametrize("kind", RANDOM)
def test_mean_and_variance(kind: str) -> None:
    """150,000 draws: the variance has a standard error below 0.4 %, so that fan-in and fan-out cannot be exchanged."""
    W = RANDOM[kind]()((OUT, IN), seed=0)
    assert W.shape == (OUT, IN) and W.dtype == np.float64
    assert W.var() == pytest.approx(VARIANCE[kind], rel=0.02)
    assert abs(W.mean()) < 4 * np.sqrt(VARIANCE[kind] / W.size)


@pytest.mark.parametrize("kind", RANDOM)
def test_normal_ones_have_tails_and_uniform_ones_an_edge(kind: str) -> None:
    W = RANDOM[kind]()((OUT, IN), seed=0)
    largest = np.abs(W).max() / W.std()
    assert (largest < np.sqrt(3) + 0.01) if "uniform" in kind else (largest > 3.5)


@pytest.mark.parametrize("kind", RANDOM)
def test_a_seed_fixes_the_draw_and_another_changes_it(kind: str) -> None:
    draw = RANDOM[kind]()
    np.testing.assert_array_equal(draw((4, 3), seed=7), draw((4, 3), seed=7))
    np.testing.assert_array_equal(draw((4, 3), seed=7), draw((4, 3), seed=np.random.default_rng(7)))
    assert not np.any(draw((4, 3), seed=7) == draw((4, 3), seed=8))


def test_gain_scales() -> None:
    for kind in (init.glorot_uniform, init.glorot_normal, init.orthogonal, init.identity):
        np.testing.assert_allclose(kind(2.5)((4, 4), seed=1), 2.5 * kind()((4, 4), seed=1), rtol=1e-14)


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (1, 4), (0, 3)])
def test_the_shorter_side_of_an_orthogonal_matrix_is_orthonormal(shape: tuple[int, int]) -> None:
    Q = init.orthogonal()(shape, seed=3)
    assert Q.shape == shape
    product = Q @ Q.T if shape[0] <= shape[1] else Q.T @ Q
    np.testing.assert_allclose(product, np.eye(min(shape)), atol=1e-14)


def test_orthogonal_matrices_are_uniform() -> None:
    """Their determinants are +1 and -1 alike, and no entry has a sign of its own; a plain QR has a sign for each column."""
    many = np.array([init.orthogonal()((2, 2), seed=s) for s in range(2000)])
    assert abs(np.linalg.det(many).mean()) < 0.1
    np.testing.assert_allclose(many.mean(axis=0), 0, atol=0.08)  # 5 standard errors of an entry of variance 1/2


def test_identity_of_a_rectangle() -> None:
    np.testing.assert_array_equal(init.identity(3.0)((2, 3)), [[3, 0, 0], [0, 3, 0]])


def test_fans() -> None:
    assert init.fans((8, 3)) == (3, 8)
    assert init.fans((8, 3, 5)) == (15, 40)
    assert init.fans((0, 0)) == (1, 1)
    assert np.isfinite(init.he_normal()((3, 0))).all()


# -- the parameters of a graph ----------------------------------------------------------------------------------------


def model() -> tuple[ag.Graph, list[ag.Node]]:
    t = ag.Axis("t")
    h = nn.gru(ag.input("x", (3,), over=t), 4, over=t, name="encoder")
    V, c = ag.param("V", (2, 4)), ag.param("c", (2,))
    return ag.Graph(ag.sum(V @ h + c, over=t)), [V, c]


def test_defaults_by_shape() -> None:
    graph, _ = model()
    values = init.params(graph, seed=0)
    assert set(values) == set(graph.inputs) - {"x"}
    assert {name: v.shape for name, v in values.items()} == {name: graph[name].shape for name in values}
    for name, v in values.items():
        if v.ndim == 1:
            assert not v.any(), name
        elif v.shape == (4, 4):
            np.testing.assert_allclose(v @ v.T, np.eye(4), atol=1e-14, err_msg=name)
        else:
            fan_in, fan_out = init.fans(v.shape)
            edge = np.sqrt(6 / (fan_in + fan_out))
            assert 0.5 * edge < np.abs(v).max() <= edge, name


def test_a_value_depends_on_seed_and_name_alone() -> None:
    """Not on the graph around it, on the order, on the rules of others: one parameter more changes no other."""
    graph, (V, c) = model()
    base = init.params(graph, seed=5)
    np.testing.assert_array_equal(init.params([V], seed=5)["V"], base["V"])
    np.testing.assert_array_equal(init.params(V, seed=5)["V"], base["V"])
    np.testing.assert_array_equal(init.params([ag.param("A", (9, 9)), c, V], seed=5)["V"], base["V"])
    np.testing.assert_array_equal(init.params(graph, 5, {"encoder/*": init.normal(1.0)})["V"], base["V"])
    assert not np.any(init.params(graph, seed=6)["V"] == base["V"])
    assert not np.any(base["encoder/Ur"] == base["encoder/Uz"])  # the same shape, another name


def test_nodes_stand_for_the_parameters_they_depend_on() -> None:
    graph, _ = model()
    base = init.params(graph, seed=1)
    other = init.params(graph.outputs, seed=1)
    assert set(other) == set(base)
    assert init.params([]) == {}


def test_rules_by_pattern() -> None:
    """A pattern fits the whole name or its last part; the first that fits decides."""
    graph, _ = model()
    rules = {"encoder/bz": init.constant(1.0), "b?": init.constant(2.0), "encoder/W*": init.identity(), "*": init.constant(3.0)}
    values = init.params(graph, 0, rules)
    assert (values["encoder/bz"] == 1).all() and (values["encoder/br"] == 2).all() and (values["c"] == 3).all()
    np.testing.assert_array_equal(values["encoder/Wn"], np.eye(4))
    assert (values["V"] == 3).all() and (values["encoder/cn"] == 3).all()


def test_width() -> None:
    graph, _ = model()
    wide, narrow = init.params(graph, 2), init.params(graph, 2, dtype=np.float32)
    assert all(v.dtype == np.float64 for v in wide.values()) and all(v.dtype == np.float32 for v in narrow.values())
    for name in wide:
        np.testing.assert_array_equal(wide[name].astype(np.float32), narrow[name])


def test_arrays_are_ones_own() -> None:
    a, b = (init.params([ag.param("b", (3,))], rules={"b": init.constant(1.0)})["b"] for _ in range(2))
    a += 1
    assert (b == 1).all()


@pytest.mark.parametrize(
    ("code", "error", "call"),
    [
        ("N111", ag.ShapeError, lambda: init.orthogonal()((3,))),
        ("N111", ag.ShapeError, lambda: init.identity()((3, 3, 3))),
        ("N112", ag.DTypeError, lambda: init.params(ag.param("W", (2, 2)), dtype=int)),
        ("N112", ag.DTypeError, lambda: init.params(ag.param("W", (2, 2)), dtype="float99")),
        ("N161", ag.OperationError, lambda: init.params(ag.param("W", (2, 2)), rules=["W"])),
        ("N113", ag.OperationError, lambda: init.params(ag.param("W", (2, 2)), rules={"W": 1.0})),
        ("N114", ag.OperationError, lambda: init.params(ag.param("bf", (2,)), rules={"bg": init.zeros()})),
        ("N115", ag.OperationError, lambda: init.params(ag.param("W", (2, 2)), seed=0.5)),
        ("N116", ag.DTypeError, lambda: init.params(ag.param("k", (2,), dtype=int))),
        ("N117", ag.ShapeError, lambda: init.params(ag.param("W", (2, 2)), rules={"W": lambda shape, seed: np.zeros(2)})),
        ("O301", ag.OperationError, lambda: init.params(["W"])),
    ],
)
def test_refusals(code: str, error: type[ag.AutogradSeqError], call: Callable[[], Any]) -> None:
    with pytest.raises(error) as caught:
        call()
    assert caught.value.code == code


def test_a_slip_in_a_rule_is_answered_with_the_right_name() -> None:
    with pytest.raises(ag.OperationError, match='did you mean "encoder/Wz"'):
        init.params(model()[0], rules={"encoder/Wq": init.zeros()})


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_recurrence_with_default_weights_neither_explodes_nor_vanishes(seed: int) -> None:
    """What the defaults are for: the gradient through 50 linear steps with W orthogonal keeps its length."""
    t = ag.Axis("t")
    W = ag.param("W", (6, 6))
    h = ag.state("h", (6,), over=t, init=ag.param("h0", (6,)))
    h[t] = W @ h[t - 1]
    (g,) = (
        ag.Graph(np.ones(6) @ ag.last(h, over=t))
        .unroll(t=50)
        .grad(["h0"])
        .evaluate(h0=np.zeros(6), **init.params(W, seed=seed))
    )
    assert np.linalg.norm(g) == pytest.approx(np.sqrt(6), rel=1e-12)
