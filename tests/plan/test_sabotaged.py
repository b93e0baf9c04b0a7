"""Wrong passes must be caught: each case breaks one decision of the compiler, and the random programs must notice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from random_programs import Program
from sabotage import break_copies, break_pass, break_storage, exchange_parts

import autograd_seq as ag
from autograd_seq.core.node import CONSTANT
from autograd_seq.graph.order import step_order
from autograd_seq.ops.elementwise import mul, neg, sub
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.parts import SLICE
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import SIZE
from autograd_seq.plan.memory.storage import Storage
from autograd_seq.plan.memory.views import get_root
from autograd_seq.plan.passes.expand import ADD_AT
from autograd_seq.plan.passes.legal import COPY
from autograd_seq.plan.passes.pack import take_part

Inputs = tuple[ag.Node, ...]


def lose_sign(node: ag.Node, inputs: Inputs) -> ag.Node | None:
    return inputs[0] + inputs[1] if node.op is sub else inputs[0] if node.op is neg else None


def lose_factor(node: ag.Node, inputs: Inputs) -> ag.Node | None:
    return inputs[0] if node.op is mul and inputs[0].shape == node.shape and inputs[0].axes == node.axes else None


def square_factor(node: ag.Node, inputs: Inputs) -> ag.Node | None:
    return inputs[0] * inputs[1] * inputs[1] if node.op is mul else None


def lose_length(node: ag.Node, inputs: Inputs) -> ag.Node | None:
    return inputs[1] if node.op is mul and inputs[0].op is SIZE else None


def lose_half(node: ag.Node, inputs: Inputs) -> ag.Node | None:
    """Lose the ½ of an argument; those outside of the tanh are left."""
    halved = node.op is mul and inputs[1].op is CONSTANT and inputs[0].op is not ag.tanh
    return inputs[0] if halved else None


def lose_weight(node: ag.Node, inputs: Inputs) -> ag.Node | None:
    return node.op(*inputs[:2], -1.0 if inputs[2].op is neg else 1.0, **node.attrs) if node.op is ADD_AT else None


def read_first(node: ag.Node, inputs: Inputs) -> ag.Node | None:
    """Read what lies in front of a part, instead of the part."""
    if node.op is not SLICE:
        return None
    x, keys = inputs[0], node.attrs["key"]
    moved = [d for d, k in enumerate(keys) if isinstance(k, slice) and k.start]
    return take_part(x, moved[0] - len(x.shape), 0, node.shape[moved[0]]) if len(moved) == 1 else None


def align_left(node: ag.Node, inputs: Inputs) -> ag.Node | None:
    """Exchange the letters of an operand, where its dimensions are of equal lengths."""
    if node.op is not CONTRACT:
        return None
    operands, out = node.attrs["spec"].split("->")
    labels = [s[::-1] if x.shape == x.shape[::-1] else s for s, x in zip(operands.split(","), inputs, strict=True)]
    return node.op(*inputs, spec=f"{labels[0]},{labels[1]}->{out}")


def merge_constants(node: ag.Node, inputs: Inputs) -> ag.Node | None:
    return ag.constant(1.0) if node.op is CONSTANT and node.dtype is float and not node.shape else None


def lose_copies(outputs: Sequence[ag.Node]) -> None:
    """Let a state be the array that its equation has copied."""
    for n in step_order(outputs):
        if n.op is STATE and n.inputs[0].op is COPY:
            n.inputs = (n.inputs[0].inputs[0], *n.inputs[1:])


def shorten_rings(storage: Storage) -> None:
    for home in storage.homes.values():
        home.ring = min(1, home.ring)


def write_over_operands(storage: Storage) -> None:
    """Let a value take the array of an operand, whoever else reads that."""
    for n, home in storage.homes.items():
        for x in n.inputs:
            r = get_root(x)
            if n in storage.in_place and fits(storage, n, r):
                home.buffer = storage.homes[r].buffer


def free_early(storage: Storage) -> None:
    """Let a value take the array of the value before it."""
    previous: ag.Node | None = None
    for n in storage.homes:
        if previous is not None and all(x is not previous for x in n.inputs) and fits(storage, n, previous):
            storage.homes[n].buffer = storage.homes[previous].buffer
        previous = n


def fits(storage: Storage, n: ag.Node, other: ag.Node) -> bool:
    """Tell whether two values could share an array, if nothing reads one of them any more."""
    pair = [storage.homes.get(x) for x in (n, other)]
    if not all(h and h.buffer is not None and h.buffer >= 0 and not h.halo and not h.ring for h in pair):
        return False
    return pair[0].key == pair[1].key


def write_in_front(storage: Storage) -> None:
    """Let every value that is computed within another array lie at the front of it."""
    for n, lane in storage.lanes.items():
        storage.homes[n].lane = storage.lanes[n] = lane._replace(start=0, stop=lane.stop - lane.start)


PASSES: dict[str, tuple[str, Callable[[ag.Node, Inputs], ag.Node | None]]] = {
    "signs of a sum lost": ("regroup", lose_sign),
    "a factor counted twice": ("regroup", square_factor),
    "a factor lost": ("regroup", lose_factor),
    "a sum over what does not vary is not times its length": ("identities", lose_length),
    "different constants are one": ("merge", merge_constants),
    "every gate reads the first": ("pack", read_first),
    "a gate's argument not halved": ("halve", lose_half),
    "a label counted once, not as often as it weighs": ("expand", lose_weight),
    "a vector's rows are another's": ("join", exchange_parts),
    "dimensions of factors aligned on the left": ("contract", align_left),
}
STORAGE: dict[str, Callable[[Storage], None]] = {
    "rings too short": shorten_rings,
    "written over too early": write_over_operands,
    "all parts of an array lie at its front": write_in_front,
    "arrays free too early": free_early,
}
NOTICED = {  # programs that notice what few others do: they are tried first
    "a label counted once, not as often as it weighs": 59,
    "dimensions of factors aligned on the left": 29,
    "a sum over what does not vary is not times its length": 19,
}


def notices(seed: int) -> bool:
    """Tell whether a random program gives wrong numbers."""
    case = Program(seed)
    want, got = case.expected(), ag.compile(case.outputs)(**case.fed(ag.Graph(case.outputs)))
    return not all(np.allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True) for a, b in zip(got, want, strict=True))


def is_noticed(how: str) -> bool:
    return any(notices(seed) for seed in (NOTICED.get(how, 0), *range(60)))


@pytest.mark.parametrize("how", PASSES)
def test_a_sabotaged_pass_is_caught(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    break_pass(monkeypatch, *PASSES[how], every=PASSES[how][0] == "merge")
    assert is_noticed(how), "no random program notices"


@pytest.mark.parametrize("how", STORAGE)
def test_sabotaged_storage_is_caught(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    break_storage(monkeypatch, STORAGE[how])
    assert is_noticed(how), "no random program notices"


def test_two_states_in_one_array_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two states with one equation, but each with a row of its own before the first step."""
    t = ag.Axis("t")
    one, two = (ag.state(name, over=t, init={t: ag.param(f"{name}0")}) for name in ("one", "two"))
    one[t] = two[t] = ag.sin(one[t - 1] + 2.0 * two[t - 1] + ag.input("x", over=t))
    step, feeds = ag.value_and_grad(ag.sum(one, over=t)), {"x": [0.5, 0.25], "one0": 0.1, "two0": 0.7}
    want, slopes = step(**feeds)
    break_copies(monkeypatch, lose_copies)
    got, wrong = ag.value_and_grad(step.program.graph.outputs[0])(**feeds)
    assert abs(got - want) > 1e-3 and abs(wrong["two0"] - slopes["two0"]) > 1e-3
