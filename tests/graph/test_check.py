"""What a graph refuses, in which words: causality, boundary rows, names, feeds, lengths, derivatives.

The models are text that is run as a file called ``model.py``, so that the line in a message is known here.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from each import each

import autograd_seq as ag


def run(source: str) -> dict[str, Any]:
    names = {"ag": ag, "np": np, "t": ag.Axis("t"), "u": ag.Axis("u")}
    exec(compile(dedent(source).strip(), "model.py", "exec"), names)
    return names


def refused(source: str) -> ag.AutogradSeqError:
    with pytest.raises(ag.AutogradSeqError) as caught:
        run(source)
    return caught.value


# -- causality --------------------------------------------------------------------------------------------------------


def test_a_cycle_without_delay_is_refused_with_its_path_its_line_and_its_mend() -> None:
    error = refused("""
        x, w = ag.input("x", over=t), ag.param("w")
        s = ag.state("s", over=t)
        s[t] = ag.tanh(w * s[t] + x[t])
        ag.Graph(s)
    """)
    assert type(error) is ag.CycleError
    assert str(error) == (
        "CycleError [G101]: s depends on itself within one step\n"
        "  s → tanh_1 → add_1 → mul_1 → s      (model.py:3)\n"
        "  delay one of these reads: s[t] in model.py:3 → s[t - 1]\n"
        '  or solve it as a fixed point: ag.equilibrium("s", …)'
    )
    assert (error.code, error.node) == ("G101", "s")
    assert "s[t - 1]" in error.fix


def test_a_state_that_is_itself_is_a_cycle() -> None:
    error = refused('s = ag.state("s", over=t)\ns[t] = s[t]\nag.Graph(s)')
    assert str(error).splitlines()[0] == "CycleError [G101]: s depends on itself within one step"
    assert error.detail.startswith("s → s")
    assert "s[t - 1]" in error.fix


def test_a_cycle_over_two_states_names_both_reads() -> None:
    error = refused("""
        a, b = ag.state("a", over=t), ag.state("b", over=t)
        a[t] = b[t] + 1
        b[t] = a[t] * 2
        ag.Graph(a)
    """)
    assert error.code == "G101"
    assert "b → mul_1 → a → add_1 → b" in str(error)
    assert "a[t] in model.py:3 → a[t - 1]" in error.fix and "b[t] in model.py:2 → b[t - 1]" in error.fix


def test_the_shortest_cycle_is_shown() -> None:
    error = refused("""
        a = ag.state("a", over=t)
        long = ag.tanh(ag.exp(ag.sin(ag.cos(a[t]))))
        a[t] = long + ag.sin(a[t])
        ag.Graph(a)
    """)
    assert error.detail == "a → add_1 → sin_2 → a      (model.py:3)"


def test_a_cycle_on_the_side_of_a_sound_recurrence_is_found() -> None:
    error = refused("""
        s, r = ag.state("s", over=t), ag.state("r", over=t)
        s[t] = s[t - 1] + 1
        r[t] = r[t - 1] + s[t] * r[t]
        ag.Graph(s, r)
    """)
    assert (error.code, error.node) == ("G101", "r")


def test_forward_and_backward_in_one_component_are_refused_with_both_names() -> None:
    error = refused("""
        s = ag.state("s", over=t)
        s[t] = (s[t - 1]
            + s[t + 1])
        ag.Graph(s)
    """)
    assert str(error) == (
        "CycleError [G102]: s depends on both earlier and later steps of t\n"
        "  s → add_1 → s[t - 1] → s\n"
        "  got s[t - 1] (model.py:2) and s[t + 1] (model.py:3) in one cycle\n"
        "  give each direction a state of its own, as in a bidirectional network"
    )


def test_both_directions_through_two_states_are_refused() -> None:
    error = refused("""
        a, b = ag.state("a", over=t), ag.state("b", over=t)
        a[t] = b[t - 1]
        b[t] = a[t + 2]
        ag.Graph(a, b)
    """)
    assert error.code == "G102"
    assert "b[t - 1] (model.py:2) and a[t + 2] (model.py:3)" in error.got


@pytest.mark.parametrize(
    ("equation", "culprit"),
    [
        ("s[t - 1] + ag.sum(s[t - 1], over=t)", "sum_1"),
        ("s[t - 1] + ag.sum(s[t], over=t)", "sum_1"),
        ("s[t - 1] + ag.mean(s, over=t)", "sum_1"),
        ("s[t - 1] + ag.max(s[t - 1], over=t)", "max_1"),
        ("s[t - 1] + ag.logsumexp(s[t - 1], over=t)", "logsumexp_1"),
        ("s[t - 1] + ag.last(s, over=t)", "at_1"),
        ("s[t - 1] + ag.sum((s[t - 1] + x).along(t, u), over=u)", "along_1"),
    ],
)
def test_a_reduction_inside_a_cycle_is_refused(equation: str, culprit: str) -> None:
    error = refused(f'x, s = ag.input("x", over=t), ag.state("s", over=t)\ns[t] = {equation}\nag.Graph(s)')
    first, *rest = str(error).splitlines()
    assert isinstance(error, ag.CycleError)
    assert first == "CycleError [G103]: s depends on itself through all steps of t      (model.py:2)"
    assert f"  got {culprit}, which needs every step before the first is computed" in rest


def test_the_delay_that_is_proposed_lies_on_an_axis_where_it_helps() -> None:
    """The sum needs all steps of t, so that only a delay over u lets the steps be computed one after the other."""
    source = """
        s = ag.state("s", over=(t, u))
        s[t, u] = 1.0 + ag.sum(s[t, u{}], over=t)
        ag.Graph(s)
    """
    error = refused(source.format(""))
    assert error.code == "G101"
    assert str(error.fix).splitlines() == [
        "delay one of these reads: s[t, u] in model.py:2 → s[t, u - 1]",
        'or solve it as a fixed point: ag.equilibrium("s", …)',
    ]
    run(source.format(" - 1"))


@pytest.mark.parametrize("reads", ["g[i - 1, j] + g[i, j - 1]", "g[i - 1, j] + g[i - 1, j + 1]", "g[i - 1, j - 1]",
                                   "g[i + 1, j] + g[i, j - 2]", "g[i - 1, j + 1] + g[i - 1, j - 1]"])  # fmt: skip
def test_grids_for_which_a_schedule_exists_are_legal(reads: str) -> None:
    i, j = ag.Axis("i"), ag.Axis("j")
    z, g = ag.input("z", over=(i, j)), ag.state("g", over=(i, j))
    g[i, j] = eval(reads, {"g": g, "i": i, "j": j}) + z[i, j]
    assert ag.Graph(g).unroll(i=3, j=4).evaluate(z=np.ones((3, 4)))[0].shape == (3, 4)


def test_a_grid_without_a_schedule_is_refused() -> None:
    error = refused("""
        g = ag.state("g", over=(t, u))
        g[t, u] = g[t - 1, u] + g[t + 1, u] + g[t, u - 1] + g[t, u + 1]
        ag.Graph(g)
    """)
    assert error.code == "G102"


def test_a_sum_over_another_axis_inside_a_recurrence_is_legal() -> None:
    """Attention over the sequence inside a decoder: the cycle runs over u, the reduction over t."""
    t, u = ag.Axis("t"), ag.Axis("u")
    h, s = ag.input("h", over=t), ag.state("s", over=u)
    s[u] = ag.tanh(ag.sum(ag.softmax(s[u - 1] * h[t], over=t) * h[t], over=t))
    assert ag.Graph(s).unroll(t=3, u=2).evaluate(h=[1.0, 2.0, 3.0])[0].shape == (2,)


def test_directions_in_separate_components_are_fine() -> None:
    t = ag.Axis("t")
    x, f, b = ag.input("x", over=t), ag.state("f", over=t), ag.state("b", over=t)
    f[t] = f[t - 1] + x[t]
    b[t] = b[t + 1] + f[t]  # reads the forward one, which does not read it
    (out,) = ag.Graph(b).evaluate(x=[1.0, 2.0, 3.0])
    assert out.tolist() == [10.0, 9.0, 6.0]


def test_a_boundary_row_may_be_any_node_that_the_recurrence_does_not_reach() -> None:
    t, u = ag.Axis("t"), ag.Axis("u")
    x, h = ag.input("x", over=u), ag.state("h", over=u)
    h[u] = h[u - 1] + x[u]
    s = ag.state("s", over=t, init=ag.last(h, over=u))
    s[t] = 2.0 * s[t - 1]
    assert ag.Graph(s).unroll(t=2, u=3).evaluate(x=[1.0, 2.0, 3.0])[0].tolist() == [12.0, 24.0]


def test_a_boundary_row_that_the_recurrence_reaches_is_refused() -> None:
    error = refused("""
        h = ag.state("h", over=t)
        s = ag.state("s", over=t, init=ag.last(h, over=t))
        s[t] = s[t - 1]
        h[t] = h[t - 1] + s[t]
        ag.Graph(h)
    """)
    assert isinstance(error, ag.StateError)
    assert error.code == "G211"
    assert "a boundary row of s depends on the recurrence that it starts" in str(error)
    assert "s → s[t - 1] → at_1 → h → add_1 → s" in str(error)
    assert "start from a parameter, an input, or a value that the recurrence does not reach" in str(error)


# -- boundary rows: how many ------------------------------------------------------------------------------------------


def test_too_few_rows_are_refused_with_the_reader_and_the_list_to_write() -> None:
    error = refused("""
        y = ag.state("y", over=t, init=[1.0])
        y[t] = y[t - 1] + y[t - 2]
        ag.Graph(y)
    """)
    assert str(error) == (
        "StateError [G212]: y has 1 init rows, but y[t - 2] needs 2      (model.py:1)\n"
        "  expected a list of 2, in time order, got 1\n"
        "  one row for each step that is read outside: init=[y[-2], y[-1]]"
    )


@pytest.mark.parametrize(
    ("side", "rows", "by", "words"),
    [
        ("init", "[1.0, 2.0, 3.0]", "- 2", "y has 3 init rows, but y[t - 2] needs 2"),
        ("init", "[]", "- 1", "y has 0 init rows, but y[t - 1] needs 1"),
        ("final", "[1.0]", "+ 2", "y has 1 final rows, but y[t + 2] needs 2"),
        ("final", "[1.0, 2.0, 3.0]", "+ 2", "final=[y[T], y[T + 1]]"),
    ],
)
def test_another_number_of_rows_is_an_error(side: str, rows: str, by: str, words: str) -> None:
    error = refused(f'y = ag.state("y", over=t, {side}={rows})\ny[t] = 1 + y[t {by}]\nag.Graph(y)')
    assert error.code == "G212"
    assert words in str(error)


def test_rows_given_for_no_axis_bound_the_one_that_is_read() -> None:
    """A state over (t, b) of which t alone is shifted, with a number, a parameter, a row a sequence, or a list of such."""
    t, b, h0 = ag.Axis("t"), ag.Axis("b"), [[1.0, 2.0], [3.0, 4.0]]
    for init, feeds, want in (
        (1.0, {}, [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]), (ag.param("p"), {"p": 2.0}, [[2.0, 2.0]] * 3),
        (ag.input("h0", over=b), {"h0": h0[0]}, [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]),
        ([ag.input("h0", over=b), ag.input("h1", over=b)], {"h0": h0[0], "h1": h0[1]}, [*h0, h0[0]]),
    ):  # fmt: skip
        x, s = ag.input("x", over=(t, b)), ag.state("s", over=(t, b), init=init)
        s[t, b] = s[t - 2] + x
        graph = ag.Graph(s)
        for run in (graph.evaluate, ag.compile(graph, backend="numpy")):
            assert run(x=np.zeros((3, 2)), **feeds)[0].tolist() == want
    r = ag.state("r", over=(t, b), init=1.0, final={b: 5.0})
    r[t, b] = r[t - 1] + r[b + 1]
    assert ag.Graph(r).evaluate(t=1, b=2)[0].tolist() == [[7.0, 6.0]]


def test_rows_may_be_given_where_the_step_is_the_same() -> None:
    """In a loop over offsets, say; and on both sides of a shift, of which one is read."""
    t = ag.Axis("t")
    x = ag.input("x", over=t)
    taps = [ag.shift(x, t, k, init=7.0, final=8.0) for k in (1, 0, -1)] + [ag.window(x, t, 1, init=7.0)[0]]
    assert [v.tolist() for v in ag.Graph(taps).evaluate(x=[1.0, 2.0])] == [[7.0, 1.0], [1.0, 2.0], [2.0, 8.0], [1.0, 2.0]]


def test_rows_of_an_unnamed_state_count_too() -> None:
    error = refused('x = ag.input("x", over=t)\nag.Graph(ag.shift(x, t, 2, init=[1.0]))')
    assert error.code == "G212"
    assert "needs 2" in str(error)


def test_rows_seen_through_a_shift_along_another_axis_count_as_the_states() -> None:
    t, u = ag.Axis("t"), ag.Axis("u")
    g = ag.state("g", over=(t, u), init={t: [1.0, 2.0], u: [5.0]})
    g[t, u] = g[t - 2, u - 1] + g[t - 1, u]
    assert ag.Graph(g).unroll(t=2, u=2).evaluate()[0].shape == (2, 2)


def test_a_gradient_that_reads_fewer_rows_than_its_model_is_fine() -> None:
    """y[t - 2] is read by a term that is linear in it: the gradient no longer mentions it, nor the row of delay 2."""
    t = ag.Axis("t")
    x, rows = ag.input("x", over=t), [ag.param("a"), ag.param("b")]
    y = ag.state("y", over=t, init=rows)
    y[t] = x[t] + 0.5 * y[t - 1]
    L = ag.sum(y[t - 1] * y[t - 1] + 3.0 * y[t - 2], over=t)
    g = ag.Graph(ag.grad(L, x))  # before any graph of L was made
    assert not any("y[t - 2]" in line for line in str(g).splitlines())
    (dx,) = g.unroll(t=3).evaluate(x=[1.0, 2.0, 3.0], a=1.0, b=2.0)
    assert dx.tolist() == [2 * 2.0 + 2 * 3.0 * 0.5 + 3.0, 2 * 3.0, 0.0]


# -- every refusal has its code and its words -------------------------------------------------------------------------

RAGGED = """
y, x = ag.input("y", over=(t, u)), np.ones((3, 2))
g = ag.Graph(ag.sum(ag.input("x", over=(t, u)), over=t))
f = ag.compile(g)
"""
DAG = 'x = ag.input("x", (2,), over=t)\ng = ag.Graph(ag.sum(x[t], over=t))\n'
SCALAR = 'w, x = ag.param("w"), ag.input("x", over=t)\nL = ag.sum(w * x[t], over=t)\n'
OWN = (
    'y = ag.defop("{0}", shape=ag.same_shape, forward=np.tanh, vjp=lambda g, y, {2}: ({1}))(ag.tensor(1.0))\n'
    "ag.grad(y, y.inputs[0])"
)
BROKEN = 'bad = ag.defop("{}", shape=ag.same_shape, forward={}, vjp=lambda g, y, x: ({},))\n'

TABLE = [
    # names and equations
    ("O301", "ag.Graph(3)", ["3 is not a node", "got 3"]),
    ("F101", 'g = ag.Graph(ag.param("weight"))\ng["wieght"]', ['there is no node "wieght"', 'did you mean "weight"?']),
    ("G301", 'a = ag.Axis("t")\nag.Graph(ag.input("x", over=t)[t] + ag.input("y", over=a)[a])',
     ['two axes are named "t"', "make the axis once"]),
    ("G302", 'ag.Graph(ag.param("w") + ag.param("w"))',
     ['two nodes are named "w"', "(model.py:1)", "declare it once and read it often"]),
    ("G302", 'w = ag.param("w")\nag.Graph(ag.exp(w).named("y") + ag.sin(w).named("y"))',
     ['with ag.scope("first")', "(model.py:2)"]),
    ("G210", 's = ag.state("s", over=t)\nag.Graph(s[t - 1])',
     ["state s is never defined", "expected an equation s[t] = …", "(model.py:1)"]),
    ("G101", 's = ag.state("s", over=t)\ns[t] = 1 + s[t]\nag.Graph(s)', ["within one step"]),
    ("G102", 's = ag.state("s", over=t)\ns[t] = s[t - 1] + s[t + 1]\nag.Graph(s)',
     ["both earlier and later steps of t"]),
    ("G103", 's = ag.state("s", over=t)\ns[t] = ag.sum(s[t - 1], over=t)\nag.Graph(s)', ["through all steps of t"]),
    ("G104", 'z = ag.equilibrium("z", over=t, start=t - 1)\nz[t] = 0.1 * (z[t - 1] + z[t + 1])\nag.Graph(z)',
     ["z starts from z[t - 1]", "its steps are solved together"]),
    ("G211", 's = ag.state("s", over=(t, u), init={t: ag.param("p")})\n'
     'r = ag.state("r", over=(t, u), init={t: ag.last(s, over=t)})\n'
     "s[t, u] = s[t - 1, u] + r[t, u]\nr[t, u] = r[t - 1, u]\nag.Graph(s)",
     ["a boundary row of r depends on the recurrence"]),
    ("G212", 's = ag.state("s", over=t, init=[1.0, 2.0])\ns[t] = s[t - 1] + 1\nag.Graph(s)',
     ["needs 1", "init=[s[-1]]"]),
    # declaring and defining states
    ("G201", 'ag.state("s", (2,), over=())', ["state s varies over no axis", "expected over=t", "(model.py:1)"]),
    ("G202", 's = ag.state("s", over=(t, u), init=1.0)\ns[t, u] = s[t - 1]\ns[u - 1]',
     ["init= of s does not name the axis of its rows", "earlier steps of t and of u", "init={t: …, u: …}", "(model.py:3)"]),
    ("G202", 's = ag.state("s", over=(t, u), final=1.0)\ns[t + 2, u + 1]', ["final= of s", "later steps of t and of u"]),
    ("G214", 's = ag.state("s", over=t, init=9.0)\ns[t] = 0.5 * s[t + 1]\nag.Graph(s)',
     ["nothing reads init= of s", "final= sets the rows after the last step", "(model.py:1)"]),
    ("G214", 's = ag.state("s", over=t, final=[9.0])\ns[t] = 0.5 * s[t - 1]\nag.Graph(s)',
     ["nothing reads final= of s", "init= sets the rows before the first step"]),
    ("G214", 's = ag.state("s", over=t, init=1.0, final=2.0)\ns[t] = s[t - 1]\nag.Graph(s)', ["nothing reads final="]),
    ("G214", 's = ag.state("s", over=(t, u), init=1.0)\ns[t, u] = 1.0\nag.Graph(s)',
     ["expected a read of s[t - 1], got none", "leave init= out"]),
    ("G214", 's = ag.state("s", over=(t, u), init={u: 1.0})\ns[t, u] = s[t - 1]\nag.Graph(s)', ["a read of s[u - 1]"]),
    ("G216", 'ag.shift(ag.input("x", over=t), t, -1, init=9.0)',
     ["nothing reads init= of a shift to a later step", "give final=, the rows after the last step", "(model.py:1)"]),
    ("G216", 'ag.shift(ag.input("x", over=t), t, 2, final=[1.0, 2.0])',
     ["nothing reads final= of a shift to an earlier step", "give init=, the rows before the first step"]),
    ("G215", 'ag.state("s", over=(t, u), every=2)',
     ["every= of s does not name the axis of the slower clock", "a dict from axis to the number of steps, for t, u, got 2",
      "every={t: …}"]),
    ("G203", 'ag.state("s", over=t, every={u: 2})', ["every= of s names u, over which the state does not vary"]),
    ("G203", 'ag.shift(ag.input("x", over=t), t, 1, init={u: 1.0})', ["names u, over which the state does not vary"]),
    ("G203", 'ag.state("s", over=t, final={u: 1.0})',
     ["final= of s names u, over which the state does not vary", "one of t"]),
    ("G204", 'ag.state("s", over=t, init=ag.input("x", over=t))',
     ["a row of init= of s varies over t, the axis outside of which it is read", "pick a step: ag.last(…, over=t)"]),
    ("G205", 'ag.state("s", over=t, init=ag.input("x", over=u))',
     ["a row of init= of s varies over u, but the state does not", "declare the state over=(t, u)"]),
    ("S114", 'ag.state("s", (2,), over=t, init=ag.param("p", (3,)))',
     ["a row of init= of s has shape (3,), and the state (2,)", "(2,), got (3,)"]),
    ("S114", 'ag.shift(ag.input("x", over=t), t, 1, init=np.ones(2))', ["a row of init= of a shift", "np.array(…)"]),
    ("D202", 'ag.state("s", over=t, dtype=int, init=0.5)', ["a row of init= of s is float, and the state is int",
     "dtype=float"]),
    ("D202", 's = ag.state("s", over=t, dtype=int)\ns[t] = s[t - 1] + 0.5',
     ["the equation of s is float, and the state is int", "int, got float"]),
    ("G206", 'x = ag.input("x", over=t)\nx[t] = 1.0', ["x is not a state", "the result of input", "(model.py:2)"]),
    ("G207", 's = ag.state("s", over=t)\ns[t + 1] = 1.0',
     ["for the current step", "got s[t + 1] = …", "right-hand side"]),
    ("G207", 's = ag.state("s", over=t)\ns[u] = 1.0', ["expected s[t] = …, got s[u] = …"]),
    ("G207", 's = ag.state("s", over=t)\ns[0] = 1.0', ["got s[0] = …"]),
    ("G208", 's = ag.state("s", over=t)\ns[t] = ag.exp(s[t - 1])\ns[t] = 2.0',
     ["s is defined twice", "a first equation, exp, in model.py:2", "(model.py:3)"]),
    ("G209", 's, x = ag.state("s", over=t), ag.input("x", over=u)\ns[t] = s[t - 1] + x[u]',
     ["the equation of s varies over u, but s does not", "over=(t, u)", "ag.sum(…, over=u)"]),
    ("S115", 's = ag.state("s", (2,), over=t)\ns[t] = np.ones(3)',
     ["the equation of s has shape (3,), and s has (2,)", "(2,), got (3,)"]),
    # reading other steps
    ("A105", 'ag.shift(ag.input("x", over=t), "t", 1)', ["'t' is not an axis", "got 't'"]),
    ("A106", 'w = ag.param("w")\nw[t - 1]', ["w does not vary over t", "which is static", "(model.py:2)"]),
    ("A106", 'ag.input("x", over=u)[t]', ["varies over u only", "declare it with over=t"]),
    ("A107", 'ag.input("x", over=t)[t, t - 1]', ["x is indexed twice along one axis"]),
    ("A108", 'ag.at(ag.input("x", over=t), t, ag.param("i", dtype=int))',
     ["which is not a fixed step", "ag.where(ag.index(t) == …"]),
    ("A109", 'ag.along(ag.input("x", over=(t, u)), t, u)', ["x already varies over u"]),
    ("O104", 'ag.at(ag.input("x", over=t), t, 0, outside="wrap")', ["ag.at has no mode outside='wrap'", "'wrap'"]),
    # lengths and feeds
    ("A201", DAG + "g.unroll(time=3)", ['the graph has no axis "time"', "time=3"]),
    ("A202", DAG + "g.unroll(t=-1)", ["t=-1 is not a number of steps", "an integer ≥ 0, got -1"]),
    ("A202", DAG + "g.unroll(t=2.5)", ["got 2.5"]),
    ("A202", DAG + "g.unroll(t=True)", ["got True"]),
    ("A203", 'x = ag.input("x", over=t)\ng = ag.Graph(x[t] * x.along(t, u))\ng.unroll(t=3, u=4)',
     ["t and u differ in length, but along_1 needs them equal", "t=3, u=4"]),
    ("A204", DAG + "g.unroll()", ["the length of t is not given", "expected t=…, got nothing"]),
    ("A205", DAG + 'g.unroll(t=3)["x"]', ["x varies over t", "expected 1 steps, got 0", 'dag["x", t]']),
    ("A205", 'g = ag.Graph(ag.param("w"))\ng.unroll()["w", 0]', ["w varies over no axis", 'dag["w"]']),
    ("A206", DAG + 'g.unroll(t=3)["x", 3]', ["x has no step 3", "0 ≤ t < 3", "exist where a shift reads them"]),
    ("A207", DAG + "ag.Graph(ag.at(x, t, 2)).unroll(t=2)",
     ["x has no step 2", "at least 3 steps of t", 'outside="zero"']),
    ("A207", DAG + "ag.Graph(ag.last(x, over=t)).unroll(t=0)", ["x has no step -1", "at least 1 steps of t, got t=0"]),
    ("A110", DAG + "ag.vmap(x[t], over=t)", ["x already varies over t", "new to the graph", 'b = ag.Axis("b")']),
    ("O302", DAG + "ag.vmap([1], over=t)", ["ag.vmap is given 1, which is not a node", "a node, or several", "got 1"]),
    ("U111", DAG + 'x = ag.input("a", over=t)\nag.Graph(ag.until(x, over=t, when=x > 1), ag.until(x, over=t, when=x > 2))',
     ["two conditions end the sequences along t", "one for all outputs", "y, z = ag.until([y, z], over=t"]),
    ("U111", DAG + 'x = ag.input("a", over=t)\nc = x > 1\n'
     'ag.Graph(ag.until(x, over=t, when=c, limit=3), ag.until(x, over=t, when=c))', ["two limits", "limit=3", "limit=None"]),
    ("U112", DAG + 'x = ag.input("a", over=t)\nag.Graph(ag.until(x, over=t, when=x[t + 1] > 1))',
     ["ends the sequences along t, but needs later steps of t itself", "which reads a later step"]),
    ("U112", DAG + 'x = ag.input("a", over=t)\nag.Graph(ag.until(x, over=t, when=x > ag.mean(x, over=t)))',
     ["which reads all steps", "total[t] = total[t - 1] + x[t]"]),
    ("U113", DAG + 'x = ag.input("a", over=t)\nag.Graph(ag.until(x, over=t, when=x > 1), ag.sum(x, over=t).named("all"))',
     ["all reads all steps of t, and a only those until", "marked by one condition", "all, … = ag.until([all, …], over=t"]),
    ("A208", DAG + "ag.Graph(ag.max(x, over=t)).unroll(t=0)", ["is a maximum over no steps", "at least one step of t"]),
    ("A209", DAG + 'ag.compile(x * 1, order=(t, ag.Axis("b")))', ["order= names b, over which nothing varies"]),
    ("A210", DAG + "ag.compile(x * 1, order=())", ["order= leaves out t", "order=(t)"]),
    ("F102", DAG + "g.evaluate(y=1)", ['no input or parameter is named "y"', "known names: x"]),
    ("F103", DAG + "g.evaluate()", ["x is not fed", "x: (t, 2) float, got nothing", "feed x=…"]),
    ("F103", 'ag.Graph(ag.param("a") + ag.param("b")).evaluate()', ["a, b are not fed"]),
    ("F104", DAG + "g.evaluate(x=[[1.0], [1.0, 2.0]])", ["fed a value that is not a regular array", "what NumPy refuses: "]),
    ("D301", 'ag.Graph(ag.input("l", over=t, dtype=int)).evaluate(l=[1.5])',
     ["l takes int, but is fed float64", "(t,) int", "an array of float64", "dtype=int"]),
    ("F105", DAG + "g.evaluate(x=np.ones((3, 5)))", ["x is fed an array of shape (3, 5)", "expected (t, 2) float, got (3, 5)"]),
    ("F105", DAG + "g.evaluate(x=np.ones((3, 4, 2)))", ["a batch is an axis as well: over=(t, b)"]),
    ("F105", 'ag.Graph(ag.input("x", (2,))).evaluate(x=np.ones((3, 2)))', ['ag.input("x", (2,), over=t)']),
    ("F106", 'a, b = ag.input("a", over=t), ag.input("b", over=t)\nag.Graph(a + b).evaluate(a=[1.0], b=[1.0, 2.0])',
     ["a has 1 steps of t, and b has 2", "1 steps, as a has", "2 steps of b"]),
    ("F112", 'ag.Graph(ag.param("w")).evaluate({"w": 1.0})', ["a dict is fed without stars", "w=…, got a dict", "(**feeds)"]),
    ("F112", 'ag.compile(ag.param("w"))(1.0)', ["a value is fed without a name", "1 without a name"]),
    ("A211", 'ag.Graph(ag.input("x", over=t)[t] * 2).unroll(4)',
     ["unroll is given 4 without the name of an axis", "got 4", "unroll(t=4)"]),
    ("F111", 'ag.Graph(ag.input("x", over=t)[t] * 2).evaluate(x=[1.0], t=2)', ["the feeds disagree with t=2", "expected t=1"]),
    ("F107", DAG + "g.unroll(t=3).evaluate(x=np.ones((4, 2)))", ["x has 4 steps over t", "unroll(t=4)"]),
    # carries
    ("K101", DAG + 'ag.compile(x[t - 1] * 1, carry=ag.Axis("b"))', ["does not vary over b", "one of t"]),
    ("K102", DAG + "ag.compile(x[t - 1] * 1, carry=1)", ["True or an ag.Axis", "got 1"]),
    ("K103", 'ag.compile(ag.param("w") * 2, carry=True)', ["which axis", "a graph without axes"]),
    ("K104", DAG + "ag.compile(x[t + 1] * 1, carry=True)", ["x is read at a later step", "got x[t + 1]"]),
    ("K105", DAG + "y = x / ag.size(t)\nag.compile(y[t - 1] * 1, carry=True)", ["depends on all steps of t", "size"]),
    ("G213", 'ag.state("s", over=t, every=0)', ["every= of s is 0, not a number of steps", "got 0"]),
    # lengths of padded sequences
    ("F301", RAGGED + "f(x=x, lengths=[2, 1])", ["lengths= is given a value of list, not a dict"]),
    ("F302", RAGGED + "f(x=x, lengths={t: [2, -1]})", ["whole numbers ≥ 0, got -1"]),
    ("F303", RAGGED + "f(x=x, lengths={t: [2, 1, 1]})", ["one for each of u=2, got 3"]),
    ("F304", RAGGED + "f(x=x, lengths={t: [2, 9]})", ["at most 3, got 9"]),
    ("F305", RAGGED + "d = g.unroll(t=3, u=2)\nd.derived(d.outputs).evaluate(x=x, lengths={t: 1})", ["of other outputs"]),
    ("A301", RAGGED + "ag.compile(y[u - 1] * 1)(y=x, lengths={t: [2, 1]})", ["y[u - 1] reads y at another point of u, where"]),
    ("A302", RAGGED + "ag.compile([y, ag.size(t) * 2])(y=x, lengths={t: [2, 1]})", ["mul_1 would vary over u"]),
    ("A303", RAGGED + 'f(x=x, lengths={"tt": [2, 1]})', ['did you mean "t"?']),
    ("A304", RAGGED + "ag.compile(ag.index(t))(t=3, lengths={t: 2})", ["no input varies over t"]),
    ("A311", 'f = ag.compile(ag.sum(ag.input("x", over=(u, t)), over=(u, t)))\n'
     "f(x=np.ones((2, 2)), lengths={(u, t): [1, 2], (t, u): [1, 2]})", ["cannot vary over", "vary over one another"]),
    ("A305", RAGGED + "f(x=x, lengths={(t, t): [2, 1]})", ["cannot vary over t", "one of u"]),
    ("A306", RAGGED + "f(x=x, lengths={t: [[2, 1]]})", ["cannot tell which axis the length of t varies over"]),
    ("K111", RAGGED + 's = ag.state("s", over=t)\ns[t] = s[t - 1] + ag.tanh(ag.sum(y, over=u))\n'
     "ag.compile([s[t] * y[t], y[t - 1] * 1], carry=t)(y=x, lengths={t: [2, 1]})",
     ["reads sums over u at each step of t", "different steps"]),
    # derivatives
    ("E101", 'ag.grad(ag.param("k", dtype=int), ag.param("w"))', ["is not a float node, and has no gradient"]),
    ("E102", 'w = ag.param("w", (2,))\nag.grad(ag.exp(w), w)', ["exp is not a scalar", "ag.sum(…) makes one of it"]),
    ("E102", SCALAR + "ag.grad(w * x[t], w)", ["ag.sum(…, over=t)", "or give cotangent="]),
    ("E103", SCALAR + 'ag.grad(L, [w, 3])', ["3 is not a float node, and has no gradient", "got 3"]),
    ("F101", SCALAR + 'ag.grad(L, [w, "v"])', ['there is no node "v"']),
    ("S125", SCALAR + 'ag.jvp(L, w, [[1.0, 0.0], [0.0, 1.0]])', ["a tangent of", "over=ag.Axis", "kept by keep="]),
    ("E103", SCALAR + 'ag.grad(L, ag.param("k", dtype=int))', ["a float node"]),
    ("E104", SCALAR + "ag.Graph(w * x[t]).unroll(t=2).grad()",
     ["the first output is not a scalar", "an output of shape (2,)"]),
    ("D101", 'ag.Graph(ag.normal("n", over=t) * 1.0).evaluate(t=2, seed="a")', ["seed is not numeric", "expected () int"]),
    ("D303", 'ag.Graph(ag.normal("n", over=t) * 1.0).evaluate(t=2, seed=2**63)',
     ["seed is too large", "got 9223372036854775808"]),
    ("D303", 'ag.Graph(ag.input("l", over=t, dtype=int)).evaluate(l=[1, 2**64])', ["l is too large", "64 bits"]),
    ("K114", 's = ag.state("s", over=t); s[t] = 0.5 * s[t - 1]\nag.compile(s.along(t, ag.Axis("u")), carry=t)',
     ["along_1 reads all steps of t", "a call has only its own", "ag.window(x, t, n)"]),
    ("K122", 'x = ag.input("x", over=t); ag.compile(ag.take(x, 0, over=t), carry=t)',
     ["take_1 reads all steps of t", "a call has only its own", "ag.window(x, t, n)"]),
    ("A307", 'b = ag.Axis("b"); x = ag.input("x", over=(t, b))\n'
     'ag.Graph(ag.sum(x, over=t) / ag.sum(ag.index(t), over=t)).evaluate(x=[[1.0, 2.0]], lengths={t: [1, 0]})',
     ["reads index_1 to the end of t, which differs along b", "ag.spread(index_1, b)"]),
    ("A307", 'b = ag.Axis("b"); x, s = ag.input("x", over=(t, b)), ag.state("s", over=t)\ns[t] = s[t + 1] + 1.0\n'
     'ag.Graph(s * x).evaluate(x=[[1.0, 2.0]], lengths={t: [1, 0]})', ["declare it over (t, b)"]),
    ("F306", 'ag.Graph(ag.input("x", over=t) * 1).evaluate(x=[1.0], lengths={t: 1, "t": 0})',
     ["the lengths of t are given twice"]),
    ("D302", 'ag.Graph(ag.param("w")).unroll().evaluate(dtype=int, w=0.5)',
     ["dtype=<class 'int'> is not a float type", "got <class 'int'>"]),
    ("D304", SCALAR + 'ag.compile(L, dtype="float16")', ["float16 is too narrow to compute in", '"float32" or "float64"']),
    ("E113", SCALAR + 'b = ag.Axis("b")\nag.grad(ag.sum(ag.vmap(L, over=b), over=b), x)',
     ["the output depends on x over b, not on this x", 'inputs["x"]']),
    ("E113", SCALAR + 'b, y = ag.Axis("b"), w * x[t]\nag.grad(ag.sum(ag.vmap(ag.sum(y, over=t), over=b), over=b), y)',
     ["the output depends on x over b, not on this x"]),
    ("E113", 'b, x, s = ag.Axis("b"), ag.input("x", over=t), ag.state("s", over=t)\ns[t] = ag.tanh(s[t - 1] + x[t])\n'
     'ag.grad(ag.sum(ag.vmap(ag.sum(s, over=t), over=b), over=b), s)', ["depends on s over b", "ag.vmap([…, s], over=b)"]),
    ("E110", SCALAR + 'ag.Graph(L).unroll(t=2).grad([ag.param("k")])', ["its own nodes", "ag.Graph(L, x)"]),
    ("E112", SCALAR + 'ag.check_grad(L, w, {"w": 1.0, "x": [1.0]}, method="guess")',
     ["no numerical method", "'guess'"]),
    ("A206", DAG + 'g.unroll(t=3)["x", 1.5]', ["x has no step 1.5"]),
    ("E105", 'ag.param("w").backward()', ["w is not a float scalar with a value", "loss, grads = ag.value_and_grad(L)(x=…)"]),
    ("E105", "ag.tensor([1.0, 2.0]).backward()", ["a float scalar that carries its value"]),
    ("E105", "ag.tensor(np.int64(1)).backward()", ["is not a float scalar with a value"]),
    ("E106", "(2 * ag.tensor([1.0, 2.0])).backward(np.ones(3))", ["the cotangent has shape (3,), but the output (2,)",
     "(2,), got (3,)"]),
    ("E107", SCALAR + 'ag.check_grad(L, w * 2, {"w": 1.0, "x": [1.0]})', ["only with respect to fed nodes"]),
    ("E107", SCALAR + 'ag.check_grad(L, [], {"w": 1.0, "x": [1.0]})', ["got nothing"]),
    ("E108", BROKEN.format("bad_slope_a", "np.sin", "g * ag.sin(x)") + "ag.check_op(bad, [0.3, 0.5])",
     ["the gradient with respect to x0 is wrong", "by c", "of the largest entry", "ag.check_op"]),
    ("E109", BROKEN.format("bad_kind_a", "lambda x: x > 0", "g") + "ag.check_op(bad, [0.3, 0.5])",
     ["an array of bool"]),
    ("E109", BROKEN.format("bad_shape_a", "np.sum", "g") + "ag.check_op(bad, [0.3, 0.5])",
     ["does not return what it declares", "shape= or dtype="]),
    ("E121", OWN.format("comma", "g * 3", "x"), ["the vjp of comma does not return", "no tuple but mul", "(g * 3,)"]),
    ("E122", OWN.format("other", "np.ones(3),", "x"), ["the vjp of other returns a cotangent", "expected (), got (3,)"]),
    ("E123", 't = ag.Axis("t")\nx = ag.input("x", over=t)\ny = x[t - 1]\n'
     "ag.Graph(ag.sum(y, over=t)).unroll(t=2).grad([y])", ["has no node of its own", ".named("]),
    ("O128", 'def forward(x):\n    raise IndexError("nothing there")\n'
     'y = ag.defop("failing", shape=ag.same_shape, forward=forward, vjp=lambda g, y, x: (g,))(ag.param("w"))\n'
     'ag.compile(y, backend="numpy")(w=1.0)', ["the forward of failing failed", "IndexError: nothing there"]),
]  # fmt: skip


@each(("code", "source", "words"), TABLE)
def test_every_refusal_has_its_code_and_its_words(code: str, source: str, words: list[str]) -> None:
    error = refused(source)
    assert error.code == code, str(error)
    assert f"[{code}]: " in str(error)
    for piece in words:
        assert piece in str(error), f"{piece!r} is not in:\n{error}"


def test_the_table_names_every_code_of_these_files() -> None:
    root = Path(ag.__file__).parent
    files = [
        *(root / "graph").glob("*.py"),
        *(root / "grad").glob("*.py"),
        *(root / "ops" / f"{name}.py" for name in ("time", "picking", "state")),
    ]
    codes = {c for f in files for c in re.findall(r'^\s*"([A-Z]\d{3})",', f.read_text(encoding="utf-8"), re.MULTILINE)}
    codes |= {c for f in files for c in re.findall(r'Error\("([A-Z]\d{3})"', f.read_text(encoding="utf-8"))}
    elsewhere = {"M101", "A218", "O149", *(f"E{n}" for n in (*range(130, 139), 140, 141, 151, 156, 157))}
    # in test_workspaces, _truncate, _forward, _algebra, _online
    assert codes <= {c for c, _, _ in TABLE} | elsewhere


@pytest.mark.parametrize(
    ("code", "also"),
    [("A106", IndexError), ("S115", ValueError), ("D202", TypeError), ("F103", ValueError), ("E102", ValueError),
     ("E108", AssertionError), ("G210", ag.GraphError)],
)  # fmt: skip
def test_errors_are_also_what_python_calls_them(code: str, also: type) -> None:
    assert isinstance(refused(next(s for c, s, _ in TABLE if c == code).replace('_a"', f'_{also.__name__}"')), also)


def test_a_refused_feed_is_told_in_full() -> None:
    error = refused(DAG + "g.evaluate(x=np.ones((3, 5)))")
    assert str(error) == (
        "FeedError [F105]: x is fed an array of shape (3, 5)      (model.py:1)\n  expected (t, 2) float, got (3, 5)"
    )
