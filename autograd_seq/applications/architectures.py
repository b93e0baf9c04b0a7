"""What the architectures are for: a plain RNN, LSTM, GRU, LRU and attention on four tasks that need a long memory.

All read the same sequences, have the same number of units, and are asked at the same steps; batches are drawn anew, so that
none can be learnt by heart. Each trains with Adam at the rate 0.01, and, if that does not solve its task, from the start at
0.003; 400 sequences of their own say which of the two is kept, 400 others score. A score is the fraction of answers that are
right; a sum counts as right when it is less than 0.04 off (Hochreiter & Schmidhuber 1997). `autograd-seq compare` runs it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

import autograd_seq as ag
from autograd_seq import learn, nn
from autograd_seq.datasets.tasks import TASKS, Task
from autograd_seq.run.compile import ValueAndGrad

UNITS, SEQUENCES, TEST, CLOSE, SOLVED, RATES = 32, 32, 400, 0.04, 0.995, (0.01, 0.003)


def read_rnn(x: ag.Node, t: ag.Axis) -> ag.Node:
    """The simple recurrent network."""
    return nn.rnn(x, UNITS, over=t, name="rnn")


def read_lstm(x: ag.Node, t: ag.Axis) -> ag.Node:
    """The LSTM."""
    return nn.lstm(x, UNITS, over=t, name="lstm").h


def read_gru(x: ag.Node, t: ag.Axis) -> ag.Node:
    """The GRU."""
    return nn.gru(x, UNITS, over=t, name="gru")


def read_lru(x: ag.Node, t: ag.Axis) -> ag.Node:
    """Two layers of linear recurrences, with a nonlinear layer after each, added to what it reads."""
    h = nn.dense(x, UNITS, name="in")
    for k in range(2):
        y = nn.lru(nn.layer_norm(h, name=f"norm{k}"), UNITS, over=t, radius=(0.99, 0.9999), phase=0.3, name=f"lru{k}")
        h = h + nn.dense(ag.gelu(nn.dense(y, UNITS, name=f"a{k}")), UNITS, name=f"b{k}")
    return h


def read_attention(x: ag.Node, t: ag.Axis) -> ag.Node:
    """Two causal layers of a Transformer with four heads, on sines of the step."""
    h = nn.dense(x, UNITS, name="in") + nn.sinusoidal(t, UNITS)
    return nn.transformer_encoder(h, 4, 2 * UNITS, 2, over=t, causal=True, norm="before")


READERS: dict[str, Callable[[ag.Node, ag.Axis], ag.Node]] = {
    "RNN": read_rnn, "LSTM": read_lstm, "GRU": read_gru, "LRU": read_lru, "attention": read_attention,
}  # fmt: skip


class Model(NamedTuple):
    """A reader with an answer at each step: compiled."""

    step: ValueAndGrad
    answer: ag.Program
    loss: ag.Node
    rules: dict[str, nn.init.Initialiser]


def build(reader: str, task: Task, steps: int) -> Model:
    """Compile a reader for the inputs and answers of a task. ``m`` is 1 at the steps that are asked about."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, m = ag.input("x", task.x.shape[2:], over=(t, b)), ag.input("m", over=t)
    y = nn.dense(READERS[reader](x, t), task.classes or 1, name="answer")
    if task.classes:
        error = ag.cross_entropy(y, ag.input("goal", over=(t, b), dtype=int))
    else:
        error = ag.square(y[0] - ag.input("goal", over=(t, b)))
    loss = ag.mean(ag.sum(m * error, over=t) / ag.sum(m, over=t), over=b)
    # Gates that are open for times of every length up to that of the sequence (Tallec & Ollivier 2018).
    gates = {"LSTM": "bf", "GRU": "bz"}
    rules = {gates[reader]: nn.init.Initialiser(partial(draw_chrono, steps))} if reader in gates else {}
    return Model(ag.value_and_grad(loss), ag.compile(y), loss, rules)


