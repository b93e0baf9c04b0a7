"""Loops that stop by themselves, as a user writes them, in every runner, against plain loops with ``break``.

The slopes of the loops are complex steps along a random direction; where the steps that are taken decide, a change so small
changes none of these decisions.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from night import one_in
from random_sequences import Sequences

import autograd_seq as ag
from autograd_seq.sequences.cut import cut_along

u, b = ag.Axis("u"), ag.Axis("b")
RUNNERS: dict[str, Callable[..., Any]] = {
    "unrolled": lambda nodes: ag.Graph(nodes).evaluate,
    "numpy": lambda nodes: ag.compile(nodes, backend="numpy"),
    "no passes": lambda nodes: ag.compile(nodes, backend="numpy", passes=()),
    "native": lambda nodes: ag.compile(nodes, backend="numba"),
    "by hand": lambda nodes: ag.compile(nodes, backend="plain"),
}
pytestmark = pytest.mark.usefixtures("in_python")
every_runner = pytest.mark.parametrize("runner", [*RUNNERS])
V, H, END = 5, 4, 0


# -- three models -----------------------------------------------------------------------------------------------------------


def decoder(batch: tuple[ag.Axis, ...] = (b,)) -> tuple[list[ag.Node], list[ag.Node]]:
    """A greedy decoder: it reads the word that it wrote last, and stops after the end symbol."""
    E, W, O, h0 = ag.param("E", (V, H)), ag.param("W", (H, H)), ag.param("O", (V, H)), ag.input("h0", (H,), over=batch)
    h, word = ag.state("h", (H,), over=(u, *batch), init={u: h0}), ag.state("word", over=(u, *batch), dtype=int, init={u: 1})
    h[u] = ag.tanh(W @ h[u - 1] + ag.take(E, word[u - 1]))
    scores = O @ h[u]
    word[u] = ag.argmax(scores)
    surprise = ag.sum(ag.cross_entropy(scores, word), over=u)
    nll, words, steps = ag.until(
        [ag.sum(surprise, over=batch), word, ag.spread(ag.size(u), batch)], over=u, when=ag.equal(word, END), limit=12
    )
    return [nll, words, steps], [E, W, O, h0]


def decode(E: Any, W: Any, O: Any, h0: Any) -> tuple[Any, list[list[int]]]:
    total, texts = 0.0, []
    for h in h0:
        word, text = 1, []
        for _ in range(12):
            h = np.tanh(W @ h + E[word])
            scores = O @ h
            word = int(np.argmax(scores.real))
            text.append(word)
            total = total + np.log(np.sum(np.exp(scores))) - scores[word]
            if word == END:
                break
        texts.append(text)
    return total, texts


def adaptive() -> tuple[list[ag.Node], list[ag.Node]]:
    """Adaptive computation time (Graves 2016): an input is thought about until the halting probabilities add up to 0.99."""
    x, W, v = ag.input("x", (H,), over=b), ag.param("W", (H, H)), ag.param("v", (H,))
    s, halted = ag.state("s", (H,), over=(u, b), init={u: x}), ag.state("halted", over=(u, b))
    s[u] = ag.tanh(W @ s[u - 1])
    p = ag.sigmoid(ag.dot(v, s[u]))
    halted[u] = halted[u - 1] + p
    over = halted > 0.99
    weight = ag.where(over, 1 - halted[u - 1], p)
    y = ag.sum(ag.expand_dims(weight, -1) * s, over=u)
    ponder = ag.spread(ag.size(u), b) + 1 - ag.last(halted, over=u)
    L, steps = ag.until([ag.sum(ag.sum(y * y) + 0.1 * ponder, over=b), ag.spread(ag.size(u), b)], over=u, when=over, limit=30)
    return [L, steps], [x, W, v]


def ponder(x: Any, W: Any, v: Any) -> tuple[Any, list[int]]:
    total, steps = 0.0, []
    for s in x:
        halted, y, n = 0.0, 0.0, 0
        while True:
            s, n = np.tanh(W @ s), n + 1
            p = 1 / (1 + np.exp(-np.dot(v, s)))
            before, halted = halted, halted + p
            if np.real(halted) > 0.99:
                y = y + (1 - before) * s
                break
            y = y + p * s
        total = total + np.sum(y * y) + 0.1 * (n + 1 - halted)
        steps.append(n)
    return total, steps


def pondering() -> tuple[list[ag.Node], list[ag.Node]]:
    """Graves 2016, in a recurrent net: what one step of time has thought is where the next one begins."""
    t = ag.Axis("t")
    x, W, v = ag.input("x", (H,), over=(t, b)), ag.param("W", (H, H)), ag.param("v", (H,))
    h, halted = ag.state("h", (H,), over=(t, b)), ag.state("halted", over=(u, t, b))
    z = ag.state("z", (H,), over=(u, t, b), init={u: h[t - 1]})
    z[u] = ag.tanh(W @ z[u - 1] + x)
    p = ag.sigmoid(ag.dot(v, z[u]))
    halted[u] = halted[u - 1] + p
    weight = ag.where(halted > 0.95, 1 - halted[u - 1], p)
    h[t] = ag.sum(ag.expand_dims(weight, -1) * z, over=u) + 0.1 * ag.last(z, over=u) + 0.1 * ag.mean(z, over=u)
    L, steps = ag.until([ag.sum(ag.sum(h * h), over=(t, b)), ag.spread(ag.size(u), (t, b))], over=u, when=halted > 0.95,
                        limit=6)  # fmt: skip
    return [L, steps], [x, W, v]


def think(x: Any, W: Any, v: Any) -> tuple[Any, list[list[int]]]:
    total, steps = 0.0, np.zeros(x.shape[:2], int)
    for i in range(x.shape[1]):
        h = np.zeros(H)
        for k in range(len(x)):
            z, halted, thought, seen = h, 0.0, 0.0, []
            for _ in range(6):
                z = np.tanh(W @ z + x[k, i])
                seen.append(z)
                p = 1 / (1 + np.exp(-np.dot(v, z)))
                before, halted = halted, halted + p
                ends = np.real(halted) > 0.95
                thought = thought + ((1 - before) if ends else p) * z
                if ends:
                    break
            h = thought + 0.1 * z + 0.1 * sum(seen) / len(seen)
            steps[k, i] = len(seen)
            total = total + np.sum(h * h)
    return total, steps.tolist()


def power() -> tuple[list[ag.Node], list[ag.Node]]:
    """Power iteration to a tolerance, differentiated through the steps that are taken."""
    A, start = ag.param("A", (H, H)), ag.param("start", (H,))
    x = ag.state("x", (H,), over=u, init=start)
    grown = A @ x[u - 1]
    x[u] = grown / ag.norm(grown)
    eigenvalue = ag.dot(x[u], A @ x[u])
    moved = ag.norm(x[u] - x[u - 1])
    largest, steps = ag.until([ag.last(eigenvalue, over=u), ag.size(u)], over=u, when=moved < 1e-3, limit=500)
    return [largest, steps], [A, start]


def iterate(A: Any, start: Any) -> tuple[Any, int]:
    x, steps = start, 0
    while True:
        before, x, steps = x, A @ x, steps + 1
        x = x / np.sqrt(np.sum(x * x))
        if np.linalg.norm((x - before).real) < 1e-3:
            return x @ (A @ x), steps


RNG, WORDS = np.random.default_rng(8), np.random.default_rng(145)  # texts of 1 to 8 words
SYMMETRIC = RNG.normal(size=(H, H))
MODELS: dict[str, tuple[Callable[[], Any], Callable[..., Any], dict[str, np.ndarray]]] = {
    "greedy decoder": (decoder, decode, {
        "E": 2 * WORDS.normal(size=(V, H)), "W": 0.9 * WORDS.normal(size=(H, H)), "O": WORDS.normal(size=(V, H)),
        "h0": WORDS.normal(size=(6, H))}),
    "adaptive computation": (adaptive, ponder, {
        "x": RNG.normal(size=(5, H)), "W": np.linalg.qr(RNG.normal(size=(H, H)))[0] * 1.3, "v": 2 * RNG.normal(size=H)}),
    "pondering in a recurrent net": (pondering, think, {
        "x": RNG.normal(size=(4, 3, H)), "W": RNG.normal(size=(H, H)), "v": 2 * RNG.normal(size=H)}),
    "power iteration": (power, iterate, {"A": SYMMETRIC @ SYMMETRIC.T, "start": RNG.normal(size=H)}),
}  # fmt: skip


def slope(loop: Callable[..., Any], feeds: dict[str, np.ndarray], along: dict[str, np.ndarray]) -> float:
    return float(loop(**{name: value + 1e-30j * along[name] for name, value in feeds.items()})[0].imag / 1e-30)


@every_runner
@pytest.mark.parametrize("model", [*MODELS])
def test_a_model_stops_where_its_loop_breaks(model: str, runner: str) -> None:
    build, loop, feeds = MODELS[model]
    (loss, *others), wrt = build()
    with np.errstate(all="ignore"):  # native programs run in Python here
        call = RUNNERS[runner]([loss, *others, *ag.grad(loss, wrt)])
        if runner != "unrolled":  # leave other numbers in the workspace
            call(**{name: 1.3 * x for name, x in feeds.items()})
        value, *rest = call(**feeds)
    want, found = loop(**feeds)
    assert abs(value - want) <= 1e-11 * abs(want)
    if model == "greedy decoder":
        words, steps = rest[:2]
        assert steps.tolist() == [len(text) for text in found] and len(words) == max(map(len, found)) < 12
        assert len({*steps.tolist()}) > 2, "all stop at one step"
        for k, text in enumerate(found):
            assert words[:, k].tolist() == text + [0] * (len(words) - len(text))
    else:
        assert rest[0].tolist() == found
    along = {name: np.random.default_rng(1).normal(size=x.shape) for name, x in feeds.items()}
    gradients = rest[len(others) :]
    got = sum(float(np.sum(g * along[str(x.name)])) for g, x in zip(gradients, wrt, strict=True))
    want_slope = slope(loop, feeds, along)
    assert abs(got - want_slope) <= 1e-9 * max(1.0, abs(want_slope)) and abs(want_slope) > 1e-3


def test_native_code(numba_cache: Any, monkeypatch: Any) -> None:
    """One model, compiled."""
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(numba_cache.parent))
    (loss, *others), wrt = power()
    feeds = MODELS["power iteration"][2]
    program = ag.compile([loss, *others, *ag.grad(loss, wrt)], backend="numba")
    assert "            break" in program.deciding.source and "native_1(" in program.deciding.source
    got = program(**feeds)
    want = ag.compile([loss, *others, *ag.grad(loss, wrt)], backend="numpy")(**feeds)
    for a, w in zip(got, want, strict=True):
        np.testing.assert_allclose(a, w, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba", "plain"])
def test_the_loop_that_decides_ends_with_the_last_sequence(backend: str) -> None:
    """It takes the steps of the longest sequence, whatever the limit; so does the program that computes the outputs."""
    steps = []

    def forward(s: Any) -> Any:
        steps.append(1)
        return s + 1

    noted = ag.defop("noted", shape=ag.same_shape, forward=forward, vjp=lambda g, y, s: (g,))
    s = ag.state("s", over=(u, b), init={u: ag.input("first", over=b)})
    s[u] = noted(s[u - 1])
    program = ag.compile(ag.until(ag.last(s, over=u), over=u, when=s >= 9, limit=100_000), backend=backend)
    for first, taken in (([0.0, 8.0], 9), ([6.0, 7.0], 3)):  # in one workspace, where a longer call came before
        steps.clear()
        assert program(first=first)[0].tolist() == [9.0, 9.0]
        assert len(steps) < 2 * 2 * taken + 9  # two programs, two sequences, and what compiling tries


@pytest.mark.parametrize("backend", ["numpy", "numba", "plain"])
def test_a_stream_returns_whether_each_sequence_has_ended(backend: str) -> None:
    """The words of the decoder one by one, until all texts have ended."""
    (_, words, _), _ = decoder()
    step = ag.stream(words, backend=backend)
    feeds = MODELS["greedy decoder"][2]
    texts: list[list[int]] = [[] for _ in feeds["h0"]]
    carry, ended, taken = None, np.zeros(len(texts), bool), 0
    while not ended.all():
        before = ended.copy()
        with np.errstate(all="ignore"):
            (word, ended), carry = step(carry, **(feeds if carry is None else {k: feeds[k] for k in "EWO"}))
        taken += 1
        assert not np.any(word[before])
        for text, w, there in zip(texts, word, ~before, strict=True):
            text += [int(w)] if there else []
    assert texts == decode(**feeds)[1] and taken == max(map(len, texts))


def test_a_stream_ends_at_its_limit() -> None:
    s = ag.state("s", over=u)
    s[u] = s[u - 1] + 1
    step = ag.stream(ag.until(s, over=u, when=s > 9, limit=3))
    carry, seen = None, []
    for _ in range(4):
        (value, ended), carry = step(carry)
        seen.append((float(value), bool(ended)))
    assert seen == [(1.0, False), (2.0, False), (3.0, True), (0.0, True)]


# -- random programs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", one_in(2, range(0, 60, 5)))
def test_random_programs_are_those_with_the_lengths_that_they_decide(seed: int) -> None:
    """Marked outputs are the unmarked ones with the lengths at which a random condition of the past ends each sequence."""
    case, rng = Sequences(seed, causal=False), np.random.default_rng([6, seed])
    batch = () if case.b is None else (case.b,)
    z, total = ag.input("z", over=(case.t, *batch)), ag.state("total", over=(case.t, *batch))
    total[case.t] = 0.5 * total[case.t - 1] + z
    outputs = ag.until([case.loss, *case.extras], over=case.t, when=ag.abs(total) > 1.4)
    marked = [outputs[0], *ag.grad(outputs[0], case.wrt), *outputs[1:]]
    graph = ag.Graph(case.nodes)
    feeds = case.fed(graph)
    steps, many = graph.sizes(feeds)[case.t.name], [graph.sizes(feeds)[a.name] for a in batch]
    fed = rng.normal(size=(steps, *many))
    lengths = np.full(many, steps)
    for k in reversed(range(steps)):
        value = sum(0.5 ** (k - j) * fed[j] for j in range(k + 1))
        lengths = np.where(np.abs(value) > 1.4, k + 1, lengths)
    longest = int(lengths.max())
    cut = {name: x[(slice(None),) * graph.inputs[name].axes.index(case.t) + (slice(longest),)]
           if case.t in graph.inputs[name].axes else x for name, x in feeds.items()}  # fmt: skip
    want = graph.evaluate(lengths={(case.t, *batch): lengths}, **cut)
    for name in ("unrolled", "numpy", *(["native"] if seed % 2 else ["by hand"])):
        with np.errstate(all="ignore"):  # native programs run in Python here
            got = RUNNERS[name](marked)(z=fed, **feeds)
        for a, w, n in zip(got, want, case.nodes, strict=True):
            if case.t in n.axes:  # rows of zeros follow the longest sequence
                place = (slice(None),) * graph.layout(n).index(case.t)
                assert a.shape[len(place)] == steps and not np.any(a[(*place, slice(longest, None))])
                a = a[(*place, slice(longest))]
            np.testing.assert_allclose(a, w, rtol=1e-9, atol=1e-9 * max(1.0, float(np.max(np.abs(w), initial=0.0))))


@pytest.mark.parametrize("seed", one_in(25, range(200)))
def test_states_of_random_programs_decide(seed: int) -> None:
    """A value of the program itself ends its sequences: of what it is over all steps, those until it is large count."""
    case = Sequences(seed, causal=True)
    batch = () if case.b is None else (case.b,)
    size = ag.sum(case.pool[-1] * case.pool[-1] if case.pool else ag.index(case.t) + ag.spread(1.0, batch))
    every = ag.Graph(ag.spread(size, (case.t, *batch)), *case.nodes)
    feeds = case.fed(every)
    sizes = {name: n for name, n in case.sizes.items() if name in {a.name for a in every.axes}}
    over_time = every.unroll(**sizes).evaluate(**feeds)[0]
    over_time = np.moveaxis(over_time, every.layout(every.outputs[0]).index(case.t), 0)
    bound = float(np.quantile(over_time, 0.7)) + 1e-3
    when = over_time > bound
    lengths = np.where(when.any(0), when.argmax(0) + 1, len(when))
    outputs = ag.until([case.loss, *case.extras], over=case.t, when=ag.spread(size, (case.t, *batch)) > bound)
    marked = [outputs[0], *ag.grad(outputs[0], case.wrt), *outputs[1:]]
    graph = ag.Graph(case.nodes)
    fed = {name: x for name, x in feeds.items() if name in ag.Graph(marked).inputs}
    plain = {name: x for name, x in feeds.items() if name in graph.inputs}
    if case.t not in {a for n in graph.inputs.values() for a in n.axes}:
        return
    want = graph.evaluate(lengths={(case.t, *batch): lengths}, **plain)
    for name in ("unrolled", "numpy", *(["native"] if seed % 2 else ["by hand"])):
        with np.errstate(all="ignore"):
            got = RUNNERS[name](marked)(**fed)
        for a, w in zip(got, want, strict=True):
            assert a.shape == w.shape
            np.testing.assert_allclose(a, w, rtol=1e-9, atol=1e-9 * max(1.0, float(np.max(np.abs(w), initial=0.0))))


# -- what it means ----------------------------------------------------------------------------------------------------------

x = ag.input("x", over=(u, b))


def run(nodes: Any, **feeds: Any) -> list[Any]:
    """Return the outputs of the compiled program, which are those of the unrolled graph."""
    got = ag.compile(nodes)(**feeds)
    for a, w in zip(got, ag.Graph(nodes).evaluate(**feeds), strict=True):
        np.testing.assert_allclose(a, w, rtol=1e-12)
    return [a.tolist() for a in got]


def test_reductions_see_the_steps_that_were_taken() -> None:
    fed = np.array([[1.0, 9.0, 2.0], [5.0, np.nan, 2.0], [np.inf, np.nan, 2.0]])
    several = [ag.sum(x, over=u), ag.mean(x, over=u), ag.max(x, over=u), ag.last(x, over=u), ag.spread(ag.size(u), b), 2 * x]
    assert run(ag.until(several, over=u, when=x > 4), x=fed) == [
        [6.0, 9.0, 6.0], [3.0, 9.0, 2.0], [5.0, 9.0, 2.0], [5.0, 9.0, 2.0], [2, 1, 3],
        [[2.0, 18.0, 4.0], [10.0, 0.0, 4.0], [0.0, 0.0, 4.0]],
    ]  # fmt: skip


def test_what_follows_the_end_reaches_no_gradient() -> None:
    """Steps after the end would divide by zero: they are not taken, also where another sequence goes on."""
    x0 = ag.input("x0", over=b)
    s = ag.state("s", over=(u, b), init={u: x0})
    s[u] = s[u - 1] - 1
    y = ag.sum(ag.until(ag.sum(ag.log(s[u]), over=u), over=u, when=s < 1.5, limit=10), over=b)
    assert run([y, ag.grad(y, x0)], x0=[2.0, 4.0]) == [np.log(3) + np.log(2), [1.0, 1 / 3 + 1 / 2 + 1.0]]


def test_what_follows_the_end_is_looked_up_nowhere() -> None:
    """Words are counted from 1: a state of 0 after the end of the second text would name no row of the table."""
    E, word = ag.param("E", (3,)), ag.state("word", over=(u, b), dtype=int, init={u: ag.input("first", over=b, dtype=int)})
    word[u] = ag.minimum(word[u - 1] + 1, 3)
    y = ag.take(E, word[u - 1] - 1)
    assert run(ag.until(ag.sum(y, over=u), over=u, when=y > 2, limit=5), E=[1.0, 2.0, 3.0], first=[1, 3]) == [[6.0, 3.0]]


def test_the_smallest_limit_counts() -> None:
    never = ag.until(ag.spread(ag.size(u), b), over=u, when=x > 9, limit=3)
    assert run(never, x=np.zeros((2, 1))) == [[2]] and run(never, x=np.zeros((5, 1))) == [[3]]
    s = ag.state("s", over=u, init=0.0)
    s[u] = s[u - 1] + 1
    steps = ag.until(ag.last(s, over=u), over=u, when=s > 100, limit=8)
    assert run(steps) == [8.0] and run(steps, u=5) == [5.0]


def test_lengths_of_other_axes_are_those_of_the_call() -> None:
    t = ag.Axis("t")
    words, s = ag.input("words", over=(t, b)), ag.state("s", over=(u, b))
    s[u] = s[u - 1] + ag.mean(words, over=t)
    y = ag.until(ag.last(s, over=u), over=u, when=s >= 6, limit=9)
    fed = {"words": np.array([[1.0, 2.0], [3.0, np.nan]]), "lengths": {t: [2, 1]}}
    assert run(y, **fed) == [[6.0, 6.0]]


def test_each_step_of_another_axis_ends_by_itself() -> None:
    """Steps of thought within each step of time, whose results another recurrence reads, with lengths of the time."""
    t = ag.Axis("t")
    fed, w = ag.input("fed", over=(t, b)), ag.param("w")
    z, h = ag.state("z", over=(u, t, b), init={u: fed}), ag.state("h", over=(t, b))
    z[u] = w * z[u - 1]
    h[t] = ag.tanh(h[t - 1] + ag.last(z, over=u))
    L = ag.until(ag.sum(h * h, over=(t, b)), over=u, when=ag.abs(z) < 0.3, limit=9)
    data, lengths = np.random.default_rng(0).normal(size=(4, 3)), [4, 2, 3]

    def loop(w: Any) -> Any:
        total = 0.0
        for k, n in enumerate(lengths):
            h = 0.0
            for value in data[:n, k]:
                for _ in range(9):
                    value = w * value
                    if abs(value.real) < 0.3:
                        break
                h = np.tanh(h + value)
                total = total + h * h
        return total

    got = run([L, ag.grad(L, w)], fed=data, w=0.6, lengths={t: lengths})
    assert np.allclose(got, [loop(0.6), loop(0.6 + 1e-30j).imag / 1e-30], rtol=1e-12)


def test_an_axis_that_is_read_along_another_ends_with_it() -> None:
    """Attention over the steps that were taken."""
    v = ag.Axis("v")
    d, far, total = ag.input("d", (2,), over=(u, b)), ag.input("far", over=(v, b)), ag.state("total", over=(u, b))
    keys = d.along(u, v)
    total[u] = total[u - 1] + ag.sum(d * d)
    weights = ag.softmax(ag.dot(d, keys) + far, over=v)
    context = ag.sum(ag.expand_dims(weights, -1) * keys, over=v)
    outputs = ag.until([ag.sum(ag.sum(context * context), over=(u, b)), context, keys], over=u, when=total > 2)
    D, F = np.random.default_rng(1).normal(size=(5, 3, 2)), np.random.default_rng(2).normal(size=(5, 3))
    value, mixed, read = map(np.asarray, run(outputs, d=D, far=F))
    want, ends = 0.0, (np.cumsum((D**2).sum(-1), 0) > 2).argmax(0) + 1
    for k, n in enumerate(ends):
        scores = np.exp(D[:n, k] @ D[:n, k].T + F[:n, k])
        rows = scores / scores.sum(1, keepdims=True) @ D[:n, k]
        want += (rows**2).sum()
        assert np.allclose(mixed[:n, k], rows) and not np.any(mixed[n:, k]) and not np.any(read[n:, k])
    assert np.isclose(value, want) and ends.max() < 5 and len({*ends}) > 1


def test_the_width_of_all_feeds_decides() -> None:
    """In single precision 1 + 1e-9 is 1: the steps would never end."""
    s = ag.state("s", over=u, init=ag.input("first"))
    s[u] = s[u - 1] + 1e-9
    y = ag.until(ag.last(s, over=u) * ag.param("w"), over=u, when=s > 1, limit=5)
    narrow, wide = np.float32(1), np.float64(1)
    assert run(y, first=narrow, w=wide) == [1 + 1e-9]
    assert run(y, first=narrow, w=narrow) == [1.0]


def test_all_sequences_share_a_condition_without_the_batch() -> None:
    s = ag.state("s", over=u)
    s[u] = s[u - 1] + 1
    y = ag.until(ag.sum(x * s, over=u), over=u, when=s > 1)
    assert run(y, x=np.ones((4, 2))) == [[3.0, 3.0]]


def test_batches_differentiated_twice_and_by_vmap() -> None:
    w, s = ag.param("w"), ag.state("s", over=u, init=ag.input("a"))
    s[u] = w * s[u - 1] ** 2
    y = ag.until(ag.last(s, over=u), over=u, when=s < 0.1, limit=9)
    one = ag.vmap(y, over=b)
    total = ag.sum(one, over=b)
    first = ag.grad(total, w)
    twice = ag.grad(first, w)
    got = run([one, first, twice], a=np.array([0.9, 0.5, 0.2]), w=0.9)

    def alone(a: float, w: Any) -> Any:
        while True:
            a = w * a * a
            if np.real(a) < 0.1:
                return a

    h = 1e-5
    starts = (0.9, 0.5, 0.2)
    assert np.allclose(got[0], [alone(a, 0.9) for a in starts], rtol=1e-12)
    assert np.isclose(got[1], sum(alone(a, 0.9 + 1e-30j).imag / 1e-30 for a in starts), rtol=1e-12)
    second = sum((alone(a, 0.9 + h) - 2 * alone(a, 0.9) + alone(a, 0.9 - h)) / h**2 for a in starts)
    assert np.isclose(got[2], second, rtol=1e-4)


def test_no_sequences_and_no_steps() -> None:
    y = ag.until([ag.sum(x, over=(u, b)), x * 1], over=u, when=x > 4)
    assert run(y, x=np.zeros((3, 0))) == [0.0, [[], [], []]]
    assert run(y, x=np.zeros((0, 2))) == [0.0, []]


def test_a_program_is_copied_and_pickled() -> None:
    program = ag.compile(ag.until(ag.sum(x, over=u), over=u, when=x > 4))
    fed = np.array([[1.0, 9.0], [5.0, 1.0]])
    for other in (copy.deepcopy(program), pickle.loads(pickle.dumps(program))):
        assert other(x=fed)[0].tolist() == [6.0, 9.0]
    assert "until u ends" in repr(program)


# -- what is refused --------------------------------------------------------------------------------------------------------


def refuse(code: str, call: Callable[[], Any]) -> str:
    with pytest.raises(ag.AutogradSeqError) as caught:
        call()
    assert caught.value.code == code, str(caught.value)
    return str(caught.value)


def test_bad_use_is_refused_in_words() -> None:
    small = x > 4
    assert "is float and no truth value" in refuse("U101", lambda: ag.until(x, over=u, when=x * 1))
    wide = ag.input("wide", (3,), over=u) > 0
    assert "ag.any(" in refuse("U102", lambda: ag.until(x, over=u, when=wide))
    assert "not a node" in refuse("U103", lambda: ag.until([x, 1.0], over=u, when=small))
    for wrong in (0, -3, 2.5, True):
        assert "not a number of steps" in refuse("U104", lambda wrong=wrong: ag.until(x, over=u, when=small, limit=wrong))
    heads = ag.Axis("heads", size=3)
    assert "has 3 points" in refuse("U105", lambda: ag.until(x, over=heads, when=ag.input("c", over=heads, dtype=bool)))
    assert "does not vary over" in refuse("A106", lambda: ag.until(x, over=u, when=ag.input("c", dtype=bool)))


def test_a_sequence_that_does_not_end_is_refused_where_asked() -> None:
    y = ag.until(ag.sum(x, over=u), over=u, when=x > 4, strict=True)
    for call in (ag.compile(y), ag.Graph(y).evaluate):
        assert "at none of 2 steps of u, at b=1" in refuse("U122", lambda call=call: call(x=np.array([[5.0, 1.0], [1.0, 1.0]])))
        assert call(x=np.array([[5.0, 1.0], [1.0, 5.0]]))[0].tolist() == [5.0, 6.0]


def test_calls_that_cannot_be_are_refused() -> None:
    v = ag.Axis("v")
    s, r = ag.state("s", over=u), ag.state("r", over=v)
    s[u], r[v] = s[u - 1] + 1, r[v - 1] + 1
    y = ag.until(ag.last(s, over=u), over=u, when=s > 3)
    assert "u=50" in refuse("U123", lambda: ag.compile(y)())
    assert "ends by itself" in refuse("U124", lambda: ag.compile(y)(u=5, lengths={u: 3}))
    assert "ends by itself" in refuse("U124", lambda: ag.Graph(y).unroll(u=9).evaluate(lengths={u: 3}))
    t = ag.Axis("t")
    h = ag.state("h", over=t)
    z = ag.state("z", over=(u, t), init={u: h[t - 1]})
    z[u] = 0.5 * z[u - 1] + ag.input("data", over=t)
    h[t] = ag.at(z, u, -2, outside="zero")
    thinks = ag.until(ag.sum(h, over=t), over=u, when=z < 0.3, limit=9)
    assert "needs their number" in refuse("U126", lambda: ag.compile(thinks))
    mine, other = ag.state("mine", over=u), ag.state("other", over=v)
    mine[u], other[v] = mine[u - 1] + ag.last(r, over=v), other[v - 1] + ag.last(s, over=u)
    each = ag.until(ag.last(mine, over=u) + ag.last(other, over=v), over=u, when=mine > 9)
    each = ag.until(each, over=v, when=other > 9)
    assert "each needs the number of steps of the other" in refuse("U121", lambda: ag.compile(each))
    both = ag.until(ag.until(ag.last(s, over=u) * r, over=u, when=s > 3), over=v, when=r > 2)
    assert "pieces follow the steps of one" in refuse("U134", lambda: ag.stream(both, over=v))
    assert "over=u" in refuse("U132", lambda: ag.stream(ag.until(s, over=u, when=s > 3), over=v))
    assert "total[u] = total[u - 1] + …" in refuse("U133", lambda: ag.stream(y))
    assert "over=u" in refuse("U132", lambda: ag.compile(ag.until(s, over=u, when=s > 3), carry=v))
    assert "one value for all steps" in refuse("U133", lambda: ag.compile(y, carry=True))
    assert "carry=u" in refuse("U131", lambda: cut_along(ag.Graph(y), u))


@pytest.mark.parametrize("backend", ["numpy", "numba", "plain", "unrolled"])
def test_pieces_go_on_until_each_sequence_ends(backend: str) -> None:
    """With carry= the outputs are 0 after the end, and the last one says whether each sequence has ended, as in a stream."""
    data, w = ag.input("data", over=(u, b)), ag.param("w")
    s = ag.state("s", over=(u, b))
    s[u] = w * s[u - 1] + data
    outs = ag.until([s, 2 * s], over=u, when=s > 2, limit=7)
    feeds = np.random.default_rng(0).uniform(size=(9, 3))
    step, carry, found = ag.stream(outs), None, []
    for row in feeds:
        values, carry = step(carry, data=row, w=0.9)
        found.append([np.array(v) for v in values])
    want = [np.stack(v) for v in zip(*found, strict=True)]
    assert want[2][-1].all() and not want[2][0].any() and np.any(want[2][2:6] != want[2][6])
    parts, carry = [], None if backend != "unrolled" else True
    run = ag.Graph(outs).evaluate if backend == "unrolled" else ag.compile(outs, carry=True, backend=backend)
    for piece in np.split(feeds, [1, 2, 6]):
        values, carry = run(data=piece, w=0.9, carry=carry)
        parts.append(values)
    for got, right in zip(zip(*parts, strict=True), want, strict=True):
        np.testing.assert_allclose(np.concatenate(got), right, rtol=1e-12)


@every_runner
def test_two_axes_end_by_themselves(runner: str) -> None:
    """The second loop begins with what the first one ended with, and ends by a sum over the steps that this took."""
    v, w = ag.Axis("v"), ag.param("w")
    x = ag.input("x", over=b)
    s, r = ag.state("s", over=(u, b), init={u: x}), ag.state("r", over=(v, b))
    s[u] = w * s[u - 1]
    small, total = ag.until([ag.last(s, over=u), ag.sum(s, over=u)], over=u, when=s < 0.5, limit=20)
    r[v] = r[v - 1] + small
    y, steps = ag.until([ag.last(r, over=v) * total, ag.spread(ag.size(v), b)], over=v, when=r > total, limit=60)
    outs = [y, steps, ag.grad(ag.sum(y, over=b), w)]

    def run(w: Any, start: float) -> tuple[Any, int]:
        found = [w * start]
        while found[-1].real >= 0.5:
            found.append(w * found[-1])
        value, count = found[-1], 1
        while value.real <= sum(found).real:
            value, count = value + found[-1], count + 1
        return value * sum(found), count

    starts = [3.0, 0.9, 7.0]
    got = RUNNERS[runner](outs)(w=0.6, x=starts)
    np.testing.assert_allclose(got[0], [run(0.6, n)[0] for n in starts], rtol=1e-12)
    assert got[1].tolist() == [run(0.6, n)[1] for n in starts]
    np.testing.assert_allclose(got[2], sum(run(0.6 + 1e-20j, n)[0].imag / 1e-20 for n in starts), rtol=1e-12)


def test_a_program_of_two_is_not_saved_as_one(tmp_path: Any) -> None:
    (loss, *_), _ = adaptive()
    program = ag.compile(loss, backend="numpy")
    assert "program.deciding.save_source(" in refuse("U125", lambda: program.save_source(tmp_path / "both.py"))
    assert not [*tmp_path.iterdir()]


# -- tools that read a graph ------------------------------------------------------------------------------------------------


def test_tools_see_the_steps_that_were_taken() -> None:
    """Gradient checks, searches for NaN, profiles, truncation and the printed graph."""
    (loss, *_), wrt = adaptive()
    feeds = MODELS["adaptive computation"][2]
    assert ag.check_grad(loss, wrt, feeds).worst < 1e-10
    assert "until less_1, at most 30 steps of u" in str(ag.Graph(loss))
    assert ag.compile(loss, backend="numpy").profile(**feeds).rows
    whole, far = (
        ag.value_and_grad(loss, backend="numpy")(**feeds)[1],
        ag.bptt(loss, over=u, window=40, backend="numpy")(**feeds)[1],
    )
    near = ag.bptt(loss, over=u, window=1, backend="numpy")(**feeds)[1]
    np.testing.assert_allclose(far["W"], whole["W"], rtol=1e-12)
    assert np.max(np.abs(near["W"] - whole["W"])) > 1e-3
    s = ag.state("s", over=u, init=2.0)
    s[u] = s[u - 1] - 1
    assert ag.find_nan(ag.until(ag.sum(ag.log(s), over=u), over=u, when=s < 1.5, limit=9)) is None
    found = ag.find_nan(ag.until(ag.sum(ag.log(s), over=u), over=u, when=s < 0.5, limit=9))
    assert found is not None and found.step == {"u": 1}
