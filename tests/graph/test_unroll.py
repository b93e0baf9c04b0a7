"""The unrolled DAG, which is the meaning of a folded graph: its nodes, rows, order, layout, widths; and long chains."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

RNG = np.random.default_rng(3)


def lecture_rnn() -> ag.Node:
    t = ag.Axis("t")
    x, l = ag.input("x", (3,), over=t), ag.input("l", over=t, dtype=int)
    U, W, V = ag.param("U", (4, 3)), ag.param("W", (4, 4)), ag.param("V", (5, 4))
    s = ag.state("s", (4,), over=t)
    s[t] = ag.tanh(U @ x[t] + W @ s[t - 1])
    y = ag.softmax(V @ s[t]).named("y")
    return ag.sum(ag.nll(y, l[t]), over=t).named("L")


# -- nodes ------------------------------------------------------------------------------------------------------------


def test_a_parameter_is_one_node_with_many_readers() -> None:
    dag = ag.Graph(lecture_rnn()).unroll(t=4)
    for name in ("U", "W", "V"):
        assert sum(n.name == name for n in dag.nodes) == 1
        assert sum(any(x is dag[name] for x in n.inputs) for n in dag.nodes) == 4
    assert len({id(dag["x", k]) for k in range(4)}) == 4


def test_states_shifts_and_picks_are_edges() -> None:
    t = ag.Axis("t")
    s0 = ag.param("s0")
    s = ag.state("s", over=t, init=s0)
    s[t] = ag.tanh(s[t - 1])
    dag = ag.Graph(ag.last(s, over=t), s).unroll(t=3)
    assert [n.op.name for n in dag.nodes] == ["param", "tanh", "tanh", "tanh"]
    assert dag["s", -1] is dag["s0"] is dag["s", 0].inputs[0]
    assert dag["s", 2].inputs == (dag["s", 1],) and dag["s", 1].inputs == (dag["s", 0],)
    assert [dag["s", k].name for k in range(3)] == ["s[0]", "s[1]", "s[2]"]
    assert dag.outputs[0].nodes == (dag["s", 2],)
    assert len(dag) == 4 and repr(dag) == "<DAG of 4 nodes, unrolled over t=3>"


def test_the_same_static_node_is_used_at_every_step() -> None:
    t = ag.Axis("t")
    W, x = ag.param("W"), ag.input("x", over=t)
    dag = ag.Graph(ag.exp(W) * x[t]).unroll(t=5)
    assert sum(n.op.name == "exp" for n in dag.nodes) == 1


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5])
def test_delays_of_two_both_ways_with_rows(steps: int) -> None:
    t = ag.Axis("t")
    a, b, c, d, x = *map(ag.param, "abcd"), ag.input("x", over=t)
    s = ag.state("s", over=t, init=[a, b])
    r = ag.state("r", over=t, final=[c, d])
    s[t] = 2.0 * s[t - 2] + x[t]
    r[t] = 3.0 * r[t + 2] + s[t]
    dag = ag.Graph(s, r).unroll(t=steps)
    xs = RNG.normal(size=steps)
    got_s, got_r = dag.evaluate(a=1.0, b=10.0, c=5.0, d=7.0, x=xs)
    want_s, want_r = [1.0, 10.0], [5.0, 7.0]
    for k in range(steps):
        want_s.append(2 * want_s[k] + xs[k])
    for k in reversed(range(steps)):
        want_r.insert(0, 3 * want_r[1] + want_s[k + 2])
    assert np.allclose(got_s, want_s[2:]) and np.allclose(got_r, want_r[:steps])
    assert dag["s", -2] is dag["a"] and dag["s", -1] is dag["b"]
    assert dag["r", steps] is dag["c"] and dag["r", steps + 1] is dag["d"]


def test_steps_that_no_shift_reads_do_not_exist() -> None:
    t = ag.Axis("t")
    s = ag.state("s", over=t)
    s[t] = s[t - 2] + 1.0
    dag = ag.Graph(s).unroll(t=3)
    assert float(dag["s", -1].value) == float(dag["s", -2].value) == 0.0
    for step in (-3, 3):
        with pytest.raises(ag.AxisError, match=r"A206.*s has no step"):
            dag["s", step]


def test_no_steps_at_all() -> None:
    t = ag.Axis("t")
    x, w = ag.input("x", (2,), over=t), ag.param("w", (2,))
    s = ag.state("s", (2,), over=t)
    s[t] = s[t - 1] + w * x[t]
    g = ag.Graph(s, ag.sum(s, over=t), ag.logsumexp(x, over=t), ag.size(t))
    outs = g.evaluate(x=np.zeros((0, 2)), w=[1.0, 2.0])
    assert outs[0].shape == (0, 2) and outs[1].tolist() == [0.0, 0.0]
    assert outs[2].tolist() == [-np.inf, -np.inf] and outs[3] == 0


def test_one_step() -> None:
    feeds = {**rnn_feeds(1, float), "V": np.zeros((5, 4))}
    (loss,) = ag.Graph(lecture_rnn()).evaluate(**feeds)
    assert float(loss) == pytest.approx(np.log(5))


def test_two_axes_and_a_diagonal_read_with_rows_for_each_axis() -> None:
    i, j = ag.Axis("i"), ag.Axis("j")
    p, q, z = ag.param("p"), ag.param("q"), ag.input("z", over=(i, j))
    g = ag.state("g", over=(i, j), init={i: p, j: q})
    g[i, j] = 0.5 * g[i - 1, j] + 0.25 * g[i, j - 1] + z[i, j]
    dag = ag.Graph(g).unroll(i=3, j=4)
    zs = RNG.normal(size=(3, 4))
    want: dict[tuple[int, int], float] = {(-1, k): 2.0 for k in range(4)} | {(k, -1): -3.0 for k in range(3)}
    for a, b in product(range(3), range(4)):
        want[a, b] = 0.5 * want[a - 1, b] + 0.25 * want[a, b - 1] + zs[a, b]
    (got,) = dag.evaluate(p=2.0, q=-3.0, z=zs)
    assert np.allclose(got, [[want[a, b] for b in range(4)] for a in range(3)])
    assert dag["g", -1, 2] is dag["p"] and dag["g", 1, -1] is dag["q"]
    assert dag["g", 1, 2].name == "g[1,2]"
    with pytest.raises(ag.AxisError, match="A206"):
        dag["g", -1, -1]


def test_a_composed_shift_shows_the_rows_of_both_axes() -> None:
    """g[i-1, j-1] is g[i-1, j] read a column earlier: what lies before the first column is the state's row there."""
    i, j = ag.Axis("i"), ag.Axis("j")
    z, p, q = ag.input("z", over=(i, j)), ag.param("p"), ag.param("q")
    g = ag.state("g", over=(i, j), init={i: p, j: q})
    g[i, j] = g[i - 1, j - 1] + z[i, j]
    (got,) = ag.Graph(g).evaluate(z=np.zeros((3, 3)), p=2.0, q=5.0)
    assert got[0, 1:].tolist() == [2.0, 2.0] and got[1:, 0].tolist() == [5.0, 5.0]  # an edge shows its own row
    assert got[0, 0] in (2.0, 5.0)  # the corner lies before both
    assert got[1, 1] == got[0, 0] and got[2, 2] == got[0, 0] and got[1, 2] == 2.0 and got[2, 1] == 5.0


