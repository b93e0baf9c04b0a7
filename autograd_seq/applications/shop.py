"""A web shop: will this customer buy something next week?

    h_t = GRU(x_t, h_{t-1})      p_t = sigmoid(A x_t + V h_t + c)      L = mean of -log p of what happened

2,357 customers of CDNOW (Fader & Hardie), who all bought first in the first twelve weeks of 1997, over 78 weeks. x_t holds
whether a customer bought in a week, what was spent, how many times there have been so far, and for how long there has been
nothing (the last three as logarithms); what is asked is whether the next week brings a purchase. Purchases are rare, about two
in a hundred weeks, and so are the nats. The customers are a batch. As Fader & Hardie have it, the first 39 weeks are given, of
which the last seven say when to stop, trained again for as long on all; the last 39 weeks, of the same customers, score.
"""

from __future__ import annotations

import numpy as np

import autograd_seq as ag
from autograd_seq.applications.data_files import read_package_text
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import draw_batches, make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

HIDDEN, STEPS, BATCH, WEEKS, LATE, TEST = 16, 300, 128, 78, 32, 39


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return whether each customer bought in each week, (78, N); x, (78, N, 4); and the weeks since the last purchase."""
    lines = [line.split() for line in read_package_text("lifetimes", "datasets/CDNOW_sample.txt").splitlines() if line.strip()]
    dates = np.array([f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in (line[2] for line in lines)], "datetime64[D]")
    week = np.minimum((dates - np.datetime64("1997-01-01")).astype(int) // 7, WEEKS - 1)
    customer = np.unique([line[1] for line in lines], return_inverse=True)[1]
    spent = np.zeros((WEEKS, customer.max() + 1))
    np.add.at(spent, (week, customer), [float(line[4]) for line in lines])
    bought = np.zeros(spent.shape, bool)
    bought[week, customer] = True
    steps = np.arange(WEEKS)[:, None]
    last = np.maximum.accumulate(np.where(bought, steps, -1), axis=0)
    silent = np.where(last < 0, -1, steps - last)  # -1: no purchase yet
    facts = [bought, np.log1p(spent) / 4, np.log1p(np.cumsum(bought, axis=0)), np.log1p(np.maximum(silent, 0)) / 2]
    return bought, np.stack(facts, axis=-1).astype(float), silent


def build(hidden: int = HIDDEN) -> tuple[ag.Node, ag.Node]:
    """Return the loss and the logits; ``m`` is 1 in weeks that count; without hidden units it is logistic regression."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, d, m = ag.input("x", (4,), over=(t, b)), ag.input("d", over=(t, b)), ag.input("m", over=(t, b))
    y = ag.param("A", (4,)) @ x + ag.param("c")
    if hidden:
        y = y + ag.param("V", (hidden,)) @ ag.nn.gru(x, hidden, over=t, name="cell")
    nats = ag.softplus(y) - d * y  # -log p of what happened
    return ag.sum(m * nats, over=(t, b)) / ag.sum(m, over=(t, b)), y


def count_by(group: np.ndarray, bought: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """Return how often a purchase followed in each group, one more and one less than counted: (k + 1) / (n + 50)."""
    size = int(group.max()) + 1
    k, n = (np.bincount(group[fit], weights, size) for weights in (bought[fit], None))
    return ((k + 1) / (n + 50))[group]


def run(budget: Budget) -> Outcome:
    """Train, and score beside one probability for all, one for each time since the last purchase, and logistic regression."""
    bought, x, silent = load()
    x, d, known, silent = x[:-1], bought[1:].astype(float), silent[:-1] >= 0, silent[:-1]
    week = np.arange(1, WEEKS)[:, None]
    given, judged = known & (week < TEST), known & (week >= TEST)

    def fit(hidden: int, seeds: Budget) -> list[np.ndarray]:
        """Return the probabilities that networks forecast, one array a seed."""
        loss, y = build(hidden)
        parts = (week < LATE, week >= LATE, week < TEST)
        train, late, whole = ({"x": x[:TEST], "d": d[:TEST], "m": (given & part)[:TEST].astype(float)} for part in parts)
        nets = train_seeds(
            loss, draw_batches(BATCH, train), late, seeds, steps=STEPS, every=25, whole=draw_batches(BATCH, whole),
            description="shop", rules={"c": ag.nn.init.constant(-3.5)},
        )  # fmt: skip
        predict = make_predictor(y)
        return [1 / (1 + np.exp(-predict(net.params, x=x))) for net in nets]

    def score(p: np.ndarray) -> float:
        return -float(np.mean(np.log(np.where(d > 0, p, 1 - p)), where=judged))

    guesses, recency = fit(HIDDEN, budget), np.maximum(silent, 0)
    baselines = {
        "one probability": score(count_by(np.zeros_like(silent), d, given)),
        "weeks since the last purchase": score(count_by(np.minimum(recency, TEST - 2), d, given)),
        "logistic regression on the same": score(fit(0, Budget(budget.seeds[:1], budget.steps))[0]),
    }
    times = np.minimum(np.cumsum(bought, axis=0)[:-1], 9)
    bins = recency // 4

    def average(values: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Return per cent, by four weeks of silence; NaN where fewer than 50 cases are."""
        chosen = judged & group
        n, total = (np.bincount(bins[chosen], w, 20)[:12] for w in (None, values[chosen]))
        return np.where(n >= 50, 100 * total / np.maximum(n, 1), np.nan)

    rows = {
        f"{name}, {what}": average(values, group)
        for name, group in (("one purchase", times == 1), ("four or more", times >= 4))
        for what, values in (("observed", d), ("forecast", guesses[0]))
    }  # fmt: skip
    picture = import_viz().plots.curves(
        4 * np.arange(12) + 1.5, rows, title="How often silent customers come back", xlabel="weeks since the last purchase",
        ylabel="purchase in the next week, %", dashed=[name for name in rows if "forecast" in name],
    )  # fmt: skip
    return Outcome(baselines, f"logistic + GRU, {HIDDEN} units", [score(guess) for guess in guesses], picture)


APPLICATION = Application(
    "purchases in a web shop, a week ahead", "nats a week", "CDNOW, Fader & Hardie, in lifetimes; MIT", run, ("lifetimes",)
)  # fmt: skip
