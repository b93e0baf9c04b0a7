"""Numerical checks of gradients: by complex steps where the program is analytic, else by central differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import GradientCheckError, GradientError, OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.kinds import get_kind
from autograd_seq.core.names import make_printable
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import Op
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.grad.reverse import grad
from autograd_seq.grad.truncate import Truncation, make_truncation
from autograd_seq.graph.feeds import split_sizes
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.targets import list_targets
from autograd_seq.ops.leaf import input as input_
from autograd_seq.ops.leaf import param, tensor
from autograd_seq.ops.reduce import sum as sum_


@dataclass(frozen=True, repr=False)
class Report:
    """The result of a gradient check: how far derivatives differ from numerical ones.

    Attributes:
        errors: by name, the largest difference divided by the largest entry.
        method: by name, ``"complex step"`` or ``"central differences"``.
        worst: the largest of the errors.
    """

    errors: dict[str, float] = field(default_factory=dict)
    method: dict[str, str] = field(default_factory=dict)

    @property
    def worst(self) -> float:
        """The largest of the errors."""
        return max(self.errors.values(), default=0.0)

    def __repr__(self) -> str:
        return "\n".join(f"{make_printable(n)}: {e:.1e} ({self.method[n]})" for n, e in self.errors.items())


def numeric_grad(f: Callable[[np.ndarray], Any], x: np.ndarray, *, method: str, step: float | None = None) -> np.ndarray:
    """Return the derivative of a scalar function at ``x``, entry by entry.

    Args:
        f: from an array to a scalar.
        x: float64 array.
        method: ``"complex step"`` (error about 1e-15, for programs that are analytic; Squire & Trapp 1998) or
            ``"central differences"`` (error about 1e-9, two points extrapolated).
        step: 1e-30 and 1e-4 by default.

    Example:
        >>> float(numeric_grad(lambda x: (x**3).sum(), np.array([2.0]), method="complex step")[0])
        12.0
    """
    if method not in ("complex step", "central differences"):
        raise GradientError("E112", f"there is no numerical method {method!r:.60}", got=repr(method),
                            expected='"complex step" or "central differences"')  # fmt: skip
    out = np.zeros(x.shape)
    for at in np.ndindex(*x.shape):
        if method == "complex step":
            moved = x.astype(complex)
            moved[at] += 1j * (step or 1e-30)
            out[at] = np.imag(f(moved)) / (step or 1e-30)
        else:
            h = (step or 1e-4) * max(1.0, abs(float(x[at])))
            slopes = []
            for width in (h, 2 * h):
                hi, lo = x.copy(), x.copy()
                hi[at] += width
                lo[at] -= width
                slopes.append((float(np.real(f(hi))) - float(np.real(f(lo)))) / (hi[at] - lo[at]))
            out[at] = (4 * slopes[0] - slopes[1]) / 3  # Richardson: the error in h² cancels
    return out


class _Blocks:
    """The loss of a truncated gradient as a function that is differentiated numerically: blocks that begin from frozen states.

    The losses of a block count, computed from the state that the steps before it led to; that state is the one of the feeds
    at which the gradient is checked, whatever moves. So what is cut off adds nothing, as the truncation says.
    """

    def __init__(self, graph: Graph, loss: Node, cut: Truncation, feeds: dict[str, Any]) -> None:
        self.graph, self.over = Graph(loss), cut.over
        self.places = {name: graph.layout(n).index(cut.over) for name, n in graph.inputs.items() if cut.over in n.axes}
        steps = graph.sizes(feeds)[cut.over.name]
        ends = range(steps, 0, -cut.block)
        self.spans = [(max(0, end - cut.window), max(0, end - cut.block), end) for end in ends]
        self.carries: dict[int, Any] = {a: self._run(0, a, feeds, cut.over)[1] if a else cut.over for a, _, _ in self.spans}
        (whole,), sum_of_blocks = self.graph.evaluate(**feeds), self(feeds)
        if not np.allclose(whole, sum_of_blocks, rtol=1e-9, atol=1e-12):
            raise GradientError(
                "E141", f"the loss is no sum over {cut.over}, and its truncated gradient has no numerical one to compare with",
                where=loss.where, expected=f"{float(whole):.6g}, the loss of all steps",
                got=f"{float(sum_of_blocks):.6g}, the losses of blocks",
                fix=f"check ag.sum(…, over={cut.over}) without what counts once",
            )  # fmt: skip

    def _run(self, first: int, end: int, feeds: dict[str, Any], carry: Any) -> Any:
        part = {name: np.take(np.asarray(value), range(first, end), self.places[name]) if name in self.places else value
                for name, value in feeds.items() if name in self.graph.inputs}  # fmt: skip
        return self.graph.evaluate(carry=carry, **part)

    def __call__(self, feeds: dict[str, Any]) -> Any:
        """Return the sum of the losses of all blocks."""
        total: Any = 0.0
        for start, first, end in self.spans:
            carry = self._begin(start, feeds)
            total = total + self._run(start, end, feeds, carry)[0][0]
            if first > start:
                total = total - self._run(start, first, feeds, carry)[0][0]
        return total

    def _begin(self, start: int, feeds: dict[str, Any]) -> Any:
        """Return the carry with which a block begins: the frozen states, and what is still read of initial rows, which move."""
        frozen = self.carries[start]
        if start == 0 or all(len(rows) <= start for rows in frozen.values()):
            return frozen
        moved = self._run(0, start, feeds, self.over)[1]
        rows = {name: np.concatenate([moved[name][: max(0, len(old) - start)], old[max(0, len(old) - start) :]])
                for name, old in frozen.items()}  # fmt: skip
        return type(frozen)(rows, start, frozen.equations, frozen.axes)


def check_grad(
    loss: Node, wrt: Node | str | Sequence[Node | str] | None = None, feeds: Mapping[str, Any] | None = None, *,
    method: str = "auto", tol: float | None = None, masked: bool = False, over: Axis | None = None,
    segment: int | None = None, window: int | None = None, every: int | None = None, **given: Any,
) -> Report:  # fmt: skip
    """Compare the adjoint graph of ``loss`` with numerical derivatives; raise if they differ.

    Args:
        loss: a float scalar without axes.
        wrt: parameters or float inputs, or their names; all float parameters by default.
        feeds: an array for each input and parameter, by name; they give the lengths of axes, or a length is given by
            the name of its axis, ``t=5``.
        method: ``"complex step"``, ``"central differences"``, or ``"auto"``: a complex step, and where it disagrees
            central differences (absolute values, erf and comparisons are not analytic).
        tol: the largest error relative to the largest entry; 1e-10 and 1e-6 by default.
        masked: whether a truncated gradient is checked: against the derivative of the losses of blocks that begin from states
            which are held fast. Without it a truncated gradient is refused, since it differs from the derivative on purpose.
        over, segment, window, every: the truncation, as for :func:`autograd_seq.bptt`.
        given: the feeds, or more of them, as keywords: ``check_grad(L, x=…, W=…)``.

    Returns:
        A :class:`Report`: by name how far the two are apart, and how the numerical derivative was taken.

    Raises:
        GradientCheckError: they differ by more.
        GradientError: the gradient is truncated and ``masked`` is not given, or the loss is no sum over the steps.

    Example:
        >>> import autograd_seq as ag
        >>> w = ag.param("w", (2,))
        >>> check_grad(ag.sum(ag.tanh(w)), w=[0.3, -2.0]).worst < 1e-10
        True

    Notes:
        Costs one or a few evaluations of the unrolled loss for each entry of ``wrt``.
    """
    feeds = {**(feeds or {}), **given}
    nodes = _list_fed(loss, wrt)
    graph = Graph(loss, *nodes)
    steps, feeds = split_sizes(graph, feeds)
    keywords: dict[str, Any] = {"over": over, "segment": segment, "window": window, "every": every}
    cut = make_truncation([*graph.nodes], **keywords)
    if cut is not None and not masked:
        raise _make_truncated_error(keywords)
    blocks = None if cut is None else _Blocks(graph, loss, cut, feeds)
    values = Graph(*grad(loss, nodes, **keywords), loss, *nodes).unroll(**steps).evaluate(**feeds)[: len(nodes)]
    dag = graph.unroll(**steps)
    report = Report()
    for node, value in zip(nodes, values, strict=True):
        name = str(node.name)

        def f(x: np.ndarray, name: str = name) -> Any:
            moved = {**feeds, name: x}
            return dag.evaluate(**moved)[0] if blocks is None else blocks(moved)

        x = np.asarray(feeds[name], dtype=float)
        _compare_gradients(report, name, value, f, x, method, tol, loss)
    return report


def _list_fed(loss: Node, wrt: Any) -> list[Node]:
    """Return the nodes with respect to which a gradient is checked: numerically, what is fed can be moved, and nothing else."""
    nodes = list_targets([loss], wrt)
    if not nodes or not all(isinstance(n, Node) and n.name in Graph(loss, n).inputs for n in nodes):
        raise GradientError(
            "E107", "check_grad can differentiate only with respect to fed nodes", expected="parameters or float inputs",
            got=", ".join(repr(n) for n in nodes) or "nothing",
        )  # fmt: skip
    return nodes


def _make_truncated_error(keywords: Mapping[str, Any]) -> GradientError:
    how = ", ".join(f"{name}={n}" for name, n in keywords.items() if n is not None)
    return GradientError(
        "E140", f"a gradient truncated by {how} differs from the derivative on purpose", where=show_site(user_site()),
        expected="a full gradient, or masked=True", got=how,
        fix=f"check_grad(…, {how}, masked=True) compares it with the derivative of what is not cut off",
    )  # fmt: skip


def _compare_gradients(report: Report, name: str, value: Any, f: Callable[[np.ndarray], Any], x: np.ndarray, method: str,
             tol: float | None, loss: Node | None) -> None:  # fmt: skip
    tried = ["complex step", "central differences"] if method == "auto" else [method]
    for kind in tried:
        limit = tol or (1e-10 if kind == "complex step" else 1e-6)
        try:
            truth = numeric_grad(f, x, method=kind)
        except TypeError:  # a function without a complex form
            if method != "auto":
                raise
            continue
        # A gradient that is exactly 0 differs by rounding errors, which are relative to the loss.
        floor = max(1e-5 * abs(float(np.real(f(x)))), 1e-30)
        scale = max(float(np.max(np.abs(truth), initial=0.0)), float(np.max(np.abs(value), initial=0.0)), floor)
        error = float(np.max(np.abs(value - truth), initial=0.0)) / scale
        error = np.inf if np.isnan(error) else error
        report.errors[name], report.method[name] = error, kind
        if error <= limit:
            return
    at = np.unravel_index(int(np.argmax(np.abs(value - truth))), x.shape) if x.size else ()
    raise GradientCheckError(
        "E108", f"the gradient with respect to {name} is wrong", node=name, where=loss.where if loss is not None else None,
        expected=f"{truth[at]:.12g} at {tuple(map(int, at))}, by {report.method[name]}",
        got=f"{np.asarray(value)[at]:.12g}, an error of {report.errors[name]:.1e} of the largest entry",
        fix="test the operations that the loss uses with ag.check_op; derivatives do not exist at kinks (ties, relu at 0)",
    )  # fmt: skip


def _make_broken_error(op: Any, expected: str, got: str, fix: str | None) -> GradientCheckError:
    name = getattr(op, "name", "the function")
    return GradientCheckError("E109", f"{name} does not return what it declares", expected=expected, got=got, fix=fix)


def check_op(
    op: Op | Callable[..., Node], *samples: Any, order: int = 2, method: str = "auto", tol: float | None = None, **attrs: Any
) -> Report:
    """Test an operation as the suite tests the built-in ones: shape rule, kind, first and second derivatives.

    Args:
        op: an operation made by ``defop``, or any function of nodes.
        samples: its operands; derivatives are checked for the float ones.
        order: 1, or 2 to check the derivative of the derivative as well.
        method, tol: as for :func:`check_grad`.
        attrs: its keyword arguments.

    Returns:
        A :class:`Report`.

    Raises:
        GradientCheckError: a derivative, the shape or the kind is wrong.

    Example:
        >>> import autograd_seq as ag
        >>> check_op(ag.tanh, [0.5, -1.0]).worst < 1e-10
        True

    Notes:
        One to five evaluations for each entry of the samples, and for the second order as many of the gradient.
    """
    arrays = [*map(np.asarray, samples)]
    floats = {f"x{i}": a for i, a in enumerate(arrays) if a.dtype.kind == "f"}
    nodes = [param(f"x{i}", a.shape) if f"x{i}" in floats else constant(a) for i, a in enumerate(arrays)]
    wrt = [n for n in nodes if n.name]
    try:
        y = op(*nodes, **attrs)
        if isinstance(op, Op) and op.own:  # its shape rule must also hold at several points
            over = Axis("points")
            op(*[input_(n.name, n.shape, over=over) if n.name else n for n in nodes], **attrs)
    except OperationError as error:
        raise _make_broken_error(op, str(error.expected), str(error.got), error.fix) from error
    with np.errstate(all="ignore"):  # eagerly, since a graph would broadcast the value to the declared shape
        value = op(*[tensor(a) if f"x{i}" in floats else constant(a) for i, a in enumerate(arrays)], **attrs).value
    if value is None:  # a random operation has no eager value
        value = np.asarray(Graph(y).evaluate(**{k: v for k, v in floats.items() if k in Graph(y).inputs})[0])
    if isinstance(op, Op) and op.own:  # its eager value has been cast to the declared kind
        value = np.asarray(op.forward(*arrays, **attrs))
    if value.shape != y.shape or get_kind(value) is not y.dtype:
        raise _make_broken_error(op, repr(y), f"an array of {value.dtype}, shape {value.shape}", "correct its shape= or dtype=")
    if y.dtype is not float or not wrt:
        return Report()
    rng = np.random.default_rng(0)
    loss = sum_(y * rng.normal(size=y.shape))
    report = check_grad(loss, wrt, floats, method=method, tol=tol)
    if order > 1:
        directions = [rng.normal(size=n.shape) for n in wrt]
        slope = sum_(constant(0.0))
        for g, d in zip(grad(loss, wrt), directions, strict=True):
            slope = slope + sum_(g * d)
        second = check_grad(slope, wrt, floats, method=method, tol=tol)
        report.errors.update({f"{n} (second order)": e for n, e in second.errors.items()})
        report.method.update({f"{n} (second order)": m for n, m in second.method.items()})
    return report


explain_keywords(globals(), ["check_grad"])