def test_shifts_of_shifts_add_up_while_they_point_one_way() -> None:
    t = ag.Axis("t")
    x, a, b = ag.input("x", over=t), ag.param("a"), ag.param("b")
    s = ag.state("s", over=t, init=[a, b])
    s[t] = x[t] + 0.0 * s[t - 2]
    twice = ag.shift(s[t - 1], t, 1)
    g = ag.Graph(twice, s[t - 2], x[t - 1][t - 1], ag.shift(x[t - 1], t, -1))
    got = g.evaluate(x=[1.0, 2.0, 3.0], a=7.0, b=8.0)
    assert got[0].tolist() == got[1].tolist() == [7.0, 8.0, 1.0]
    assert got[2].tolist() == [0.0, 0.0, 1.0]
    assert got[3].tolist() == [1.0, 2.0, 0.0]  # ahead of behind: what fell off the end is gone


def test_inputs_shift_too_with_zeros_or_rows_outside() -> None:
    t, u = ag.Axis("t"), ag.Axis("u")
    x, z = ag.input("x", over=t), ag.input("z", over=(t, u))
    g = ag.Graph(x[t - 1], x[t + 1], ag.shift(x, t, 2, init=[5.0, 6.0]), ag.shift(x, t, -1, final=9.0))
    got = g.evaluate(x=[1.0, 2.0])
    assert [g.tolist() for g in got] == [[0.0, 1.0], [2.0, 0.0], [5.0, 6.0], [2.0, 9.0]]
    (rows,) = ag.Graph(ag.shift(z, u, 1, init=7.0)).evaluate(z=[[1.0, 2.0], [3.0, 4.0]])  # the axis is said already
    assert rows.tolist() == [[7.0, 1.0], [7.0, 3.0]]


