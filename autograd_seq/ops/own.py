"""Tests a user's own operation when a node of it is made: shape, kind, lifting, and that operands are not changed.

Why on random numbers (2026-11): a forward that sums over everything is right at a single point and silently wrong when its
arrays have leading dimensions. Real data would show it only if they differ from point to point (a state begins with zeros), and
only at run time. So the forward is called on a few points of small random numbers, once for operands of the same shapes; if it
refuses such numbers, or there would be millions of them, it is not tested.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import OperationError
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.kinds import get_kind
from autograd_seq.core.node import Node
from autograd_seq.core.op import Op
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.ops.lifting import lift

_MOST = 2_000_000
"""The most random numbers that a trial may draw."""
_RANK = {bool: 0, int: 1, float: 2}
_LIFTING = "points are leading dimensions of the operands: work on trailing dimensions only, as x.sum(axis=-1) or x @ y do"


def try_forward(op: Op, inputs: Sequence[Node], attrs: dict[str, Any], shape: tuple[int, ...], dtype: type) -> None:
    """Call the forward of an operation on random operands, once for each combination of shapes and attributes.

    Raises:
        OperationError: it returns another shape or kind than declared, changes its operands, or does not compute the same for
            lifted operands as for each point alone.
    """
    axes = tuple(dict.fromkeys(a for x in inputs for a in x.axes))
    layouts = tuple((x.shape, x.dtype, tuple(map(axes.index, x.axes))) for x in inputs)
    key = ("try_forward", layouts, tuple((name, _make_key(value)) for name, value in attrs.items()))
    if key in op.calls:
        return
    if sum(math.prod(x.shape) << len(axes) for x in inputs) <= _MOST:
        _Trial(op, inputs, axes, attrs, shape, dtype).run()
    op.calls.add(key)


def _make_key(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


class _Trial:
    """Calls of one forward: at each of a few points (two along each axis), and at all of them at once."""

    def __init__(self, op: Op, inputs: Sequence[Node], axes: tuple[Axis, ...], attrs: dict[str, Any], shape: tuple[int, ...],
                 dtype: type) -> None:  # fmt: skip
        self.op, self.inputs, self.axes, self.attrs, self.shape, self.dtype = op, inputs, axes, attrs, shape, dtype
        rng = np.random.default_rng(0)
        self.arrays = [self._draw(x, rng) for x in inputs]

    def _draw(self, x: Node, rng: np.random.Generator) -> Any:
        if x._value is not None:
            return np.asarray(x._value)
        points = tuple(2 if a in x.axes else 1 for a in self.axes) if x.axes else ()
        drawn = rng.uniform(0.1, 0.9, points + x.shape)
        return drawn if x.dtype is float else (drawn < 0.5).astype(x.dtype)

    def run(self) -> None:
        places = [(0,) * len(self.axes), *(tuple(int(a is b) for a in self.axes) for b in self.axes)]
        with np.errstate(all="ignore"):
            try:
                alone = [self._run_alone(place) for place in places]
                again = self._run_alone(places[0])
            except OperationError:
                raise
            except Exception:  # it may be meant for other numbers
                return
            if not self.axes:
                return
            together = self._run_together()
        if np.array_equal(alone[0], again, equal_nan=self.dtype is float):  # otherwise it is not deterministic
            for place, value in zip(places, alone, strict=True):
                if not np.allclose(together[place], value, rtol=1e-5, atol=1e-8, equal_nan=True):
                    raise self._make_lifting_error("the value of each point alone", "other values for several points")

    def _run_alone(self, place: tuple[int, ...]) -> Any:
        """Return the value at one point, computed from operands as eager mode passes them."""
        xs = [array[tuple(p if a in x.axes else 0 for p, a in zip(place, self.axes, strict=True))] if x.axes else array
              for array, x in zip(self.arrays, self.inputs, strict=True)]  # fmt: skip
        value = self._call(xs, lambda given: self.op.forward(*[x[()] for x in given], **self.attrs))
        if value.shape != self.shape:
            raise self._make_error("O124", "returns another shape than declared", str(self.shape), str(value.shape),
                                "mend shape= or dtype= of defop, or the forward")  # fmt: skip
        if _RANK[get_kind(value)] > _RANK[self.dtype]:
            raise self._make_error("O126", "returns another kind than declared", self.dtype.__name__, get_kind(value).__name__,
                                "mend shape= or dtype= of defop, or the forward")  # fmt: skip
        return value

    def _run_together(self) -> Any:
        """Return the values at all points at once."""
        whole, shapes = (2,) * len(self.axes) + self.shape, [x.shape for x in self.inputs]
        try:
            value = self._call(self.arrays, lambda given: lift(self.op, given, shapes, self.attrs))
        except OperationError:
            raise
        except Exception as error:
            raise self._make_lifting_error(
                f"shape {whole} for two points of each axis", f"{type(error).__name__}: {error}"
            ) from error
        if value.ndim != len(whole) or any(n not in (1, m) for n, m in zip(value.shape, whole, strict=True)):
            raise self._make_lifting_error(f"shape {whole} for two points of each axis", str(value.shape))
        return np.broadcast_to(value, whole)

    def _call(self, xs: Sequence[Any], call: Callable[[list[Any]], Any]) -> Any:
        """Return the result of a call on copies of the operands, and refuse a call that changes them."""
        given = [np.array(x) for x in xs]
        value = np.array(call(given))
        for before, after in zip(xs, given, strict=True):
            if not np.array_equal(before, after, equal_nan=after.dtype.kind in "fc"):
                raise self._make_error("O127", "changes its operands", "operands left as they are", "an operation in place",
                                    "x = x * 2 makes a new array, x *= 2 does not")  # fmt: skip
        return value

    def _make_lifting_error(self, expected: str, got: str) -> OperationError:
        return self._make_error("O125", "does not compute each point by itself", expected, got, _LIFTING)

    def _make_error(self, code: str, what: str, expected: str, got: str, fix: str) -> OperationError:
        name = self.op.name
        return OperationError(code, f"the forward of {name} {what}", node=name, where=show_site(user_site()),
                              expected=expected, got=got, fix=fix)  # fmt: skip


FUNCTIONS.update(try_forward=try_forward)
