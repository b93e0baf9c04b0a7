"""Programs for one sequence: everything that a step reads in one row, whatever is delayed, returned, carried in or stacked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.bench.work import Workload, ours

RNG = np.random.default_rng(5)
H, D = 3, 2


def lstm(
    x: ag.Node, t: ag.Axis, name: str, by: int, first: str = "f", rows: bool = False, bias: bool = True
) -> tuple[ag.Node, ag.Node]:
    """An LSTM that reads what it was ``by`` steps before, or behind; the order of the products in c is a choice."""
    side = "init" if by > 0 else "final"
    given = {f"{k}": {side: {t: [ag.param(f"{name}{k}{j}", (H,)) for j in range(abs(by))]}} if rows else {} for k in "hc"}
    h, c = (ag.state(f"{name}{k}", (H,), over=x.axes, **given[k]) for k in "hc")

    def gate(g: str) -> ag.Node:
        z = ag.param(f"{name}U{g}", (H, x.shape[0])) @ x + ag.param(f"{name}W{g}", (H, H)) @ h[t - by]
        return z + ag.param(f"{name}b{g}", (H,)) if bias else z

    i, f, o, g = (ag.sigmoid(gate("i")), ag.sigmoid(gate("f")), ag.sigmoid(gate("o")), ag.tanh(gate("g")))
    c[t] = f * c[t - by] + i * g if first == "f" else g * i + c[t - by] * f
    h[t] = o * ag.tanh(c[t])
    return h, c


def two_layers(x: ag.Node, t: ag.Axis) -> list[ag.Node]:
    return [*lstm(lstm(x, t, "one", 1)[0], t, "two", 1)]


def both_ways(x: ag.Node, t: ag.Axis) -> list[ag.Node]:
    return [ag.concat([lstm(x, t, "there", 1)[0], lstm(x, t, "back", -1)[0]])]


def two_in_one_loop(x: ag.Node, t: ag.Axis) -> list[ag.Node]:
    """Two states that read one another, one of them two steps late, and each other's values of the same step."""
    a, b = ag.state("a", (H,), over=x.axes, init={t: ag.param("a0", (H,))}), ag.state("b", (H,), over=x.axes)
    a[t] = ag.tanh(ag.param("A", (H, D)) @ x + ag.param("B", (H, H)) @ b[t - 1] + ag.param("C", (H, H)) @ a[t - 2])
    b[t] = ag.tanh(ag.param("E", (H, H)) @ a[t] + ag.param("F", (H, H)) @ b[t - 1] + ag.param("k", (H,)) + a[t - 1])
    return [a, b]


def residual(x: ag.Node, t: ag.Axis) -> list[ag.Node]:
    """A sum that has more than products: what is multiplied is joined, the rest is added as before."""
    s = ag.state("s", (H,), over=x.axes)
    s[t] = ag.tanh(ag.param("A", (H, D)) @ x + ag.param("B", (H, H)) @ s[t - 1] + ag.sin(s[t - 1]) - 0.5 * s[t - 3])
    return [s]


def kept_from_elsewhere(x: ag.Node, t: ag.Axis) -> list[ag.Node]:
    """A sum of two products of which one is there before the loop."""
    a, s = ag.state("a", (H,), over=x.axes), ag.state("s", (H,), over=x.axes)
    a[t] = ag.tanh(ag.param("A", (H, D)) @ x + a[t - 1])
    z = ag.tanh(ag.param("Z", (3 * H, D)) @ x + ag.param("B", (3 * H, H)) @ s[t - 1])
    s[t] = z[:H] * z[2 * H :] + ag.sin(a) * a[t - 1] + 0.1 * s[t - 1]
    s2 = ag.state("s2", (H,), over=x.axes)
    s2[t] = z[H : 2 * H] * ag.sin(s2[t - 1]) + a[t] * a[t - 1]
    return [s, s2]


MODELS: dict[str, Callable[[ag.Node, ag.Axis], list[ag.Node]]] = {
    "f first": lambda x, t: [*lstm(x, t, "", 1)], "i first": lambda x, t: [*lstm(x, t, "", 1, first="i")],
    "without biases": lambda x, t: [*lstm(x, t, "", 1, bias=False)], "late": lambda x, t: [*lstm(x, t, "", 3)],
    "rows": lambda x, t: [*lstm(x, t, "", 2, rows=True)], "backward": lambda x, t: [*lstm(x, t, "", -1, rows=True)],
    "two layers": two_layers, "both ways": both_ways, "two in one loop": two_in_one_loop, "residual": residual,
    "from elsewhere": kept_from_elsewhere,
}  # fmt: skip


