"""The sea off Maine six hours ahead: will it be warm enough for a swim?

    h_t = GRU(x_t, h_{t-1})      y_t = A x_t + V h_t + c      L = mean of (y_t - d_t)²

A buoy measures the water at the surface, hour by hour for thirteen months. x_t holds the temperature, its change since an hour,
half a day and a day ago, and the time of the day and of the year on circles; d_t is its change over the next six hours, which
sun, wind and tide make. The series is cut into 13 months of 30 days, a batch: of each the first 16 days train, the next four
say when to stop, trained again for as long on both, and the last ten score.
"""

from __future__ import annotations

import numpy as np

import autograd_seq as ag
from autograd_seq.applications.baselines import Scale, regress, rmse, stack_lags
from autograd_seq.applications.data_files import read_table
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

HIDDEN, INPUTS, STEPS, AHEAD, DAY, MONTHS, DAYS = 16, 8, 150, 6, 24, 13, (16, 20, 30)


def load() -> tuple[np.ndarray, np.ndarray]:
    """Return temperatures of each hour in °C, interpolated where there is none, (T,), and x, (T, 8)."""
    table = read_table("bokeh_sampledata", "_data/sea_surface_temperature.csv.gz")
    times = np.array([text.rstrip("Z") for text in table.column("time (UTC)")], "datetime64[s]").astype(int)
    hour, values = (times - times[0]) // 3600, np.array(table.column("temperature (celsius)"), float)
    count, total = (np.bincount(hour, weights) for weights in (None, values))
    hours = np.arange(len(count))
    sea = np.interp(hours, hours[count > 0], total[count > 0] / count[count > 0])
    circles = [wave(2 * np.pi * (times[0] / 3600 + hours) / period) for period in (DAY, 8766) for wave in (np.sin, np.cos)]
    changes = [sea - sea[np.maximum(hours - back, 0)] for back in (1, DAY // 2, DAY)]
    return sea, np.column_stack([sea, *changes, *circles])


def build(thin: float = 0.0) -> tuple[ag.Node, ag.Node]:
    """Return the loss and the forecast; ``m`` is 1 in the hours that count, else 0; ``thin`` is the share of units left out."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, d, m = ag.input("x", (INPUTS,), over=(t, b)), ag.input("d", over=(t, b)), ag.input("m", over=(t, b))
    h = ag.nn.dropout("units", ag.nn.gru(x, HIDDEN, over=t, name="cell"), thin, over=b)
    y = ag.param("A", (INPUTS,)) @ x + ag.param("V", (HIDDEN,)) @ h + ag.param("c")
    return ag.sum(m * ag.square(y - d), over=(t, b)) / ag.sum(m, over=(t, b)), y


def run(budget: Budget) -> Outcome:
    """Train, and score beside persistence, and least squares on the last three days and the time of the day."""
    sea, x = load()
    size = MONTHS * DAYS[2] * DAY
    place = np.arange(size) % (DAYS[2] * DAY)
    change = sea[AHEAD : size + AHEAD] - sea[:size]
    train, late, test = (
        (place >= max(start * DAY, DAY)) & (place < end * DAY - AHEAD) for start, end in zip((0, *DAYS[:2]), DAYS, strict=True)
    )  # fmt: skip
    scale, unit = Scale(x[:size][train]), float(change[train].std())

    def fold(rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows, float).reshape(MONTHS, DAYS[2] * DAY, *rows.shape[1:]).swapaxes(0, 1)

    feeds = {"x": fold(scale.reduce(x[:size])), "d": fold(change / unit)}
    judge, y = build()
    nets = train_seeds(
        build(0.4)[0], {**feeds, "m": fold(train)}, {**feeds, "m": fold(late)}, budget, steps=STEPS, every=25, rate=0.005,
        judge=judge, whole={**feeds, "m": fold(train | late)}, description="sea",
    )  # fmt: skip
    predict = make_predictor(y)
    guesses = [unit * predict(net.params, x=feeds["x"]).T.ravel() for net in nets]
    forecasts = {"persistence": np.zeros(size)}
    for hours in (DAY, 3 * DAY):
        rows = np.hstack([x, stack_lags(sea, hours)])[:size]
        forecasts[f"least squares, last {hours} h and time"] = regress(rows, change, train | late)
    span = slice((5 * DAYS[2] + DAYS[1]) * DAY, 6 * DAYS[2] * DAY - AHEAD)
    shown = {"measured": change, "forecast of the GRU": guesses[0], "persistence": forecasts["persistence"]}
    picture = import_viz().plots.curves(
        np.arange(span.stop - span.start) / DAY, {name: (sea[:size] + row)[span] for name, row in shown.items()},
        title="Ten days of August, and the forecasts of six hours before", xlabel="day", ylabel="sea temperature, °C",
        dashed=["persistence"],
    )  # fmt: skip
    return Outcome(
        {name: rmse(guess[test], change[test]) for name, guess in forecasts.items()}, f"straight line + GRU, {HIDDEN} units",
        [rmse(guess[test], change[test]) for guess in guesses], picture,
    )  # fmt: skip


APPLICATION = Application(
    "the sea off Maine, six hours ahead", "RMSE, °C", "NERACOOS buoy B01, in bokeh_sampledata; free to use", run,
    ("bokeh_sampledata",),
)  # fmt: skip
