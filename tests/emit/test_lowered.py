"""The checker of procedures: what is lowered passes it, and what is broken does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from equilibria import MODELS as EQUILIBRIA
from lean_runs import Case
from random_programs import Program
from statement_checks import check_procedure
from zoo import MODELS
from zoo.judge import by_day, case

import autograd_seq as ag
from autograd_seq.emit.names import Names
from autograd_seq.emit.procedure import lower_graph
from autograd_seq.emit.statements import Accumulate, Allocate, Assign, For, Place, Procedure, Read
from autograd_seq.plan.equilibria import lower_equilibria

t = ag.Axis("t")


def checked(outputs: Any) -> Procedure:
    graph = ag.Graph(outputs)
    lowered = lower_equilibria(graph)
    procedure = lower_graph(graph if lowered is None else lowered.graph, Names(set()))
    check_procedure(procedure)
    return procedure


@pytest.mark.parametrize("name", [name for name in MODELS if by_day(name, "lowered", 3)])
def test_models(name: str) -> None:
    checked(case(name, 3).gradients())


@pytest.mark.parametrize("seed", range(0, 60, 6))
def test_random_programs(seed: int) -> None:
    checked(Program(seed).outputs)
    checked(Case(seed).outputs)


@pytest.mark.parametrize("make", EQUILIBRIA, ids=lambda make: make.__name__)
def test_equilibria(make: Callable[[], Any]) -> None:
    """Within an iteration every value is computed anew before it is read, but for the iterates."""
    loss, wrt, _ = make()
    procedure = checked([loss, *ag.grad(loss, wrt)])
    loops = [s for s in walk(procedure.body) if isinstance(s, For) and s.goes_on is not None]
    assert len(loops) == 2, "one for the values, and one for the gradient"
    for loop in loops:
        bodies = [loop.body, *(s.body for s in walk(loop.body) if isinstance(s, For))]
        for body in bodies:
            body.reverse()
        with pytest.raises(ValueError, match=r"before|complete"):  # what an earlier iteration has left does not count
            check_procedure(procedure)
        for body in bodies:
            body.reverse()


def walk(body: Any) -> Any:
    for s in body:
        yield s
        if isinstance(s, For):
            yield from walk(s.body)


def model() -> Procedure:
    x, w, s0 = ag.input("x", (2,), over=t), ag.param("w"), ag.param("s0", (2,))
    s = ag.state("s", (2,), over=t, init=s0)
    s[t] = ag.tanh(w * s[t - 1] + x[t])
    loss = ag.sum(ag.sum(s[t] ** 2, over=t)).named("L")
    return lower_graph(ag.Graph([loss, *ag.grad(loss, [w, s0])]), Names(set()))


def test_the_text_is_stable() -> None:
    assert str(model()).split("\n")[:8] == [
        "feed x[t, 2]",
        "feed w",
        "feed s0[2]",
        "allocate s[1 + t + 0, 2]: float",
        "s[first - 1] = s0",
        "allocate z_L[2]: float",
        "for t:",
        "    s[t] = tanh(add(mul(w, s[t - 1]), x[t]))",
    ]
    assert str(model()) == str(model())


def loops(p: Procedure) -> list[For]:
    return [s for s in p.body if isinstance(s, For)]


def without(kind: type, p: Procedure) -> None:
    p.body.remove(next(s for s in p.body if isinstance(s, kind)))


def turn_statements(p: Procedure) -> None:
    loops(p)[0].body.reverse()


def turn_direction(p: Procedure) -> None:
    loops(p)[0].direction = -1


def read_further(p: Procedure) -> None:
    array = p.feeds["x"]
    target = loops(p)[0].body[0]
    assert isinstance(target, Assign)
    target.value = Read((2,), float, array, (Place("step", t, 1),))


def read_a_sum_too_early(p: Procedure) -> None:
    loop = loops(p)[0]
    added = next(s for s in loop.body if isinstance(s, Accumulate))
    loop.body.append(Assign(Read((2,), float, loop.body[0].target.array, (Place("step", t),)), added.target))  # type: ignore[union-attr]


def write_twice(p: Procedure) -> None:
    loops(p)[0].body.insert(1, loops(p)[0].body[0])


def write_another_shape(p: Procedure) -> None:
    first = loops(p)[0].body[0]
    assert isinstance(first, Assign)
    first.value = Read((), float, p.feeds["w"], ())


BROKEN: dict[str, tuple[Callable[[Procedure], None], str]] = {
    "an array is not made": (lambda p: without(Allocate, p), "is written before"),
    "a loop is left out": (lambda p: without(For, p), "before it is written"),
    "a sum reads what follows it": (turn_statements, "before it is written"),
    "a loop goes the other way": (turn_direction, "before it is written"),
    "a step behind the last is read": (read_further, "is outside of"),
    "a sum is read within its loop": (read_a_sum_too_early, "before its sum is complete"),
    "a point is written twice": (write_twice, "is written twice"),
    "a point has another shape": (write_another_shape, "the value has shape"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_refused(what: str) -> None:
    procedure, (destroy, message) = model(), BROKEN[what]
    check_procedure(procedure)
    destroy(procedure)
    with pytest.raises(ValueError, match=message):
        check_procedure(procedure)
