"""What the schedule calls a linear recurrence is one: measured, by states that start elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.plan.passes.affine import find_linear_shifts
from autograd_seq.plan.schedule import Loop

H, T = 3, 6
t, u = ag.Axis("t"), ag.Axis("u")
Equations = Callable[[ag.Node, ag.Node, ag.Node, ag.Node, ag.Node], object]


def integrator(x, a, W, h, _):
    h[t] = ag.sigmoid(a) * h[t - 1] + (1 - ag.sigmoid(a)) * x[t]


def mingru(x, a, W, h, _):
    z = ag.sigmoid(W @ x[t])
    h[t] = (1 - z) * h[t - 1] + z * ag.tanh(a * x[t])


def delays(x, a, W, h, _):
    h[t] = x[t] * h[t - 2] - h[t - 3] / (1 + a * a) + a


def rotation(x, a, W, h, k):  # a complex state, as two real ones
    h[t] = ag.cos(a) * h[t - 1] - ag.sin(a) * k[t - 1] + W @ x[t]
    k[t] = ag.sin(a) * h[t - 1] + ag.cos(a) * k[t - 1]


def held(x, a, W, h, _):
    h[t] = ag.where(x[t] > 0, a * h[t - 1] + x[t], h[t - 1])


def ahead(x, a, W, h, _):
    h[t] = a * h[t + 1] + x[t]


def gate_reads_state(x, a, W, h, _):
    h[t] = ag.sigmoid(a * h[t - 1]) * h[t - 1] + x[t]


def choice_reads_state(x, a, W, h, _):
    h[t] = ag.where(h[t - 1] > 0, a * h[t - 1], h[t - 1]) + x[t]


def divisor_reads_state(x, a, W, h, _):
    h[t] = x[t] / (3 + h[t - 1])


def two_states_multiplied(x, a, W, h, k):
    h[t] = 0.5 * h[t - 1] + a * k[t - 1] + x[t]
    k[t] = h[t] * k[t - 1]


def squashed(x, a, W, h, _):
    h[t] = ag.tanh(a * h[t - 1] + x[t])


def matrix(x, a, W, h, _):
    h[t] = W @ h[t - 1] + x[t]


def turned(x, a, W, h, _):
    h[t] = a * h[t - 1][::-1] + x[t]


def entries_summed(x, a, W, h, _):
    h[t] = a * ag.sum(h[t - 1], axis=-1) + x[t]


LINEAR = [integrator, mingru, delays, rotation, held, ahead]
OTHERS = [gate_reads_state, choice_reads_state, divisor_reads_state, two_states_multiplied, squashed, matrix, turned,
          entries_summed]  # fmt: skip


def model(equations: Equations) -> tuple[list[ag.Node], ag.Node]:
    """Return the states, and what stands before the first step of all of them, or behind the last."""
    start = ag.input("start", (H,))
    x, a, W = ag.input("x", (H,), over=t), ag.param("a", (H,)), ag.param("W", (H, H))
    sides = {"final": start} if equations is ahead else {"init": start}
    states = [ag.state(name, (H,), over=t, **sides) for name in "hk"]
    equations(x, a, W, *states)
    if equations not in (rotation, two_states_multiplied):
        states.pop()
    return states, start


def loops(program: ag.Program) -> list[bool]:
    return [bool(find_linear_shifts(item)) for item in program.plan.items if isinstance(item, Loop)]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("equations", [*LINEAR, *OTHERS])
def test_the_schedule_says_what_is_measured(equations, backend):
    if backend == "numba":
        pytest.importorskip("numba")
    states, _ = model(equations)
    program = ag.compile(states, backend=backend)
    rng = np.random.default_rng(0)
    feeds = {"x": rng.normal(size=(T, H)), "a": rng.normal(size=H), "W": rng.normal(size=(H, H))}
    feeds = {name: feeds[name] for name in feeds if name in program.graph.inputs}

    def run(start: np.ndarray) -> np.ndarray:
        out = ag.compile(states, backend="numpy")(**feeds, start=start)
        return np.stack(out if len(states) > 1 else [out])

    p, q, entry = rng.normal(size=H), rng.normal(size=H), np.eye(H)[0]
    affine = np.allclose(run(0.3 * p + 0.7 * q), 0.3 * run(p) + 0.7 * run(q), rtol=1e-10, atol=1e-10)
    alone = np.array_equal(run(p)[..., 1:], run(p + entry)[..., 1:])
    assert (affine and alone) is (equations in LINEAR)
    assert loops(program) == [equations in LINEAR]
    assert ("linear in" in str(program.schedule)) is (equations in LINEAR)


@pytest.mark.parametrize("equations", [*LINEAR, squashed, gate_reads_state])
def test_the_adjoint_of_a_recurrence_entry_by_entry_is_linear(equations):
    states, start = model(equations)
    loss = ag.sum(sum(ag.sum(ag.tanh(s), axis=-1) for s in states), over=t)
    program = ag.compile([loss, *ag.grad(loss, [start])])
    assert loops(program) == [equations in LINEAR, True]


def test_the_adjoint_of_a_matrix_is_not():
    states, start = model(matrix)
    loss = ag.sum(ag.sum(ag.tanh(states[0]), axis=-1), over=t)
    assert loops(ag.compile([loss, *ag.grad(loss, [start])])) == [False, False]


def test_a_batch_and_lengths_change_nothing():
    b = ag.Axis("b")
    x, h = ag.input("x", over=(t, b)), ag.state("h", over=(t, b))
    h[t] = ag.sigmoid(x[t]) * h[t - 1] + x[t]
    loss = ag.sum(h * h, over=(t, b))
    program = ag.compile([loss, *ag.grad(loss, [x])])
    assert loops(program) == [True, True]
    x = np.random.default_rng(1).normal(size=(5, 2))
    program(x=x, lengths={t: [5, 3]})
    assert loops(program) == [True, True]


def test_a_state_that_is_summed_over_the_batch_is_not_linear_by_itself():
    b = ag.Axis("b")
    x, h = ag.input("x", over=(t, b)), ag.state("h", over=t)
    h[t] = ag.sum(x * h[t - 1], over=b)
    assert loops(ag.compile(h)) == [False]


def test_a_state_that_is_itself_the_choice_is_not_linear():
    x, h = ag.input("x", over=t), ag.state("h", over=t)
    h[t] = ag.where(h[t - 1], 0.5 * h[t - 1], x[t])  # what is not 0 counts as true
    assert loops(ag.compile(h)) == [False]


def test_along_two_axes_the_inner_loop_is_linear():
    x, g = ag.input("x", over=(t, u)), ag.state("g", over=(t, u))
    g[t, u] = 0.5 * g[t - 1, u] + x[t, u] * g[t, u - 1]
    (outer,) = (item for item in ag.compile(g).plan.items if isinstance(item, Loop))
    (inner,) = (item for item in outer.body if isinstance(item, Loop))
    assert not find_linear_shifts(outer)
    assert len(find_linear_shifts(inner, (outer.axis,))) == 1


def test_long_lists_of_states_do_not_make_long_lines():
    x = ag.input("x", over=t)
    states = [ag.state(f"a_state_with_a_long_name_{i}", over=t) for i in range(6)]
    for one, before in zip(states, [states[-1], *states], strict=False):
        one[t] = 0.5 * before[t - 1] + x[t]
    text = str(ag.compile(states[0], passes=[]).schedule)
    assert re.search(r"^for t = 0 … T−1, linear in a_state.*…:$", text, re.MULTILINE)
