"""Every error that operations, nodes, axes and scopes raise: its class, its code, and the words that help.

The table is compared with the sources, so that a new error without a line here fails.
"""

from __future__ import annotations

import inspect
import pickle
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from each import each

import autograd_seq as ag
import viz
from autograd_seq.core import axes, kinds, misfit, node, op
from autograd_seq.core import hints as elsewhere
from autograd_seq.core import sites as site
from autograd_seq.core.op import OPS
from autograd_seq.ops import (
    arrange,
    create,
    elementwise,
    gather,
    history,
    leaf,
    lifting,
    linear,
    loss,
    parts,
    picking,
    random,
    reduce,
    shape,
    statistics,
    time,
)
from autograd_seq.ops import state as states

MODULES: list[types.ModuleType] = [
    axes, elsewhere, kinds, misfit, node, op, site, elementwise, gather, history, leaf, lifting, linear, loss, random, reduce,
    shape, states, statistics, time, picking, arrange, create, parts,
]  # fmt: skip


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


t, u, v = ag.Axis("t"), ag.Axis("u"), ag.Axis("v")
A23 = np.ones((2, 3))


def x(dims: Any = (), over: Any = t, name: str = "x", dtype: Any = float) -> ag.Node:
    return ag.input(name, dims, over=over, dtype=dtype)


def rule(**_: Any) -> tuple[Any, ...]:
    return (None,)


def renamed() -> None:
    (ag.tensor(1.0) * 2).named("a").named("b")


def assigned(to: ag.Node, value: Any) -> None:
    to.value = value


def state(**kw: Any) -> ag.Node:
    return ag.state("s", kw.pop("shape", ()), over=kw.pop("over", t), **kw)


def define(equation: Any, key: Any = t, **kw: Any) -> None:
    state(**kw)[key] = equation


def twice() -> None:
    s = state()
    s[t] = s[t - 1] + 1
    s[t] = 2 * s[t - 1]


def not_a_state() -> None:
    y = x() * 2
    y[t] = 1.0


def at_run_time(node: ag.Node, **feeds: Any) -> None:
    ag.Graph(node).evaluate(**feeds)


