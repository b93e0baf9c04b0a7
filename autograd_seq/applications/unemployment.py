"""Unemployment a quarter ahead, from what people earn and spend.

    h_t = GRU(x_t, h_{t-1})      y_t = A x_t + V h_t + c      L = mean of (y_t - d_t)² over the training quarters

x_t holds the changes in a quarter of the unemployment rate, of the gross domestic product and of consumption (the latter two in
per cent); d_t is the change of the rate in the next. The network adds to a straight line: data are few. The quarters of 1986 to
1996 say when to stop; trained again for as long on all before, it is scored on the last 52 quarters, 1996 to 2009.
"""

from __future__ import annotations

import numpy as np

import autograd_seq as ag
from autograd_seq.applications.baselines import Scale, autoregress, regress, rmse, stack_lags
from autograd_seq.applications.data_files import read_table
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

HIDDEN, STEPS, TEST, VALID = 8, 300, 52, 40


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return years, (T,); the unemployment rate in per cent, (T,); and the changes x, (T, 3), the first row NaN."""
    table = read_table("statsmodels", "datasets/macrodata/macrodata.csv")
    year, quarter, rate, product, spent = (
        np.array(table.column(name), float) for name in ("year", "quarter", "unemp", "realgdp", "realcons")
    )
    levels = np.column_stack([rate, 100 * np.log(product), 100 * np.log(spent)])
    return year + (quarter - 1) / 4, rate, np.vstack([np.full((1, 3), np.nan), np.diff(levels, axis=0)])


def build() -> tuple[ag.Node, ag.Node]:
    """Return the loss and the forecast. ``m`` is 1 in the quarters that count, else 0."""
    t = ag.Axis("t")
    x, d, m = ag.input("x", (3,), over=t), ag.input("d", over=t), ag.input("m", over=t)
    h = ag.nn.gru(x, HIDDEN, over=t, name="cell")
    y = ag.param("A", (3,)) @ x[t] + ag.param("V", (HIDDEN,)) @ h[t] + ag.param("c")
    return ag.sum(m[t] * ag.square(y - d[t]), over=t) / ag.sum(m, over=t), y


def run(budget: Budget) -> Outcome:
    """Train, and score beside persistence, AR(4), and least squares on the three changes."""
    year, rate, changes = load()
    quarter, steps = np.arange(len(rate)), len(rate)
    test, late = quarter >= steps - TEST, (quarter >= steps - TEST - VALID) & (quarter < steps - TEST)
    scale = Scale(changes[1 : steps - TEST])
    z = scale.reduce(changes)[1:]
    feeds = {"x": z[:-1], "d": z[1:, 0]}
    loss, y = build()
    nets = train_seeds(
        loss, {**feeds, "m": ~(test | late)[2:]}, {**feeds, "m": late[2:]}, budget, steps=STEPS,
        whole={**feeds, "m": ~test[2:]}, description="unemployment",
    )  # fmt: skip
    predict, last = make_predictor(y), np.append(np.nan, rate[:-1])

    def forecast(z_next: np.ndarray) -> np.ndarray:
        """Return the rate, from the standardised change that is forecast for quarters 2, 3, …"""
        change = z_next * scale.deviation[0] + scale.mean[0]
        return last + np.concatenate([[np.nan, np.nan], change])

    guesses = [forecast(predict(net.params, x=z[:-1])) for net in nets]
    forecasts = {
        "persistence": last, "AR(4)": autoregress(rate, 4, ~test),
        "least squares on the same changes": last + regress(stack_lags(changes, 1), changes[:, 0], ~test),
    }  # fmt: skip
    picture = import_viz().plots.forecast(
        year[2:], rate[2:], guesses[0][2:], split=year[steps - TEST], ylabel="unemployment, %",
        title="Unemployment in the United States, and the forecast from the quarter before",
    )  # fmt: skip
    return Outcome(
        {name: rmse(guess[test], rate[test]) for name, guess in forecasts.items()}, f"straight line + GRU, {HIDDEN} units",
        [rmse(guess[test], rate[test]) for guess in guesses], picture,
    )  # fmt: skip


APPLICATION = Application(
    "unemployment in the US, a quarter ahead", "RMSE, percentage points", "Federal Reserve, in statsmodels; public domain", run,
    ("statsmodels",),
)  # fmt: skip
