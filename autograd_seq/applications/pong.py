"""A computer game: where will Pong's ball be, half a second from now?

    h_t = GRU(x_t, h_{t-1})      y_t = A x_t + V h_t + c      L = mean of |y_t - d_t|

x_t holds where the ball and the two paddles are, and whether there is a ball, at every fourth frame; d_t is how far the ball
moves in the next eight of these steps. One picture does not say where the ball is going: that is in the state, with all that
the network finds out about walls and paddles. A player who follows the ball with random lapses plays from different seeds: ten
games train, two say when to stop, and four score.
"""

from __future__ import annotations

import numpy as np

import autograd_seq as ag
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import draw_batches, make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

HIDDEN, STEPS, BATCH, WINDOW, SKIP, AHEAD, GAME, UNIT = 64, 1500, 32, 100, 4, 8, 1200, 100.0
GAMES = {"train": range(10), "late": range(10, 12), "test": range(12, 16)}
RAM = {"x": 49, "y": 54, "opponent": 50, "player": 51}  # Anand et al. 2019
UP, DOWN, REST = 2, 3, 0


def play(seed: int) -> np.ndarray:
    """Return a game: x and y of the ball and y of both paddles in pixels, whether there is a ball; (1200, 5)."""
    import ale_py
    from ale_py.roms import get_rom_path

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    game, random, rows, action = ale_py.ALEInterface(), np.random.default_rng(seed), [], REST
    game.setInt("random_seed", seed)
    game.setFloat("repeat_action_probability", 0.0)
    game.loadROM(str(get_rom_path("pong")))
    actions = game.getMinimalActionSet()
    for frame in range(SKIP * GAME):
        ram = game.getRAM().astype(float)
        x, y, opponent, player = (ram[place] for place in RAM.values())
        if frame % SKIP == 0:
            rows.append([x, y, opponent, player, float(y > 0)])
            if random.random() < 0.3:
                action = int(random.choice([UP, DOWN, REST]))
            else:
                action = UP if y < player else DOWN
        game.act(actions[action])
        if game.game_over():
            game.reset_game()
    return np.array(rows)


def build() -> tuple[ag.Node, ag.Node]:
    """Return the loss and the forecast in hundreds of pixels; ``m`` is 1 where the same ball is there all along, else 0."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, d, m = ag.input("x", (5,), over=(t, b)), ag.input("d", (2,), over=(t, b)), ag.input("m", over=(t, b))
    h = ag.nn.gru(x, HIDDEN, over=t, name="cell")
    y = ag.param("A", (2, 5)) @ x + ag.param("V", (2, HIDDEN)) @ h + ag.param("c", (2,))
    return ag.sum(m * ag.mean(ag.abs(y - d)), over=(t, b)) / ag.sum(m, over=(t, b)), y


def prepare(games: range) -> dict[str, np.ndarray]:
    """Return x, how far the ball goes, d, and where the same ball is in play from a step before, m; (T, N, …) for N games."""
    rows = np.stack([play(seed) for seed in games], axis=1)
    there = rows[..., 4] > 0
    m = np.all([np.roll(there, k, axis=0) for k in range(-AHEAD, 2)], axis=0)
    m[:1], m[-AHEAD:] = False, False
    d = np.where(m[..., None], np.roll(rows[..., :2], -AHEAD, axis=0) - rows[..., :2], 0.0)
    x = np.concatenate([rows[..., :4] / UNIT - 1.2, rows[..., 4:]], axis=-1)
    return {"x": x, "d": d / UNIT, "m": m.astype(float)}


def reflect(y: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return where a ball is that would be at y if there were no walls."""
    return high - np.abs((y - low) % (2 * (high - low)) - (high - low))


def run(budget: Budget) -> Outcome:
    """Train, and score beside a ball that stays, one that flies on, and one that flies on and bounces off the walls."""
    parts = {name: prepare(games) for name, games in GAMES.items()}
    cut = {
        name: np.stack([rows[k : k + WINDOW] for k in range(0, GAME - WINDOW + 1, WINDOW // 2)], axis=1)
        for name, rows in parts["train"].items()
    }  # fmt: skip
    cut = {name: rows.reshape(WINDOW, -1, *rows.shape[3:]) for name, rows in cut.items()}
    loss, y = build()
    nets = train_seeds(loss, draw_batches(BATCH, cut), parts["late"], budget, steps=STEPS, every=100, description="pong")
    x, d, judged = parts["test"]["x"], parts["test"]["d"], parts["test"]["m"] > 0
    predict, place = make_predictor(y), x[..., :2]
    guesses = [predict(net.params, x=x) for net in nets]
    speed = AHEAD * np.diff(place, axis=0, prepend=place[:1])
    seen = parts["train"]["x"][parts["train"]["m"] > 0][:, 1]
    bounced = np.stack([speed[..., 0], reflect((place + speed)[..., 1], seen.min(), seen.max()) - place[..., 1]], axis=-1)

    def score(guess: np.ndarray) -> float:
        return UNIT * float(np.mean(np.abs(guess - d)[judged]))

    baselines = {
        "the ball stays": score(0 * d),
        "it flies on": score(speed),
        "it flies on, and bounces off the walls": score(bounced),
    }
    span = slice(140, 220)
    picture = import_viz().plots.curves(
        SKIP / 60 * np.arange(GAME)[span],
        {name: np.where(judged, UNIT * (place + move)[..., 1] + 1.2 * UNIT, np.nan)[span, 0] for name, move in (
            ("the ball", d), ("forecast", guesses[0]), ("if it flies on", speed))},
        title="Where the ball is, and the forecasts of half a second before", xlabel="second",
        ylabel="pixels from the top", dashed=["if it flies on"],
    )  # fmt: skip
    return Outcome(baselines, f"straight line + GRU, {HIDDEN} units", [score(guess) for guess in guesses], picture)


APPLICATION = Application(
    "Pong's ball, half a second ahead", "MAE, pixels", "Atari's game, played here, in ale-py; GPL 2", run, ("ale-py",)
)  # fmt: skip
