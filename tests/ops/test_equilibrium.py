"""Equilibria as a user writes them, in every runner, against plain loops that iterate until nothing moves any more.

Slopes of the loops are complex steps along a random direction, which such a loop carries to its fixed point as well.
"""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from equilibria import MODELS, RUNNERS, B, H, Model, T, attention, b, deep, linear, make_feeds, recurrent, t

import autograd_seq as ag
from autograd_seq.run.settled import explain_unsettled

every_model = pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
every_runner = pytest.mark.parametrize("runner", [*RUNNERS])
RNG = np.random.default_rng(3)


def slope(truth: Callable[..., Any], feeds: dict[str, Any], along: dict[str, Any]) -> float:
    """Return the derivative of a loss along a direction, by a complex step."""
    return float(np.imag(truth(**{k: v + 1e-30j * along.get(k, 0.0) for k, v in feeds.items()})) / 1e-30)


def tangents(wrt: list[ag.Node]) -> list[ag.Node]:
    return [ag.input(f"along_{x.name}", x.shape, over=x.axes) for x in wrt]


def directions(wrt: list[ag.Node], feeds: dict[str, Any]) -> dict[str, Any]:
    rng = np.random.default_rng(8)
    return {str(x.name): rng.normal(size=np.shape(feeds[str(x.name)])) for x in wrt}


# -- values, gradients, gradients of gradients ----------------------------------------------------------------------------


@every_model
@every_runner
def test_values_and_gradients(model: Callable[[], Model], runner: str) -> None:
    loss, wrt, truth = model()
    feeds = make_feeds(loss)
    value, *grads = RUNNERS[runner]([loss, *ag.grad(loss, wrt)])(**feeds)
    np.testing.assert_allclose(value, truth(**feeds), rtol=1e-8)
    along = directions(wrt, feeds)
    got = sum(np.sum(g * along[str(x.name)]) for x, g in zip(wrt, grads, strict=True))
    np.testing.assert_allclose(got, slope(truth, feeds, along), rtol=1e-7)


