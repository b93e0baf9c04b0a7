"""L-BFGS, SciPy's: for a loss that is the same at every step, of all data at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograd_seq.core.errors import OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.learn.data import check_count
from autograd_seq.learn.optim import Arrays, Optimizer, State, check_floats
from autograd_seq.learn.schedule import check_number


def lbfgs(history: int = 10, tolerance: float = 1e-9) -> Optimizer:
    """Quasi-Newton descent: a step along the direction that the last gradients give, as long as a line search says.

    Args:
        history: how many pairs of steps and changes of the gradient it remembers.
        tolerance: it ends where no entry of the gradient is larger.

    Raises:
        OperationError: SciPy is not installed (the extra ``jit`` brings it), or an argument is out of range.

    Example:
        >>> import autograd_seq as ag
        >>> x, y = ag.param("x"), ag.param("y")
        >>> valley = (1 - x) ** 2 + 100 * (y - x**2) ** 2
        >>> result = ag.learn.train(valley, {"x": -1.2, "y": 1.0}, {}, lbfgs(), steps=100, progress=False)
        >>> {name: round(float(p), 5) for name, p in result.params.items()}, len(result.losses) < 50
        ({'x': 1.0, 'y': 1.0}, True)

    Notes:
        Liu & Nocedal 1989; Byrd, Lu, Nocedal & Zhu 1995. Only for the same feeds at every step: line searches compare losses.
        Draws are the same in all steps for that reason. A step computes the loss once or a few times. What it remembers is not
        saved: a training that resumes begins with the steepest descent.
    """
    history, tolerance = check_count(history, "history="), check_number("tolerance", tolerance)
    try:
        from scipy.optimize import minimize as scipy_minimize
    except ImportError:
        raise OperationError("L141", "lbfgs needs SciPy, which is not installed", expected="the package scipy", got="none",
                             fix="pip install 'autograd-seq[jit]'") from None  # fmt: skip

    def init(params: Mapping[str, Any]) -> State:
        check_floats(params)
        return State(0, {})

    def update(params: Mapping[str, Any], grads: Mapping[str, Any], state: State) -> tuple[Arrays, State]:
        raise OperationError("L142", "lbfgs takes no step from one gradient: it searches along a line", got="update(…)",
                             expected="train(…, lbfgs())", fix="sgd, momentum, adam, adamw and rmsprop do")  # fmt: skip

    def minimize(evaluate: Callable[[Arrays], tuple[float, Arrays]], params: Arrays, steps: int,
                 accept: Callable[[Arrays], bool]) -> None:  # fmt: skip
        def split(x: np.ndarray) -> Arrays:
            ends = np.cumsum([p.size for p in params.values()])[:-1]
            parts = zip(params.items(), np.split(x, ends), strict=True)
            return {name: part.reshape(p.shape).astype(p.dtype) for (name, p), part in parts}

        def join(arrays: Mapping[str, Any]) -> np.ndarray:
            return np.concatenate([np.asarray(arrays[name], float).ravel() for name in params])

        def compute(x: np.ndarray) -> tuple[float, np.ndarray]:
            loss, grads = evaluate(split(x))
            return loss, join(grads)

        def callback(intermediate_result: Any) -> None:
            if accept(split(intermediate_result.x)):
                raise StopIteration

        options = {"maxiter": steps, "maxfun": 50 * steps + 50, "maxcor": history, "gtol": tolerance, "ftol": 0.0}
        scipy_minimize(compute, join(params), jac=True, method="L-BFGS-B", callback=callback, options=options)

    return Optimizer(init, update, minimize)


__all__ = ["lbfgs"]
explain_keywords(globals(), __all__)