Refusal = tuple[str, type[ag.AutogradSeqError], Callable[[], Any], str]
BOTH = (t, u)
REFUSALS: list[Refusal] = [
    # axes
    ("A101", ag.AxisError, lambda: ag.Axis(""), r"an axis cannot be named ''.*\n.*non-empty string"),
    ("A101", ag.AxisError, lambda: ag.Axis(3), r"an axis cannot be named 3(.|\n)*got 3"),
    ("A102", ag.AxisError, lambda: t - 1.5,
     r"t is shifted by 1.5, which is not an integer(.|\n)*an integer, got 1.5"),
    ("A102", ag.AxisError, lambda: t + True, r"not an integer(.|\n)*got True"),
    ("A102", ag.AxisError, lambda: (t - 1) - "k", r"not an integer(.|\n)*take\(…\) if the delay is a value"),
    ("A103", ag.AxisError, lambda: x(over="t"), r"is given 't', which is not an axis(.|\n)*an ag.Axis, or several, got 't'"),
    ("A103", ag.AxisError, lambda: ag.sum(x(), over=[t, 3]), r"over= is given 3, which is not an axis(.|\n)*got 3"),
    ("A105", ag.AxisError, lambda: ag.size(1), r"1 is not an axis(.|\n)*got 1"),
    ("A104", ag.AxisError, lambda: x(over=(t, t)), r"names t twice(.|\n)*name each axis once"),
    # places on axes
    ("A105", ag.AxisError, lambda: ag.along(x(), "t", u), r"'t' is not an axis(.|\n)*an ag.Axis, got 't'"),
    ("A105", ag.AxisError, lambda: ag.shift(x(), 3, 1), r"3 is not an axis(.|\n)*got 3"),
    ("A106", ag.AxisError, lambda: x()[u - 1], r"x does not vary over u(.|\n)*varies over t only(.|\n)*over=u"),
    ("A106", ag.AxisError, lambda: ag.param("w")[t], r"w does not vary over t(.|\n)*which is static"),
    ("A107", ag.AxisError, lambda: x()[t, t - 1], r"is indexed twice along one axis"),
    ("A106", ag.AxisError, lambda: x()[ag.Axis("t")],
     r"varies over t only: another axis, also called t(.|\n)*make the axis once"),
    ("S103", ag.ShapeError, lambda: list(x()), r"its value is a scalar(.|\n)*steps are not entries"),
    ("A108", ag.AxisError, lambda: ag.at(x(), t, 1.5), r"given 1.5, which is not a fixed step(.|\n)*an integer, got 1.5"),
    ("A108", ag.AxisError, lambda: ag.at(x(), t, ag.index(t)), r"which is not a fixed step(.|\n)*ag.sum\(ag.where"),
    ("A109", ag.AxisError, lambda: x(over=BOTH).along(t, u), r"x already varies over u"),
    ("A114", ag.AxisError, lambda: ag.Axis("t", size=-1), r"the axis t cannot have size=-1(.|\n)*an integer ≥ 0, or None"),
    ("A111", ag.AxisError, lambda: x()[t * 2], r"t is an axis, not a number: only an integer(.|\n)*ag.index\(t\)"),
    ("A111", ag.AxisError, lambda: x()[2 * (t - 1)], r"t is an axis, not a number"),
    ("A111", ag.AxisError, lambda: t > 0, r"the step number as a value"),
    ("A111", ag.AxisError, lambda: -t, r"t is an axis, not a number"),
    # names of other libraries
    ("D106", ag.DTypeError, lambda: np.tanh(x()), r"np.tanh is given a node(.|\n)*ag.tanh\(…\)"),
    ("D106", ag.DTypeError, lambda: np.concatenate([x(2), x(2)]), r"np.concatenate(.|\n)*ag.concat\("),
    ("D106", ag.DTypeError, lambda: np.sum(ag.tensor(A23)), r"np.sum(.|\n)*ag.sum"),
    ("D106", ag.DTypeError, lambda: np.square(x()), r"np.square(.|\n)*ag.square\(…\)"),
    ("D106", ag.DTypeError, lambda: np.linalg.norm(ag.tensor(A23)), r"np.linalg.norm(.|\n)*ag.norm\(…\)"),
    ("D106", ag.DTypeError, lambda: np.add.reduce(ag.tensor(A23)), r"np.add is given a node"),
    ("M201", ag.MissingError, lambda: ag.concatenate, r"autograd_seq has no concatenate(.|\n)*ag.concat\("),
    ("M201", ag.MissingError, lambda: ag.sigmiod, r'did you mean "sigmoid"'),
    ("M201", ag.MissingError, lambda: ag.credit, r"ag.analyse.credit$"),
    ("M201", ag.MissingError, lambda: ag.Adam, r"ag.learn.adam$"),
    ("M201", ag.MissingError, lambda: ag.nn.GRU, r'autograd_seq.nn has no GRU(.|\n)*did you mean "gru"'),
    ("M201", ag.MissingError, lambda: ag.nn.Linear, r"ag.nn.dense\("),
    ("M201", ag.MissingError, lambda: ag.nn.init.xavier_uniform, r"ag.nn.init.glorot_uniform\("),
    ("M201", ag.MissingError, lambda: ag.learn.DataLoader, r"ag.learn.batches\("),
    ("M201", ag.MissingError, lambda: viz.unfold, r'viz has no unfold(.|\n)*did you mean "unfolded"'),
    ("M201", ag.MissingError, lambda: viz.plots.zebra, r"viz.plots.__all__ lists all names"),
    ("M202", ag.MissingError, lambda: x().tolist(), r"x has no attribute tolist(.|\n)*x.value"),
    ("M202", ag.MissingError, lambda: x().tanh(), r"ag.tanh\(…\)"),
    ("O130", ag.OperationError, lambda: ag.tensor(1.0, requires_grad=True), r"tensor takes no requires_grad=(.|\n)*x.grad"),
    ("O130", ag.OperationError, lambda: ag.sum(A23, dim=0), r"sum takes no dim=(.|\n)*axis= names dimensions"),
    ("O130", ag.OperationError, lambda: ag.softmax(x(2), ovr=t), r'softmax takes no ovr=(.|\n)*did you mean "over"'),
    ("O130", ag.OperationError, lambda: ag.grad(x(), x(), cotangnet=1.0), r'grad takes no cotangnet=(.|\n)*"cotangent"'),
    ("O130", ag.OperationError, lambda: ag.nn.gru(x(2), 3, ovr=t), r'gru takes no ovr=(.|\n)*did you mean "over"'),
    ("O130", ag.OperationError, lambda: ag.param("w", dytpe=int), r'param takes no dytpe=(.|\n)*did you mean "dtype"'),
    ("O130", ag.OperationError, lambda: ag.input("w", ovr=t), r'input takes no ovr=(.|\n)*did you mean "over"'),
    ("O136", ag.OperationError, lambda: ag.spike(x(2), slope=-1.0), r"the slope of a surrogate is -1.0"),
    ("O135", ag.OperationError, lambda: ag.nn.gru(x(2), 3), r"missing a required argument: 'over'(.|\n)*gru.x, hidden, over="),
    ("O132", ag.OperationError, lambda: ag.nn.gru(x(2), 3, over=t, bias="no"), "gru is given bias=.no., which is neither"),
    ("O132", ag.OperationError, lambda: ag.nn.bidirectional(x(2), 3, over=t, bias=0), "lstm is given bias=0, which is neither"),
    # kinds
    ("D101", ag.DTypeError, lambda: ag.constant("text"),
     r"is not numeric(.|\n)*floats, ints or bools, got an array of <U4"),
    ("D101", ag.DTypeError, lambda: ag.tensor(np.array(["a"])), r"is not numeric"),
    ("D102", ag.DTypeError, lambda: ag.constant(t), r"t is a place, not a number(.|\n)*ag.index\(t\)"),
    ("D102", ag.DTypeError, lambda: x() * (t - 1), r"t - 1 is a place, not a number(.|\n)*ag.index\(t\)"),
    ("D107", ag.DTypeError, lambda: ag.input("n", dtype=int, default=0.5), r"the default of n is 0.5(.|\n)*expected int"),
    ("S130", ag.ShapeError, lambda: ag.input("n", (2,), default=0.5), r"the default of n has shape \(\)"),
    ("S131", ag.ShapeError, lambda: ag.categorical("y", 1.0, over=()), r"logits of y have shape \(\)"),
    ("A114", ag.AxisError, lambda: ag.Axis("k", size=-1), r"cannot have size=-1(.|\n)*an integer ≥ 0"),
    ("N119", ag.OperationError, lambda: ag.param("W", (2, 2), init=0.5), r"init= of W is 0.5, which is not an initialiser"),
    ("D103", ag.DTypeError, lambda: ag.tensor("a"), r"not a regular array of numbers"),
    ("D103", ag.DTypeError, lambda: ag.tensor([[1.0], [2.0, 3.0]]),
     r"not a regular array of numbers(.|\n)*ag.tensor\(\[1.0, 2.0\]\)"),
    ("D104", ag.DTypeError, lambda: x(dtype="real"),
     r"x has dtype='real', which is not a kind of number(.|\n)*float, int or bool, got 'real'"),
    ("D105", ag.DTypeError, lambda: ag.constant(np.ma.masked_array([1.0, 2.0], [True, False])),
     r"a value is a masked array(.|\n)*1 of 2 entries masked"),
    ("D303", ag.DTypeError, lambda: ag.constant(2**70), r"a value is too large(.|\n)*got 1180591620717411303424"),
    ("D303", ag.DTypeError, lambda: ag.tensor(np.array([2**63], np.uint64)), r"a value is too large for an integer of 64 bits"),
    ("D201", ag.DTypeError, lambda: ag.take(A23, 0.5),
     r"take is given float, not integers(.|\n)*expected int, got float(.|\n)*dtype=int"),
    ("D201", ag.DTypeError, lambda: ag.one_hot(x(), 3), r"one_hot is given float, not integers(.|\n)*dtype=int"),
    ("D201", ag.DTypeError, lambda: ag.pick(A23, [True, False]), r"pick is given bool, not integers(.|\n)*got bool"),
    ("D202", ag.DTypeError, lambda: define(0.5, dtype=int),
     r"the equation of s is float, and the state is int(.|\n)*dtype=float"),
    ("D202", ag.DTypeError, lambda: state(dtype=int, init=0.5),
     r"a row of init= of s is float, and the state is int(.|\n)*got float"),
    # feeds
    ("F201", ag.FeedError, lambda: ag.take(A23, 2), r"an index is out of range(.|\n)*0 … 1, got 2 … 2(.|\n)*lengths="),
    ("F201", ag.FeedError, lambda: ag.pick(A23, [0, -1]), r"out of range(.|\n)*0 … 2, got -1 … 0"),
    ("F201", ag.FeedError, lambda: ag.pick(A23, ag.tensor([0, 5], name="label", dtype=int)),
     r"label is out of range(.|\n)*0 … 2, got 0 … 5"),
    ("F201", ag.FeedError, lambda: ag.one_hot([0, 3], 3),
     r"out of range(.|\n)*0 … 2, got 0 … 3(.|\n)*count classes and steps from 0"),
    ("F201", ag.FeedError, lambda: OPS["scatter_add"](np.ones(2), np.array([0, 4]), n=3, rank=1, index_rank=1),
     r"out of range(.|\n)*0 … 2, got 0 … 4"),
    ("F201", ag.FeedError, lambda: at_run_time(ag.take(A23, x(dtype=int, name="l")), l=[0, 1, 2]),
     r"l is out of range(.|\n)*0 … 1, got l\[2\] = 2"),
    ("F201", ag.FeedError, lambda: at_run_time(ag.take(x(), x(dtype=int, name="l"), over=t), x=[1.0, 2.0], l=[0, 2]),
     r"l.* is out of range(.|\n)*0 … 1, as t has 2 steps, got l.* = 2"),
    # states
    ("G201", ag.StateError, lambda: state(over=()), r"state s varies over no axis(.|\n)*over=t"),
    ("G202", ag.StateError, lambda: state(over=BOTH, init=1.0)[t - 1, u - 1],
     r"init= of s does not name the axis of its rows(.|\n)*init=\{t: …, u: …\}"),
    ("G216", ag.StateError, lambda: ag.shift(x(over=t), t, -1, init=9.0),
     r"nothing reads init= of a shift to a later step(.|\n)*final="),
    ("G215", ag.StateError, lambda: state(over=BOTH, every=2),
     r"every= of s does not name the axis of the slower clock.*\n  expected a dict from axis to the number of steps, "
     r"for t, u, got 2\n  every=\{t: …\}$"),
    ("G203", ag.StateError, lambda: state(every={u: 2}),
     r"every= of s names u, over which the state does not vary(.|\n)*of t"),
    ("G203", ag.StateError, lambda: state(final={u: 1.0}),
     r"final= of s names u, over which the state does not vary(.|\n)*of t"),
    ("G204", ag.StateError, lambda: state(init=x()),
     r"a row of init= of s varies over t, the axis outside of which it is read(.|\n)*ag.last"),
    ("G205", ag.StateError, lambda: state(init=x(over=u)),
     r"varies over u, but the state does not(.|\n)*over=\(t, u\)"),
    ("G206", ag.StateError, not_a_state, r"mul is not a state(.|\n)*got the result of mul(.|\n)*ag.state"),
    ("G207", ag.StateError, lambda: define(1.0, key=t - 1),
     r"the equation of s is not for the current step(.|\n)*s\[t - 1\] = …"),
    ("G207", ag.StateError, lambda: define(1.0, key=u),
     r"for the current step(.|\n)*expected s\[t\] = …, got s\[u\] = …"),
    ("G207", ag.StateError, lambda: define(1.0, key=0),
     r'for the current step(.|\n)*got s\[0\] = …(.|\n)*ag.state\("s", …, init=…\)'),
    ("G208", ag.StateError, twice, r"s is defined twice(.|\n)*a first equation, add, in (.|\n)*a state of its own"),
    ("G209", ag.StateError, lambda: define(x(over=u)), r"varies over u, but s does not(.|\n)*ag.sum\(…, over=u\)"),
    # operations
    ("O101", ag.OperationError, lambda: ag.defop("a b", forward=abs, vjp=rule),
     r"an operation cannot be named 'a b'(.|\n)*an identifier, got 'a b'"),
    ("O102", ag.OperationError, lambda: ag.defop("tanh", forward=abs, vjp=rule), r'tanh is a built-in(.|\n)*"my_tanh"'),
    ("O103", ag.OperationError, lambda: ag.param(""), r"a node cannot be named ''(.|\n)*non-empty string, got ''"),
    ("O103", ag.OperationError, lambda: ag.param((2, 3)), r'the name comes first: ag.param\("W", \(2, 3\)\)'),
    ("O103", ag.OperationError, lambda: ag.uniform(3, over=t), r"a node cannot be named 3(.|\n)*got 3"),
    ("O104", ag.OperationError, lambda: ag.at(x(), t, 0, outside="wrap"), r'no mode outside=.wrap.(.|\n)*"error" or "zero"'),
    ("O105", ag.OperationError, lambda: ag.spike(1.0, "step"),
     r"no surrogate 'step'(.|\n)*fast_sigmoid, arctan, boxcar, got 'step'"),
    ("O106", ag.OperationError, lambda: ag.window(x(), t, 0), r"size=0 is not a number of steps(.|\n)*got 0"),
    ("O106", ag.OperationError, lambda: ag.window(x(), t, 2, every=1.5), r"every=1.5 is not a number of steps(.|\n)*got 1.5"),
    ("O107", ag.OperationError, lambda: ag.ticks(t, 3, phase=3),
     r"phase=3 is not below every=3(.|\n)*0 ≤ phase < 3, got phase=3"),
    ("O108", ag.OperationError, lambda: ag.bernoulli("m", 1.5, over=t),
     r"p=1.5 of m is not a probability(.|\n)*0 ≤ p ≤ 1, got 1.5"),
    ("O129", ag.OperationError, lambda: ag.nll([1.0, -2.0, 3.0], 0),
     r"nll needs probabilities, got numbers -2 … 3(.|\n)*got numbers -2 … 3(.|\n)*ag.cross_entropy\(logits, label\)"),
    ("O129", ag.OperationError, lambda: ag.nll(ag.log_softmax(x(3)), 0), r"logarithms of probabilities(.|\n)*-ag.pick"),
    ("O129", ag.OperationError, lambda: ag.nll(ag.log(ag.softmax(x(3))), 0), r"logarithms of probabilities"),
    ("G213", ag.StateError, lambda: state(every=0), r"every= of s is 0, not a number of steps(.|\n)*got 0"),
    ("O121", ag.OperationError, lambda: ag.maximum(x(), 0, axis=-1),
     r"maximum has no attribute axis=.*\n  expected maximum\(a, b\), got axis=…\n(.|\n)*ag.max"),
    ("O121", ag.OperationError, lambda: ag.tanh(x(), over=t), r"tanh has no attribute over=(.|\n)*ag.softmax"),
    ("O121", ag.OperationError, lambda: ag.exp(x(), base=2), r"exp has no attribute base="),
    ("O121", ag.OperationError, lambda: ag.softplus(1.0, beta=2), r"softplus has no attribute beta="),
    ("O133", ag.OperationError, lambda: ag.defop("cosh_", forward=np.cosh, vjp=lambda g, y, x: (g,), nativ="np.cosh({0})"),
     r'did you mean "native"'),
    ("O121", ag.OperationError, lambda: OPS["softmax"](A23, axes=(-1,)), r'did you mean "axis"'),
    ("O121", ag.OperationError, lambda: ag.tanh(x=1.0), r"values are given by position"),
    ("O122", ag.OperationError, lambda: ag.minimum(x(), 1, 2),
     r"minimum is given 3 values(.|\n)*expected minimum\(a, b\), got 3 values\n  minimum\(minimum\(a, b\), c\)"),
    ("O122", ag.OperationError, lambda: ag.minimum(x()), r"minimum is given 1 value(.|\n)*got no b"),
    ("O122", ag.OperationError, lambda: ag.tanh(1.0, 2.0), r"tanh is given 2 values(.|\n)*expected tanh\(x\)"),
    ("O122", ag.OperationError, lambda: ag.tanh(), r"tanh is given no values"),
    ("O123", ag.OperationError, lambda: op.known_op("nothing"), r"the operation nothing is not defined here"),
    ("O201", ag.OperationError, lambda: ag.einsum("ij,jk", A23),
     r"one or two operands, and one term for each, got 2 terms for 1"),
    ("O201", ag.OperationError, lambda: ag.einsum("i,i,i", [1.0], [1.0], [1.0]), r"got 3 terms for 3 operands"),
    ("O201", ag.OperationError, lambda: ag.einsum("ii->i", A23),
     r'cannot read "ii->i"(.|\n)*2 distinct letters, got "ii"'),
    ("O201", ag.OperationError, lambda: ag.einsum("ijk->i", A23), r"2 distinct letters"),
    ("O201", ag.OperationError, lambda: ag.einsum("...ijk->i", A23), r"2 distinct letters"),
    ("O201", ag.OperationError, lambda: ag.einsum("i1->i", A23), r"2 distinct letters"),
    ("O201", ag.OperationError, lambda: ag.einsum("ij->ik", A23),
     r"labels that the operands have, each once, got \"ik\""),
    ("O201", ag.OperationError, lambda: ag.einsum("ij->jj", A23), r"each once, got \"jj\"(.|\n)*e\.g\."),
    # shapes
    ("S102", ag.ShapeError, lambda: assigned(ag.tensor([1.0]), [1.0, 2.0]),
     r"has shape \(1,\), but is given a value of shape \(2,\)(.|\n)*\(1,\), got \(2,\)"),
    ("S103", ag.ShapeError, lambda: len(ag.tensor(1.0)), r"has no length: its value is a scalar"),
    ("S103", ag.ShapeError, lambda: list(ag.tensor(1.0)), r"has no length"),
    ("S104", ag.ShapeError, lambda: ag.constant([[1.0], [2.0, 3.0]]),
     r"a value is not a regular array(.|\n)*NumPy refuses it: "),
    ("S105", ag.ShapeError, lambda: ag.sum(A23, 2), r"no dimension 2(.|\n)*a value with 2, got 2(.|\n)*over="),
    ("S105", ag.ShapeError, lambda: ag.sum(A23, "t"), r"no dimension 't'(.|\n)*got 't'"),
    ("S105", ag.ShapeError, lambda: ag.stack([1.0, 2.0], 1), r"no dimension"),
    ("S105", ag.ShapeError, lambda: ag.concat([1.0, 2.0]), r"no dimension"),
    ("S106", ag.ShapeError, lambda: ag.transpose(A23, (0, 0)),
     r"axes=\(0, 0\) is not a permutation(.|\n)*permutation of \(0, 1\)"),
    ("S106", ag.ShapeError, lambda: ag.transpose(A23, (0,)), r"is not a permutation of 2 dimensions"),
    ("S107", ag.ShapeError, lambda: ag.squeeze(A23, 0), r"squeeze cannot drop dimensions of(.|\n)*got \(2, 3\)"),
    ("S108", ag.ShapeError, lambda: ag.tensor(A23)[0, 0, 0],
     r"too many indices(.|\n)*at most 2, got 3(.|\n)*s\[t - 1\]"),
    ("S108", ag.ShapeError, lambda: ag.tensor(A23)[..., ...], r"too many indices"),
    ("S109", ag.ShapeError, lambda: ag.tensor(A23)["a"], r"integers, slices, ... or None(.|\n)*got 'a'"),
    ("S109", ag.ShapeError, lambda: ag.tensor(A23)[True], r"integers, slices(.|\n)*ag.where"),
    ("S109", ag.ShapeError, lambda: ag.tensor(A23)[0, [1, 2]], r"integers, slices(.|\n)*ag.take"),
    ("S110", ag.ShapeError, lambda: ag.tensor(A23)[2], r"index 2 is out of range(.|\n)*−2 … 1"),
    ("S110", ag.ShapeError, lambda: ag.tensor(A23)[0, -4], r"index -4 is out of range(.|\n)*−3 … 2"),
    ("S111", ag.ShapeError, lambda: ag.concat([]), r"no values are given to join(.|\n)*at least one value"),
    ("S111", ag.ShapeError, lambda: ag.stack([]), r"no values are given to join"),
    ("S118", ag.ShapeError, lambda: ag.tril(np.ones(4)), r"ag.tril is given a value of shape \(4,\)"),
    ("S118", ag.ShapeError, lambda: ag.diag(np.ones((2, 2, 2))), r"a vector or a matrix"),
    ("S118", ag.ShapeError, lambda: ag.trace(np.ones(4)), r"a matrix"),
    ("S119", ag.ShapeError, lambda: ag.moveaxis(A23, (0, 0), (0, 1)), r"none twice"),
    ("S120", ag.ShapeError, lambda: ag.split(A23, 2, 1), r"3 entries cannot be cut into 2 parts"),
    ("S121", ag.ShapeError, lambda: ag.repeat(A23, [1, 2], 1), r"repeats=\[1, 2\] does not fit 3 entries"),
    ("S121", ag.ShapeError, lambda: ag.repeat(A23, -1), r"one number ≥ 0"),
    ("S122", ag.ShapeError, lambda: ag.roll(A23, (1, 2), (0, 1, 1)), r"2 shifts for 3 dimensions"),
    ("S124", ag.ShapeError, lambda: ag.sum(A23, axis=(0, -2)), r"axis=\(0, -2\) names a dimension twice"),
    ("S123", ag.ShapeError, lambda: ag.tensor(A23).item(), r"is not a scalar(.|\n)*got 6 entries"),
    ("D109", ag.DTypeError, lambda: ag.param("w", (2, 4)) @ ag.nn.lstm(x(3), 4, over=t), r"2 values(.|\n)*h, c ="),
    ("V102", ag.ValueKnownError, lambda: ag.param("w").item(), r"not known until it is fed"),
    ("D104", ag.DTypeError, lambda: ag.tensor(A23).astype("string"), r"not a kind of number"),
    ("O131", ag.OperationError, lambda: ag.norm(A23, 2), r"ord=2 for matrices(.|\n)*singular values"),
    ("O131", ag.OperationError, lambda: ag.norm([1.0], "fro"), r"ord='fro' for vectors"),
    ("A113", ag.AxisError, lambda: ag.argmax(ag.input("x", over=(t, u)), over=(t, u)), r"one axis, over=t"),
    ("A113", ag.AxisError, lambda: ag.argmax(x(2), 0, over=t), r"one dimension, axis=0"),
    ("M201", ag.MissingError, lambda: ag.swish, r"ag.silu\(x\)"),
    ("M201", ag.MissingError, lambda: ag.argmx, r'did you mean "argmax"'),
    ("M202", ag.MissingError, lambda: x().var(), r"ag.var\(…\)"),
    ("S112", ag.ShapeError, lambda: ag.pad(A23, -1),
     r"a pair of widths(.|\n)*2 pairs of non-negative integers, got -1"),
    ("S112", ag.ShapeError, lambda: ag.pad(A23, [(1, 1)] * 3), r"a pair of widths for each dimension"),
    ("S113", ag.ShapeError, lambda: x((2, -1)),
     r"x is given \(2, -1\), which is not a shape(.|\n)*non-negative integers, got \(2, -1\)"),
    ("S113", ag.ShapeError, lambda: x(2.5), r"x is given 2.5, which is not a shape(.|\n)*time is an axis"),
    ("S114", ag.ShapeError, lambda: state(shape=2, init=np.ones(3)),
     r"a row of init= of s has shape .*, and the state \(2,\)(.|\n)*\(2,\), got"),
    ("S114", ag.ShapeError, lambda: state(shape=2, init=np.ones((1, 2))), r"a list holds one row for each delay"),
    ("S115", ag.ShapeError, lambda: define(np.ones(3), shape=2), r"the equation of s has shape \(3,\), and s has \(2,\)"),
    ("S115", ag.ShapeError, lambda: define(np.ones((1, 2)), shape=2),
     r"the equation of s has shape \(1, 2\), and s has \(2,\)"),
    ("S116", ag.ShapeError, lambda: ag.matmul(np.ones((2, 3, 4)), np.ones((5, 4, 3))),
     r"cannot match the stacks(.|\n)*\(2, 3, 4\) @ \(5, 4, 3\)"),
    # values
    ("V101", ag.ValueKnownError, lambda: assigned(ag.tensor(1.0) * 2, 3.0), r"takes no value(.|\n)*the result of mul"),
    ("V101", ag.ValueKnownError, lambda: assigned(x(), 3.0), r"takes no value(.|\n)*an input, which is fed"),
    ("V102", ag.ValueKnownError, lambda: bool(x() > 0), r"is not true or false(.|\n)*ag.where"),
    ("V102", ag.ValueKnownError, lambda: float(x()), r"is not a number(.|\n)*ag.compile\(y\)"),
    ("V102", ag.ValueKnownError, lambda: int(x()), r"is not a number: its value is not known until it is fed"),
    ("V102", ag.ValueKnownError, lambda: np.asarray(x()), r"is not an array"),
    ("V103", ag.ValueKnownError, renamed, r"a already has a name(.|\n)*got 'b'(.|\n)*once"),
]  # fmt: skip