@pytest.mark.parametrize("model", [deep, recurrent, attention], ids=lambda m: m.__name__)
def test_native_programs(model: Callable[[], Model]) -> None:
    loss, wrt, _ = model()
    nodes, feeds = [loss, *ag.grad(loss, wrt)], make_feeds(loss)
    native = ag.compile(nodes, backend="numba")
    assert native.backend == "numba"
    for got, want in zip(native(**feeds), ag.compile(nodes, backend="numpy")(**feeds), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


@every_model
def test_the_unrolled_graph_is_differentiated_on_its_own(model: Callable[[], Model]) -> None:
    loss, wrt, _ = model()
    feeds = make_feeds(loss)
    folded = ag.Graph(ag.grad(loss, wrt)).evaluate(**feeds)
    g = ag.Graph(loss)
    dag = g.unroll(**g.sizes(feeds))
    for got, want in zip(dag.grad(wrt).evaluate(**feeds), folded, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9)


@every_model
def test_second_order(model: Callable[[], Model]) -> None:
    """Hessian times direction, against a complex step's slope of the plain loop at two places."""
    loss, wrt, truth = model()
    feeds = make_feeds(loss)
    along, other = directions(wrt, feeds), {k: np.cos(v) for k, v in directions(wrt, feeds).items()}
    fed = {**feeds, **{f"along_{k}": v for k, v in along.items()}}
    products = ag.compile(ag.hvp(loss, wrt, tangents(wrt)), backend="numpy")(**fed)
    got = sum(np.sum(p * other[str(x.name)]) for x, p in zip(wrt, products, strict=True))
    step = 1e-5
    ahead, behind = ({k: v + s * other.get(k, 0.0) for k, v in feeds.items()} for s in (step, -step))
    want = (slope(truth, ahead, along) - slope(truth, behind, along)) / (2 * step)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("model", [linear, recurrent, attention], ids=lambda m: m.__name__)
def test_the_check_that_ships_is_as_exact_as_for_any_graph(model: Callable[[], Model]) -> None:
    """A complex step through the iteration settles too: the imaginary part in proportion to its own size."""
    loss, wrt, _ = model()
    report = ag.check_grad(loss, wrt[0], make_feeds(loss), method="complex step")
    assert report.worst < 1e-10
    if model is recurrent:
        for backend in ("numpy", "plain"):  # when their imaginary part has settled is for the unrolled graph to judge
            with pytest.raises(ag.DTypeError, match=r"D305.*the equilibrium z is computed with complex numbers"):
                ag.compile(loss, backend=backend)(**{name: a + 0j for name, a in make_feeds(loss).items()})


def test_not_a_number_is_found_where_it_enters() -> None:
    loss, _, _ = recurrent()
    feeds = make_feeds(loss)
    feeds["x"][2, 1, 0] = np.nan
    assert "x is fed NaN at t = 2, b = 1" in str(ag.find_nan(loss, **feeds))
    with pytest.raises(ag.EquilibriumError, match="z has not settled at t=2, b=1"):
        ag.compile(loss)(**feeds)


def test_forward_mode() -> None:
    loss, wrt, truth = recurrent()
    feeds = make_feeds(loss)
    along = directions(wrt, feeds)
    fed = {**feeds, **{f"along_{k}": v for k, v in along.items()}}
    (got,) = ag.compile(ag.jvp(loss, wrt, tangents(wrt)), backend="numpy")(**fed)
    np.testing.assert_allclose(got, slope(truth, feeds, along), rtol=1e-7)


def test_closed_form_and_implicit_function_theorem() -> None:
    """dL/dA = (I − A)⁻ᵀ z̄ zᵀ, and dz/dM = 1 / (1 − e cos E) in Kepler's equation, whose root SciPy finds too."""
    optimize = pytest.importorskip("scipy.optimize")
    loss, (A, c), _ = linear()
    feeds = make_feeds(loss)
    dA, dc = ag.compile(ag.grad(loss, [A, c]))(**feeds)
    z = np.linalg.solve(np.eye(H) - feeds["A"], feeds["c"])
    v = np.linalg.solve(np.eye(H) - feeds["A"].T, 2 * z)
    np.testing.assert_allclose(dc, v, rtol=1e-8)
    np.testing.assert_allclose(dA, np.outer(v, z), rtol=1e-8)
    M, e = ag.input("M"), ag.param("e")
    E = ag.equilibrium("E", tol=1e-13)
    E[...] = M + e * ag.sin(E)
    got, slope_of_M = ag.compile([E, ag.grad(E, M)])(M=0.7, e=0.6)
    want = optimize.brentq(lambda x: 0.7 + 0.6 * np.sin(x) - x, 0, 3, xtol=1e-14)
    np.testing.assert_allclose([got, slope_of_M], [want, 1 / (1 - 0.6 * np.cos(want))], rtol=1e-11)


# -- accuracy, cost, refusal ----------------------------------------------------------------------------------------------


@every_runner
def test_single_precision_settles_at_its_own_rounding(runner: str) -> None:
    loss, wrt, _ = deep()
    nodes, feeds = [loss, *ag.grad(loss, wrt)], make_feeds(loss)
    narrow = {k: np.asarray(v, np.float32) for k, v in feeds.items()}
    for got, want in zip(RUNNERS[runner](nodes)(**narrow), RUNNERS["unrolled"](nodes)(**feeds), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5)


@every_runner
def test_a_small_gradient_is_as_accurate_as_a_large_one(runner: str) -> None:
    a = ag.param("a")
    z = ag.equilibrium("z")
    z[...] = 0.9 * ag.tanh(z) + a
    small, large = (float(RUNNERS[runner](ag.grad(c * z, a))(a=0.3)[0]) / c for c in (1e-14, 1e6))
    np.testing.assert_allclose(small, large, rtol=1e-12)


def test_neither_memory_nor_text_grows_with_the_iterations() -> None:
    def build(most: int) -> Any:
        W, x = ag.param("W", (H, H)), ag.input("x", (H,), over=(t, b))
        z = ag.equilibrium("z", (H,), over=(t, b), max_steps=most)
        z[t] = ag.tanh(W @ z + x)
        loss = ag.sum(ag.sum(z * z), over=(t, b))
        return ag.compile([loss, ag.grad(loss, W)], backend="numpy")

    short, long = build(10), build(10_000)
    assert short.cost(t=50, b=8).bytes == long.cost(t=50, b=8).bytes
    assert len(short.source.splitlines()) == len(long.source.splitlines())


@pytest.mark.parametrize("runner", [*RUNNERS, "native"])
def test_what_does_not_settle_is_named_with_its_residual_and_its_point(runner: str) -> None:
    x, s, u = ag.input("x", over=(t, b)), ag.state("s", over=(t, b)), ag.Axis("u")
    z = ag.equilibrium("z", over=(t, b), tol=1e-10, max_steps=40)
    z[t] = s[t - 1] + x - ag.where(ag.index(t) > 1, 1.1, 0.5) * z
    s[t] = 0.1 * z
    run = ag.compile(s, backend="numba") if runner == "native" else RUNNERS[runner](s)
    run(x=np.ones((2, 3)))
    with pytest.raises(ag.EquilibriumError) as caught:
        run(x=np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 1.0]]))
    error = caught.value
    assert (error.code, error.point) == ("Z111", {"t": 2, "b": 1})
    assert 1.05 < error.contraction < 1.15
    assert error.residual > 1
    assert error.where is not None and error.where.startswith("tests")
    assert "z has not settled at t=2, b=1 within 40 iterations" in str(error)
    assert "damping=0.5 if it oscillates" in str(error)
    assert isinstance(pickle.loads(pickle.dumps(error)).point, dict)
    assert u not in ag.Graph(s).axes


