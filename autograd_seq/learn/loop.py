"""The training loop: from batches to parameters, with a progress bar; it stops if the loss is not finite."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice, repeat
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from autograd_seq.core.errors import AutogradSeqError, FeedError, OperationError, ShapeError
from autograd_seq.learn.clip import clip_by_norm, global_norm
from autograd_seq.learn.optim import Arrays, Optimizer, State

Feeds = Mapping[str, Any]
Step = Callable[..., tuple[Any, Mapping[str, Any]]]
"""``step(**feeds, **params)`` returns the loss, a number, and the gradients by the parameter's name."""


class Result(NamedTuple):
    """The result of :func:`train`.

    Args:
        params: the parameters after the last update.
        state: the optimizer's state, to continue with: ``train(…, state=result.state)``.
        losses: (n,) the loss of each step, before its update.
        norms: (n,) the global norm of the gradients, before clipping.
        interrupted: whether Ctrl-C ended it.
    """

    params: Arrays
    state: State
    losses: np.ndarray
    norms: np.ndarray
    interrupted: bool


class DivergenceError(AutogradSeqError, ArithmeticError):
    """The loss, or a gradient, is not finite.

    Attributes:
        params: the last parameters whose loss was finite; the initial ones if none was.
        step: the number of the step, from 0.
        loss: its loss.
        losses: (step,) the losses before it.
    """

    def __init__(self, what: str, params: Arrays, step: int, loss: float, losses: np.ndarray, fix: Sequence[str]) -> None:
        super().__init__("L115", what, expected="a finite number", got=f"a loss of {loss:.6g}", fix=fix)
        self.params, self.step, self.loss, self.losses = params, step, loss, losses


def train(
    step: Step, params: Mapping[str, Any], batches: Feeds | Iterable[Feeds], optimizer: Optimizer, *, steps: int | None = None,
    clip: float | Callable[[Arrays], Arrays] | None = None, on_step: Callable[[int, float, Arrays], Any] | None = None,
    progress: bool = True, description: str = "training", check_grads: bool = True, state: State | None = None, seed: int = 0,
) -> Result:  # fmt: skip
    """Train parameters: for each batch compute the loss and its gradients, clip them if asked to, and update the parameters.

    Args:
        step: called as ``step(**feeds, **params)``, returns the loss (a number) and the gradients by name. If it draws
            (``step.draws``, as of ``ag.value_and_grad`` of a loss with dropout), it gets a new ``seed=…`` each time.
        params: float arrays by name; not modified.
        batches: a dict of feeds by name, the same at every step; or an iterable of such dicts, one per step, used once
            (``itertools.cycle`` repeats a list).
        optimizer: e.g. ``adam(1e-3)``.
        steps: the largest number of steps; required if ``batches`` is a single batch.
        clip: the largest global norm of the gradients, or a function from gradients to gradients.
        on_step: ``on_step(number, loss, params)`` after each update, the number from 0, the loss before the update;
            returns ``True`` to end the training.
        progress: whether to show a bar, on the standard error stream.
        description: the text of the bar.
        check_grads: whether a gradient that is not finite ends the training, like a loss that is not.
        state: the optimizer's state of an earlier :class:`Result`, to continue where that ended.
        seed: of all random draws: the seed of a step depends on it and on the number of updates before it, including those
            before ``state``. A batch may feed a ``seed`` of its own.

    Returns:
        A :class:`Result`; after Ctrl-C, that of the steps so far.

    Raises:
        DivergenceError: the loss or a gradient is not finite; the error holds the last good parameters.
        OperationError: ``steps`` is missing or not a number, a batch is not a mapping, ``step`` returns something else.
        FeedError: a batch has a name of a parameter.
        GradientError, ShapeError, DTypeError: a gradient does not belong to its parameter, the loss is not a number.

    Example:
        >>> from autograd_seq.learn.optim import sgd
        >>> def step(target, w):
        ...     return (w - target) ** 2, {"w": 2 * (w - target)}
        >>> result = train(step, {"w": 0.0}, {"target": 3.0}, sgd(0.25), steps=20, progress=False)
        >>> round(float(result.params["w"]), 4), result.losses[:2]
        (3.0, array([9.  , 2.25]))

    Notes:
        Only one batch at a time is in memory. An interrupt leaves no update half done: parameters and state change together.
    """
    feeds, total = _iterate_batches(batches, steps)
    run = _Run(step, optimizer, clip, check_grads, seed, params, state)
    interrupted = False
    with tqdm(total=total, desc=description, unit="step", dynamic_ncols=True, disable=not progress) as bar:
        try:
            for number, batch in enumerate(feeds):
                loss = run.take_step(batch, number)
                bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
                bar.update()
                if on_step is not None and on_step(number, loss, run.now[0]) is True:
                    break
        except KeyboardInterrupt:
            interrupted = True
    losses, norms = np.array(run.seen, dtype=float).reshape(-1, 2).T
    return Result(*run.now, losses, norms, interrupted)


