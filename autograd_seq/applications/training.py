"""Training from several seeds, each with early stopping: the parameters kept are those with the least validation loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

import autograd_seq as ag
from autograd_seq import learn
from autograd_seq.applications.outcome import Budget

Arrays = dict[str, np.ndarray]
Feeds = Mapping[str, Any]


class Trained(NamedTuple):
    """A network after training.

    Args:
        params: those with the least validation loss.
        loss: the validation loss.
        steps: of the optimizer until then.
    """

    params: Arrays
    loss: float
    steps: int


def train_seeds(
    loss: ag.Node, train: Feeds | Callable[[int], Iterable[Feeds]], valid: Feeds, budget: Budget, *, steps: int,
    whole: Feeds | Callable[[int], Iterable[Feeds]] | None = None, rate: float = 0.01, every: int = 20,
    judge: ag.Node | None = None, rules: Mapping[str, Any] | None = None, decay: float = 0.0, clip: float = 1.0,
    description: str = "training",
) -> list[Trained]:  # fmt: skip
    """Train one network from each seed with Adam, the rate falling as a half cosine.

    Args:
        loss: a number, to be minimised.
        train: feeds of every step; or a function from a seed to batches, gone through once.
        valid: feeds of the validation data.
        budget, steps: seeds, and the limit of steps; how many steps of the optimizer there are otherwise.
        whole: feeds of training and validation data together: train again on them, for as many steps as have the least
            validation loss on average over the seeds. Worth it where data are few.
        rate: of the first step.
        every: how many steps lie between two looks at the validation loss.
        judge: the loss without dropout, where ``loss`` has some.
        rules: initial values, as for ``ag.nn.init.params``.
        decay, clip: of the weights, as in AdamW; the largest length of the gradient.
        description: the text of the progress bar.

    Returns:
        One network a seed.

    Example:
        >>> w = ag.param("w")
        >>> loss = ag.square(w - ag.input("x"))
        >>> [net] = train_seeds(loss, {"x": 1.0}, {"x": 1.0}, Budget(seeds=[0]), steps=200, rate=0.1)
        >>> bool(net.loss < 1e-4)
        True
    """
    step, total = ag.value_and_grad(loss), budget.limit(steps)
    score = make_predictor(judge if judge is not None else loss)
    rounds = 1 if whole is None else 2
    with tqdm(total=rounds * total * len(budget.seeds), desc=description, leave=False, dynamic_ncols=True) as bar:

        def run(seed: int, feeds: Any, until: int) -> list[Trained]:
            """Return the parameters after every ``every`` steps, each with its validation loss."""
            params: Arrays = ag.nn.init.params(loss, seed=seed, rules=rules)
            seen = [Trained(params, float(score(params, **valid)), 0)]

            def look(number: int, value: float, params: Arrays) -> None:
                bar.update()
                if (number + 1) % every == 0 or number + 1 == until:
                    seen.append(Trained(params, float(score(params, **valid)), number + 1))

            optimizer = learn.adamw(learn.cosine(rate, total), weight_decay=decay)
            batches = feeds(seed) if callable(feeds) else feeds
            result = learn.train(
                step, params, batches, optimizer, steps=until, clip=clip, progress=False, seed=seed, on_step=look
            )  # fmt: skip
            if result.interrupted:
                raise KeyboardInterrupt
            return seen

        paths = [run(seed, train, total) for seed in budget.seeds]
        if whole is None:
            return [min(path, key=lambda net: net.loss) for path in paths]
        losses = np.mean([[net.loss for net in path] for path in paths], axis=0)
        until = paths[0][int(np.argmin(losses))].steps
        return [run(seed, whole, until)[-1] for seed in budget.seeds]


def make_predictor(*nodes: ag.Node) -> Callable[..., Any]:
    """Compile outputs, and return a function of parameters (more than the outputs read do no harm) and feeds.

    Example:
        >>> double = make_predictor(ag.param("w") * ag.input("x"))
        >>> double({"w": np.array(2.0), "unused": np.array(0.0)}, x=3.0)
        array(6.)
    """
    graph = ag.Graph(*nodes)
    program = ag.compile(graph)

    def predict(params: Arrays, **feeds: Any) -> Any:
        values = program(**feeds, **{name: value for name, value in params.items() if name in graph.inputs})
        return values[0] if len(nodes) == 1 else values

    return predict


def draw_batches(size: int, arrays: Mapping[str, np.ndarray], axis: int = 1) -> Callable[[int], Iterable[Feeds]]:
    """Return a function from a seed to batches without end: all examples in a new order, again and again.

    Args:
        size: examples of a batch; a surplus that fills none is left out of this round.
        arrays: alike in length along ``axis``, by name.
        axis: the dimension of the examples.

    Example:
        >>> batches = iter(draw_batches(2, {"x": np.array([1, 2, 3, 4])}, axis=0)(0))
        >>> sorted([*next(batches)["x"], *next(batches)["x"]])
        [np.int64(1), np.int64(2), np.int64(3), np.int64(4)]
    """
    count = next(iter(arrays.values())).shape[axis]

    def batches(seed: int) -> Iterable[Feeds]:
        random = np.random.default_rng(seed)
        while True:
            order = random.permutation(count)
            for i in range(0, count - size + 1, size):
                yield {name: np.take(a, order[i : i + size], axis=axis) for name, a in arrays.items()}

    return batches