def draw_chrono(steps: int, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return log u, u uniform between 1 and T − 1."""
    return np.log(random.uniform(1, max(steps - 1, 2), shape))


def draw_weights(model: Model, seed: int) -> dict[str, np.ndarray]:
    """Return weights to start from. An LSTM that forgets slowly writes slowly, else its cell fills with noise."""
    weights: dict[str, np.ndarray] = nn.init.params(model.loss, seed=seed, rules=model.rules)
    return weights | ({"lstm/bi": -weights["lstm/bf"]} if "lstm/bf" in weights else {})


def score(model: Model, weights: dict[str, np.ndarray], task: Task) -> float:
    """Return the fraction of answers that are right."""
    y = model.answer(x=task.x, **weights)[0][task.asked]
    goal = task.goal[task.asked]
    return float(np.mean(y.argmax(-1) == goal if task.classes else np.abs(y[..., 0] - goal) < CLOSE))


class Run(NamedTuple):
    """What training came to.

    Args:
        look: the fraction of right answers on the sequences that say when to stop, and which of several runs is kept.
        score: the same on others.
        batches: that were trained on.
        in_time: whether training ended before the minutes did.
    """

    look: float
    score: float
    batches: int
    in_time: bool


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
    state, done, seen, end = adam.init(weights), 0, 0.0, time.thread_time() + 60 * minutes
    while done < batches and seen <= SOLVED and time.thread_time() < end:
        task = draw(steps, SEQUENCES, seed=1_000_000 * (seed + 1) + done)
        _, grads = model.step(x=task.x, goal=task.goal, m=task.asked.astype(float), **weights)
        weights, state = adam.update(weights, learn.clip_by_norm(grads, 1.0)[0], state)
        done += 1
        report()
        if done % 100 == 0:
            seen = score(model, weights, look)
    return Run(score(model, weights, look), score(model, weights, test), done, done == batches or seen > SOLVED)


def train_best(
    reader: str, name: str, steps: int, seed: int, batches: int, minutes: float, report: Callable[[], object]
) -> Run:
    """Train at each rate in turn, until one solves the task; return the run that ``look`` says is the best."""
    runs: list[Run] = []
    for rate in RATES:
        runs.append(train(reader, name, steps, seed, batches, rate=rate, minutes=minutes, report=report))
        if runs[-1].look > SOLVED:
            break
    return max(runs, key=lambda run: run.look)


def compare(
    tasks: Sequence[str] = tuple(TASKS), lengths: Sequence[int] = (50, 200), readers: Sequence[str] = tuple(READERS),
    seeds: Sequence[int] = (0,), batches: int = 1500, minutes: float = math.inf, say: Callable[[str], None] = print,
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

    Returns:
        What training came to, one run a seed, by reader, task and length.

    Notes:
        A network that solves its task stops sooner. The same arguments give the same table where no ``*`` stands.
    """
    found = {}
    columns = [(task, steps) for task in tasks for steps in lengths]
    say("| right answers | " + " | ".join(f"{task}, T = {steps}" for task, steps in columns) + " |")
    say("|---|" + "---|" * len(columns))
    for reader in readers:
        cells = []
        for task, steps in columns:
            with tqdm(total=batches * len(seeds) * len(RATES), desc=f"{reader}, {task}, T = {steps}", leave=False) as bar:
                runs = [train_best(reader, task, steps, seed, batches, minutes, bar.update) for seed in seeds]
            found[reader, task, steps] = runs
            cells.append(describe(runs))
        say(f"| {reader} | {' | '.join(cells)} |")
    return found


def describe(runs: Sequence[Run]) -> str:
    """Return the mean score, bold where the task is solved; of several runs, with the number of those that solved it.

    Example:
        >>> describe([Run(1.0, 0.99, 300, True), Run(0.5, 0.53, 1500, True)]), describe([Run(0.5, 0.51, 80, False)])
        ('0.76 (1 of 2)', '0.51*')
    """
    mean, solved = float(np.mean([run.score for run in runs])), sum(run.score > 0.95 for run in runs)
    text = f"{mean:.2f}" + ("" if all(run.in_time for run in runs) else "*")
    if mean > 0.95:
        return f"**{text}**"
    return f"{text} ({solved} of {len(runs)})" if solved else text