# rules raise a bare ValueError, of which ``apply`` makes an S101 that shows the operands: (module, call, words)
RULES: list[tuple[str, Callable[[], Any], str]] = [
    ("op", lambda: ag.tensor(np.ones(2)) + np.ones(3),
     r"\+ array does not fit.*(.|\n)*shapes that broadcast against each"),
    ("linear", lambda: ag.param("U", (3, 3)) @ x(3)[-1],
     r"U @ x\[2\] does not fit(.|\n)*x\[2\] is an entry of the value at each step; a step is x\[t - 1\], ag.first"),
    ("linear", lambda: ag.param("U", (3, 3)) @ ag.tanh(x(2, BOTH)[t - 2, u] * 2 + 1),
     r"U @ tanh\(\(x\[t - 2, u\] \* 2\) \+ 1\) does not fit"),
    ("op", lambda: ag.param("a", 2) * ag.param("b", 3), r"a \* b does not fit(.|\n)*got a \(2,\), b \(3,\)"),
    ("op", lambda: x(2) + ag.param("b", 3), r"a dimension over time belongs to over="),
    ("linear", lambda: ag.matmul(2.0, A23), r"2.0 @ array does not fit(.|\n)*matrices or vectors"),
    ("linear", lambda: ag.matmul(A23, 2.0), r"\* multiplies by a number"),
    ("linear", lambda: ag.param("W", (2, 3)) @ x(2)[t - 1],
     r"W @ x\[t - 1\] does not fit(.|\n)*columns on the left as entries on the right, got W \(2, 3\), x\[t - 1\] \(2,\)"),
    ("linear", lambda: ag.einsum("ij,jk", A23, A23), r"the same length wherever"),
    ("linear", lambda: ag.dot(np.ones(2), np.ones(3)), r"as many entries on the left as on the right"),
    ("linear", lambda: ag.outer(A23, np.ones(3)), r"outer\((.|\n)*two vectors"),
    ("gather", lambda: ag.pick(A23, 0), r"one index for each row of the last dimension"),
    ("gather", lambda: ag.pick(1.0, 0), r"one index for each row"),
    ("reduce", lambda: ag.max(np.zeros((2, 0)), 1), r"max\(array\)(.|\n)*at least one entry to choose from"),
    ("reduce", lambda: reduce.sum_over(np.ones(2), np.ones(3), axes=()), r"operands of one shape"),
    ("shape", lambda: ag.reshape(A23, (4, 2)), r"8 entries for \(4, 2\)"),
    ("shape", lambda: ag.reshape(np.ones(4), (-2, -2)), r"entries for \(-2, -2\)"),
    ("shape", lambda: ag.reshape(np.ones(1), (-1, -1)), r"entries for \(-1, -1\)"),
    ("shape", lambda: ag.reshape(np.ones(5), (2, -1)), r"reshape\(array\) does not fit"),
    ("shape", lambda: ag.broadcast_to(A23, (3, 3)), r"shapes that broadcast against each other"),
    ("shape", lambda: ag.broadcast_to(A23, (3,)), r"a shape that broadcasts to \(3,\)"),
    ("parts", lambda: ag.concat([A23, np.ones((3, 2))]), r"the same lengths in all dimensions but the joined one"),
    ("parts", lambda: ag.concat([A23, np.ones(3)]), r"the same lengths in all dimensions"),
]  # fmt: skip