@pytest.mark.parametrize("runner", ["unrolled", "numpy"])
def test_nan_is_said_to_be_nan(runner: str) -> None:
    """The equilibrium that a NaN comes from is named, and not one that reads it."""
    x, a, z, y = ag.input("x", over=t), ag.param("a"), ag.equilibrium("z", over=t, max_steps=9), ag.equilibrium("y", over=t)
    z[t] = a * z[t] + x[t]
    y[t] = 0.5 * y[t] + z[t]
    run = RUNNERS[runner]([ag.sum(y, over=t), ag.grad(ag.sum(y, over=t), a)])
    with pytest.raises(
        ag.EquilibriumError, match=r"z has not settled at t=1 within 9 iterations[\s\S]*3 times that of"
    ) as grown:
        run(x=[0.0, 1.0], a=3.0)
    with pytest.raises(
        ag.EquilibriumError, match=r"z has not settled at t=1[\s\S]*got nan\n  ag.find_nan\(…\) finds NaN"
    ) as fed:
        run(x=[0.0, np.nan], a=0.5)
    assert "nan times" not in str(fed.value) and "find_nan" not in str(grown.value)


def test_a_call_that_settles_when_it_is_explained_is_explained() -> None:
    """The explaining program is written in another way, and rounds in another way; that is said, and is no other error."""
    z = ag.equilibrium("z")
    z[...] = 0.5 * z + ag.param("a")

    def write(graph: ag.Graph, layouts: Any) -> Any:
        return (lambda *sizes: lambda a: (np.array(0), np.zeros(2))), ["a"]

    error = explain_unsettled(ag.Graph(z), write, {"a": np.float64(1.0)}, (np.dtype("float64"),))
    assert "z has not settled" in str(error) and "a larger tol=, or gradient_tol=: it moves to and fro" in str(error)


