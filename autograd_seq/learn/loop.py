"""The training loop: from batches to parameters, with a progress bar; it stops if the loss is not finite."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from autograd_seq.core.errors import EquilibriumError, OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.graph.graph import Graph
from autograd_seq.learn.arguments import check_arguments, check_clipped
from autograd_seq.learn.callbacks import Callbacks
from autograd_seq.learn.checkpoints import Checkpoints
from autograd_seq.learn.clip import clip_by_norm, global_norm
from autograd_seq.learn.interrupts import hold_interrupts
from autograd_seq.learn.last_batch import check_batch, describe_batch
from autograd_seq.learn.optim import Arrays, Optimizer, State, Stride
from autograd_seq.learn.result import DivergenceError, Feeds, Moment, Result
from autograd_seq.learn.rounds import Batches, Rounds
from autograd_seq.learn.steps import Step, Stepper
from autograd_seq.learn.validation import Validation
from autograd_seq.run.carry import Carry


def train(
    step: Step | Node | Graph, params: Mapping[str, Any], batches: Batches, optimizer: Optimizer, *, steps: int | None = None,
    epochs: int | None = None, clip: float | Callable[[Arrays], Arrays] | None = None,
    on_step: Callable[[int, float, Arrays], Any] | None = None, callbacks: Iterable[Callable[[Moment], Any]] = (),
    valid: Feeds | Iterable[Feeds] | Callable[[Arrays], float] | None = None, validate_every: int | None = None,
    patience: int | None = None, save: str | PathLike[str] | None = None, save_every: int | None = None, resume: bool = False,
    progress: bool = True, description: str = "training", check_grads: bool = True, state: State | None = None, seed: int = 0,
    **options: Any,
) -> Result:  # fmt: skip
    """Train parameters: for each batch compute the loss and its gradients, clip them if asked to, and update the parameters.

    Args:
        step: the loss, a node, which is compiled with its gradients with respect to ``params``. Or what computes both: called
            as ``step(**feeds, **params)``, returns the loss (a number) and the gradients by name. If it draws (a loss with
            dropout), it gets a new ``seed=…`` each time. If it was compiled with ``carry=``, or made by
            ``ag.online``, each batch continues the sequences of the one before; a batch that feeds ``carry=None``, and each
            epoch, starts anew: :func:`segments` makes such.
        params: float arrays by name; not modified.
        batches: a dict of feeds by name, the same at every step; an iterable of such dicts, one per step; or a function from
            the number of an epoch to such an iterable, as :func:`batches` makes.
        optimizer: e.g. ``adam(1e-3)``.
        steps: the largest number of steps.
        epochs: how many times to go through the batches: once by default, and with the same feeds at every step, or a function,
            until there are as many steps as wanted.
        clip: the largest global norm of the gradients, or a function from gradients to gradients.
        on_step: ``on_step(number, loss, params)`` after each update, the number from 0, the loss before the update;
            returns ``True`` to end the training.
        callbacks: called with a :class:`Moment` after each update; one that returns ``True`` ends the training.
            :class:`CsvLog` and :class:`TensorBoardLog` write histories.
        valid: feeds of data for validation, several, or a function from the parameters to a number. The parameters with the
            least validation loss are returned. Nothing is dropped out in it (``train=False``).
        validate_every: steps between two validations; by default at the end of each epoch.
        patience: end the training after so many validations in a row without a smaller loss.
        save: the name of a file, ``.safetensors`` or ``.npz``, in which the training is saved as it goes on, and at its end.
        save_every: steps between two files; by default there is one a minute.
        resume: go on from that file, if it is there, as if the training had never been interrupted: ``params``, ``state`` and
            ``seed`` are those of the file, batches that have been used are left out, ``steps`` and ``epochs`` count all. The
            last batch that was used must be the same again; where a function or an iterator gives another one, there is an
            :class:`OtherBatchesWarning`. To continue on other data: ``train(…, load(path)["params"], …)``.
        progress: whether to show a bar, on the standard error stream.
        description: the text of the bar.
        check_grads: whether a gradient that is not finite ends the training, like a loss that is not.
        state: the optimizer's state of an earlier :class:`Result`, to continue where that ended.
        seed: of all random draws: the seed of a step depends on it and on the number of updates before it, including those
            before ``state``. A batch may feed a ``seed`` of its own.
        options: how a loss is compiled: ``segment=``, ``window=``, ``every=`` truncate its gradients, as :func:`ag.bptt` does;
            ``carry=True`` carries states from batch to batch, and each update minimises the loss of its batch;
            ``memory="sqrt"`` recomputes instead of storing; the rest as for :func:`ag.value_and_grad`: ``backend=``, …

    Returns:
        A :class:`Result`. Ctrl-C ends the training after the step, and returns that of the steps so far.

    Raises:
        DivergenceError: the loss or a gradient is not finite, or an equilibrium does not settle; the error says which node made
            the first such number, at which step of the sequence, and holds the last good parameters, as the file does.
        OperationError: ``steps`` is missing or not a number, a batch is not a mapping, ``step`` returns something else.
        FeedError: a batch has a name of a parameter.
        GradientError, ShapeError, DTypeError: a gradient does not belong to its parameter, the loss is not a number.
        LoadError: the file to resume from is damaged, or of another training, or of other batches.

    Example:
        >>> import autograd_seq as ag
        >>> from autograd_seq.learn.optim import sgd
        >>> w, target = ag.param("w"), ag.input("target")
        >>> result = train((w - target) ** 2, {"w": 0.0}, {"target": 3.0}, sgd(0.25), steps=20, progress=False)
        >>> round(float(result.params["w"]), 4), result.losses[:2]
        (3.0, array([9.  , 2.25]))

    Notes:
        Only one batch at a time is in memory. An interrupt leaves no update half done: parameters and state change together.
    """
    check_arguments(params, optimizer, state, seed)
    watch = Callbacks(on_step, callbacks)
    stepper = Stepper(step, params, options, train)
    rounds = Rounds(batches, steps, epochs)
    first = {name: np.array(p) for name, p in params.items()}
    validation = Validation(valid, validate_every, patience, stepper, first)
    files = Checkpoints(save, save_every, stepper.loss)
    new = optimizer.init(params)
    run = _Run(stepper, optimizer, clip, check_grads, seed, _Now(first, new if state is None else state))
    if resume and (things := files.load(first, new)):
        run.restore(things, rounds, Path(save or "").name)
        validation.restore(things["params"], things["validation"])
    before = len(run.seen) // 2
    interrupted = _repeat(run, rounds, validation, files, watch, description, progress)
    losses, norms = run.list_seen().T
    last = run.now.params
    return Result(
        validation.choose(last), run.now.state, losses, norms, interrupted, last, validation.get_losses(), run.now.carry, before
    )


def _repeat(run: _Run, rounds: Rounds, validation: Validation, files: Checkpoints, watch: Callbacks, description: str,
            progress: bool) -> bool:  # fmt: skip
    """Take one step after another, each with what follows it, and save at the end; return whether Ctrl-C ended them."""
    make = lambda: run.as_things(validation)  # noqa: E731 - two words, used twice
    before, interrupted = run.now.done, False
    with ExitStack() as stack:
        shown = tqdm(total=rounds.total, initial=rounds.done, desc=description, unit="step", dynamic_ncols=True,
                     disable=not progress)  # fmt: skip
        bar = stack.enter_context(shown)
        pressed = stack.enter_context(hold_interrupts(progress))
        watch.start(rounds.done, stack)

        def finish_step(loss: float, norm: float) -> bool:
            """Do what follows an update; return whether the training ends."""
            judged = validation.check_if_due(run.now.params, rounds.done, rounds.ends_epoch)
            bar.set_postfix_str(_describe(loss, norm, validation.seen), refresh=False)
            bar.update()
            ended = watch.show(rounds, loss, norm, judged, run.now.params)
            files.save_if_due(rounds.done, make)
            return ended or validation.is_over() or pressed()

        try:
            if not validation.is_over():
                run.take_steps(rounds, finish_step)
        except KeyboardInterrupt:
            interrupted = True
        except DivergenceError:
            if run.good.done > before:  # of what is good, more than there was
                run.now = run.good
                files.save(make())
            raise
        interrupted = interrupted or pressed()
        files.save(make())
    return interrupted


def _describe(loss: float, norm: float, seen: list[tuple[int, float]]) -> str:
    return f"loss {loss:.4g}, norm {norm:.3g}" + (f", valid {seen[-1][1]:.4g}" if seen else "")


class _Now(NamedTuple):
    """What a step changes: replaced as a whole, so that an interrupt finds all of it of one update.

    Args:
        params, state: of the optimizer.
        carry: the rows that the next step reads.
        epoch, batch, done: the position in the batches: of this epoch, and of all.
        fed: the last batch.
    """

    params: Arrays
    state: State
    carry: Carry | None = None
    epoch: int = 0
    batch: int = 0
    done: int = 0
    fed: Feeds | None = None


class _Run:
    """The state of a running training.

    Attributes:
        now: what the last step left.
        good: the last state whose loss was finite; at first the one at the beginning.
        seen: for each step its loss, and the global norm of its gradients, one after the other.
    """

    def __init__(self, step: Stepper, optimizer: Optimizer, clip: Any, check_grads: bool, seed: int, now: _Now) -> None:
        self.step, self.optimizer, self.clip, self.check_grads, self.seed = step, optimizer, clip, check_grads, seed
        self.now, self.good = now, now
        self.seen = array("d")

    def take_steps(self, rounds: Rounds, finish: Callable[[float, float], bool]) -> None:
        """Update the parameters again and again, until the rounds end or ``finish`` returns true."""
        if self.optimizer.minimize is not None:
            self._minimize(self.optimizer.minimize, rounds, finish)
            return
        for batch in rounds:
            if finish(*self.take_step(batch, rounds)):
                break

    def _minimize(
        self, minimize: Callable[..., Iterator[Stride]], rounds: Rounds, finish: Callable[[float, float], bool]
    ) -> None:
        """Let an optimizer compute the loss of the same feeds as often as it likes."""
        feeds, total = rounds.same, rounds.total
        if feeds is None or total is None or self.clip is not None or self.step.carries:
            raise OperationError("L143", "this optimizer searches along lines, for which all steps must have the same loss",
                                 expected="a dict of feeds, and no clip=", got="batches, clip=, or a carry",
                                 fix="all data in one dict of feeds, or another optimizer: adam(1e-3)")  # fmt: skip
        if self.step.draws:
            feeds = {"seed": make_step_seed(self.seed, 0), **feeds}
        began = False

        def evaluate(params: Arrays) -> tuple[float, Mapping[str, Any]]:
            nonlocal began
            if began:  # a number that is not finite tells that a step is too long
                return self._try(feeds, params, rounds.done)
            began = True
            return self._compute(feeds, params, rounds.done, None)[:2]

        if total <= rounds.done:
            return
        for params, state, loss, grads in minimize(evaluate, self.now.params, self.now.state):
            rounds.epoch, rounds.batch, rounds.done = rounds.done, 1, rounds.done + 1
            norm = global_norm(grads)
            self.seen.extend((loss, norm))
            self.now = self.good = _Now(params, state, None, rounds.epoch, 1, rounds.done, rounds.same)
            if finish(loss, norm) or rounds.done == total:
                return

    def take_step(self, batch: Any, rounds: Rounds) -> tuple[float, float]:
        """Update the parameters by one batch; return its loss, and the norm of the gradients.

        Raises:
            DivergenceError: the loss is not finite, or a gradient.
        """
        params, state, carry, *_ = self.now
        fed = batch
        if self.step.draws and isinstance(batch, Mapping) and "seed" not in batch:
            batch = {**batch, "seed": make_step_seed(self.seed, state.step)}
        if rounds.batch == 1:
            carry = None
        number = rounds.done - 1
        loss, grads, left = self._compute(batch, params, number, carry)
        self.good = self.now
        grads, norm = _clip_gradients(grads, self.clip)
        if self.check_grads and not np.isfinite(norm):
            raise self._make_error(f"a gradient of step {number}", loss, number, self.step.explain(batch, params, carry))
        updated = self.optimizer.update(params, grads, state)
        self.seen.extend((loss, norm))
        self.now = _Now(*updated, left, rounds.epoch, rounds.batch, rounds.done, fed)
        return loss, norm

    def _compute(
        self, batch: Any, params: Arrays, number: int, carry: Carry | None
    ) -> tuple[float, Mapping[str, Any], Carry | None]:
        """Return the loss of a batch, its gradients, and the carry after it.

        Raises:
            DivergenceError: the loss is not finite, or an equilibrium does not settle.
        """
        try:
            loss, grads, left = self.step(batch, params, number, carry)
        except EquilibriumError as error:
            raise self._make_error(f"the loss of step {number}", np.nan, number, error) from error
        if not np.isfinite(loss):
            raise self._make_error(f"the loss of step {number}", loss, number, self.step.explain(batch, params, carry))
        return loss, grads, left

    def _try(self, batch: Any, params: Arrays, number: int) -> tuple[float, Mapping[str, Any]]:
        """Return the loss at parameters that may be too far away, and its gradients; NaN where it cannot be computed."""
        try:
            return self.step(batch, params, number, None)[:2]
        except EquilibriumError:
            return np.nan, {name: np.full(p.shape, np.nan) for name, p in params.items()}

    def _make_error(self, what: str, loss: float, number: int, found: Any) -> DivergenceError:
        first = (
            "lower the rate, or clip the gradients: train(…, clip=1.0)"
            if self.seen
            else "look at the feeds and the first values"
        )
        fix = [first, "the last good parameters are on this error: .params"]
        return DivergenceError(what, self.good.params, number, loss, self.list_seen()[:, 0], fix, found)

    def list_seen(self) -> np.ndarray:
        """Return (n, 2) the loss of each step, and the norm of its gradients; without those of an update that is half done."""
        return np.array(self.seen).reshape(-1, 2)[: self.now.done]

    def as_things(self, validation: Validation) -> dict[str, Any]:
        """Return what a file keeps: the parameters to be used, and all that is needed to go on."""
        now, params = self.now, validation.choose(self.now.params)
        last = None if params is now.params else now.params
        return {"params": params, "last": last, "validation": validation.as_things(), "state": now.state, "seed": self.seed,
                "step": now.done, "epoch": now.epoch, "batch": now.batch, "carry": now.carry,
                "history": self.list_seen(), "last_batch": None if now.fed is None else describe_batch(now.fed)}  # fmt: skip

    def restore(self, things: Mapping[str, Any], rounds: Rounds, source: str) -> None:
        """Go on from what a file kept."""
        fed = None
        if things["batch"]:
            fed = rounds.go_on(things["epoch"], things["batch"], things["step"])
            check_batch(source, things.get("last_batch"), fed, rounds.drawn)
        self.seed = things["seed"]
        last = things["params"] if things["last"] is None else things["last"]
        self.now = _Now(last, things["state"], things["carry"], rounds.epoch, rounds.batch, rounds.done, fed)
        self.good = self.now
        self.seen = array("d", things["history"].ravel())


def make_step_seed(seed: int, step: int) -> int:
    """Return the seed of a step: unlike those of other steps, and of the steps of other seeds."""
    return int(np.random.SeedSequence([int(seed) % 2**64, step]).generate_state(1, np.uint64)[0] >> 1)


def _clip_gradients(grads: Mapping[str, Any], clip: Any) -> tuple[Mapping[str, Any], float]:
    """Return the gradients after clipping, and their norm before."""
    if clip is None or callable(clip):
        return grads if clip is None else check_clipped(clip(dict(grads))), global_norm(grads)
    return clip_by_norm(grads, clip)


__all__ = ["train"]
explain_keywords(globals(), __all__)