@each(("code", "kind", "call", "words"), REFUSALS)
def test_refusal(code: str, kind: type[ag.AutogradSeqError], call: Callable[[], Any], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        call()
    assert caught.value.code == code
    assert type(caught.value) is kind
    assert str(caught.value).startswith(f"{kind.__name__} [{code}]: ")


def test_what_is_true_or_false_is_nothing_else() -> None:
    """All functions a user calls: "no" is true in Python."""
    count = 0
    for package in (ag, ag.nn, ag.nn.init, ag.learn, ag.analyse, viz, viz.plots):
        for function in (f for name in dir(package) if inspect.isfunction(f := getattr(package, name)) and name != "defop"):
            for p in inspect.signature(function).parameters.values():
                if p.annotation == "bool":
                    with pytest.raises(ag.OperationError, match=f"{p.name}='no', which is neither True nor False"):
                        function(**{p.name: "no"})
                    count += 1
    assert count > 70


@each(("module", "call", "words"), RULES)
def test_shape_rules_name_the_operation_and_its_operands(module: str, call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ag.ShapeError, match=words) as caught:
        call()
    assert caught.value.code == "S101" and "does not fit" in caught.value.what
    assert caught.value.where is not None and "test_refusals.py:" in caught.value.where
    assert caught.value.__suppress_context__


def test_every_error_of_the_sources_is_in_the_table() -> None:
    source = "\n".join(inspect.getsource(m) for m in MODULES)
    raised = set(re.findall(r'Error\(\s*"([A-Z]\d{3})"', source))
    assert raised == {r[0] for r in REFUSALS} | {"S101"}


def test_every_bare_rule_is_in_the_table() -> None:
    for module in MODULES:
        name = module.__name__.rpartition(".")[2]
        bare = len(re.findall(r"raise ValueError\(", inspect.getsource(module)))
        assert len([r for r in RULES if r[0] == name]) >= bare, name


def test_errors_carry_the_line_of_the_user() -> None:
    with pytest.raises(ag.AxisError) as caught:
        x()[u]
    assert re.search(r"test_refusals\.py:\d+$", str(caught.value.where))
    assert caught.value.fix and caught.value.got
    assert "test_refusals.py" in str(caught.value)


def test_errors_are_also_those_of_python() -> None:
    """A program that catches IndexError, ValueError or TypeError keeps working."""
    for call, kind in [(lambda: x()[u], IndexError), (lambda: ag.reshape(A23, 5), ValueError),
                       (lambda: float(x()), TypeError), (lambda: ag.take(A23, 7), ValueError)]:  # fmt: skip
        with pytest.raises(kind):
            call()


def test_user_operations_may_raise_their_own_errors() -> None:
    def even(n: tuple[int, ...]) -> tuple[int, ...]:
        if n[0] % 2:
            raise ag.OperationError("U1", "an even length is needed")
        return n

    half = ag.defop("half", shape=even, forward=lambda a: a / 2, vjp=lambda g, y, a: (g / 2,))
    assert half(np.ones(2)).value.tolist() == [0.5, 0.5]
    with pytest.raises(ag.OperationError, match="an even length is needed"):
        half(np.ones(3))
    with pytest.raises(ag.ShapeError) as caught:  # an IndexError of a rule is a misfit as well
        half(1.0)
    assert caught.value.code == "S101"


def test_user_operations_may_be_redefined_but_built_in_ones_not() -> None:
    for factor in (2.0, 3.0):
        scale = ag.defop("scale", shape=ag.same_shape, forward=lambda a, k=factor: a * k, vjp=lambda g, y, a: (None,))
        assert float(scale(1.0)) == factor
    assert repr(scale) == "<op scale>" and str(scale.__doc__).startswith("The operation scale.\n\nArgs:\n    a: ")
    with pytest.raises(ag.OperationError, match="choose another name"):
        ag.defop("add", forward=np.add, vjp=rule)


# -- sites, scopes, places ------------------------------------------------------------------------------------------


def test_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    y = x()
    assert y.site is not None and y.site[0] == __file__
    assert y.where is not None and y.where.endswith(f"test_refusals.py:{y.site[1]}")
    assert site.show_site(None) is None
    assert site.show_site(("/elsewhere/model.py", 3)) == "model.py:3"
    monkeypatch.setattr(site.os, "getcwd", lambda: "/work")
    assert site.show_site(("/work/code/model.py", 3)) == "code/model.py:3"
    assert site.show_site(("/workshop/model.py", 3)) == "model.py:3"


def test_scopes_nest_and_close_also_after_an_error() -> None:
    with ag.scope("a"):
        with ag.scope("b"):
            assert ag.param("w").name == "a/b/w" and site.get_scope() == "a/b"
        assert ag.param("w").scope == "a"
    with pytest.raises(RuntimeError), ag.scope("c"):
        raise RuntimeError
    assert ag.param("w").name == "w" and site.get_scope() == ""


def test_places_print_as_they_are_written() -> None:
    assert [repr(p) for p in (t, t + 0, t - 1, 2 + t, (t - 1) + 3, 1 + (t - 1), (t + 1) - 3)] == [
        "t", "t", "t - 1", "t + 2", "t + 2", "t", "t - 2",
    ]  # fmt: skip
    assert repr(t - np.int64(2)) == "t - 2"


def test_nodes_print_what_they_are() -> None:
    assert repr(x((3,))) == "x[t]: float[3]"
    assert repr(ag.tensor([1.0, 2.0], name="a")) == "a: float[2] = [1. 2.]"
    assert repr(ag.tensor(1.0) * 2) == "mul: float = 2."


def test_values_and_gradients_are_read_only_and_assignable_on_leaves() -> None:
    w = ag.tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="read-only"):
        w.value[0] = 3.0
    (w * w).sum().backward()
    w.value = w.value - 0.5 * w.grad
    assert w.value.tolist() == [0.0, 0.0]
    w.grad = None
    assert w.grad is None
    w.grad = [1, 2]
    assert w.grad.dtype == np.float64
    assert ag.param("p").value is None and ag.param("p").grad is None
    assert w.named("w") is w and w.named("w").name == "w"


