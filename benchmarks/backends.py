"""Training steps by what ``backend="auto"`` takes, by NumPy calls and by native code, on the workloads and on ordinary models.

CPU time of one thread, in turns, medians: ``OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/backends.py``.
What has been measured is kept in a file (``--keep``), line by line, so that a run that was interrupted goes on where it ended.
As a processor without AVX-512 computes: ``--as haswell``, with vectors of 32 bytes here and in the library; ``--as nehalem``,
with 16. ``--peers`` adds others on the workloads, and PyTorch to attention. ``--only rnn`` takes those that are so called.
``--zoo`` measures the models of ``tests/models/zoo`` instead, with sizes as ``T=100,B=8,H=32`` (those of the tests by default).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

FEATURES = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+fxsr"
PROCESSORS = {"haswell": f"{FEATURES},+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+lzcnt,+movbe,+xsave", "nehalem": FEATURES}
BACKENDS = ("auto", "numpy", "numba")
Step = Callable[[], object]
Made = tuple[Any, dict[str, Any]]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--as", dest="processor", choices=PROCESSORS)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--zoo", nargs="?", const="", help="models of the zoo, with these sizes")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each line, compiling aside")
    parser.add_argument("--keep", type=Path, help="a file of lines of JSON")
    said = parser.parse_args()
    if said.processor and os.environ.get("OPENBLAS_CORETYPE") != said.processor.capitalize():
        env = {**os.environ, "OPENBLAS_CORETYPE": said.processor.capitalize(), "NUMBA_CPU_NAME": said.processor,
               "NUMBA_CPU_FEATURES": PROCESSORS[said.processor]}  # fmt: skip
        raise SystemExit(subprocess.run([sys.executable, *sys.argv], env=env).returncode)
    found = {}
    if said.keep is not None and said.keep.exists():
        found = {line["name"]: line["ms"] for line in map(json.loads, said.keep.read_text().splitlines())}
    print(f"{'ms':<32}{''.join(f'{b:>10}' for b in BACKENDS)}{'auto / better':>15}")
    for name, make in (models() if said.zoo is None else zoo(said.zoo)).items():
        if said.only not in name:
            continue
        if name not in found:
            found[name] = measure({**ways(make), **(peers(name) if said.peers else {})}, said.seconds)
            if said.keep is not None:
                with said.keep.open("a") as file:
                    file.write(json.dumps({"name": name, "ms": found[name]}) + "\n")
        print(line(name, found[name]), flush=True)


def line(name: str, ms: dict[str, float]) -> str:
    """Return a line of the table; in brackets ``auto`` divided by a peer."""
    others = "".join(f"   {n} {t:.4g} ({ms['auto'] / t:.2f})" for n, t in ms.items() if n not in BACKENDS)
    ratio = ms["auto"] / min(ms["numpy"], ms["numba"])
    return f"{name:<32}{''.join(f'{ms[b]:>10.4g}' for b in BACKENDS)}{ratio:>15.2f}{others}"


def ways(make: Callable[[str], Made]) -> dict[str, Step]:
    """Return the step by each backend; what ``auto`` takes is not compiled twice."""
    steps: dict[str, Step] = {}
    taken = "auto"
    for backend in BACKENDS:
        f, feeds = make(backend)
        if backend == "auto":
            taken = getattr(f.program, "backend", "auto")  # where sequences end by themselves, several programs are made
        steps[backend] = lambda f=f, feeds=feeds: f(**feeds)  # type: ignore[misc]
    return {**steps, "auto": steps[taken]}


def measure(steps: dict[str, Step], seconds: float) -> dict[str, float]:
    """Return by name the median ms of a step, in turns."""
    often, times = {}, {name: [] for name in steps}  # type: ignore[var-annotated]
    for name, step in steps.items():
        step()
        often[name] = max(1, int(1e-3 / max(1e-7, _seconds(step, 1))))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or min(map(len, times.values())) < 3:
        for name, step in steps.items():
            times[name].append(_seconds(step, often[name]) * 1e3)
    return {name: median(some) for name, some in times.items()}


def _seconds(step: Step, often: int) -> float:
    start = time.thread_time()
    for _ in range(often):
        step()
    return (time.thread_time() - start) / often


def peers(name: str) -> dict[str, Step]:
    """Return the same step by others, where there is one."""
    from autograd_seq.bench.peers import find_peers
    from autograd_seq.bench.work import GATES, Workload, make

    if name == "attention heads":
        return torchs()
    cell, _, size = name.partition(" ")
    if cell not in GATES:
        return {}
    work = Workload.of(cell, size)
    feeds, out = make(work), {}
    for peer in ("by hand", "torch.nn", "jax"):
        try:
            made = find_peers(Path(__file__).parents[1])[peer].make(work, feeds)
        except ImportError:
            continue
        if made is not None:
            out[peer] = made.step
    return out


def torchs(d: int = 64, heads: int = 4) -> dict[str, Step]:
    """Return the step of multi-head attention in PyTorch, by its own function."""
    try:
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(1)
    x, params = torch.randn(8, 128, d), [(torch.randn(d, d) / d**0.5).requires_grad_() for _ in range(4)]

    def step() -> object:
        q, k, v = ((x @ w.T).view(8, 128, heads, d // heads).transpose(1, 2) for w in params[:3])
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        o = y.transpose(1, 2).reshape(8, 128, d) @ params[3].T
        return torch.autograd.grad((o * o).sum(), params)

    return {"torch": step}


# -- what is measured ---------------------------------------------------------------------------------------------------------


def models() -> dict[str, Callable[[str], Made]]:
    """Return by name what makes a step by a backend, and its feeds."""
    from autograd_seq.bench.work import WORKLOADS, make, ours
    from autograd_seq.run.compile import value_and_grad

    def workload(work: Any) -> Callable[[str], Made]:
        return lambda backend: (value_and_grad(*ours(work), backend=backend), make(work))

    return {**{str(w): workload(w) for w in WORKLOADS}, **{f.__name__.replace("_", " "): f for f in ORDINARY}}


def zoo(sizes: str) -> dict[str, Callable[[str], Made]]:
    """The same for all models of the zoo, with sizes of their own where none are given."""
    sys.path.append(str(Path(__file__).parents[1] / "tests" / "models"))
    import numpy as np
    from zoo import MODELS

    from autograd_seq.run.compile import value_and_grad

    given = {k: int(n) for k, n in (item.split("=") for item in sizes.split(",") if item)} or {"B": 3}

    def make(name: str, backend: str) -> Made:
        case = MODELS[name].made(**given)
        feeds = {n: v.astype(np.float32) if v.dtype == float else v for n, v in case.feeds.items()}
        return value_and_grad(case.loss, case.params or case.wrt, backend=backend), feeds

    return {f"{name} {sizes}".strip(): partial(make, name) for name in MODELS}


def _fed(loss: Any, wrt: list[Any], backend: str, **sizes: int) -> Made:
    import numpy as np

    import autograd_seq as ag

    rng, graph = np.random.default_rng(0), ag.Graph(loss)
    feeds = {}
    for name, n in graph.inputs.items():
        shape = tuple(sizes[str(a)] for a in n.axes) + n.shape
        scale = n.shape[-1] ** -0.5 if n.shape and not n.axes else 1.0
        feeds[name] = (rng.normal(size=shape) * scale).astype(np.float32)
    missing = {str(a): sizes[str(a)] for a in graph.axes if not any(a in n.axes for n in graph.inputs.values())}
    return ag.value_and_grad(loss, wrt, backend=backend), feeds | missing


def _attention(x: Any, t: Any, u: Any, params: list[Any], heads: int) -> Any:
    import numpy as np

    import autograd_seq as ag

    d = x.shape[-1]
    q, k, v = (ag.reshape(w @ x, (heads, d // heads)) for w in params[:3])
    score = ag.where(ag.index(u) <= ag.index(t), ag.sum(q * k.along(t, u), axis=-1) / (d // heads) ** 0.5, -np.inf)
    y = ag.sum(ag.softmax(score, over=u)[..., None] * v.along(t, u), over=u)
    return params[3] @ ag.reshape(y, (d,))


def attention_heads(backend: str, d: int = 64, heads: int = 4) -> Made:
    """Multi-head self-attention: T = 128, B = 8."""
    import autograd_seq as ag

    t, u, b = ag.Axis("t"), ag.Axis("u"), ag.Axis("b")
    params = [ag.param(n, (d, d)) for n in ("Wq", "Wk", "Wv", "Wo")]
    y = _attention(ag.input("x", (d,), over=(b, t)), t, u, params, heads)
    return _fed(ag.sum(ag.dot(y, y), over=(b, t)), params, backend, t=128, u=128, b=8)


def transformer(backend: str, d: int = 64, heads: int = 4) -> Made:
    """Two layers of a Transformer: T = 128, B = 8."""
    import autograd_seq as ag

    t, u, b = ag.Axis("t"), ag.Axis("u"), ag.Axis("b")
    x, params = ag.input("x", (d,), over=(b, t)), []

    def normal(z: Any) -> Any:
        z = z - ag.mean(z, axis=-1, keepdims=True)
        return z / ag.sqrt(ag.mean(z * z, axis=-1, keepdims=True) + 1e-5)

    for layer in "12":
        own = [ag.param(n + layer, (d, d)) for n in ("Wq", "Wk", "Wv", "Wo")]
        up, down = ag.param(f"U{layer}", (4 * d, d)), ag.param(f"D{layer}", (d, 4 * d))
        x = x + _attention(normal(x), t, u, own, heads)
        x = x + down @ ag.relu(up @ normal(x))
        params += [*own, up, down]
    return _fed(ag.sum(ag.dot(x, x), over=(b, t)), params, backend, t=128, u=128, b=8)


def stacked_lstm(backend: str, d: int = 64) -> Made:
    """Two layers of LSTM: T = 100, B = 16."""
    import autograd_seq as ag

    t, b = ag.Axis("t"), ag.Axis("b")
    x, params = ag.input("x", (d,), over=(t, b)), []
    for layer in "12":
        h, c = ag.state(f"h{layer}", (d,), over=(t, b)), ag.state(f"c{layer}", (d,), over=(t, b))
        own = [(ag.param(f"U{g}{layer}", (d, d)), ag.param(f"W{g}{layer}", (d, d))) for g in "ifog"]
        i, f, o, g = ((ag.tanh if k == 3 else ag.sigmoid)(u @ x + w @ h[t - 1]) for k, (u, w) in enumerate(own))
        c[t] = f * c[t - 1] + i * g
        h[t] = o * ag.tanh(c[t])
        x, params = h[t], [*params, *(p for pair in own for p in pair)]
    return _fed(ag.sum(ag.dot(x, x), over=(t, b)), params, backend, t=100, b=16)


def diagonal_state_space(backend: str, d: int = 32, n: int = 16) -> Made:
    """A diagonal linear state space, as S4D: T = 256, B = 8, states for each of D channels."""
    import autograd_seq as ag

    t, b = ag.Axis("t"), ag.Axis("b")
    x, s = ag.input("x", (d,), over=(t, b)), ag.state("s", (d, n), over=(t, b))
    a, B, C = (ag.param(name, (d, n)) for name in "aBC")
    s[t] = ag.sigmoid(a) * s[t - 1] + B * x[..., None]
    y = ag.tanh(ag.sum(C * s[t], axis=-1))
    return _fed(ag.sum(ag.dot(y, y), over=(t, b)), [a, B, C], backend, t=256, b=8)


def seq2seq_heads(backend: str, d: int = 32, heads: int = 4) -> Made:
    """An encoder and a decoder that reads it by multi-head attention at each step: T = U = 40, B = 8."""
    import autograd_seq as ag

    t, u, b = ag.Axis("t"), ag.Axis("u"), ag.Axis("b")
    x, z = ag.input("x", (d,), over=(t, b)), ag.input("z", (d,), over=(u, b))
    h, s = ag.state("h", (d,), over=(t, b)), ag.state("s", (d,), over=(u, b))
    p = {name: ag.param(name, (d, d)) for name in ("U", "W", "Wq", "Wk", "Wv", "R", "C", "Z")}
    h[t] = ag.tanh(p["U"] @ x + p["W"] @ h[t - 1])
    parts = (heads, d // heads)
    k, v, q = (ag.reshape(w, parts) for w in (p["Wk"] @ h[t], p["Wv"] @ h[t], p["Wq"] @ s[u - 1]))
    weights = ag.softmax(ag.sum(q * k, axis=-1) / parts[1] ** 0.5, over=t)
    c = ag.reshape(ag.sum(weights[..., None] * v, over=t), (d,))
    s[u] = ag.tanh(p["R"] @ s[u - 1] + p["C"] @ c + p["Z"] @ z)
    return _fed(ag.sum(ag.dot(s[u], s[u]), over=(u, b)), list(p.values()), backend, t=40, u=40, b=8)


ORDINARY = (attention_heads, transformer, stacked_lstm, diagonal_state_space, seq2seq_heads)

if __name__ == "__main__":
    main()
