"""The README's plots: a spectrum, how far gradients reach, credit and its truncation, spikes, a phase portrait.

python examples/plots.py [DIR]       (default: docs)
"""

import sys
from pathlib import Path

import numpy as np

import autograd_seq as ag
import viz

STEPS, UNITS = 24, 16


def recurrence(W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the credit of one tanh network, loss by past step, and that of its gradient truncated to segments of 6."""
    t, generator = ag.Axis("t"), np.random.default_rng(1)
    s = ag.state("s", (UNITS,), over=t)
    s[t] = ag.tanh(ag.param("W", (UNITS, UNITS)) @ s[t - 1] + ag.input("x", (UNITS,), over=t))
    feeds = {"W": W, "x": generator.normal(size=(STEPS, UNITS))}
    whole = np.asarray(ag.analyse.credit(ag.sum(s**2), s, over=t)(**feeds))
    steps = np.arange(STEPS)
    return whole, whole * (steps[:, None] // 6 == steps // 6)[..., None]


def spikes() -> np.ndarray:
    """Return which of 12 leaky neurons fires when, each driven by its own constant current."""
    t = ag.Axis("t")
    fired = ag.nn.lif(ag.input("x", (12,), over=t), 12, over=t, name="n")[0]
    return ag.compile(fired)(x=np.tile(np.linspace(0.1, 1.2, 12), (80, 1)), **{"n/U": np.eye(12)})[0]


def henon(steps: int = 1500) -> np.ndarray:
    """Return a trajectory of Hénon's map x[t] = 1 − 1.4 x[t − 1]² + 0.3 x[t − 2] (Hénon 1976)."""
    t = ag.Axis("t")
    x = ag.state("x", over=t, init=[0.1, 0.1])
    x[t] = 1 - 1.4 * x[t - 1] ** 2 + 0.3 * x[t - 2]
    return ag.compile(ag.Graph(x))(t=steps)[0]


def draw() -> dict[str, viz.plots.Plot]:
    """Return all of them by their names."""
    generator = np.random.default_rng(0)
    rotation = np.linalg.qr(generator.normal(size=(UNITS, UNITS)))[0]
    matrices = {"0.5 × orthogonal": 0.5 * rotation, "orthogonal": rotation, "1.5 × orthogonal": 1.5 * rotation}
    sizes = {name: np.linalg.norm(recurrence(W)[0][-1], axis=-1) for name, W in matrices.items()}
    whole, cut = recurrence(rotation)
    x = henon()
    return {
        "plot_spectrum": viz.plots.spectrum(0.9 * generator.normal(size=(64, 64)) / 8, title="A recurrent matrix"),
        "plot_horizon": viz.plots.horizon(sizes, title="How far gradients reach"),
        "plot_credit": viz.plots.credit(whole, policies={"segments of 6": cut}, title="Which step is responsible"),
        "plot_raster": viz.plots.raster(spikes(), title="Leaky integrate-and-fire neurons"),
        "plot_phase": viz.plots.phase(x[20:-1], x[21:], points=True, title="Hénon's map", xlabel="x[t − 1]", ylabel="x[t]"),
    }


def main(folder: Path) -> None:
    """Save all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, plot in draw().items():
        print(plot.save(folder / f"{name}.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
