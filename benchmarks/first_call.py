"""How long the first call of native programs takes, in CPU seconds, with nothing kept on disk: most of it is compiling.

    OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/first_call.py [--zoo] [model …]

Training steps with the gradient of every parameter: *rnn*, *gru* and *lstm* with a loss at every step, stacks of two and three
LSTMs, a mixture density network on top of one, and a neural Turing machine (Graves, Wayne & Danihelka 2014) with one head that
reads and one that writes; with ``--zoo`` all models of ``tests/models/zoo``; ``'zoo gru'`` names one of them. What it printed
is in ``RESULTS.md``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import autograd_seq as ag

sys.path.append(str(Path(__file__).parents[1] / "tests" / "models"))
from zoo import MODELS as ZOO

D, H, K, N, M = 6, 16, 5, 8, 7
"""Inputs, hidden units, classes; rows and columns of the memory."""


def stacked(*cells: Any) -> ag.Node:
    """Cells on one another, a class at every step."""
    t, b = ag.Axis("t"), ag.Axis("b")
    h = ag.input("x", (D,), over=(t, b))
    for k, cell in enumerate(cells):
        out = cell(h, H, over=t, name=f"layer{k}")
        h = out if isinstance(out, ag.Node) else out.h
    label = ag.input("l", over=(t, b), dtype=int)
    return ag.sum(ag.cross_entropy(ag.param("V", (K, H)) @ h, label), over=(t, b))


def mixture() -> ag.Node:
    """The next number as a mixture of normal densities (Bishop 1994)."""
    t, b = ag.Axis("t"), ag.Axis("b")
    h = ag.nn.lstm(ag.input("x", (D,), over=(t, b)), H, over=t).h
    weight, mean, spread = (ag.param(n, (K, H)) @ h for n in ("Vw", "Vm", "Vs"))
    off = (ag.input("y", over=(t, b)) - mean) * ag.exp(-spread)
    return -ag.sum(ag.logsumexp(ag.log_softmax(weight) - spread - 0.5 * off * off), over=(t, b))


def turing_machine() -> ag.Node:
    """A controller with a memory that it addresses by content and by place."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, y = ag.input("x", (D,), over=(t, b)), ag.input("y", (D,), over=(t, b))
    h, c = (ag.state(n, (H,), over=(t, b)) for n in "hc")
    memory = ag.state("memory", (N, M), over=(t, b), init={t: ag.param("memory0", (N, M))})
    read = ag.state("read", (M,), over=(t, b))
    begin = {head: ag.softmax(ag.param(f"{head}0", (N,))) for head in ("reading", "writing")}
    focus = {head: ag.state(head, (N,), over=(t, b), init={t: row}) for head, row in begin.items()}

    def affine(name: str, n: int, z: ag.Node) -> ag.Node:
        return ag.param(f"W{name}", (n, z.shape[0])) @ z + ag.param(f"b{name}", (n,))

    def focused(head: str) -> ag.Node:
        key, strength = ag.tanh(affine(f"{head}_key", M, h[t])), ag.softplus(affine(f"{head}_strength", 1, h[t]))
        gate, turn = ag.sigmoid(affine(f"{head}_gate", 1, h[t])), ag.softmax(affine(f"{head}_turn", 3, h[t]))
        sharp = 1 + ag.softplus(affine(f"{head}_sharp", 1, h[t]))
        rows = memory[t - 1]
        like = rows @ key / (ag.sqrt(ag.sum(rows * rows, axis=1) * ag.sum(key * key)) + 1e-6)
        mixed = gate * ag.softmax(strength * like) + (1 - gate) * focus[head][t - 1]
        around = [ag.concat([mixed[-1:], mixed[:-1]]), mixed, ag.concat([mixed[1:], mixed[:1]])]
        power = ag.exp(sharp * ag.log(sum(turn[k] * w for k, w in enumerate(around)) + 1e-9))
        return power / ag.sum(power)

    z = ag.concat([x[t], read[t - 1], h[t - 1]])
    i, f, o = (ag.sigmoid(affine(k, H, z)) for k in "ifo")
    c[t] = f * c[t - 1] + i * ag.tanh(affine("g", H, z))
    h[t] = o * ag.tanh(c[t])
    for head, state in focus.items():
        state[t] = focused(head)
    erase, add = ag.sigmoid(affine("erase", M, h[t])), ag.tanh(affine("add", M, h[t]))
    w = focus["writing"][t][:, None]
    memory[t] = memory[t - 1] * (1 - w * erase) + w * add
    read[t] = focus["reading"][t] @ memory[t]
    off = affine("out", D, ag.concat([h[t], read[t]])) - y[t]
    return ag.sum(ag.sum(off * off), over=(t, b))


MODELS: dict[str, Any] = {
    "rnn": lambda: stacked(ag.nn.rnn), "gru": lambda: stacked(ag.nn.gru), "lstm": lambda: stacked(ag.nn.lstm),
    "two lstms": lambda: stacked(ag.nn.lstm, ag.nn.lstm), "three lstms": lambda: stacked(*[ag.nn.lstm] * 3),
    "mixture": mixture, "turing machine": turing_machine,
}  # fmt: skip


def made(model: str) -> tuple[ag.Node, dict[str, Any]]:
    """Return the loss of a model, and its feeds."""
    if model.startswith("zoo "):
        case = ZOO[model[4:]].made(B=3)
        return case.loss, {n: v.astype(np.float32) if v.dtype == float else v for n, v in case.feeds.items()}
    loss = MODELS[model]()
    rng, sizes = np.random.default_rng(0), {"t": 4, "b": 3}
    feeds: dict[str, Any] = {}
    for name, n in ag.Graph(loss).inputs.items():
        shape = (*(sizes[a.name] for a in n.axes), *n.shape)
        feeds[name] = rng.normal(size=shape).astype(np.float32) if n.dtype is float else rng.integers(0, K, shape)
    return loss, feeds


def first_call(model: str) -> dict[str, float]:
    """Return the CPU seconds to write a program, and to call it first."""
    start = time.process_time()
    loss, feeds = made(model)
    wrt = [n for n in ag.Graph(loss).inputs.values() if n.dtype is float]
    step = ag.value_and_grad(loss, wrt, backend="numba")
    lines, written = step.program.source.count("\n"), time.process_time()
    got = step(**feeds)
    called = time.process_time()
    want = ag.value_and_grad(loss, wrt, backend="numpy")(**feeds)
    largest = max(np.abs(value).max(initial=0) for value in want[1].values())
    for name, value in want[1].items():  # that of a bias of keys is 0, and what float32 leaves of it
        near = max(1e-3 * np.abs(value).max(initial=0), 1e-5 * largest)
        assert np.allclose(got[1][name], value, rtol=1e-3, atol=near), name
    return {"written": written - start, "called": called - written, "lines": lines}


def main() -> None:
    """Print a table; each model in a process of its own."""
    names = [name for name in sys.argv[1:] if name != "--zoo"]
    print("model                        lines   to write   first call, CPU s")
    for model in [*names, *(f"zoo {name}" for name in ZOO if "--zoo" in sys.argv)] or MODELS:
        with tempfile.TemporaryDirectory() as folder:
            code = f"import first_call; print(first_call.first_call({model!r}))"
            environment = {**os.environ, "XDG_CACHE_HOME": folder, "PYTHONPATH": os.path.dirname(os.path.abspath(__file__))}
            found = eval(subprocess.check_output([sys.executable, "-c", code], text=True, env=environment))
        print(f"{model:27} {found['lines']:6} {found['written']:10.2f} {found['called']:18.2f}", flush=True)


if __name__ == "__main__":
    main()