class _Run:
    """The state of a running training.

    Attributes:
        now: the parameters and the optimizer's state; replaced together, so that an interrupt finds both of one update.
        good: the last parameters whose loss was finite.
        seen: for each step its loss, and the global norm of its gradients.
    """

    def __init__(
        self, step: Step, optimizer: Optimizer, clip: Any, check_grads: bool, seed: int,
        params: Mapping[str, Any], state: State | None,
    ) -> None:  # fmt: skip
        self.step, self.optimizer, self.clip, self.check_grads, self.seed = step, optimizer, clip, check_grads, seed
        first = {name: np.array(p) for name, p in params.items()}
        self.now = first, optimizer.init(params) if state is None else state
        self.good, self.draws = first, getattr(step, "draws", False)
        self.seen: list[tuple[float, float]] = []

    def take_step(self, batch: Any, number: int) -> float:
        """Update the parameters by one batch, and return its loss.

        Raises:
            DivergenceError: the loss is not finite, or a gradient.
        """
        params, state = self.now
        if self.draws and isinstance(batch, Mapping) and "seed" not in batch:
            batch = {**batch, "seed": _make_step_seed(self.seed, state.step)}
        loss, grads = _call_step(self.step, batch, params, number)
        if not np.isfinite(loss):
            raise _make_divergence_error(f"the loss of step {number}", self.good, loss, self.seen)
        self.good = params
        grads, norm = _clip_gradients(grads, self.clip)
        if self.check_grads and not np.isfinite(norm):
            raise _make_divergence_error(f"a gradient of step {number}", self.good, loss, self.seen)
        self.now = self.optimizer.update(params, grads, state)
        self.seen.append((loss, norm))
        return loss


def _make_step_seed(seed: int, step: int) -> int:
    """Return the seed of a step: unlike those of other steps, and of the steps of other seeds."""
    return int(np.random.SeedSequence([int(seed) % 2**64, step]).generate_state(1, np.uint64)[0] >> 1)


def _iterate_batches(batches: Any, steps: Any) -> tuple[Iterator[Feeds], int | None]:
    """Return the batches, and how many there will be if that is known."""
    if steps is not None:
        try:
            count = operator.index(steps)
        except TypeError:
            count = -1
        if count < 0:
            raise OperationError(
                "L110", f"steps={steps!r:.60} is not a number of steps", expected="an integer ≥ 0, or None", got=repr(steps)
            )
    if isinstance(batches, Mapping):
        if steps is None:
            raise OperationError(
                "L111", "steps= is missing, and training on one batch would never end", expected="steps=…", got="steps=None",
                fix="give the number of steps, or a list of batches",
            )  # fmt: skip
        return repeat(batches, steps), steps
    if not isinstance(batches, Iterable):
        raise OperationError(
            "L112",
            f"batches= is a value of {type(batches).__name__}, neither feeds nor an iterable of feeds",
            expected="a dict of feeds, or an iterable of such",
            got=repr(batches)[:80],
        )
    known = len(batches) if isinstance(batches, Sized) else None
    return islice(iter(batches), steps), steps if known is None else known if steps is None else min(known, steps)


def _call_step(step: Step, batch: Any, params: Arrays, number: int) -> tuple[float, Mapping[str, Any]]:
    """Return the loss and the gradients of one batch."""
    if not isinstance(batch, Mapping):
        raise OperationError(
            "L121", f"batch {number} is not a dict of feeds", expected='{"x": …, …}', got=repr(batch)[:80],
            fix="one dict of feeds for each step",
        )  # fmt: skip
    if both := [name for name in batch if name in params]:
        raise FeedError(
            "L113", f"{both[0]} is both fed and trained", node=both[0], got=f"{both[0]} in batch {number} and in params",
            fix="leave it out of one of them",
        )  # fmt: skip
    out = step(**batch, **params)
    if not isinstance(out, (tuple, list)) or len(out) != 2 or not isinstance(out[1], Mapping):
        raise OperationError(
            "L114", "step does not return a loss and its gradients", expected="(loss, {name: gradient})", got=repr(out)[:80],
            fix="step = ag.value_and_grad(loss)",
        )  # fmt: skip
    loss = np.asarray(out[0])
    if loss.shape or loss.dtype.kind not in "fiub":
        raise ShapeError(
            "L116", "the loss is not a number", expected="a float without dimensions",
            got=f"an array of {loss.dtype}, shape {loss.shape}", fix="ag.mean(…, over=…) makes one number of them",
        )  # fmt: skip
    return float(loss), out[1]


def _clip_gradients(grads: Mapping[str, Any], clip: Any) -> tuple[Mapping[str, Any], float]:
    """Return the gradients after clipping, and their norm before."""
    if clip is None or callable(clip):
        return grads if clip is None else clip(dict(grads)), global_norm(grads)
    return clip_by_norm(grads, clip)


def _make_divergence_error(what: str, good: Arrays, loss: float, seen: list[tuple[float, float]]) -> DivergenceError:
    first = "lower the rate, or clip the gradients: train(…, clip=1.0)" if seen else "look at the feeds and the first values"
    fix = [first, "the last good parameters are on this error: .params"]
    return DivergenceError(f"{what} is not finite", good, len(seen), loss, np.array([pair[0] for pair in seen]), fix)


__all__ = ["DivergenceError", "Result", "train"]
