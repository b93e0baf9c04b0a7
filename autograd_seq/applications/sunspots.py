"""Sunspots a year ahead: how many dark spots will the sun have next year?

    h_t = GRU(x_t, h_{t-1})      y_t = V h_t + c      L = mean of (y_t - d_t)² over the training years

x_t is the number of one year and d_t that of the next. The network sees one year at a time: what it knows of the eleven-year
cycle is in its state. The years 1881 to 1920 say when to stop; trained again for as long on all years to 1920, it is scored on
1921 to 1955 (Weigend, Huberman & Rumelhart 1990).
"""

from __future__ import annotations

import numpy as np

import autograd_seq as ag
from autograd_seq.applications.baselines import Scale, autoregress, mse
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

HIDDEN, STEPS = 8, 400


def build() -> tuple[ag.Node, ag.Node]:
    """Return the loss and the forecast. ``m`` is 1 in the years that count, else 0."""
    t = ag.Axis("t")
    x, d, m = ag.input("x", (1,), over=t), ag.input("d", (1,), over=t), ag.input("m", over=t)
    h = ag.nn.gru(x, HIDDEN, over=t)
    y = ag.param("V", (1, HIDDEN)) @ h[t] + ag.param("c", (1,))
    return ag.sum(m[t] * ag.mse(y, d[t]), over=t) / ag.sum(m, over=t), y


def run(budget: Budget) -> Outcome:
    """Train, and score beside persistence and AR(9)."""
    year, value = (a[:256] for a in ag.datasets.sunspots())
    scale = Scale(value[year <= 1920])
    z = scale.reduce(value)[:, None]
    feeds, after = {"x": z[:-1], "d": z[1:]}, year[1:]
    loss, y = build()
    nets = train_seeds(
        loss, {**feeds, "m": after <= 1880}, {**feeds, "m": (after > 1880) & (after <= 1920)}, budget, steps=STEPS,
        whole={**feeds, "m": after <= 1920}, every=100, rules={"W*": ag.nn.init.orthogonal(0.9)},
    )  # fmt: skip
    predict, test = make_predictor(y), year > 1920
    guesses = [np.append(np.nan, scale.restore(predict(net.params, x=z[:-1])[:, 0])) for net in nets]
    baselines = {
        "persistence": mse(value[:-1][test[1:]], value[test]),
        "AR(9)": mse(autoregress(value, 9, year <= 1920)[test], value[test]),
    }
    picture = import_viz().plots.forecast(
        year, value, guesses[0], split=1920.5, ylabel="yearly mean sunspot number",
        title="Sunspots, and the GRU's forecast from the year before",
    )  # fmt: skip
    return Outcome(baselines, f"GRU, {HIDDEN} units", [mse(guess[test], value[test]) for guess in guesses], picture)


APPLICATION = Application(
    "sunspots, a year ahead", "MSE, squared sunspot numbers", "SIDC, version 1, in the package; public domain", run
)  # fmt: skip
