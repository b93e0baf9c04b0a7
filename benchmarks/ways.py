"""Ways to learn through cycles, in one table: ``python benchmarks/ways.py`` prints that of the README.

One tanh network (16 units, 4 inputs, 1,000 steps, a loss at each) is differentiated in every way with NumPy programs, in turn.
Memory is what a call holds beside its feeds, with what is carried to the next; time is CPU time, the least of several calls,
divided by that of the full gradient; bias is the length of the difference from the full gradient, divided by that of the full
one. UORO's gradient is a random number whose mean is right: its row has the error of one draw, and that of the mean of many,
which is smaller by the root of their number; if it is not, that is called a bias. Online, all steps are one call.
The last row is another network, which is iterated to a fixed point, beside the gradient through 100 stored iterations of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import autograd_seq as ag

H, D, T, PIECE, ITERATIONS = 16, 4, 1000, 50, 100
t, k = ag.Axis("t"), ag.Axis("k")
Gradient = dict[str, Any]
OPTIONS: dict[str, Any] = {"backend": "numpy"}


class Way(NamedTuple):
    """A row: its name, how it is written, a function that returns gradients and one that returns bytes, and words."""

    name: str
    written: str
    run: Callable[..., Gradient]
    count: Callable[[], int]
    streams: str
    when: str


def model() -> ag.Node:
    """Return the loss Σ_t (v · h_t − y_t)² of h_t = tanh(W h_{t−1} + U x_t)."""
    h = ag.state("h", (H,), over=t)
    h[t] = ag.tanh(ag.param("W", (H, H)) @ h[t - 1] + ag.param("U", (H, D)) @ ag.input("x", (D,), over=t))
    return ag.sum((ag.param("v", (H,)) @ h[t] - ag.input("y", over=t)) ** 2, over=t)


def draw() -> dict[str, np.ndarray]:
    """Return weights that neither forget at once nor explode, inputs, and the sum of the inputs of the last ten steps."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.2, (T, D))
    turn = np.linalg.qr(rng.normal(size=(H, H)))[0]
    sums = np.cumsum(x.sum(1))
    return {"W": turn, "U": rng.normal(size=(H, D)) / 2, "v": rng.normal(size=H), "x": x, "y": sums - np.roll(sums, 10)}


def measure(loss: ag.Node, feeds: dict[str, np.ndarray]) -> list[Way]:
    """Return the ways of one network, the full gradient first."""
    full = ag.value_and_grad(loss, **OPTIONS)
    whole = Way("full (BPTT)", "`ag.value_and_grad(L)`", lambda: full(**feeds)[1], lambda: full.program.cost(t=T).bytes, "no",
                "whenever the steps fit in memory")  # fmt: skip
    small = ag.value_and_grad(loss, memory="sqrt", **OPTIONS)
    again = Way("checkpointed", '`ag.value_and_grad(L, memory="sqrt")`', lambda: small(**feeds)[1],
                lambda: small.program.cost(t=T).bytes, "no", "the steps do not fit in memory")  # fmt: skip
    return [whole, again, *_list_truncated(loss, full.wrt, feeds), _make_forward(loss, full.wrt, feeds),
            *_list_online(loss, feeds)]  # fmt: skip


def _add_pieces(program: Any, feeds: dict[str, np.ndarray]) -> list[Any]:
    """Return the sums of the outputs of a program with a carry, which is called for one piece of the steps after the other."""
    total: list[Any] = []
    carry, fixed = None, {n: a for n, a in feeds.items() if n not in ("x", "y")}
    for start in range(0, T, PIECE):
        outs, carry = program(carry=carry, **fixed, **{n: feeds[n][start : start + PIECE] for n in ("x", "y")})
        total = [a + b for a, b in zip(total, outs, strict=True)] if total else [*outs]
    return total


def _list_truncated(loss: ag.Node, names: Sequence[str], feeds: dict[str, np.ndarray]) -> list[Way]:
    graph = ag.Graph(loss)
    pieces = ag.compile(ag.grad(loss, [graph[n] for n in names]), carry=True, **OPTIONS)
    window = ag.bptt(loss, window=PIECE, **OPTIONS).truncated
    return [
        Way(f"segments of {PIECE}", f"`ag.bptt(L, segment={PIECE})`; in little memory `ag.value_and_grad(L, carry=True)`",
            lambda: dict(zip(names, _add_pieces(pieces, feeds), strict=True)), lambda: pieces.later.cost(t=PIECE).bytes,
            "in pieces", "what matters lies within a segment"),
        Way(f"window of {PIECE}", f"`ag.bptt(L, window={PIECE})`", lambda: window(**feeds)[1],
            lambda: window.program.cost(t=T).bytes, "no", "every loss is to see equally far back"),
    ]  # fmt: skip


def _make_forward(loss: ag.Node, names: Sequence[str], feeds: dict[str, np.ndarray]) -> Way:
    """Forward mode with one direction for each entry of each parameter."""
    graph = ag.Graph(loss)
    wrt = [graph[n] for n in names]
    sizes = [int(np.prod(x.shape)) for x in wrt]
    way = ag.Axis("way", size=sum(sizes))
    parts = np.split(np.eye(sum(sizes)), np.cumsum(sizes)[:-1], axis=1)
    basis = {f"d{n}": part.reshape(-1, *x.shape) for n, x, part in zip(names, wrt, parts, strict=True)}
    moves = [ag.input(f"d{n}", x.shape, over=way) for n, x in zip(names, wrt, strict=True)]
    program = ag.compile(ag.jvp(loss, wrt, moves, keep=way), carry=t, **OPTIONS)

    def run() -> Gradient:
        found = np.split(_add_pieces(program, {**feeds, **basis})[0], np.cumsum(sizes)[:-1])
        return {n: g.reshape(x.shape) for n, g, x in zip(names, found, wrt, strict=True)}

    return Way("forward mode", "`ag.jvp(L, wrt, tangents, keep=d)`", run, lambda: program.later.cost(t=PIECE).bytes,
               "yes", "few parameters, or few directions")  # fmt: skip