def test_along_reads_at_another_axis_and_makes_the_lengths_equal() -> None:
    t, u = ag.Axis("t"), ag.Axis("u")
    q, k = ag.input("q", (2,), over=t), ag.input("k", (2,), over=t)
    scores = ag.dot(q[t], k.along(t, u)).named("scores")
    out = ag.sum(ag.softmax(scores, over=u) * ag.sum(k.along(t, u)), over=u)
    dag = ag.Graph(out, scores).unroll(t=3)
    Q, K = RNG.normal(size=(3, 2)), RNG.normal(size=(3, 2))
    got, table = dag.evaluate(q=Q, k=K)
    e = np.exp(Q @ K.T)
    assert np.allclose(table, Q @ K.T) and np.allclose(got, e / e.sum(1, keepdims=True) @ K.sum(1))


def test_a_sum_over_time_is_one_node() -> None:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    dag = ag.Graph(ag.sum(x, over=t).named("total")).unroll(t=100)
    assert len(dag) == 101
    assert dag["total"].inputs == tuple(dag["x", k] for k in range(100))


def test_a_sum_of_what_does_not_vary_counts_the_steps() -> None:
    t = ag.Axis("t")
    w, x = ag.param("w"), ag.input("x", over=t)
    outs = ag.Graph(ag.sum(w, over=t), ag.mean(w, over=t), x).evaluate(w=3.0, x=np.zeros(4))
    assert [float(o) for o in outs[:2]] == [12.0, 3.0]


def test_picks_from_both_ends() -> None:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    picks = [ag.first(x, over=t), ag.last(x, over=t), ag.at(x, t, 1), ag.at(x, t, -2), ag.at(x, t, 9, outside="zero"),
             ag.index(t) * 1.0 + 0.0 * x]  # fmt: skip
    got = ag.Graph(picks).evaluate(x=[5.0, 6.0, 7.0])
    assert [g.tolist() for g in got] == [5.0, 7.0, 6.0, 6.0, 0.0, [0.0, 1.0, 2.0]]


# -- order and printed form -------------------------------------------------------------------------------------------

PRINTED = """
graph over t:
  V             : float[5, 4]     = param
  U             : float[4, 3]     = param
  x             : float[3] over t = input
  matmul_1      : float[4] over t = U @ x
  W             : float[4, 4]     = param
  s[t - 1]      : float[4] over t = s at t - 1
  matmul_2      : float[4] over t = W @ s[t - 1]
  add_1         : float[4] over t = matmul_1 + matmul_2
  tanh_1        : float[4] over t = tanh(add_1)
  s             : float[4] over t = state tanh_1
  matmul_3      : float[5] over t = V @ s
  log_softmax_1 : float[5] over t = log_softmax(matmul_3, axis=-1)
  l             : int over t      = input
  pick_1        : float over t    = pick(log_softmax_1, l)
  y             : float[5] over t = softmax(matmul_3, axis=-1)
  pick_2        : float over t    = pick(y, l)
  log_1         : float over t    = log(pick_2), computed as pick_1
  neg_1         : float over t    = -log_1
  nll_1         : float over t    = nll(y, l), computed as neg_1
  L             : float           = sum(nll_1, over=t)
  return L
""".strip()


def test_the_printed_form_of_the_lecture_rnn() -> None:
    assert str(ag.Graph(lecture_rnn())) == PRINTED
    assert repr(ag.Graph(lecture_rnn())) == "<Graph of 20 nodes over t: L>"


