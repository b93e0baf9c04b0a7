"""Native programs equal the unrolled graph, in both widths, from several threads, and again from the cache on disk."""

from __future__ import annotations

import os
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from night import late, one_in
from random_programs import Program, check

import autograd_seq as ag
from autograd_seq.bench.work import Workload, make, ours
from autograd_seq.emit.native import cutting as native_cut
from autograd_seq.emit.native import numba as backend
from autograd_seq.emit.native import products as native_products
from autograd_seq.emit.native.memory import MemoryWriter
from autograd_seq.run import backends

COUNT = int(os.environ.get("AUTOGRAD_SEQ_RANDOM_PROGRAMS", "300"))


def narrowed(feeds: dict[str, Any]) -> dict[str, Any]:
    return {name: x.astype(np.float32) if np.asarray(x).dtype == np.float64 else x for name, x in feeds.items()}


@pytest.mark.parametrize("seed", one_in(2, range(0, COUNT, 6)))
def test_a_native_program_equals_the_unrolled_graph(seed, in_python):
    """Twice, for a call must leave nothing behind, and then with other feeds and lengths."""
    case = Program(seed)
    graph = ag.Graph(case.outputs)
    want, feeds = case.expected(), case.fed(graph)
    before = {name: np.array(value) for name, value in feeds.items()}
    program = ag.compile(case.outputs, backend="numba")
    with np.errstate(all="ignore"):
        first = program(**feeds)
        check(case, first, want, "native")
        check(case, program(**feeds), want, "native, second call")
        if seed % 10 == 0:
            sizes = case.other_sizes()
            others = case.fed(graph, sizes, salt=1)
            check(case, program(**others), case.expected(sizes, salt=1), f"native, {sizes}")
        again = program(**feeds)
    assert all(np.array_equal(before[name], value) for name, value in feeds.items()), "a feed was changed"
    taken = [*feeds.values(), *first]
    for label, a in zip(case.labels, again, strict=True):
        assert not any(np.shares_memory(a, x) for x in taken), f"seed {seed}: {label} is not the caller's own"
        taken.append(a)


@pytest.mark.parametrize("seed", range(1, COUNT, 50))
def test_passes_one_by_one(seed, in_python):
    case = Program(seed)
    want, feeds = case.expected(), case.fed(ag.Graph(case.outputs))
    with np.errstate(all="ignore"):
        for passes in [(), *((p,) for p in ("canonical", "identities", "merge", "regroup", "absorb"))]:
            check(case, ag.compile(case.outputs, backend="numba", passes=passes)(**feeds), want, f"native, {passes}")


@pytest.mark.parametrize("seed", one_in(5, range(7, COUNT, 60)))
def test_compiled_programs_equal_the_unrolled_graph_in_both_widths(seed, numba_cache, monkeypatch):
    monkeypatch.setattr(native_products, "FEWEST_COLUMNS", 1)
    case = Program(seed)
    want, feeds = case.expected(), case.fed(ag.Graph(case.outputs))
    program = ag.compile(case.outputs, backend="numba")
    check(case, program(**feeds), want, "numba")
    got = program(**narrowed(feeds))
    strong = any(n.op.name == "tensor" and n.dtype is float for n in ag.Graph(case.outputs).nodes)
    assert strong or all(a.dtype == np.float32 for a, n in zip(got, case.outputs, strict=True) if n.dtype is float)
    check(case, [a.astype(w.dtype) for a, w in zip(got, want, strict=True)], want, "numba, float32", 1e-2)


@pytest.mark.parametrize("cell", ["gru", late("rnn"), late("lstm")])
def test_cells_equal_numpys_and_are_wholly_native(cell, numba_cache):
    work = Workload(cell, "odd", 7, 3, 9, 11, 10)
    loss, params = ours(work)
    native, plain = ag.value_and_grad(loss, params, backend="numba"), ag.value_and_grad(loss, params)
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-12)):
        feeds = make(work, dtype=dtype)
        (a, da), (b, db) = native(**feeds), plain(**feeds)
        assert a == pytest.approx(b, rel=tolerance)
        for name in db:
            assert np.max(np.abs(da[name] - db[name])) <= tolerance * np.max(np.abs(db[name])), (name, dtype)
    assert str(native.schedule).endswith("native (numba): everything")