@each(("given", "kind"), [
    (float, float), ("float", float), ("int", int), ("bool", bool), (np.float32, float), ("f4", float), (np.uint8, int),
    (np.dtype("bool"), bool), (complex, float),
])  # fmt: skip
def test_kinds_are_given_in_many_ways(given: Any, kind: type) -> None:
    for made in (x(dtype=given), ag.param("p", dtype=given), state(dtype=given)):
        assert made.dtype is kind


def test_shapes_are_given_in_many_ways() -> None:
    assert x(3).shape == x((3,)).shape == x([3]).shape == x(np.int64(3)).shape == (3,) and x(()).shape == ()


FUNCTIONS = [f for f in (getattr(ag, name) for name in ag.__all__) if isinstance(f, types.FunctionType)]
OTHERS = {  # take any keyword, or are called often and with few
    "bptt", "broadcast", "check_grad", "check_op", "constant", "defop", "find_nan", "online", "promote", "same_shape",
    "scope", "truncation_bias", "value_and_grad", "why_zero",
}  # fmt: skip


@each("function", [f for f in FUNCTIONS if f.__name__ not in OTHERS])
def test_every_public_function_refuses_unknown_keywords_in_words(function: Callable[..., Any]) -> None:
    parameters = inspect.signature(function).parameters.values()
    places = [1.0 for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    with pytest.raises(ag.AutogradSeqError) as caught:
        function(*places, no_such_keyword=1)
    assert "no_such_keyword" in str(caught.value)
    assert pickle.loads(pickle.dumps(function)) is function