def test_rows_zeros_and_scopes_in_the_printed_form() -> None:
    t = ag.Axis("t")
    with ag.scope("net"):
        p = ag.param("p")
        s = ag.state("s", over=t, init=p, final=[p, 1.0])
    x = ag.input("x", over=t)
    s[t] = x[t - 1] + 2.0
    a, b = s[t - 1], s[t + 2]
    lines = str(ag.Graph(a * b, ag.grad(ag.sum(a, over=t), p))).splitlines()
    assert any("net/s " in line and "init[t]=(net/p, …), final[t]=(net/p, 1.)" in line for line in lines)
    assert any(line.endswith("= x at t - 1") for line in lines)
    assert any("net/s[t + 2]" in line for line in lines)


def test_the_order_is_the_same_in_every_run_and_process() -> None:
    code = (
        "import autograd_seq as ag\n"
        "i, j = ag.Axis('i'), ag.Axis('j')\n"
        "z, P, Q = ag.input('z', (2,), over=(i, j)), ag.param('P', (2, 2)), ag.param('Q', (2, 2))\n"
        "g = ag.state('g', (2,), over=(i, j))\n"
        "g[i, j] = ag.tanh(P @ g[i - 1, j] + Q @ g[i, j - 1] + z[i, j])\n"
        "L = ag.sum(ag.sum(g * g, over=(i, j)))\n"
        "G = ag.Graph(L, ag.grad(L, [P, Q, z]))\n"
        "print(G); print(G.cycles()); print([(n.name, n.op.name) for n in G.unroll(i=2, j=3).nodes])\n"
    )
    outs = {_python(code, PYTHONHASHSEED=str(seed)) for seed in (0, 1, 2)}
    assert len(outs) == 1 and "dg" in outs.pop()


def test_every_unrolled_node_follows_its_inputs() -> None:
    dag = ag.Graph(lecture_rnn()).unroll(t=5)
    for d in (dag, dag.grad(), dag.grad(with_outputs=True)):
        place = {n: i for i, n in enumerate(d.nodes)}
        assert all(place[x] < place[n] for n in d.nodes for x in n.inputs)


# -- layout -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["t", "b"])
def test_layout_is_as_the_inputs_declared_it(first: str) -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    over = (t, b) if first == "t" else (b, t)
    x, w = ag.input("x", (2,), over=over), ag.param("w", (2,))
    s = ag.state("s", (2,), over=over)
    s[t] = s[t - 1] + w * x[t]
    feed = RNG.normal(size=(3, 4, 2) if first == "t" else (4, 3, 2))
    g = ag.Graph(s * 1.0, ag.sum(s, over=t), ag.grad(ag.sum(ag.sum(s, over=(t, b))), x))
    out, total, dx = g.evaluate(x=feed, w=[1.0, 2.0])
    assert out.shape == dx.shape == feed.shape and total.shape == (4, 2)
    assert np.allclose(out, np.cumsum(feed, axis=0 if first == "t" else 1) * [1.0, 2.0])


def test_inputs_may_disagree_about_the_order_each_is_fed_as_declared() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, y = ag.input("x", over=(t, b)), ag.input("y", over=(b, t))
    X, Y = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 2))
    both, back = ag.Graph(x + y, y).evaluate(x=X, y=Y)
    assert np.allclose(both, X + Y.T) and np.allclose(back, Y)


# -- widths -----------------------------------------------------------------------------------------------------------


def rnn_feeds(steps: int, dtype: Any) -> dict[str, Any]:
    make = lambda *shape: RNG.normal(size=shape).astype(dtype)  # noqa: E731
    return {"x": make(steps, 3), "l": RNG.integers(0, 5, steps), "U": make(4, 3), "W": make(4, 4), "V": make(5, 4)}


@pytest.mark.parametrize("steps", [0, 1, 4])
@pytest.mark.parametrize("width", [np.float32, np.float64])
def test_the_width_is_that_of_the_feeds(width: Any, steps: int) -> None:
    L = lecture_rnn()
    g = ag.Graph(L)
    wrt = [g[n] for n in ("U", "W", "V", "x")]
    dag = ag.Graph(L, g["s"], g["y"], ag.grad(L, wrt), ag.mean(g["s"] * 2.0 + 1, axis=0)).unroll(t=steps)
    assert {o.dtype for o in dag.evaluate(**rnn_feeds(steps, width))} == {np.dtype(width)}
    plain = g.unroll(t=steps).grad(["U", "W", "V", "x"])
    assert {o.dtype for o in plain.evaluate(**rnn_feeds(steps, width))} == {np.dtype(width)}


