"""Daily returns of a share: not where the price goes, but how far; a density for every day.

    v_t = (1 - β)(1 - α) ω + ((1 - β) α + γ [r_{t-1} < 0]) r_{t-1}² + β v_{t-1}
    p(r_t | r_<t) = (1 - π) N(r_t; μ, v_t) + π N(r_t; μ, κ v_t)      L = mean of -log p

v_t, the variance of the day, is a state of a single number: calm follows calm, and storm follows storm (Engle 1982, Bollerslev
1986), more so after a loss (Glosten, Jagannathan & Runkle 1993). The second part of the mixture holds the days that no variance
foresees. All numbers are learned by backpropagation through time. The first 68 % of the days train, the next 12 % say when to
stop, trained again for as long on both, and the last 20 % score.
"""

from __future__ import annotations

import math

import numpy as np

import autograd_seq as ag
from autograd_seq.applications.baselines import autoregress, rmse
from autograd_seq.applications.data_files import read_table
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

STEPS, SHARE = 400, "AAPL"


def load() -> tuple[np.ndarray, np.ndarray]:
    """Return years, as fractions, and the returns of each day in per cent (differences of logarithms)."""
    rows = [row for row in read_table("bokeh_sampledata", "_data/stocks.csv.gz").rows if row["Ticker"] == SHARE]
    days = np.array([row["Date"] for row in rows], "datetime64[D]")[1:]
    price = np.array([float(row["Adj Close"]) for row in rows])
    return 1970 + days.astype(int) / 365.2425, 100 * np.diff(np.log(price))


def build() -> tuple[ag.Node, ag.Node, ag.Node]:
    """Return the loss, log p and the variance of the mixture. ``m`` is 1 on days that count; ``s`` is the first variance."""
    t = ag.Axis("t")
    r, m, s = ag.input("r", over=t), ag.input("m", over=t), ag.input("s")
    alpha, beta, pi = (ag.sigmoid(ag.param(name)) for name in ("alpha", "beta", "pi"))
    gamma, kappa, mu = ag.softplus(ag.param("gamma")), 1 + ag.exp(ag.param("kappa")), ag.param("mu")
    v = ag.state("v", over=t, init=s)
    v[t] = (
        (1 - beta) * (1 - alpha) * s * ag.exp(ag.param("omega"))
        + ((1 - beta) * alpha + gamma * ag.where(r[t - 1] < 0, 1.0, 0.0)) * ag.square(r[t - 1])
        + beta * v[t - 1]
    )

    def log_normal(variance: ag.Node) -> ag.Node:
        return -0.5 * (math.log(2 * math.pi) + ag.log(variance) + ag.square(r[t] - mu) / variance)

    log_p = ag.logaddexp(ag.log(1 - pi) + log_normal(v[t]), ag.log(pi) + log_normal(kappa * v[t]))
    return -ag.sum(m[t] * log_p, over=t) / ag.sum(m, over=t), log_p, v[t] * (1 - pi + kappa * pi)


def smooth(returns: np.ndarray, first: float, weight: float = 0.94) -> np.ndarray:
    """Return the exponentially weighted mean of the squares before each day (RiskMetrics)."""
    variance = [first]
    for past in returns[:-1]:
        variance.append(weight * variance[-1] + (1 - weight) * past**2)
    return np.array(variance)


def run(budget: Budget) -> Outcome:
    """Train, and score beside Gaussian densities of constant and of smoothed variance."""
    year, r = load()
    day, days = np.arange(len(r)), len(r)
    test = day >= days - days // 5
    late = (day >= 0.68 * days) & ~test
    spread = float(r[~test].var())
    loss, log_p, v = build()
    start = {"alpha": -2.0, "beta": 2.0, "gamma": -4.0, "pi": -3.0, "kappa": 1.5}
    nets = train_seeds(
        loss, {"r": r, "s": spread, "m": ~(test | late)}, {"r": r, "s": spread, "m": late}, budget, steps=STEPS, rate=0.05,
        whole={"r": r, "s": spread, "m": ~test}, description="stocks",
        rules={name: ag.nn.init.normal(0.3, mean) for name, mean in start.items()},
    )  # fmt: skip
    predict, mean = make_predictor(log_p, v), r[~test].mean()
    runs = [predict(net.params, r=r, s=spread) for net in nets]

    def score(variance: np.ndarray, middle: float = 0.0) -> float:
        return float(np.mean(0.5 * np.log(2 * np.pi * variance) + (r - middle) ** 2 / (2 * variance), where=test))

    guess, truth = autoregress(r, 5, ~test)[test], r[test]
    remark = (
        f"Where the price goes, none of this says: the mean of the returns errs by {rmse(mean, truth):.3f} %, AR(5) by"
        f" {rmse(guess, truth):.3f} %."
    )
    edge = 2 * np.sqrt(runs[0][1][test])
    picture = import_viz().plots.curves(
        year[test], {"return": truth}, band=(mean - edge, mean + edge), band_label="forecast: mean ± 2 standard deviations",
        points="return", title=f"Daily returns of {SHARE}, and how far they were expected to go", xlabel="year",
        ylabel="return of a day, %",
    )  # fmt: skip
    return Outcome(
        {"Gaussian, constant variance": score(np.full(days, spread), mean), "Gaussian, EWMA": score(smooth(r, spread))},
        "recurrent variance, mixture of 2", [-float(log[test].mean()) for log, _ in runs], picture, remark,
    )  # fmt: skip


APPLICATION = Application(
    "daily returns of a share", "negative log density, nats a day", "Quandl WIKI, in bokeh_sampledata; public domain", run,
    ("bokeh_sampledata",),
)  # fmt: skip
