"""CO₂ at Mauna Loa a month ahead: a trend, the breath of the forests, and errors that remember.

    y_t = a w_{t-1} + θ₁ e_{t-1} + θ₁₂ e_{t-12} + θ₁₃ e_{t-13}      e_t = w_t - y_t      L = mean of e_t²

w_t is this month's change of the concentration less the change a year ago; y_t is its forecast, and e_t the error of it, which
is the state: a delay of a year in a recurrence. With four numbers to learn this is the seasonal model of Box & Jenkins (1970),
whose moving average is a recurrent network, trained by backpropagation through time. The months to 1986 train, the next five
years say when to stop, trained again for as long on both, and the last 120 months score.
"""

from __future__ import annotations

import numpy as np

import autograd_seq as ag
from autograd_seq.applications.baselines import autoregress, rmse
from autograd_seq.applications.data_files import read_table
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

STEPS, TEST, VALID, YEAR = 600, 120, 60, 12


def load() -> tuple[np.ndarray, np.ndarray]:
    """Return months, as fractions of years, and the mean of the weeks of each in ppm, interpolated where there is none."""
    table = read_table("statsmodels", "datasets/co2/co2.csv")
    index = np.array([int(day[:4]) * 12 + int(day[4:6]) - 1 for day in table.column("date")])
    ppm = np.array([float(value or "nan") for value in table.column("co2")])
    months = np.arange(index[0], index[-1] + 1)
    good = np.isfinite(ppm)
    counts, sums = (np.bincount(index[good] - index[0], w, len(months)) for w in (None, ppm[good]))
    there = counts > 0
    return months / 12, np.interp(months, months[there], sums[there] / counts[there])


def build() -> tuple[ag.Node, ag.Node]:
    """Return the loss and the forecast of w. ``m`` is 1 in the months that count, else 0."""
    t = ag.Axis("t")
    w, m, e = ag.input("w", over=t), ag.input("m", over=t), ag.state("e", over=t)
    y = ag.param("a") * w[t - 1] + sum(ag.param(f"q{k}") * e[t - k] for k in (1, YEAR, YEAR + 1))
    e[t] = w[t] - y
    return ag.sum(m[t] * ag.square(e[t]), over=t) / ag.sum(m, over=t), y


def run(budget: Budget) -> Outcome:
    """Train, and score beside persistence, the change of a year ago, and an autoregression of the changes."""
    year, ppm = load()
    month, steps = np.arange(len(ppm)), len(ppm)
    late, test = (month >= steps - TEST - VALID) & (month < steps - TEST), month >= steps - TEST
    change = np.append(np.nan, np.diff(ppm))
    before = np.append(np.full(YEAR, np.nan), change[:-YEAR])  # the change a year ago
    excess = change - before
    seen = np.isfinite(excess)
    scale = excess[seen & ~test].std()
    w = np.where(seen, excess / scale, 0.0)
    loss, y = build()
    nets = train_seeds(
        loss, {"w": w, "m": seen & ~late & ~test}, {"w": w, "m": late}, budget, steps=STEPS, rate=0.02,
        whole={"w": w, "m": seen & ~test}, rules={"*": ag.nn.init.normal(0.1)}, description="co2",
    )  # fmt: skip
    predict, last = make_predictor(y), np.append(np.nan, ppm[:-1])
    guesses = [last + before + scale * predict(net.params, w=w) for net in nets]
    forecasts = {
        "persistence": last, "change of a year ago": last + before,
        "AR(25) of changes": last + autoregress(change, 25, ~test),
    }  # fmt: skip
    picture = import_viz().plots.forecast(
        year[-TEST - 36 :], ppm[-TEST - 36 :], guesses[0][-TEST - 36 :], split=year[-TEST], ylabel="CO₂, ppm",
        title="Monthly CO₂ at Mauna Loa, and the forecast from the months before",
    )  # fmt: skip
    return Outcome(
        {name: rmse(guess[test], ppm[test]) for name, guess in forecasts.items()}, "seasonal recurrence of errors",
        [rmse(guess[test], ppm[test]) for guess in guesses], picture,
    )  # fmt: skip


APPLICATION = Application(
    "CO₂ at Mauna Loa, a month ahead", "RMSE, ppm", "Keeling & Whorf, in statsmodels; public domain", run, ("statsmodels",)
)  # fmt: skip
