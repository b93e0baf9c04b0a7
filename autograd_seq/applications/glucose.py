"""Blood glucose half an hour ahead, in time to do something about it.

    h_t = GRU(x_t, h_{t-1})      y_t = A x_t + V h_t + c      L = mean of (y_t - d_t)²

A sensor under the skin of one person with diabetes measures every five minutes for half a year. x_t holds the glucose, its
last change, the current of the sensor with its change, the time of day on a circle, and whether the sensor was silent (the
last value then stands for it); d_t is the change of the glucose in the next six steps. Windows of twelve hours train, a batch
of them at each step; the same weights then run over the 40 days that score in one piece. The first 70 % train, the next 10 %
say when to stop.
"""

from __future__ import annotations

import numpy as np

import autograd_seq as ag
from autograd_seq import learn
from autograd_seq.applications.baselines import Scale, regress, rmse, stack_lags
from autograd_seq.applications.data_files import read_table
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import draw_batches, make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

HIDDEN, STEPS, WINDOW, BATCH, AHEAD = 24, 600, 144, 64, 6


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, at every fifth minute, days (T,), the glucose in mg/dL (T,), NaN where the sensor is silent, and x (T, 7)."""
    table = read_table("bokeh_sampledata", "_data/CGM.csv.gz")
    seconds = np.array(table.column("datetime"), "datetime64[s]").astype(int)
    place = (seconds - seconds[0] + 150) // 300
    measured = np.full((place[-1] + 1, 2), np.nan)
    for k, name in enumerate(("glucose", "isig")):
        measured[place, k] = [float(field) if field != "nil" else np.nan for field in table.column(name)]
    silent = np.isnan(measured[:, 0])
    last = np.maximum.accumulate(np.where(np.isnan(measured), 0, np.arange(len(measured))[:, None]))
    held = np.take_along_axis(measured, last, axis=0)
    day = (seconds[0] + 300 * np.arange(len(held))) / 86400
    change = np.diff(held, axis=0, prepend=held[:1])
    circle = [wave(2 * np.pi * day) for wave in (np.sin, np.cos)]
    return day - day[0], measured[:, 0], np.column_stack([held, change, *circle, silent])


def build() -> tuple[ag.Node, ag.Node]:
    """Return the loss and the forecast; ``m`` is 1 where the glucose is known now and in half an hour, else 0."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, d, m = ag.input("x", (7,), over=(t, b)), ag.input("d", over=(t, b)), ag.input("m", over=(t, b))
    h = ag.nn.gru(x, HIDDEN, over=t, name="cell")
    y = ag.param("A", (7,)) @ x + ag.param("V", (HIDDEN,)) @ h + ag.param("c")
    return ag.sum(m * ag.square(y - d), over=(t, b)) / ag.sum(m, over=(t, b)), y


def run(budget: Budget) -> Outcome:
    """Train, and score beside persistence and least squares on the last hour."""
    day, glucose, x = load()
    steps, place = len(day), np.arange(len(day))
    later = np.append(glucose[AHEAD:], np.full(AHEAD, np.nan))
    change = later - glucose
    train, test = place < 0.7 * steps, place >= steps - steps // 5
    late, known = ~(train | test), np.isfinite(change)
    scale, unit = Scale(x[train]), float(np.nanstd(change[train]))
    z, d = scale.reduce(x), np.where(known, change / unit, 0.0)
    series = {"x": z, "d": d, "m": known.astype(float)}
    cut = {name: learn.windows(row[train], WINDOW, step=WINDOW // 2) for name, row in series.items()}
    loss, y = build()
    nets = train_seeds(
        loss, draw_batches(BATCH, cut), {name: row[late][:, None] for name, row in series.items()}, budget,
        steps=STEPS, every=50, description="glucose",
    )  # fmt: skip
    predict = make_predictor(y)
    guesses = [(glucose + unit * predict(net.params, x=z[:, None])[:, 0]) for net in nets]
    judged, hour = test & known, np.hstack([x[:, :2], stack_lags(x[:, :2], 11)])
    baselines = {
        "persistence": rmse(glucose[judged], later[judged]),
        "least squares, last hour": rmse((glucose + regress(hour, change, ~test & known))[judged], later[judged]),
    }
    span = slice(steps - 2 * 288, steps - 288)
    picture = import_viz().plots.curves(
        24 * (day[span] - day[span][0]),
        {"measured": later[span], "forecast of the GRU": guesses[0][span], "persistence": glucose[span]},
        title="Glucose of a day, and the forecast of half an hour before", xlabel="hour", ylabel="glucose, mg/dL",
        dashed=["persistence"],
    )  # fmt: skip
    return Outcome(
        baselines, f"straight line + GRU, {HIDDEN} units", [rmse(g[judged], later[judged]) for g in guesses], picture
    )


APPLICATION = Application(
    "blood glucose, 30 minutes ahead", "RMSE, mg/dL", "one person's sensor, in bokeh_sampledata; public domain", run,
    ("bokeh_sampledata",),
)  # fmt: skip