def test_a_width_that_is_asked_for_rules() -> None:
    dag = ag.Graph(lecture_rnn()).unroll(t=3)
    assert dag.evaluate(dtype=np.float32, **rnn_feeds(3, np.float64))[0].dtype == np.float32
    assert dag.evaluate(dtype="float64", **rnn_feeds(3, np.float32))[0].dtype == np.float64


def test_tensors_keep_their_width_and_constants_have_none() -> None:
    w = ag.param("w", (2,))
    k = ag.tensor(np.ones(2, np.float32))
    g = ag.Graph(k * w * 2.0 + np.array([0.5, 0.5]))
    assert g.evaluate(w=np.ones(2, np.float32))[0].dtype == np.float32
    assert g.evaluate(w=np.ones(2))[0].dtype == np.float64


def test_ints_stay_ints_and_become_the_width_of_the_floats_they_meet() -> None:
    t = ag.Axis("t")
    l, w = ag.input("l", over=t, dtype=int), ag.param("w")
    total, product_ = ag.Graph(ag.sum(l, over=t), ag.sum(l * w, over=t)).evaluate(l=[1, 2], w=np.float32(0.5))
    assert total.dtype.kind == "i" and int(total) == 3
    assert product_.dtype == np.float32 and float(product_) == 1.5


def test_ints_and_bools_may_be_fed_for_floats() -> None:
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    assert ag.Graph(x[t] * 0.5).evaluate(x=[1, 2])[0].tolist() == [0.5, 1.0]
    assert ag.Graph(x[t] * 0.5).evaluate(x=[True, False])[0].tolist() == [0.5, 0.0]


def test_outputs_are_the_callers_own() -> None:
    w = ag.param("w", (2,))
    feed = np.ones(2)
    (out,) = ag.Graph(w).evaluate(w=feed)
    out[0] = 7.0
    assert feed.tolist() == [1.0, 1.0]


# -- feeds ------------------------------------------------------------------------------------------------------------


def test_evaluate_takes_the_lengths_from_the_feeds_and_unroll_from_its_arguments() -> None:
    g = ag.Graph(lecture_rnn())
    feeds = rnn_feeds(4, float)
    assert g.sizes(feeds) == {"t": 4}
    assert g.evaluate(**feeds)[0] == g.unroll(t=4).evaluate(**feeds)[0]


@pytest.mark.parametrize(
    ("change", "code"),
    [({"x": np.ones((5, 3))}, "F106"), ({"x": np.ones((4, 2))}, "F105"), ({"x": np.ones(4)}, "F105"),
     ({"z": 1.0}, "F102"),
     ({"l": [0.0, 1.0, 2.0, 3.0]}, "D301"), ({"U": [[1.0], [1.0, 2.0]]}, "F104"), ({"U": "abc"}, "D101")],
)  # fmt: skip
def test_feeds_that_do_not_fit_are_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(ag.AutogradSeqError) as caught:
        ag.Graph(lecture_rnn()).evaluate(**{**rnn_feeds(4, float), **change})
    assert caught.value.code == code


def test_a_dag_runs_again_with_other_feeds() -> None:
    dag = ag.Graph(lecture_rnn()).unroll(t=3)
    one, two = rnn_feeds(3, float), rnn_feeds(3, float)
    a, b, c = (dag.evaluate(**f)[0] for f in (one, two, one))
    assert a == c != b


# -- long chains, no cycles of references -----------------------------------------------------------------------------


