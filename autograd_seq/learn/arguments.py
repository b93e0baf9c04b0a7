"""The arguments of a training, checked before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograd_seq.core.errors import OperationError
from autograd_seq.learn.optim import Optimizer, State


def check_arguments(params: Any, optimizer: Any, state: Any, seed: Any) -> None:
    """Refuse parameters, an optimiser, its state or a seed that are none.

    Raises:
        OperationError: one is something else.
    """
    if not isinstance(params, Mapping):
        raise OperationError("L129", f"params= is a value of {type(params).__name__}", expected="arrays by name",
                             got=repr(params)[:80], fix="ag.nn.init.params(loss, seed=0)")  # fmt: skip
    if not isinstance(optimizer, Optimizer):
        raise OperationError("L144", f"optimizer= is {optimizer!r:.60}, which is none",
                             expected="an Optimizer", got=type(optimizer).__name__, fix="ag.learn.adam(1e-3)")  # fmt: skip
    if not isinstance(state, (State, type(None))):
        raise OperationError("L149", f"state= is {state!r:.60}, which is no state of an optimizer", expected="a State, or None",
                             got=type(state).__name__, fix="state=result.state, of an earlier training")  # fmt: skip
    if not hasattr(seed, "__index__"):
        raise OperationError("L150", f"seed= is {seed!r:.60}, which is no integer", expected="an integer",
                             got=type(seed).__name__)  # fmt: skip


def check_clipped(grads: Any) -> Mapping[str, Any]:
    """Return what a function of one's own has made of gradients.

    Raises:
        OperationError: it has returned something else.
    """
    if not isinstance(grads, Mapping):
        raise OperationError("L152", "clip= returns no gradients", expected="a dict of arrays, by parameter",
                             got=repr(grads)[:80], fix="def clip(grads): …; return grads")  # fmt: skip
    return grads


__all__ = ["check_arguments", "check_clipped"]
