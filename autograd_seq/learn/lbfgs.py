"""L-BFGS, a quasi-Newton method: for a loss that is the same at every step, of all data at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.errors import OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.learn.data import check_count
from autograd_seq.learn.line_search import Point, search
from autograd_seq.learn.optim import Arrays, Evaluate, Optimizer, State, Stride, check_floats, make_state_error
from autograd_seq.learn.schedule import check_number

_SLOTS = ("moves", "changes")


def lbfgs(history: int = 10, tolerance: float = 1e-9) -> Optimizer:
    """Quasi-Newton descent: a step along the direction that the last gradients give, as long as a line search says.

    Args:
        history: how many pairs of steps and changes of the gradient it remembers.
        tolerance: it ends where no entry of the gradient is larger.

    Returns:
        An :class:`Optimizer`.

    Raises:
        OperationError: an argument is out of range.

    Example:
        >>> import autograd_seq as ag
        >>> x, y = ag.param("x"), ag.param("y")
        >>> valley = (1 - x) ** 2 + 100 * (y - x**2) ** 2
        >>> result = ag.learn.train(valley, {"x": -1.2, "y": 1.0}, {}, lbfgs(), steps=100, progress=False)
        >>> {name: round(float(p), 5) for name, p in result.params.items()}, len(result.losses) < 50
        ({'x': 1.0, 'y': 1.0}, True)

    Notes:
        Nocedal 1980; Liu & Nocedal 1989. Only for the same feeds at every step: line searches compare losses. Draws are the
        same in all steps for that reason. A step computes the loss once or a few times, and remembers ``2 history`` numbers
        for each parameter; they are saved, and a training that resumes takes the same steps.
    """
    history, tolerance = check_count(history, "history="), check_number("tolerance", tolerance)

    def init(params: Mapping[str, Any]) -> State:
        return State(0, {slot: {name: np.zeros((0, *p.shape)) for name, p in check_floats(params).items()} for slot in _SLOTS})

    def update(params: Mapping[str, Any], grads: Mapping[str, Any], state: State) -> tuple[Arrays, State]:
        raise OperationError("L142", "lbfgs takes no step from one gradient: it searches along a line", got="update(…)",
                             expected="train(…, lbfgs())", fix="sgd, momentum, adam, adamw and rmsprop do")  # fmt: skip

    def minimize(evaluate: Evaluate, params: Arrays, state: State) -> Iterator[Stride]:
        vectors = _Vectors(params)
        pairs = _read_pairs(vectors, state)
        here, number = vectors.measure(evaluate, vectors.join(params)), state.step
        while np.max(np.abs(here.slope), initial=0) > tolerance:
            there = _take_step(lambda x: vectors.measure(evaluate, x), here, pairs)
            if there is None and pairs:  # what is remembered has become wrong
                pairs.clear()
                continue
            if there is None:
                return
            move, change = there.x - here.x, there.slope - here.slope
            if move @ change > np.finfo(float).eps * (change @ change):
                pairs.append((move, change))
                del pairs[:-history]
            number += 1
            loss, grads, here = here.loss, vectors.split(here.slope), there
            yield Stride(vectors.split(here.x), State(number, _write_pairs(vectors, pairs)), loss, grads)

    return Optimizer(init, update, minimize)


class _Vectors:
    """Parameters as one vector of float64, whose entries are numbers of the parameters' own widths."""

    def __init__(self, params: Arrays) -> None:
        self.params = params

    def join(self, arrays: Mapping[str, Any]) -> np.ndarray:
        return np.concatenate([np.asarray(arrays[name], float).ravel() for name in self.params] or [np.zeros(0)])

    def split(self, x: np.ndarray) -> Arrays:
        ends = np.cumsum([p.size for p in self.params.values()])[:-1]
        parts = zip(self.params.items(), np.split(x, ends), strict=True) if self.params else ()
        return {name: part.reshape(p.shape).astype(p.dtype) for (name, p), part in parts}

    def measure(self, evaluate: Evaluate, x: np.ndarray) -> Point:
        params = self.split(x)
        loss, grads = evaluate(params)
        return Point(self.join(params), loss, self.join(grads))


def _read_pairs(vectors: _Vectors, state: State) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the pairs that a state holds, the latest last."""
    slots = {slot: state.slots.get(slot, {}) for slot in _SLOTS}
    counts = {len(a) for held in slots.values() for a in held.values() if np.ndim(a)}
    for held in slots.values():
        if {name: np.shape(a)[1:] for name, a in held.items()} != {name: p.shape for name, p in vectors.params.items()}:
            raise make_state_error(vectors.params, state, _SLOTS)
    if len(counts) > 1 or set(state.slots) != set(_SLOTS):
        raise make_state_error(vectors.params, state, _SLOTS)
    moves, changes = ([vectors.join({name: a[k] for name, a in slots[slot].items()}) for k in range(max(counts, default=0))]
                      for slot in _SLOTS)  # fmt: skip
    return [*zip(moves, changes, strict=True)]


def _write_pairs(vectors: _Vectors, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Arrays]:
    shapes = {name: p.shape for name, p in vectors.params.items()}
    ends = np.cumsum([p.size for p in vectors.params.values()])[:-1]
    return {slot: {name: part.reshape(len(pairs), *shape) for (name, shape), part
                   in zip(shapes.items(), np.split(np.array([pair[k] for pair in pairs]), ends, axis=1), strict=True)}
            if pairs else {name: np.zeros((0, *shape)) for name, shape in shapes.items()}
            for k, slot in enumerate(_SLOTS)}  # fmt: skip


def _take_step(measure: Callable[[np.ndarray], Point], here: Point,
               pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Point | None:  # fmt: skip
    """Return the point that a line search finds along the quasi-Newton direction; ``None`` if it finds none."""
    size = float(np.linalg.norm(here.slope))
    first = 1.0 if pairs or size <= 1 else 1 / size
    return search(measure, here, find_direction(here.slope, pairs), first)


@np.errstate(all="ignore")  # where pairs are of no use the line leads nowhere, and they are forgotten
def find_direction(slope: np.ndarray, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return −H g, where H is the inverse Hessian that the pairs give: the two loops of Nocedal 1980.

    Example:
        >>> find_direction(np.array([2.0, 6.0]), [(np.array([1.0, 0.0]), np.array([2.0, 0.0]))]).tolist()
        [-1.0, -3.0]
    """
    left, shares = slope.copy(), []
    for move, change in reversed(pairs):
        shares.append((move @ left) / (move @ change))
        left -= shares[-1] * change
    if pairs:
        move, change = pairs[-1]
        left *= (move @ change) / (change @ change)
    for (move, change), share in zip(pairs, reversed(shares), strict=True):
        left += (share - (change @ left) / (move @ change)) * move
    return -left


__all__ = ["lbfgs"]
explain_keywords(globals(), __all__)
