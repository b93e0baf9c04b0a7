"""What a user's own operation promises, tried when a node of it is made: shape, kind, lifting, and operands left as they are.

Why on made-up numbers (2026-11): a forward that sums over everything is right at a single point and wrong below leading
dimensions, silently. Data would show it only where they differ from point to point (a state begins with zeros), and only at
run time. So the forward is called on a few points of small random numbers, once for operands of the same shapes; where it
refuses such numbers, or there would be millions of them, nothing can be said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import OperationError
from autograd_seq.core.kinds import kind_of
from autograd_seq.core.node import Node
from autograd_seq.core.op import FUNCTIONS, Op
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.ops.lifting import lift

_MOST = 2_000_000
"""Numbers that a trial may take."""
_RANK = {bool: 0, int: 1, float: 2}
_LIFTING = "points are leading dimensions of the operands: work on trailing ones, as x.sum(axis=-1) does, or x @ y"


def tried(op: Op, inputs: Sequence[Node], attrs: dict[str, Any], shape: tuple[int, ...], dtype: type) -> None:
    """Try the forward of an operation on points like those of its operands, once for each kind of call.

    Raises:
        OperationError: it returns another shape or kind than declared, changes its operands, or does something else below
            leading dimensions than at each point.
    """
    axes = tuple(dict.fromkeys(a for x in inputs for a in x.axes))
    layouts = tuple((x.shape, x.dtype, tuple(map(axes.index, x.axes))) for x in inputs)
    key = ("tried", layouts, tuple((name, _mark(value)) for name, value in attrs.items()))
    if key in op.calls:
        return
    if sum(math.prod(x.shape) << len(axes) for x in inputs) <= _MOST:
        _Trial(op, inputs, axes, attrs, shape, dtype).run()
    op.calls.add(key)


def _mark(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


class _Trial:
    """Calls of one forward, at points alone and at all of them: two along each axis."""

    def __init__(self, op: Op, inputs: Sequence[Node], axes: tuple[Axis, ...], attrs: dict[str, Any], shape: tuple[int, ...],
                 dtype: type) -> None:  # fmt: skip
        self.op, self.inputs, self.axes, self.attrs, self.shape, self.dtype = op, inputs, axes, attrs, shape, dtype
        rng = np.random.default_rng(0)
        self.arrays = [self._drawn(x, rng) for x in inputs]

    def _drawn(self, x: Node, rng: np.random.Generator) -> Any:
        if x._value is not None:
            return np.asarray(x._value)
        points = tuple(2 if a in x.axes else 1 for a in self.axes) if x.axes else ()
        drawn = rng.uniform(0.1, 0.9, points + x.shape)
        return drawn if x.dtype is float else (drawn < 0.5).astype(x.dtype)

    def run(self) -> None:
        places = [(0,) * len(self.axes), *(tuple(int(a is b) for a in self.axes) for b in self.axes)]
        with np.errstate(all="ignore"):
            try:
                alone = [self._alone(place) for place in places]
                again = self._alone(places[0])
            except OperationError:
                raise
            except Exception:  # it may be made for other numbers
                return
            if not self.axes:
                return
            together = self._together()
        if np.array_equal(alone[0], again, equal_nan=self.dtype is float):  # it does not draw numbers, say
            for place, value in zip(places, alone, strict=True):
                if not np.allclose(together[place], value, rtol=1e-5, atol=1e-8, equal_nan=True):
                    raise self._mixes("at each point what it returns for that alone", "other values for several points")

    def _alone(self, place: tuple[int, ...]) -> Any:
        """Return the value at one point, of what eager mode would give the forward."""
        xs = [array[tuple(p if a in x.axes else 0 for p, a in zip(place, self.axes, strict=True))] if x.axes else array
              for array, x in zip(self.arrays, self.inputs, strict=True)]  # fmt: skip
        value = self._called(xs, lambda given: self.op.forward(*[x[()] for x in given], **self.attrs))
        if value.shape != self.shape:
            raise self._refused("O124", "returns another shape than declared", str(self.shape), str(value.shape),
                                "mend shape= or dtype= of defop, or the forward")  # fmt: skip
        if _RANK[kind_of(value)] > _RANK[self.dtype]:
            raise self._refused("O126", "returns another kind than declared", self.dtype.__name__, kind_of(value).__name__,
                                "mend shape= or dtype= of defop, or the forward")  # fmt: skip
        return value

    def _together(self) -> Any:
        """Return the values at all points at once."""
        whole, shapes = (2,) * len(self.axes) + self.shape, [x.shape for x in self.inputs]
        try:
            value = self._called(self.arrays, lambda given: lift(self.op, given, shapes, self.attrs))
        except OperationError:
            raise
        except Exception as error:
            raise self._mixes(f"shape {whole} for two points of each axis", f"{type(error).__name__}: {error}") from error
        if value.ndim != len(whole) or any(n not in (1, m) for n, m in zip(value.shape, whole, strict=True)):
            raise self._mixes(f"shape {whole} for two points of each axis", str(value.shape))
        return np.broadcast_to(value, whole)

    def _called(self, xs: Sequence[Any], call: Callable[[list[Any]], Any]) -> Any:
        """Return what a call returns on copies of the operands, which must be what they were afterwards."""
        given = [np.array(x) for x in xs]
        value = np.array(call(given))
        for before, after in zip(xs, given, strict=True):
            if not np.array_equal(before, after, equal_nan=after.dtype.kind in "fc"):
                raise self._refused("O127", "changes its operands", "operands left as they are", "an operation in place",
                                    "x = x * 2 makes a new array, x *= 2 does not")  # fmt: skip
        return value

    def _mixes(self, expected: str, got: str) -> OperationError:
        return self._refused("O125", "does not compute each point by itself", expected, got, _LIFTING)

    def _refused(self, code: str, what: str, expected: str, got: str, fix: str) -> OperationError:
        name = self.op.name
        return OperationError(code, f"the forward of {name} {what}", node=name, where=show_site(user_site()),
                              expected=expected, got=got, fix=fix)  # fmt: skip


FUNCTIONS.update(tried=tried)