@pytest.mark.parametrize("width", ["float32", late("float64")])
def test_products_of_all_sizes_in_a_loop(width, numba_cache):
    """Rows in eights, fours and ones, on either side of where panels are fetched ahead; the last panel narrow or whole."""
    t, b, rng = ag.Axis("t"), ag.Axis("b"), np.random.default_rng(3)
    for n, k in ((5, 3), (65, 40), (480, 300), (450, 301), (33, 4100)):
        x, h = ag.input("x", (k,), over=(t, b)), ag.state("h", (k,), over=(t, b))
        z = ag.param("W", (n, k)) @ h[t - 1]
        h[t] = x[t] + ag.param("V", (k, n)) @ z
        step = ag.compile(ag.last(h, over=t), dtype=width, backend="numba")
        W, V = rng.normal(size=(n, k)) / np.sqrt(k), rng.normal(size=(k, n)) / np.sqrt(n)
        for m in (1, 3, 8, 15, 16, 27, 136):
            xs = rng.normal(size=(3, m, k))
            want = xs[2] + (xs[1] + xs[0] @ W.T @ V.T) @ W.T @ V.T
            got = step(x=xs.astype(width), W=W.astype(width), V=V.astype(width))[0]
            tolerance = 1e-12 if width == "float64" else 1e-5
            assert np.abs(got - want).max() < tolerance * np.abs(want).max(), (n, k, m)


def test_a_product_for_each_expert_and_head_in_a_loop(in_python):
    """Weights that differ along an axis, along a dimension, and along both: columns are packed for each."""
    t, b, k = (ag.Axis(name) for name in "tbk")
    for over, along, spec, head in [((t, b, k), (k,), "ij,j->i", ()), ((k, t), (k,), "ij,j->i", ()),
                                    ((t, b), (), "hij,hj->hi", (4,)), ((t, k), (k,), "hij,hj->hi", (2,))]:  # fmt: skip
        x, W, s = (
            ag.input("x", (*head, 3), over=over),
            ag.param("W", (*head, 3, 3), over=along),
            ag.state("s", (*head, 3), over=over),
        )
        s[t] = ag.tanh(x + ag.einsum(spec, W, s[t - 1]))
        size, rng = {t: 4, b: 3, k: 2}, np.random.default_rng(0)
        fed = {n.name: rng.normal(size=(*(size[a] for a in n.axes), *n.shape)) for n in (x, W)}
        steps = [ag.value_and_grad(ag.sum(ag.sum(s * x), over=over), [x, W], backend=way) for way in ("numba", "numpy")]
        (got, dgot), (want, dwant) = (step(**fed) for step in steps)
        assert steps[0].program.source.count("step_product(") == 2 and got == pytest.approx(want, rel=1e-12)
        assert all(np.allclose(dgot[name], dwant[name], rtol=1e-12, atol=1e-12) for name in fed)


@pytest.mark.parametrize("way", ["numpy", "numba"])
def test_names_that_programs_use_themselves(way, in_python):
    """As the name of what is fed, and of an axis."""
    rng = np.random.default_rng(0)
    x, w, u = rng.normal(size=(3, 2)), rng.normal(size=(2, 2)), rng.normal(size=2)
    want = [np.zeros(2)]
    for step in x:
        want.append(np.tanh(w @ want[-1] + step * u))
    for name in sorted(MemoryWriter.reserved):
        for fed, axis in ((name, "t"), ("u", name)):
            t = ag.Axis(axis)
            h = ag.state("h", (2,), over=t)
            h[t] = ag.tanh(ag.param("w", (2, 2)) @ h[t - 1] + ag.input("x", (2,), over=t) * ag.param(fed, (2,)))
            assert np.allclose(ag.compile(h, backend=way)(x=x, w=w, **{fed: u})[0], want[1:], rtol=1e-13), (fed, axis)