def test_a_gradient_that_does_not_settle_is_named_too() -> None:
    """A loose tolerance lets the iteration stop where f′ is 0.99; its gradient takes its time, and is asked for exactly."""
    a = ag.param("a")
    z = ag.equilibrium("z", start=0.1, tol=1e-3, gradient_tol=1e-9, max_steps=30)
    z[...] = ag.tanh(z) + a
    with pytest.raises(ag.EquilibriumError, match="the gradient of z has not settled within 30 iterations") as caught:
        ag.compile(ag.grad(z, a), backend="numpy")(a=1e-5)
    assert 0.9 < caught.value.contraction < 1.0
    assert "max_steps=300" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "make", "words"),
    [
        ("Z101", lambda: ag.equilibrium("z", tol=-1.0), "tol= of z is -1.0"),
        ("Z101", lambda: ag.equilibrium("z", damping=1), "damping= of z is 1"),
        ("Z101", lambda: ag.equilibrium("z", gradient_tol=np.nan), "gradient_tol= of z is nan"),
        ("Z101", lambda: ag.equilibrium("z", max_steps=2.5), "max_steps= of z is 2.5"),
        ("Z101", lambda: ag.equilibrium("z", max_steps=True), "max_steps= of z is True"),
        ("Z102", lambda: ag.equilibrium("z", over=t, start=t), "z starts from itself"),
        ("Z103", lambda: ag.equilibrium("z", (3,), start=np.zeros(2)), "start= of z does not fit"),
        ("Z103", lambda: ag.equilibrium("z", start=ag.input("x", over=t)), "a value of shape () over no axis"),
        ("G210", lambda: ag.Graph(ag.equilibrium("z")), "equilibrium z is never defined"),
    ],
)
def test_refusals(code: str, make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ag.AutogradSeqError) as caught:
        make()
    assert caught.value.code == code
    assert words in str(caught.value)


def test_what_no_iteration_can_order_is_refused() -> None:
    """A cycle that looks both ways in time, and does not pass through the equilibrium within a step."""
    s, r, z = ag.state("s", over=t), ag.state("r", over=t), ag.equilibrium("z", over=t)
    s[t], r[t] = 0.1 * s[t - 1] + r[t + 1], s[t - 1]
    z[t] = 0.5 * z[t] + s[t]
    with pytest.raises(ag.CycleError, match="both earlier and later steps of t"):
        ag.Graph(z)


def test_damping_settles_what_oscillates() -> None:
    a = ag.param("a")
    plain, damped = ag.equilibrium("z", max_steps=100), ag.equilibrium("z", max_steps=100, damping=0.5)
    for z in (plain, damped):
        z[...] = a - 1.5 * z
    with pytest.raises(ag.EquilibriumError):
        ag.compile(plain)(a=1.0)
    for runner in RUNNERS.values():
        np.testing.assert_allclose(runner([damped, ag.grad(damped, a)])(a=1.0), [0.4, 0.4], rtol=1e-9)


def test_an_equation_that_does_not_read_it_is_its_value() -> None:
    a = ag.param("a")
    z = ag.equilibrium("z")
    z[...] = a * 2.0
    for runner in RUNNERS.values():
        assert [float(v) for v in runner([z, ag.grad(z, a)])(a=3.0)] == [6.0, 2.0]


def test_copies_and_the_printed_form() -> None:
    loss, _, _ = recurrent()
    feeds = make_feeds(loss)
    other = pickle.loads(pickle.dumps(loss))
    (want,) = RUNNERS["unrolled"](loss)(**feeds)
    np.testing.assert_allclose(RUNNERS["unrolled"](other)(**feeds)[0], want)
    np.testing.assert_allclose(copy.deepcopy(ag.compile(loss))(**feeds)[0], want)
    g = ag.Graph(loss)
    assert any("z " in line and "= equilibrium(" in line for line in str(g).splitlines())
    assert any({"z", "inside"} <= set(c) for c in g.cycles())


@pytest.mark.parametrize("textbook", [False, True])
def test_programs_of_it_run_from_a_file_that_needs_numpy_alone(textbook: bool, tmp_path: Any) -> None:
    loss, wrt, _ = recurrent()
    nodes, feeds = [loss, *ag.grad(loss, wrt)], make_feeds(loss)
    space: dict[str, Any] = {}
    path = ag.compile(nodes, backend="numpy").save_source(tmp_path / "saved.py", textbook=textbook)
    exec(path.read_text(encoding="utf-8"), space)
    sizes = {"T": T, "B": B, "real": np.float64}
    run = space["step"] if textbook else space["program"](*[sizes[n] for n in inspect.signature(space["program"]).parameters])
    names = list(inspect.signature(run).parameters)
    for got, want in zip(run(*[np.asarray(feeds[n]) for n in names]), RUNNERS["numpy"](nodes)(**feeds), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-13)
    assert np.isnan(run(*[np.asarray(feeds[n]) * (40 if n == "W" else 1) for n in names])[0]), "no silent wrong answer"
