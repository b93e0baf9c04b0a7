"""Random sequences with lengths: what is fed, garbage in the padding, and what must come out.

The oracle is reverse mode through the graph unrolled over a sequence's own length, one sequence after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from compare import difference

import autograd_seq as ag

GARBAGE = [np.nan, np.inf, -np.inf, 1e300, -1.0, 0.0]


def lengths_of(case: Any, rng: np.random.Generator) -> Any:
    """Some lengths up to that of the axis; sequences of no steps where nothing is picked or chosen of them."""
    needy = any(n.op.name in ("max_over", "at") and n.attrs.get("outside") != "zero" for n in ag.Graph(case.nodes).nodes)
    low = 0 if not needy and rng.random() < 0.3 else 1
    lengths = rng.integers(low, case.sizes["t"] + 1, size=case.sizes["b"])
    return lengths if case.b else int(lengths[0])


def padded(graph: ag.Graph, feeds: dict[str, Any], t: ag.Axis, b: ag.Axis | None, lengths: Any, rng: Any) -> dict[str, Any]:
    """Return the feeds with garbage behind the end of each sequence."""
    out = {}
    for name, value in feeds.items():
        node = graph.inputs.get(name)
        out[name] = value = np.array(value)
        if node is None or t not in node.axes:
            continue
        steps = np.moveaxis(value, node.axes.index(t), 0)  # views: what is written reaches the feed
        for i, n in enumerate(np.atleast_1d(lengths)):
            part = steps[n:]
            if b in node.axes:
                part = np.moveaxis(part, [a for a in node.axes if a is not t].index(b) + 1, 0)[i]
            part[...] = rng.choice(GARBAGE, size=part.shape) if node.dtype is float else rng.integers(-9, 99, size=part.shape)
    return out


def alone(graph: ag.Graph, feeds: dict[str, Any], t: ag.Axis, b: ag.Axis | None, i: int, n: int) -> dict[str, Any]:
    """Return the feeds of one sequence: its steps, in a batch of one."""
    out = {}
    for name, value in feeds.items():
        node = graph.inputs.get(name)
        if node is not None:
            for axis, part in ((t, slice(0, n)), (b, slice(i, i + 1))):
                if axis in node.axes:
                    value = value[(slice(None),) * node.axes.index(axis) + (part,)]
        out[name] = value
    return out


def oracle(case: Any, feeds: dict[str, Any], lengths: Any) -> list[np.ndarray]:
    """Return the loss, its gradients and the extras: each sequence unrolled alone, added up or put side by side."""
    nodes, wrt = [case.loss, *case.extras], case.wrt
    whole, program = ag.Graph(nodes, wrt), ag.Graph(case.nodes)
    layouts = [program.layout(o) for o in program.outputs]
    out: list[Any] = [None] * len(layouts)
    for i, n in enumerate(np.atleast_1d(lengths)):
        sizes = {a.name: {"t": int(n), "b": 1}.get(a.name, case.sizes.get(a.name, int(n))) for a in whole.axes}
        dag = whole.unroll(**sizes)
        values = dag.grad(wrt, with_outputs=True).evaluate(**alone(program, feeds, case.t, case.b, i, int(n)))
        laid = [whole.layout(node) for node in [*nodes, *wrt, *wrt]]
        gradients = list(zip(values, laid, strict=True))[len(nodes) + len(wrt) :]
        one = [(values[0], laid[0]), *gradients, *zip(values[1:], laid[1 : len(nodes)], strict=False)]
        for k, ((value, have), want) in enumerate(zip(one, layouts, strict=True)):
            value = value.transpose(*[have.index(a) for a in want], *range(len(want), value.ndim))
            if out[k] is None:
                shape = [case.sizes["t"] if a is case.t else case.sizes["b"] if a is case.b else m
                         for a, m in zip(want, value.shape, strict=False)]  # fmt: skip
                out[k] = np.zeros((*shape, *value.shape[len(want) :]), value.dtype)
            place = tuple(slice(0, n) if a is case.t else slice(i, i + 1) if a is case.b else slice(None) for a in want)
            if case.b in want or case.b is None:
                out[k][place] = value
            else:
                out[k][place] += value
    return out


def check(case: Any, got: Any, want: list[np.ndarray], lengths: Any, how: str) -> None:
    labels = ["loss", *[f"gradient of {x.name}" for x in case.wrt], *map(repr, case.extras)]
    found = [(label, difference(a, w), a, w) for label, a, w in zip(labels, got, want, strict=True)]
    wrong = [f"  {label}: {e:.2e}: {a.ravel()[:6]} for {w.ravel()[:6]}" for label, e, a, w in found if not e <= 1e-11]
    where = f"seed {case.seed} ({how}; {' '.join(case.patterns)}; {case.sizes}; lengths {lengths})"
    assert not wrong, "\n".join([where, *wrong])
