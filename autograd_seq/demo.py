"""The lecture's RNN on the sunspots, from the equations to a forecast; `autograd-seq demo` runs it.

    s_t = tanh(U x_t + W s_{t-1} + b)      y_t = V s_t + c      L = mean_t (y_t - d_t)²

x_t is the sunspot number of one year and d_t that of the next, both less the training years' mean and divided by their
standard deviation. What the sun did before x_t reaches y_t through the state alone. Training sees 1700 to 1920; the
recurrence then runs on, its parameters fixed, and 1921 to 1955 are scored one step ahead.

STEPS was chosen, among 200, 300 and 400, by the error on 1881 to 1920 after training on the years to 1880: more steps
overfit the training years. HIDDEN and RATE are round numbers; `--seed` shows how far other starts lead
from this one.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

import autograd_seq as ag
from autograd_seq import learn

HIDDEN, STEPS, RATE, SEED = 8, 200, 0.01, 0
LAST_TRAIN, LAST_TEST = 1920, 1955
LAGS = 9
_NUDGE = 1e-5

Arrays = dict[str, np.ndarray]


class Model(NamedTuple):
    """The folded graphs of the recurrence.

    Args:
        loss: the graph of L.
        output: the graph of y.
        params: U, W, b, V, c.
    """

    loss: ag.Graph
    output: ag.Graph
    params: list[ag.Node]


class Pairs(NamedTuple):
    """Consecutive years, and one step ahead of each.

    Args:
        year: (T,) the years to forecast.
        x: (T, 1) standardised value of the year before.
        d: (T, 1) standardised value of the year.
    """

    year: np.ndarray
    x: np.ndarray
    d: np.ndarray


class Sunspots(NamedTuple):
    """The data, and their mean and scale, by which the network's inputs are standardised.

    Args:
        year, value: the years to 1955, and their sunspot numbers.
        mean, scale: of the training years.
    """

    year: np.ndarray
    value: np.ndarray
    mean: float
    scale: float

    def until(self, last: int) -> Pairs:
        """Return the pairs (x, d) whose d is no later than ``last``."""
        z = ((self.value - self.mean) / self.scale)[self.year <= last, None]
        return Pairs(self.year[self.year <= last][1:], z[:-1], z[1:])


class Scores(NamedTuple):
    """Mean squared errors, one step ahead, 1921 to 1955, in squared sunspot numbers; and the RNN's forecast.

    Args:
        rnn, persistence, autoregression: the errors.
        year, actual, predicted: (T,) from 1701 to 1955, predicted by the RNN.
    """

    rnn: float
    persistence: float
    autoregression: float
    year: np.ndarray
    actual: np.ndarray
    predicted: np.ndarray


def build(hidden: int = HIDDEN) -> Model:
    """Return the recurrence with ``hidden`` units.

    Example:
        >>> len(build(2).loss.cycles())
        1
    """
    t = ag.Axis("t")
    x, d = ag.input("x", (1,), over=t), ag.input("d", (1,), over=t)
    U, W, b = ag.param("U", (hidden, 1)), ag.param("W", (hidden, hidden)), ag.param("b", (hidden,))
    V, c = ag.param("V", (1, hidden)), ag.param("c", (1,))
    s = ag.state("s", (hidden,), over=t)
    s[t] = ag.tanh(U @ x[t] + W @ s[t - 1] + b)
    y = (V @ s[t] + c).named("y")
    loss = ag.mean(ag.mse(y, d[t]), over=t).named("L")
    return Model(ag.Graph(loss), ag.Graph(y), [U, W, b, V, c])


def draw_start(model: Model, seed: int = SEED) -> Arrays:
    """Return random parameters: W orthogonal times 0.9, biases zero."""
    random = np.random.default_rng(seed)
    hidden = model.params[1].shape[0]
    U = 0.5 * random.normal(size=(hidden, 1))
    W = 0.9 * np.linalg.qr(random.normal(size=(hidden, hidden)))[0]
    V = 0.5 * random.normal(size=(1, hidden)) / np.sqrt(hidden)
    return {"U": U, "W": W, "b": np.zeros(hidden), "V": V, "c": np.zeros(1)}


def load_sunspots() -> Sunspots:
    """Return the sunspot numbers from 1700 to 1955.

    Example:
        >>> load_sunspots().until(1920).x.shape
        (220, 1)
    """
    year, value = ag.datasets.sunspots()
    seen, train = year <= LAST_TEST, value[year <= LAST_TRAIN]
    return Sunspots(year[seen], value[seen], float(train.mean()), float(train.std()))


def describe(model: Model, steps: int) -> None:
    """Print the folded graph, its cycle, and what unrolling makes of it."""
    print("The equations as a folded graph:\n")
    print(model.loss)
    for cycle in model.loss.cycles():
        print(f"\nIts cycle, broken by the delay: {' → '.join([*cycle, cycle[0]])}")
    dag = model.loss.unroll(t=steps)
    print(f"\nUnrolled over {steps} steps: {len(dag):,} nodes without a cycle; each parameter is still one node.\n")


def measure_difference(found: Arrays, reference: Arrays) -> float:
    """Return the largest difference of two sets of gradients, relative to the largest entry of the second's array.

    Example:
        >>> measure_difference({"w": np.array([1.0, 2.1])}, {"w": np.array([1.0, 2.0])})
        0.05...
    """
    return max(float(np.max(np.abs(found[k] - r)) / np.max(np.abs(r))) for k, r in reference.items())


def compute_gradients(model: Model, theta: Arrays, data: Pairs) -> tuple[Arrays, Arrays, Arrays, Arrays]:
    """Return the gradient of the loss four times.

    Returns:
        by reverse mode through the unrolled DAG; by the adjoint folded graph, unrolled; by the compiled program; by central
        differences.
    """
    names, feeds, steps = list(theta), {"x": data.x, "d": data.d}, len(data.year)
    dag = model.loss.unroll(t=steps)
    reverse = dag.grad(names).evaluate(**feeds, **theta)
    adjoint = ag.Graph(*ag.grad(model.loss.outputs[0], model.params)).unroll(t=steps).evaluate(**feeds, **theta)
    _, compiled = ag.value_and_grad(model.loss.outputs[0], model.params)(**feeds, **theta)
    numeric = {k: np.zeros_like(v) for k, v in theta.items()}
    for name, value in theta.items():
        for place in np.ndindex(value.shape):
            up, down = value.copy(), value.copy()
            up[place] += _NUDGE
            down[place] -= _NUDGE
            (above,), (below,) = (dag.evaluate(**feeds, **{**theta, name: nudged}) for nudged in (up, down))
            numeric[name][place] = (above - below) / (2 * _NUDGE)
    return dict(zip(names, reverse, strict=True)), dict(zip(names, adjoint, strict=True)), compiled, numeric


def print_comparison(model: Model, theta: Arrays, data: Pairs) -> None:
    """Print how far the four gradients agree."""
    reverse, adjoint, compiled, numeric = compute_gradients(model, theta, data)
    print(f"The gradient of L through {len(data.year)} steps; largest difference, relative to the largest entry:")
    print(f"  adjoint folded graph, unrolled: {measure_difference(adjoint, reverse):.1e} from reverse mode through the DAG")
    print(f"  adjoint folded graph, compiled: {measure_difference(compiled, reverse):.1e} from reverse mode through the DAG")
    print(f"  central differences:            {measure_difference(numeric, reverse):.1e} from reverse mode through the DAG\n")


def train_model(model: Model, theta: Arrays, data: Pairs, steps: int = STEPS) -> Arrays:
    """Return the parameters after ``steps`` steps of Adam on the full BPTT gradient, the rate falling as a half cosine."""
    step = ag.value_and_grad(model.loss.outputs[0], model.params)
    optimizer = learn.adam(learn.cosine(RATE, steps), b2=0.99)
    result = learn.train(
        step, theta, {"x": data.x, "d": data.d}, optimizer, steps=steps, description="training by full BPTT"
    )  # fmt: skip
    if result.interrupted:
        raise KeyboardInterrupt  # no forecast after half of the training: it would look like the whole one's
    return result.params


def score_autoregression(year: np.ndarray, value: np.ndarray, lags: int = LAGS) -> float:
    """Return the error of an AR with intercept, fitted by least squares to the training years.

    Example:
        >>> sun = load_sunspots()
        >>> round(score_autoregression(sun.year, sun.value), 1)
        189.2
    """
    before = [value[lags - k : -k] for k in range(1, lags + 1)]
    rows, target = np.column_stack([np.ones(len(value) - lags), *before]), value[lags:]
    seen = year[lags:] <= LAST_TRAIN
    weights = np.linalg.lstsq(rows[seen], target[seen], rcond=None)[0]
    return float(np.mean((rows[~seen] @ weights - target[~seen]) ** 2))


def judge(model: Model, theta: Arrays, sun: Sunspots) -> Scores:
    """Run the recurrence over all years and score 1921 to 1955, beside persistence and an autoregression."""
    data = sun.until(LAST_TEST)
    weights = {k: v for k, v in theta.items() if k in model.output.inputs}
    (y,) = ag.compile(model.output)(x=data.x, **weights)
    predicted, actual = y[:, 0] * sun.scale + sun.mean, sun.value[1:]
    test = data.year > LAST_TRAIN
    rnn, persistence = (
        float(np.mean((guess - actual)[test] ** 2)) for guess in (predicted, sun.value[:-1])
    )  # fmt: skip
    return Scores(rnn, persistence, score_autoregression(sun.year, sun.value), data.year, actual, predicted)


def print_report(scores: Scores, seconds: float) -> None:
    """Print the scores."""
    print(f"\nMean squared error one year ahead, {LAST_TRAIN + 1}–{LAST_TEST}, not seen in training:")
    rows = [
        (f"RNN, {HIDDEN} hidden units", scores.rnn),
        ("persistence (next year = this year)", scores.persistence),
        (f"AR({LAGS}) with intercept, least squares", scores.autoregression),
    ]
    for name, error in rows:
        print(f"  {name:<38}{error:8.1f}")
    print(f"One network, compiled and trained in {seconds:.1f} s; another --seed gives another error.")


def run(model: Model, steps: int = STEPS, seed: int = SEED) -> Scores:
    """Compare the gradients, train, and score the forecast; print the results."""
    sun = load_sunspots()
    data, theta = sun.until(LAST_TRAIN), draw_start(model, seed)
    print_comparison(model, theta, data)
    began = time.perf_counter()
    theta = train_model(model, theta, data, steps)
    seconds = time.perf_counter() - began
    scores = judge(model, theta, sun)
    print_report(scores, seconds)
    return scores
