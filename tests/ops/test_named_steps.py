"""``ag.take(x, i, over=t)`` in every layout of x and i, with lengths, vmap and second derivatives: as reads by comparing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compared_reads import take_by_comparing

import autograd_seq as ag

t, u, b, v = (ag.Axis(name) for name in "tubv")
SIZES = {t: 5, u: 3, b: 2, v: 2}
LAYOUTS = [  # axes of x, axes of the index, shape of x, shape of the index
    ((t,), (), (), ()),
    ((t, b), (u,), (2,), ()),
    ((b, t), (u, b), (2,), (2,)),
    ((t, v), (t, b), (), (3,)),
    ((b, t, v), (t, v, b), (2, 2), (2,)),
    ((t, b), (t,), (3,), (1,)),
]


def make_case(layout: Any, earlier: bool, take: Any, seed: int = 0) -> tuple[list[ag.Node], dict[str, Any]]:
    """A loss, its gradients, and a gradient of their squares; recurrent where earlier steps are read."""
    over, index_over, shape, index_shape = layout
    index_over = (t, *(a for a in index_over if a is not t)) if earlier else index_over
    rng = np.random.default_rng(seed)
    x, i = ag.input("x", shape, over=over), ag.input("i", index_shape, over=index_over, dtype=int)
    w = ag.param("w", (*index_shape, *shape))
    if earlier:
        more = tuple(a for a in index_over if a not in over)
        s = ag.state("s", shape, over=(*over, *more))
        read = take(s, i, t, True)
        s[s.axes] = ag.tanh(x + ag.sum((w * read).reshape((-1, *shape)), axis=0))
        out = s
    else:
        out = take(ag.tanh(x), i, t)
    loss = ag.sum(ag.sum(ag.sin(w * out) if not earlier else ag.sin(out)), over=out.axes)
    grads = ag.grad(loss, [x, w])
    twice = ag.grad(ag.sum(ag.sum(grads[0] ** 2), over=over) + ag.sum(grads[1] ** 2), [x, w])
    lengths = [SIZES[a] for a in index_over]
    high = np.arange(SIZES[t]).reshape(-1, *(1,) * (len(lengths) + len(index_shape) - 1)) if earlier else SIZES[t]
    feeds = {
        "x": rng.normal(size=(*(SIZES[a] for a in over), *shape)), "w": rng.normal(size=w.shape),
        "i": rng.integers(-1 if earlier else 0, high, (*lengths, *index_shape)),
    }  # fmt: skip
    return [out, loss, *grads, *twice], feeds


def new(x: ag.Node, i: Any, axis: ag.Axis, earlier: bool = False) -> ag.Node:
    return ag.take(x, i, over=axis, earlier=earlier)


def agree(got: Any, want: Any) -> None:
    for a, c in zip(got, want, strict=True):
        np.testing.assert_allclose(a, c, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_all_layouts_and_runners(layout: Any, earlier: bool, in_python: None) -> None:
    outs, feeds = make_case(layout, earlier, new)
    outs = outs[1:]
    want = ag.compile(make_case(layout, earlier, take_by_comparing)[0][1:], backend="numpy")(**feeds)
    for backend in ("numpy", "numba", "plain"):
        agree(ag.compile(outs, backend=backend)(**feeds), want)
    agree(ag.Graph(outs).evaluate(**feeds), want)
    several = ag.compile(ag.vmap(outs[:2], over=ag.Axis("many")), backend="numpy")
    found = several(**{k: x if k == "w" else np.stack([x, x]) for k, x in feeds.items()})
    for a, c in zip(found, want, strict=False):
        agree(a, [c, c])


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("backend", ["numpy", "numba", "plain"])
def test_lengths(backend: str, earlier: bool, in_python: None) -> None:
    """The padding holds NaN, and indices that name nothing."""
    layout = ((t, b), (t, b), (2,), (2,))
    outs, feeds = make_case(layout, earlier, new)
    lengths = [5, 3]
    if not earlier:
        feeds["i"] = feeds["i"] % np.array(lengths)[:, None]
    parts = [ag.compile(outs, backend="numpy")(**{k: x if k == "w" else x[:n, q : q + 1] for k, x in feeds.items()})
             for q, n in enumerate(lengths)]  # fmt: skip
    feeds["x"][3:, 1], feeds["i"][3:, 1] = np.nan, 77
    got = ag.compile(outs, backend=backend)(**feeds, lengths={t: lengths})
    for q, n in enumerate(lengths):
        agree([got[k][:n, q] for k in (0, 2)], [parts[q][k][:, 0] for k in (0, 2)])
        assert not np.any(got[2][n:, q])
    agree([got[1], got[3]], [sum(p[k] for p in parts) for k in (1, 3)])


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("backend", ["numpy", "numba", "plain", "unrolled"])
def test_no_step_and_one_step(backend: str, earlier: bool, in_python: None) -> None:
    outs, feeds = make_case(((t, b), (t, b), (2,), ()), earlier, new)
    run = ag.Graph(outs).evaluate if backend == "unrolled" else ag.compile(outs, backend=backend)
    for steps in (0, 1):
        given = {name: value if name == "w" else value[:steps] for name, value in feeds.items()}
        given["i"] = given["i"] * 0 - earlier
        got = run(**given)
        assert got[0].shape == got[2].shape == (steps, 2, 2)
        want = np.sin(np.tanh(given["x"]) * (1 if earlier else feeds["w"]))
        np.testing.assert_allclose(got[1], want.sum(), rtol=1e-12, atol=1e-15)
