"""What the architectures are for: a plain RNN, LSTM, GRU, LRU and attention on four tasks that need a long memory.

All read the same sequences in float32, have the same number of units, and answer at the steps that are asked about; batches are
drawn anew, so that none can be learnt by heart. Each trains with Adam at the rate 0.003, and, if that does not solve its task,
from the start at 0.01; 400 sequences of their own say when a task is solved, which ends its training, and which of the two
rates is kept; 400 others score. A score is the fraction of answers that are right; a sum counts as right when it is less than
0.04 off (Hochreiter & Schmidhuber 1997). Where a network can be started for sequences of T steps, it is: gates are open for
times up to T, and the linear recurrences that sum turn at most once in T. `autograd-seq compare` runs it.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

import autograd_seq as ag
from autograd_seq import learn, nn
from autograd_seq.datasets.tasks import TASKS, Task
from autograd_seq.run.compile import ValueAndGrad

UNITS, SEQUENCES, TEST, CLOSE, SOLVED, RATES = 32, 32, 400, 0.04, 0.995, (0.003, 0.01)


class Question(NamedTuple):
    """What a network is asked.

    Args:
        x: (D,) over (t, b), the input.
        t: the axis of the steps.
        at: over the axis of the answers, the step at which each is due.
        steps: T, for which a network may be started.
    """

    x: ag.Node
    t: ag.Axis
    at: ag.Node
    steps: int

    def read(self, h: ag.Node) -> ag.Node:
        """Return what a network has at the steps that are asked about."""
        return ag.take(h, self.at, over=self.t)


def read_rnn(q: Question) -> ag.Node:
    """The simple recurrent network."""
    return q.read(nn.rnn(q.x, UNITS, over=q.t, name="rnn"))


def read_lstm(q: Question) -> ag.Node:
    """The LSTM."""
    return q.read(nn.lstm(q.x, UNITS, over=q.t, name="lstm").h)


def read_gru(q: Question) -> ag.Node:
    """The GRU."""
    return q.read(nn.gru(q.x, UNITS, over=q.t, name="gru"))


def read_lru(q: Question) -> ag.Node:
    """Two layers of linear recurrences on an embedding, with a gated layer after each, added to what it reads.

    The first turns at all speeds, so that it can tell a step from the next long afterwards; the second hardly turns, and sums.
    Nothing is normalised: how much was summed is the answer to some tasks.
    """
    h = nn.dense(ag.gelu(nn.dense(q.x, UNITS, name="in")), UNITS, name="embedding")
    radius = math.exp(-2 / q.steps), math.exp(-0.1 / q.steps)
    for k, phase in enumerate((2 * math.pi, 2 * math.pi / q.steps)):
        y = ag.gelu(nn.lru(h, UNITS, over=q.t, radius=radius, phase=phase, name=f"lru{k}"))
        h = h + nn.dense(y, UNITS, name=f"a{k}") * ag.sigmoid(nn.dense(y, UNITS, name=f"b{k}"))
    return q.read(h)


def read_attention(q: Question) -> ag.Node:
    """One layer of a Transformer with four heads, on sines of the step: each answer attends to all steps until it is due.

    What is attended to varies over an axis of its own, so that the scores of an answer lie side by side in memory.
    """
    h, u = nn.dense(q.x, UNITS, name="in") + nn.sinusoidal(q.t, UNITS), nn.get_read_axis(q.t)
    z = nn.layer_norm(h, name="norm1")
    y = q.read(h) + nn.multi_head_attention(
        q.read(z), 4, over=q.at.axes[0], memory=z.along(q.t, u), memory_over=u, mask=ag.index(u) <= q.at, name="attention",
    )  # fmt: skip
    y = y + nn.dense(ag.relu(nn.dense(nn.layer_norm(y, name="norm2"), 2 * UNITS, name="inner")), UNITS, name="outer")
    return nn.layer_norm(y, name="norm3")


READERS: dict[str, Callable[[Question], ag.Node]] = {
    "RNN": read_rnn, "LSTM": read_lstm, "GRU": read_gru, "LRU": read_lru, "attention": read_attention,
}  # fmt: skip


class Model(NamedTuple):
    """A network with its answers: compiled."""

    step: ValueAndGrad
    answer: ag.Program
    loss: ag.Node
    rules: dict[str, nn.init.Initialiser]


def build(reader: str, task: Task, steps: int) -> Model:
    """Compile a network for the inputs and answers of a task."""
    t, a, b = ag.Axis("t"), ag.Axis("a"), ag.Axis("b")
    question = Question(ag.input("x", task.x.shape[2:], over=(t, b)), t, ag.input("at", over=a, dtype=int), steps)
    y = nn.dense(READERS[reader](question), task.classes or 1, name="answer")
    if task.classes:
        error = ag.cross_entropy(y, ag.input("goal", over=(a, b), dtype=int))
    else:
        error = ag.square(y[0] - ag.input("goal", over=(a, b)))
    loss = ag.mean(error, over=(a, b))
    # Gates that are open for times of every length up to that of the sequence (Tallec & Ollivier 2018).
    gates = {"LSTM": "bf", "GRU": "bz"}
    rules = {gates[reader]: nn.init.Initialiser(partial(draw_chrono, steps))} if reader in gates else {}
    return Model(ag.value_and_grad(loss), ag.compile(y, order=(t, a, b)), loss, rules)


def draw_chrono(steps: int, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return log u, u uniform between 1 and T − 1."""
    return np.log(random.uniform(1, max(steps - 1, 2), shape))