def _python(code: str, **env: str) -> str:
    root = str(Path(ag.__file__).parent.parent)
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    whole = {**os.environ, "PYTHONPATH": path, **env}
    run = subprocess.run([sys.executable, "-c", code], env=whole, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def test_an_eager_chain_of_many_nodes_needs_no_stack() -> None:
    """200,000 operations; a million take the same way, and the time of all other tests of this file together."""
    out = _python(
        "import sys, autograd_seq as ag\n"
        "sys.setrecursionlimit(100)\n"
        "w = y = ag.tensor(3.0)\n"
        "for _ in range(200_000): y = -y\n"
        "y.backward()\n"
        "print(float(y.value), float(w.grad))\n"
        "del y\n"
        "print('gone')\n"
    )
    assert out.split() == ["3.0", "1.0", "gone"]


def test_an_unrolled_chain_of_many_nodes_needs_no_stack() -> None:
    """50,000 steps: a million takes the same way, and half a minute."""
    out = _python(
        "import sys, networkx, autograd_seq as ag\n"
        "sys.setrecursionlimit(100)\n"
        "t = ag.Axis('t')\n"
        "w = ag.param('w')\n"
        "s = ag.state('s', over=t, init=w)\n"
        "s[t] = -s[t - 1]\n"
        "L = ag.last(s, over=t)\n"
        "dag = ag.Graph(L).unroll(t=50_000)\n"
        "print(float(dag.evaluate(w=2.0)[0]), float(dag.grad(['w']).evaluate(w=2.0)[0]))\n"
        "del dag\n"
        "print('gone')\n"
    )
    assert out.split() == ["2.0", "1.0", "gone"]


@pytest.fixture
def no_collector() -> Any:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_eager_nodes_are_in_no_reference_cycle() -> None:
    a = ag.tensor([1.0, 2.0])
    b = ag.exp(a) * a
    c = ag.sum(b @ b + ag.softmax(b)[0])
    c.backward()
    g = ag.grad(c, a)
    seen = [weakref.ref(n) for n in (a, b, c, g)]
    del a, b, c, g
    assert [r() for r in seen] == [None] * 4


@pytest.mark.usefixtures("no_collector")
def test_unrolled_nodes_are_in_no_reference_cycle() -> None:
    """The folded graph has the cycle that the equations have; its unrolled form and the gradient of that have none."""
    L = lecture_rnn()
    g = ag.Graph(L)
    dag = g.unroll(t=3)
    grads = dag.grad()
    grads.evaluate(**rnn_feeds(3, float))
    seen = [weakref.ref(n) for d in (dag, grads) for n in d.nodes if n.op.name in ("tanh", "contract", "add", "mul")]
    assert len(seen) > 20
    whole = [weakref.ref(dag), weakref.ref(grads)]
    del dag, grads
    assert {r() for r in whole + seen} == {None}


def test_axes_are_laid_out_as_inputs_declare_them_whichever_is_met_first() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    z, x, w = ag.input("z", over=b), ag.input("x", over=(t, b)), ag.param("w")
    X, Z = np.arange(6.0).reshape(3, 2), np.zeros(2)
    loss = ag.sum(ag.tanh(z + w * x), over=(t, b))
    assert ag.Graph(loss).axes == (t, b)
    want = 0.1 / np.cosh(0.1 * X) ** 2
    np.testing.assert_allclose(ag.value_and_grad(loss, [x])(x=X, z=Z, w=0.1)[1]["x"], want)
    np.testing.assert_allclose(ag.Graph(loss).unroll(t=3, b=2).grad([x]).evaluate(x=X, z=Z, w=0.1)[0], want)
    y = ag.input("y", over=(b, t))  # an order of its own: its gradient keeps that
    both = ag.value_and_grad(ag.sum(x * y * y, over=(t, b)), [x, y])(x=X, y=X.T)[1]
    np.testing.assert_allclose(both["x"], X**2)
    np.testing.assert_allclose(both["y"], 2 * X.T**2)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32])
def test_integers_count_in_sixty_four_bits(kind: type) -> None:
    t = ag.Axis("t")
    label = ag.input("l", over=t, dtype=int)
    graph, fed = ag.Graph([label * label, -label]), np.array([100, 2], kind)
    for got in (graph.evaluate(l=fed), ag.compile(graph)(l=fed)):
        np.testing.assert_array_equal(got, [[10000, 4], [-100, -2]])
        assert got[0].dtype == np.int64


def test_a_dag_prints_its_nodes_step_by_step() -> None:
    t = ag.Axis("t")
    x, w, s = ag.input("x", over=t), ag.param("w"), ag.state("s", over=t, init=ag.param("s0"))
    s[t] = w * s[t - 1] + x[t]
    graph = ag.Graph(ag.sum(s, over=t).named("L"))
    text = str(graph.unroll(t=2))
    assert text.startswith("DAG of 9 nodes, unrolled over t=2:\n")
    for words in ("mul_1 : float = w * s0", "s[0]  : float = mul_1 + x[0]", "mul_2 : float = w * s[0]", "sum(s[0], s[1])"):
        assert words in text
    assert text.endswith("  return L")
    long = str(graph.unroll(t=500)).split("\n")
    assert len(long) == 203 and long[-2] == "  … and 1,303 more"
