"""The pulse a fifth of a second ahead, from light that shines through a driver's finger.

    h_t = GRU(x_t, h_{t-1})      y_t = A x_t + V h_t + c      L = mean of (y_t - d_t)²

x_t holds the light, which the volume of blood changes, 50 times a second, and its last two changes; d_t is its change in the
next ten steps. When the next beat will come, and what form it has, is in the state. Windows of twelve seconds train, a batch
of them at each step; the same weights then run over the two minutes that score in one piece. Of eleven minutes the first 65 %
train, and the next 15 % say when to stop.
"""

from __future__ import annotations

import numpy as np

import autograd_seq as ag
from autograd_seq import learn
from autograd_seq.applications.baselines import regress, rmse, stack_lags
from autograd_seq.applications.data_files import read_table
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import draw_batches, make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

HIDDEN, STEPS, WINDOW, BATCH, AHEAD, WARM, RATE = 48, 300, 600, 24, 10, 50, 50.0


def load() -> np.ndarray:
    """Return the signal at 50 steps a second, in units of the sensor: the mean of two measurements each."""
    values = np.array(read_table("heartpy", "data/data3.csv").column("hr"), float)
    return values[: len(values) // 2 * 2].reshape(-1, 2).mean(axis=1)


def build() -> tuple[ag.Node, ag.Node]:
    """Return the loss and the forecast; ``m`` is 1 at the steps that count, else 0."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, d, m = ag.input("x", (3,), over=(t, b)), ag.input("d", over=(t, b)), ag.input("m", over=(t, b))
    h = ag.nn.gru(x, HIDDEN, over=t, name="cell")
    y = ag.param("A", (3,)) @ x + ag.param("V", (HIDDEN,)) @ h + ag.param("c")
    return ag.sum(m * ag.square(y - d), over=(t, b)) / ag.sum(m, over=(t, b)), y


def run(budget: Budget) -> Outcome:
    """Train, and score beside persistence, and least squares on the last second and on the last two."""
    pulse = load()
    steps, place = len(pulse), np.arange(len(pulse))
    later = np.append(pulse[AHEAD:], np.full(AHEAD, np.nan))
    change, known = later - pulse, np.isfinite(later)
    train, test = place < 0.65 * steps, (place >= 0.8 * steps) & known
    late, unit = ~train & (place < 0.8 * steps), float(pulse[train].std())
    first = np.diff(pulse, prepend=pulse[0])
    x = np.column_stack([(pulse - pulse[train].mean()) / unit, first / unit * 4, np.append(0, first[:-1]) / unit * 4])
    series = {"x": x, "d": np.where(known, change / unit, 0.0), "m": known.astype(float)}
    cut = {name: learn.windows(row[train], WINDOW, step=WINDOW // 4) for name, row in series.items()}
    cut["m"] = cut["m"] * (np.arange(WINDOW)[:, None] >= WARM)
    loss, y = build()
    nets = train_seeds(
        loss, draw_batches(BATCH, cut), {name: row[late][:, None] for name, row in series.items()}, budget,
        steps=STEPS, every=25, description="heart",
    )  # fmt: skip
    predict = make_predictor(y)
    guesses = [pulse + unit * predict(net.params, x=x[:, None])[:, 0] for net in nets]
    fit, forecasts = place < 0.8 * steps - AHEAD, {"persistence": pulse}
    for seconds in (1, 2):
        rows = np.hstack([pulse[:, None], stack_lags(pulse, int(seconds * RATE))])
        forecasts[f"least squares, last {seconds} s"] = pulse + regress(rows, change, fit)
    span = slice(int(0.9 * steps), int(0.9 * steps) + 300)
    shown = {
        "measured": later,
        "forecast of the GRU": guesses[0],
        "least squares, last 1 s": forecasts["least squares, last 1 s"],
    }
    picture = import_viz().plots.curves(
        np.arange(300) / RATE, {name: row[span] for name, row in shown.items()}, xlabel="second",
        ylabel="light, units of the sensor", dashed=["least squares, last 1 s"],
        title="A driver's pulse, and the forecasts of a fifth of a second before",
    )  # fmt: skip
    return Outcome(
        {name: rmse(guess[test], later[test]) for name, guess in forecasts.items()}, f"straight line + GRU, {HIDDEN} units",
        [rmse(guess[test], later[test]) for guess in guesses], picture,
    )  # fmt: skip


APPLICATION = Application(
    "a driver's pulse, 0.2 s ahead", "RMSE, units of the sensor", "van Gent's recording, in heartpy; MIT", run, ("heartpy",)
)  # fmt: skip