def draw_weights(model: Model, seed: int) -> dict[str, np.ndarray]:
    """Return weights to start from. An LSTM that forgets slowly writes slowly, else its cell fills with noise."""
    weights: dict[str, np.ndarray] = nn.init.params(model.loss, seed=seed, rules=model.rules)
    weights |= {"lstm/bi": -weights["lstm/bf"]} if "lstm/bf" in weights else {}
    return {name: value.astype(np.float32) for name, value in weights.items()}


def make_feeds(task: Task) -> dict[str, np.ndarray]:
    """Return what a model is fed: the input, the steps that are asked about, and what is right there."""
    goal = task.goal[task.asked]
    return {
        "x": task.x.astype(np.float32), "at": np.flatnonzero(task.asked),
        "goal": goal if task.classes else goal.astype(np.float32),
    }  # fmt: skip


def score(model: Model, weights: dict[str, np.ndarray], task: Task) -> float:
    """Return the fraction of answers that are right. Few sequences at a time: attention has a score for every pair of steps."""
    feeds, right = make_feeds(task), []
    goal = feeds.pop("goal")
    for start in range(0, goal.shape[1], SEQUENCES):
        some = slice(start, start + SEQUENCES)
        y = model.answer(**weights, **feeds | {"x": feeds["x"][:, some]})[0]
        right.append(y.argmax(-1) == goal[:, some] if task.classes else np.abs(y[..., 0] - goal[:, some]) < CLOSE)
    return float(np.mean(np.concatenate(right, axis=1)))


class Run(NamedTuple):
    """What training came to.

    Args:
        look: the fraction of right answers on the sequences that say when to stop, and which of several runs is kept.
        score: the same on others.
        batches: that were trained on.
        in_time: whether training ended before the minutes did.
        seconds: of processor time.
    """

    look: float
    score: float
    batches: int
    in_time: bool
    seconds: float = 0.0


def train(
    reader: str, name: str, steps: int, seed: int, batches: int, *, rate: float = RATES[0], minutes: float = math.inf,
    report: Callable[[], object] = int,
) -> Run:  # fmt: skip
    """Train on new batches, until all answers are right.

    Args:
        reader: a key of ``READERS``.
        name: a key of ``TASKS``.
        steps: T.
        seed: of the parameters and of the sequences.
        batches: at most, of 32 sequences.
        rate: of Adam.
        minutes: of processor time, at most.
        report: is called after each batch.
    """
    draw = TASKS[name]
    look, test = (draw(steps, TEST, seed=k * 10_000 + seed) for k in (1, 2))
    model = build(reader, test, steps)
    weights, adam = draw_weights(model, seed), learn.adam(rate)
    state, done, seen, start = adam.init(weights), 0, 0.0, time.thread_time()
    while done < batches and seen <= SOLVED and time.thread_time() < start + 60 * minutes:
        task = draw(steps, SEQUENCES, seed=1_000_000 * (seed + 1) + done)
        _, grads = model.step(**make_feeds(task), **weights)
        weights, state = adam.update(weights, learn.clip_by_norm(grads, 1.0)[0], state)
        done += 1
        report()
        if done % 100 == 0:
            seen = score(model, weights, look)
    in_time = done == batches or seen > SOLVED
    return Run(score(model, weights, look), score(model, weights, test), done, in_time, time.thread_time() - start)