def feed(node: ag.Node, **sizes: int) -> np.ndarray:
    value = RNG.normal(size=tuple(sizes[a.name] for a in node.axes) + node.shape)
    return np.linalg.qr(value)[0] if value.shape == (H, H) and not node.axes else value


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("over", ["t", "tb", "bt", "ut"])
def test_the_program_for_one_sequence_equals_the_unrolled_graph(name: str, over: str) -> None:
    """With the states among the outputs and without; every length; in an inner loop."""
    check(name, over)


def check(name: str, over: str) -> None:
    axes = {a: ag.Axis(a) for a in over}
    x, t = ag.input("x", (D,), over=tuple(axes.values())), axes["t"]
    if over == "ut":
        s = ag.state("outer", (D,), over=tuple(axes.values()))
        s[axes["u"]] = ag.tanh(0.7 * s[axes["u"] - 1] + x)
        x = s
    states = MODELS[name](x, t)
    loss = ag.sum(ag.add(*[ag.sum(s * ag.cos(s)) for s in (states * 2)[:2]]), over=tuple(axes.values()))
    wrt = list(ag.Graph(loss).inputs.values())
    outputs = [loss, *ag.grad(loss, wrt)]
    for extra in ([], states):
        program, graph = ag.compile([*outputs, *extra]).single, ag.Graph([*outputs, *extra])
        whole = ag.Graph([loss, *extra, *wrt])
        for n, m in ((4, 1), (7, 1), (1, 1), (0, 1)) if "b" in over else ((4, 1), (7, 2), (1, 1), (0, 1)):
            sizes = {a: n if a == "t" else m for a in over}
            feeds = {k: feed(v, **sizes) for k, v in ag.Graph(loss).inputs.items()}
            values = whole.unroll(**sizes).grad(wrt, with_outputs=True).evaluate(**feeds)
            want = [values[0], *values[1 + len(extra) + len(wrt) :], *values[1 : 1 + len(extra)]]
            for got, value, node, like in zip(program(**feeds), want, [*outputs, *extra], [loss, *wrt, *extra], strict=True):
                lead = [whole.layout(like).index(a) for a in graph.layout(node)]
                value = value.transpose(*lead, *range(len(lead), value.ndim))
                np.testing.assert_allclose(got, value, rtol=1e-11, atol=1e-11, err_msg=f"{node!r} {sizes}")


def test_calls_of_a_step_of_one_sequence() -> None:
    """Products of what a step reads are one product, its cotangents likewise: counted in the source, there and back."""
    most = {"rnn": [2, 2], "lstm": [9, 8], "gru": [11, 5]}
    for cell, want in most.items():
        loss, params = ours(Workload(cell, "odd", 7, 1, 3, 4, 2))
        counts = []
        for body in ag.compile([loss, *ag.grad(loss, params)]).single.source.split("def run(")[1].split("        for ")[1:]:
            lines = body[: body.index("\n\n")].splitlines()
            counts.append(sum(line.startswith(" " * 12) and line.endswith(")") and "# " not in line for line in lines))
        assert counts == want, cell


def test_equations_of_one_sequence_have_no_axis_of_a_batch() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, h = ag.input("x", (2,), over=(t, b)), ag.state("h", (2,), over=(t, b))
    h[t] = ag.tanh(h[t - 1] + x[t] * ag.index(b) + ag.max(x, over=b) + ag.normal("noise", over=b))
    program, one = ag.compile(h), np.ones((3, 1, 2))
    assert program.beside == (b,) and "h[t] = " in program.single.source and "h[t, b]" in program.source
    assert program(x=one)[0].shape == (3, 1, 2)
    np.testing.assert_allclose(program(x=one)[0], ag.Graph(h).unroll(t=3, b=1).evaluate(x=one)[0], rtol=1e-14)
    with pytest.raises(ag.FeedError, match=r"(?s)F203.*one point of b.*got 2"):
        program.single(x=np.ones((3, 2, 2)))


def test_a_step_that_one_point_does_not_have_is_refused_as_ever() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, h = ag.input("x", over=(t, b)), ag.state("h", over=(t, b))
    h[t] = ag.tanh(h[t - 1] + ag.at(x, b, 1))
    program = ag.compile(h)
    assert program.single is program and program(x=np.ones((3, 2)))[0].shape == (3, 2)
    with pytest.raises(ag.AxisError):
        program(x=np.ones((3, 1)))