def _list_online(loss: ag.Node, feeds: dict[str, np.ndarray]) -> list[Way]:
    words = {
        "rtrl": ("RTRL", "exact gradients at every step; small or diagonal recurrences"),
        "snap1": ("SnAp-1", "online, wide, gated cells"),
        "uoro": ("UORO", "online, wide, and no bias allowed; small rates average the noise"),
        "eprop": ("e-prop", "spiking and gated networks; local traces"),
    }
    ways = []
    for method, (name, when) in words.items():
        step = ag.online(loss, method=method, **OPTIONS)
        more = {"seed": 0} if method == "uoro" else {}

        def run(step: Any = step, **seed: int) -> Gradient:
            return dict(step(None, **feeds, **seed)[0][1])

        def count(step: Any = step, more: Any = more) -> int:
            one = {n: a[0] if n in ("x", "y") else a for n, a in feeds.items()}
            _, carry = step(None, **one, **more)
            return int(step.stream.stepped.program.cost().bytes + sum(carry[n].nbytes for n in carry))

        ways.append(Way(name, f'`ag.online(L, method="{method}")`', run, count, "yes", when))
    return ways


def measure_equilibrium() -> tuple[Way, Way]:
    """Return the gradient through stored iterations of z = tanh(W z + U x), and that of the equilibrium."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(H, H)))[0]
    feeds = {"W": 0.6 * turn, "U": rng.normal(size=(H, D)), "v": rng.normal(size=H), "x": rng.normal(size=D)}
    W, U, v, x = ag.param("W", (H, H)), ag.param("U", (H, D)), ag.param("v", (H,)), ag.input("x", (D,))
    z, rest = ag.state("z", (H,), over=k), ag.equilibrium("rest", (H,), tol=1e-10)
    z[k] = ag.tanh(W @ z[k - 1] + U @ x)
    rest[...] = ag.tanh(W @ rest + U @ x)
    stored, implicit = (ag.value_and_grad((v @ end) ** 2, **OPTIONS) for end in (ag.last(z, over=k), rest))
    return (
        Way("through iterations", "", lambda: stored(k=ITERATIONS, **feeds)[1], lambda: stored.program.cost(k=ITERATIONS).bytes,
            "", ""),
        Way("implicit", "`ag.equilibrium(…)`", lambda: implicit(**feeds)[1], lambda: implicit.program.cost().bytes, "yes",
            "the steps lead to a fixed point"),
    )  # fmt: skip


def show(ways: list[Way], whole: Way, calls: int, draws: int) -> list[str]:
    """Return the rows of some ways, compared with one of them; their calls take turns."""
    took = {way.name: np.inf for way in [whole, *ways]}
    found = {}
    for _ in range(calls):
        for way in [whole, *ways]:
            start = time.thread_time()
            found[way.name] = way.run()
            took[way.name] = min(took[way.name], time.thread_time() - start)
    rows = []
    for way in ways:
        off = _compare(found[way.name], found[whole.name])
        bias = "none" if off < 1e-6 else f"{100 * off:.2g} %"
        if way.name == "UORO":
            bias = _describe_draws(way, found[whole.name], draws)
        rows.append(f"| {way.name} | {way.written} | {way.count() / 1000:,.0f} kB | {took[way.name] / took[whole.name]:.2g} | "
                    f"{bias} | {way.streams} | {way.when} |")  # fmt: skip
    return rows


def _describe_draws(way: Way, truth: Gradient, draws: int) -> str:
    """Return the error of one draw (the root of the mean square) and that of the mean of many, and whether they have a bias."""
    found = [way.run(seed=seed) for seed in range(draws)]
    one = float(np.sqrt(np.mean([_compare(g, truth) ** 2 for g in found])))
    mean = _compare({n: sum(g[n] for g in found) / draws for n in truth}, truth)
    bias = "none" if mean < 2 * one / np.sqrt(draws) else "some"
    return f"{bias}; one draw is off by {one:.1g} ×, the mean of {draws} by {mean:.1g} ×"


def _compare(grads: Gradient, truth: Gradient) -> float:
    return _length({n: grads[n] - g for n, g in truth.items()}) / _length(truth)


def _length(grads: Gradient) -> float:
    return float(np.sqrt(sum(np.sum(np.square(g)) for g in grads.values())))


def main(calls: int = 5, draws: int = 100) -> list[str]:
    """Print and return the rows of the table."""
    ways = measure(model(), draw())
    rows = ["| way | how | memory | time | bias | streams | take it when |", "|---|---|---|---|---|---|---|"]
    rows += show(ways, ways[0], calls, draws)
    iterated, implicit = measure_equilibrium()
    rows += show([implicit], iterated, calls, draws)
    print("\n".join(rows))
    return rows


if __name__ == "__main__":
    main()