class Kept:
    """The trainings that a file holds, one a line: none of them is done again.

    Args:
        path: of the file, which need not exist; ``None``: no file.
        complete: whether a training that the file does not hold is done, and added to it.
    """

    def __init__(self, path: str | Path | None = None, complete: bool = True) -> None:
        self.path, self.complete = path and Path(path), complete
        self.runs: dict[str, Run] = {}
        if self.path and self.path.exists():
            for line in map(json.loads, self.path.read_text().splitlines()):
                training = json.dumps(line.pop("training"))
                self.runs[training] = Run(**line)

    def train(self, training: Sequence[str | float], make: Callable[[], Run]) -> Run | None:
        """Return the run of a training: the file's, or one that is made now; ``None`` if it is not there and not to be done."""
        name = json.dumps(training)
        if name not in self.runs and self.complete:
            self.runs[name] = make()
            if self.path:
                with self.path.open("a") as file:
                    file.write(json.dumps({"training": training, **self.runs[name]._asdict()}) + "\n")
        return self.runs.get(name)


def train_best(
    reader: str, name: str, steps: int, seed: int, batches: int, minutes: float, report: Callable[[], object], kept: Kept
) -> Run | None:
    """Train at each rate in turn, until one solves the task; return the run that ``look`` says is the best."""
    runs: list[Run] = []
    for rate in RATES:
        make = partial(train, reader, name, steps, seed, batches, rate=rate, minutes=minutes, report=report)
        run = kept.train([reader, name, steps, seed, batches, minutes, rate], make)
        if run is None:
            return None
        runs.append(run)
        if run.look > SOLVED:
            break
    return max(runs, key=lambda run: run.look)


def compare(
    tasks: Sequence[str] = tuple(TASKS), lengths: Sequence[int] = (50, 200), readers: Sequence[str] = tuple(READERS),
    seeds: Sequence[int] = (0,), batches: int = 1500, minutes: float = math.inf, say: Callable[[str], None] = print,
    kept: Kept | None = None,
) -> dict[tuple[str, str, int], list[Run]]:  # fmt: skip
    """Train every reader on every task and length, and print one table of the fractions that are right.

    Args:
        tasks: keys of ``TASKS``.
        lengths: numbers of steps T.
        readers: keys of ``READERS``.
        seeds: a network is trained from each; the table shows means, and, of several seeds, how many solved the task.
        batches: of training, at most, for each network and rate.
        minutes: of processor time, at most, for each network and rate; a cell that they ended has a ``*``.
        say: is called with each line.
        kept: the trainings of a file, which each training joins as it ends.

    Returns:
        What training came to, one run a seed, by reader, task and length.

    Notes:
        A network that solves its task stops sooner. The same arguments give the same table where no ``*`` stands.
    """
    found: dict[tuple[str, str, int], list[Run]] = {}
    kept = Kept() if kept is None else kept
    say(f"| right answers at T = {', '.join(map(str, lengths))} | {' | '.join(tasks)} |")
    say("|---|" + "---|" * len(tasks))
    for reader in readers:
        cells = []
        for task in tasks:
            for steps in lengths:
                total, label = batches * len(seeds) * len(RATES), f"{reader}, {task}, T = {steps}"
                with tqdm(total=total, desc=label, leave=False, disable=not kept.complete) as bar:
                    runs = [train_best(reader, task, steps, seed, batches, minutes, bar.update, kept) for seed in seeds]
                found[reader, task, steps] = [run for run in runs if run is not None]
            cells.append(", ".join(describe(found[reader, task, steps]) for steps in lengths))
        say(f"| {reader} | {' | '.join(cells)} |")
    return found


def describe(runs: Sequence[Run]) -> str:
    """Return the mean score, bold where the task is solved; of several runs, with the number of those that solved it.

    A dash stands for no run.

    Example:
        >>> describe([Run(1.0, 0.99, 300, True), Run(0.5, 0.53, 1500, True)]), describe([Run(0.5, 0.51, 80, False)])
        ('0.76 (1 of 2)', '0.51*')
    """
    if not runs:
        return "–"
    mean, solved = float(np.mean([run.score for run in runs])), sum(run.score > 0.95 for run in runs)
    text = f"{mean:.2f}" + ("" if all(run.in_time for run in runs) else "*")
    if mean > 0.95:
        return f"**{text}**"
    return f"{text} ({solved} of {len(runs)})" if solved else text