def test_no_steps_no_batch_and_one_of_each(numba_cache):
    t, b = ag.Axis("t"), ag.Axis("b")
    W, x, s = ag.param("W", (9, 9)), ag.input("x", (9,), over=(t, b)), ag.state("s", (9,), over=(t, b))
    s[t] = ag.tanh(W @ s[t - 1] + x[t])
    L = ag.sum(s * s, over=(t, b))
    total = ag.sum(L)
    native, plain = (ag.value_and_grad(total, W, backend=name) for name in ("numba", "numpy"))
    rng = np.random.default_rng(0)
    for T, B in ((0, 3), (3, 0), (0, 0), (1, 1), (5, 1), (4, 13)):
        feeds = {"W": rng.normal(size=(9, 9)), "x": rng.normal(size=(T, B, 9))}
        (a, da), (c, dc) = native(**feeds), plain(**feeds)
        assert a == pytest.approx(c, rel=1e-12, abs=1e-12)
        assert np.allclose(da["W"], dc["W"], rtol=1e-12, atol=1e-12)


def test_eight_threads_share_a_program(numba_cache):
    work = Workload("lstm", "odd", 40, 4, 8, 16, 8)
    loss, params = ours(work)
    step = ag.value_and_grad(loss, params, backend="numba")
    feeds = [make(work, seed) for seed in range(8)]
    want = [step(**f) for f in feeds]
    wrong: list[int] = []

    def work_on(k: int) -> None:
        for _ in range(40):
            value, grads = step(**feeds[k])
            if value != want[k][0] or any(not np.array_equal(g, want[k][1][n]) for n, g in grads.items()):
                wrong.append(k)

    threads = [threading.Thread(target=work_on, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_feeds_in_any_layout(numba_cache):
    """Transposed, reversed, read only, or one array for two feeds."""
    A, B, x = ag.param("A", (9, 9)), ag.param("B", (9, 9)), ag.input("x", (9,), over=ag.Axis("t"))
    out = ag.compile(ag.sum(ag.tanh(A @ (B @ x)), over=x.axes), backend="numba")
    rng = np.random.default_rng(0)
    M, X = rng.normal(size=(9, 9)), rng.normal(size=(5, 18))[::-1, ::2]
    X.flags.writeable = False
    (got,) = out(A=M.T, B=M.T, x=X)
    assert np.allclose(got, np.tanh(X @ M @ M).sum(0), rtol=1e-12)


def test_an_index_out_of_range_is_a_named_error(numba_cache):
    """One that is fed, and one that a loop computes, of which the error is NumPy's; the next call is not affected."""
    t = ag.Axis("t")
    E, l, k = ag.param("E", (3, 9)), ag.input("l", over=t, dtype=int), ag.state("k", over=t, dtype=int)
    s, r = ag.state("s", over=t), ag.state("r", over=t)
    k[t] = k[t - 1] + 1
    s[t] = 0.5 * s[t - 1] + ag.sum(ag.one_hot(k[t - 1], 3)) * ag.pick(E[0, :5], k[t - 1]) + ag.take(E, k[t - 1])[2]
    r[t] = 1.0 + ag.take(r, ag.index(t) - k[t - 1] - l, over=t, earlier=True)
    out = ag.sum(ag.take(E, l)[0] + s[t] + r[t], over=t)
    native, calls = (ag.compile(out, backend=backend) for backend in ("numba", "numpy"))
    assert "and the loops around" not in str(native.schedule)
    fed = {"E": np.arange(27.0).reshape(3, 9), "l": np.array([1, 1, 0])}
    for labels, error in [
        ([1, 3], r"l is out of range(.|\n)*0 … 2, for E, got l\[1\] = 3"), ([1, 1, 1, 1], "expected 0 … 2, got 0 … 3"),
        ([2, 0], r"expected -1 … -1, as it is read at step 0 of t, got sub.* = -2"),
    ]:  # fmt: skip
        for program in (calls, native):
            with pytest.raises(ag.FeedError, match=f"F201(.|\n)*{error}"):
                program(**{**fed, "l": np.array(labels)})
        assert native(**fed)[0] == pytest.approx(float(calls(**fed)[0]), rel=1e-12)


def language_model() -> tuple[list[ag.Node], dict[str, Any]]:
    """Words predicted from the words before: the label of a step is fed, and read again at the next."""
    t, rng = ag.Axis("t"), np.random.default_rng(0)
    y, h = ag.input("y", over=t, dtype=int), ag.state("h", (3,), over=t)
    E, W, V = ag.param("E", (5, 3)), ag.param("W", (3, 3)), ag.param("V", (5, 3))
    h[t] = ag.tanh(ag.take(E, y[t - 1]) + W @ h[t - 1])
    loss = ag.sum(ag.cross_entropy(V @ h[t], y[t]), over=t)
    feeds = {n: rng.normal(size=shape) for n, shape in (("E", (5, 3)), ("W", (3, 3)), ("V", (5, 3)))}
    return [loss, *ag.grad(loss, [E, W, V])], {"y": np.array([1, 4, 0, 0, 3, 2]), **feeds}


def linear_chain() -> tuple[list[ag.Node], dict[str, Any]]:
    """A conditional random field: the score of the labels, less that of all labels there could be (Lafferty et al. 2001)."""
    t, rng = ag.Axis("t"), np.random.default_rng(1)
    e, y, change = ag.input("e", (4,), over=t), ag.input("y", over=t, dtype=int), ag.param("change", (4, 4))
    alpha = ag.state("alpha", (4,), over=t)
    alpha[t] = ag.logsumexp(alpha[t - 1][:, None] + change, axis=0) + e[t]
    score = ag.sum(ag.pick(e[t], y[t]) + ag.pick(ag.take(change, y[t - 1]), y[t]), over=t)
    loss = ag.logsumexp(ag.last(alpha, over=t)) - score
    feeds = {"e": rng.normal(size=(5, 4)), "change": rng.normal(size=(4, 4)), "y": np.array([3, 0, 1, 1, 2])}
    return [loss, *ag.grad(loss, [e, change])], feeds


@pytest.mark.parametrize("model", [language_model, late(linear_chain)])
def test_labels_that_are_read_again_a_step_later(model, numba_cache):
    outputs, feeds = model()
    step = ag.compile(outputs, backend="numba")
    for got, want in zip(step(**feeds), ag.Graph(outputs).unroll(t=len(feeds["y"])).evaluate(**feeds), strict=True):
        assert np.allclose(got, want, rtol=1e-12, atol=1e-12)
    with pytest.raises(ag.FeedError, match=r"(?s)F201.*expected 0"):
        step(**{**feeds, "y": feeds["y"] - 1})


@pytest.mark.parametrize("seed", one_in(2, range(2, COUNT, 12)))
def test_programs_in_small_parts(seed, in_python, monkeypatch):
    """A part is a function: it must be given all that it reads."""
    monkeypatch.setattr(native_cut, "LONG", 2)
    monkeypatch.setattr(native_cut, "PART", 1)
    case = Program(seed)
    program = ag.compile(case.outputs, backend="numba")
    with np.errstate(all="ignore"):
        check(case, program(**case.fed(ag.Graph(case.outputs))), case.expected(), "native, in parts")


def test_a_compiled_program_in_parts(numba_cache, monkeypatch):
    monkeypatch.setattr(native_cut, "LONG", 10)
    monkeypatch.setattr(native_cut, "PART", 4)
    outputs, feeds = linear_chain()
    step = ag.compile(outputs, backend="numba")
    assert step.source.count("@part") >= 3 and "@part" in step.source.partition("@native")[0]
    want = ag.Graph(outputs).unroll(t=len(feeds["y"])).evaluate(**feeds)
    for _ in range(2):
        for got, exact in zip(step(**feeds), want, strict=True):
            assert np.allclose(got, exact, rtol=1e-12, atol=1e-12)


def test_what_has_no_native_form_runs_in_numpy_and_the_schedule_says_so(in_python):
    wave = ag.defop("wave_of_the_native_tests", shape=ag.same_shape, forward=np.sin, vjp=lambda g, y, x: (g * ag.cos(x),))
    t = ag.Axis("t")
    x, s, w = ag.input("x", over=t), ag.state("s", over=t), ag.param("w")
    s[t] = ag.tanh(w * s[t - 1] + x[t])
    program = ag.compile(ag.sum(wave(s).named("v"), over=t), backend="numba")
    assert "everything but v (wave_of_the_native_tests) in NumPy" in str(program.schedule)
    assert program.source.count("@native") == 2
    values = np.array([0.3, -0.7, 1.1])
    want, before = 0.0, 0.0
    for value in values:
        before = np.tanh(0.9 * before + value)
        want += np.sin(before)
    assert program(x=values, w=0.9)[0] == pytest.approx(want)


def test_a_loop_with_a_user_operation_runs_in_numpy_as_a_whole(in_python):
    wave = ag.defop("wave_of_the_native_tests", shape=ag.same_shape, forward=np.sin, vjp=lambda g, y, x: (g * ag.cos(x),))
    t = ag.Axis("t")
    x, s = ag.input("x", over=t), ag.state("s", over=t)
    s[t] = wave(0.5 * s[t - 1]).named("v") + x[t]
    program = ag.compile(s, backend="numba")
    assert "v (wave_of_the_native_tests), and the loops around, in NumPy" in str(program.schedule)
    assert program(x=[1.0, 0.0])[0].tolist() == pytest.approx([1.0, np.sin(0.5)])


def looped(body: Any = ag.tanh, over: ag.Axis | None = None) -> ag.Node:
    t = over or ag.Axis("t")
    x, s = ag.input("x", over=t), ag.state("s", over=t)
    s[t] = body(0.5 * s[t - 1]) + x[t]
    return s


def test_auto_is_the_default_takes_numba_for_loops_and_says_why(in_python, monkeypatch):
    monkeypatch.delenv("AUTOGRAD_SEQ_BACKEND")
    program = ag.compile(looped())
    assert program.backend == "numba"
    assert str(program.schedule).splitlines()[-2:] == [
        "native (numba): everything", "taken since numba is installed, and all loops have a native form",
    ]  # fmt: skip
    noise = ag.compile(looped() + ag.normal("e", over=ag.Axis("u")))
    assert noise.backend == "numba" and "everything but e (draw) in NumPy" in str(noise.schedule)
    assert ag.value_and_grad(ag.sum(looped(over=(t := ag.Axis("t"))), over=t), "x").program.backend == "numba"


def test_auto_takes_numpy_where_native_code_would_not_pay_and_says_why(in_python, monkeypatch):
    monkeypatch.setenv("AUTOGRAD_SEQ_BACKEND", "auto")
    wave = ag.defop("wave_of_the_native_tests", shape=ag.same_shape, forward=np.sin, vjp=lambda g, y, x: (g * ag.cos(x),))

    def last_line(outputs: ag.Node) -> str:
        program = ag.compile(outputs)
        assert program.backend == "numpy"
        return str(program.schedule).splitlines()[-1]

    assert (
        last_line(ag.tanh(ag.input("x", over=ag.Axis("t")))) == "NumPy: no loop, and too few operations for native code to pay"
    )
    why = "NumPy: no native form of v (wave_of_the_native_tests), hence none of the loops around"
    assert last_line(looped(lambda x: wave(x).named("v"))) == why
    monkeypatch.setattr(backends, "MOST_LINES", 10)
    assert "would take minutes to compile" in last_line(looped())
    monkeypatch.setattr(backend, "is_available", lambda: False)
    assert last_line(looped()) == "NumPy: numba is not installed"


def scalars(wide: int = 4) -> tuple[ag.Node, list[str]]:
    """The network of micrograd's demo, number by number, and its loss over points."""
    names: list[str] = []

    def param() -> ag.Node:
        names.append(f"w{len(names)}")
        return ag.param(names[-1])

    def layer(xs: list[ag.Node], n: int) -> list[ag.Node]:
        return [sum((param() * x for x in xs), param()) for _ in range(n)]

    xs = [ag.input("x0"), ag.input("x1")]
    for _ in range(2):
        xs = [ag.relu(x) for x in layer(xs, wide)]
    (score,) = layer(xs, 1)
    b = ag.Axis("b")
    fit = ag.mean(ag.vmap(ag.relu(1 - ag.input("y") * score), over=b), over=b)
    return fit + 1e-2 * sum(p * p for p in ag.Graph(fit).inputs.values() if p.name in names), names


@pytest.mark.parametrize("wide", [1, 4])  # few numbers are arguments, many lie in one array
def test_a_network_of_single_numbers_is_one_loop_over_the_points(wide, in_python):
    loss, names = scalars(wide)
    step = ag.value_and_grad(loss, names, backend="numba")
    rng = np.random.default_rng(0)
    for points in (7, 1):
        feeds = {n: rng.normal() for n in names} | {n: rng.normal(size=points) for n in ("x0", "x1", "y")}
        value, grads = step(**feeds)
        dag = ag.Graph(loss, *ag.grad(loss, [ag.Graph(loss)[n] for n in names])).unroll(b=points)
        want = dag.evaluate(**feeds)
        assert value == pytest.approx(want[0], rel=1e-12)
        assert all(grads[n] == pytest.approx(w, rel=1e-12, abs=1e-14) for n, w in zip(names, want[1:], strict=True))
        assert not any(np.shares_memory(grads[a], grads[b]) for a, b in pairwise(names))
    (native,) = [part for part in step.source.split("\n\n\n") if part.startswith("@native")]
    assert native.count("\n    for ") == 1
    assert "(B,)" not in step.source  # nothing is kept for all points
    if wide == 4:
        assert native.splitlines()[1] == "def native_1(numbers, x0, x1, y, totals, results, B):"


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_a_sum_of_thousands_of_terms_has_a_text(name, in_python):
    x = ag.input("x")
    (total,) = ag.compile(sum(x * k for k in range(1, 2000)), backend=name)(x=2.0)
    assert total == 2.0 * 1999 * 1000


def test_many_single_numbers_are_native_by_themselves(in_python, monkeypatch):
    monkeypatch.setenv("AUTOGRAD_SEQ_BACKEND", "auto")
    step = ag.value_and_grad(*scalars())
    assert step.program.backend == "numba" and str(step.schedule).endswith("and there are many operations")


def test_the_environment_says_what_is_taken_where_nothing_is_said(in_python, monkeypatch):
    for name in ("numpy", "numba"):
        monkeypatch.setenv("AUTOGRAD_SEQ_BACKEND", name)
        assert ag.compile(ag.input("x") + 1).backend == name
        assert ag.compile(looped(), backend="auto").backend == "numba"
    monkeypatch.setenv("AUTOGRAD_SEQ_BACKEND", "nunba")
    with pytest.raises(ag.OperationError, match=r"(?s)O306.*AUTOGRAD_SEQ_BACKEND=nunba in the environment.*numba"):
        ag.compile(ag.input("x") + 1)


def test_what_is_wrong_is_said(monkeypatch):
    x = ag.input("x")
    with pytest.raises(ag.OperationError, match=r"O306.*there is no backend"):
        ag.compile(x + 1, backend="nunba")
    monkeypatch.setattr(backend, "is_available", lambda: False)
    with pytest.raises(ag.OperationError, match=r"autograd-seq\[jit\]"):
        ag.compile(x + 1, backend="numba")


def test_widths_without_native_code_run_in_numpy(numba_cache):
    x = ag.input("x", (9,))
    program = ag.compile(ag.tanh(x), backend="numba")
    assert program(x=np.full(9, 1e-3 + 1e-3j))[0] == pytest.approx(np.tanh(np.full(9, 1e-3 + 1e-3j)))
    assert program(x=np.full(9, 0.5, np.longdouble))[0].dtype == np.longdouble
    assert np.isinf(ag.compile(ag.exp(x), backend="numba")(x=np.full(9, 1e6, np.longdouble))[0]).all()  # without a warning


def test_a_native_program_is_saved_in_numpy_and_profiled_there(tmp_path: Path, numba_cache: Path) -> None:
    t = ag.Axis("t")
    step = ag.compile(ag.sum(ag.tanh(ag.input("x", over=t)), over=t), backend="numba")
    namespace: dict[str, Any] = {}
    exec(step.save_source(tmp_path / "alone.py").read_text(encoding="utf-8"), namespace)
    x = np.linspace(-1, 1, 5)
    assert namespace["program"](5, real=np.float64)(x)[0] == pytest.approx(float(step(x=x)[0]))
    with pytest.raises(ag.OperationError, match="O307"):
        step.profile(x=x)
